"""PDF: one A4 page for people who want the answer: sentence, key figures, two charts, engines, causes, chargeback."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, BinaryIO

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from core.reports import said
from core.reports.document import DEFAULT_RULE, Document
from core.reports.palette import INK, LOSS, READ, RULE, UNCACHED, WRITE_1H
from core.reports.pdf_ink import draw, fitted, size_for, width, wrapped
from core.reports.table import Report

_WIDE, _HIGH = A4
_LEFT, _RIGHT = 36.0, _WIDE - 36.0
_SOFT = "#5F6B77"
_ENGINES, _CAUSES, _CHARGED = 6, 5, 6
_LINE, _AROUND = 12.0, 50.0  # a line of a table; its title, heads, total and the gap below it
_ENGINE_COLUMNS = ("calls", "token_hit_rate", "no_cache_cost_usd", "cost_usd", "net_savings_usd")
_CAUSE_COLUMNS = ("calls", "tokens", "usd", "recoverable_usd", "measured_share")
_CHARGE_COLUMNS = ("calls", "direct_cost_usd", "allocated_writes_usd", "cost_usd", "net_savings_usd")
_FOOT = ("cover.zone", "cover.filters", "cover.book", "cover.books", "cover.checked", "cover.coverage",
         "cover.by_defaults", "cover.complete", "cover.made")  # fmt: skip


def write(document: Document, out: BinaryIO) -> None:
    """Write the page."""
    canvas = Canvas(out, pagesize=A4, pageCompression=1, lang=document.request.lang)
    canvas.setTitle(document.word("title"))
    canvas.setCreator("Cachewise")
    page = _Page(canvas, document)
    page.head()
    page.figures()
    page.charts()
    page.table("engine", _ENGINE_COLUMNS, _ENGINES)
    page.table("causes", _CAUSE_COLUMNS, _CAUSES)
    page.chargeback()
    page.foot()
    canvas.showPage()
    canvas.save()


class _Page:
    """The page on its way down."""

    def __init__(self, canvas: Canvas, document: Document) -> None:
        self.canvas, self.document = canvas, document
        self.cover = dict(document.cover)
        self.footed = [key for key in _FOOT if key in self.cover]
        self.y = _HIGH - 52.0

    def head(self) -> None:
        """Draw title, range, demo mark and the answer in one sentence."""
        self._text(_LEFT, self.document.word("title"), 20, bold=True)
        self.y -= 17
        self._text(_LEFT, f"{self.cover['cover.from']}  –  {self.cover['cover.to']}", 9, colour=_SOFT)
        if self.document.request.demo:
            self.y -= 20
            self.canvas.setFillColor(HexColor(WRITE_1H))
            self.canvas.roundRect(_LEFT, self.y - 5, _RIGHT - _LEFT, 17, 3, stroke=0, fill=1)
            self._text(_LEFT + 6, self.cover["cover.origin"], 9, colour="#FFFFFF")
        self.y -= 22
        for line in wrapped(said.sentence(self.document), 12.5, _RIGHT - _LEFT):
            self._text(_LEFT, line, 12.5)
            self.y -= 16

    def figures(self) -> None:
        """Draw the key figures in two rows, each with what it is made of."""
        items = said.figures(self.document)
        room = (_RIGHT - _LEFT) / 4
        for row in (items[:4], items[4:]):
            self.y -= 44
            for column, item in enumerate(row):
                x = _LEFT + column * room
                self.canvas.setStrokeColor(HexColor(RULE))
                self.canvas.roundRect(x, self.y - 8, room - 6, 46, 4, stroke=1, fill=0)
                self._text(x + 7, fitted(item.label, 8, room - 20), 8, up=26, colour=_SOFT)
                big, small = size_for(item.value, 13, room - 20, bold=True), size_for(item.parts, 7, room - 20)
                self._text(x + 7, item.value, big, up=10, bold=True)
                self._text(x + 7, item.parts, small, colour=_SOFT)
            self.y -= 8
        self.y -= 20

    def charts(self) -> None:
        """Draw the way from no-cache to actual cost, and the read share by day, side by side."""
        half = (_RIGHT - _LEFT) / 2
        for column, key in enumerate(("chart.waterfall", "chart.read_share")):
            title = fitted(self.document.word(key), 9.5, half - 16, bold=True)
            self._text(_LEFT + column * (half + 6), title, 9.5, bold=True)
        bottom = self.y - 118
        self._waterfall(_LEFT, bottom, half - 12, 96)
        self._read_share(_LEFT + half + 6, bottom, half - 12, 96)
        self.y = bottom - 34

    def _waterfall(self, x: float, y: float, wide: float, high: float) -> None:
        total = self.document.total
        if total["cost_usd"] is None:
            self._nothing(x, y + high / 2)
            return
        no_cache, gross, premium = (total[n] for n in ("no_cache_cost_usd", "gross_savings_usd", "write_premium_usd"))
        steps = [
            ("no_cache_cost_usd", Decimal(0), no_cache, UNCACHED),
            ("gross_savings_usd", no_cache - gross, gross, READ),
            ("write_premium_usd", no_cache - gross, premium, WRITE_1H),
            ("cost_usd", Decimal(0), total["cost_usd"], UNCACHED),
        ]
        top = float(max(base + size for _, base, size, _ in steps)) or 1.0
        room = wide / len(steps)
        for column, (name, base, size, colour) in enumerate(steps):
            left, low, tall = x + column * room + 8, y + float(base) / top * high, float(size) / top * high
            self.canvas.setFillColor(HexColor(colour))
            self.canvas.rect(left, low, room - 16, max(tall, 0.6), stroke=0, fill=1)
            sign = "-" if name == "gross_savings_usd" and size else ""
            label = sign + said.money(size, places=2)
            middle = left + (room - 16) / 2
            self._line(middle - width(label, 7.5) / 2, min(low + tall + 3, y + high + 3), label, 7.5)
            text = fitted(self.document.word(f"metric.{name}"), 7, room - 4)
            self._line(middle - width(text, 7) / 2, y - 10, text, 7, colour=_SOFT)
        self._rule(x, y, x + wide)

    def _read_share(self, x: float, y: float, wide: float, high: float) -> None:
        rows = self.document.days.groups
        x, wide = x + 24, wide - 24
        for share in (0.0, 0.5, 1.0):
            self._rule(x, y + share * high, x + wide)
            label = f"{share:.0%}"
            self._line(x - 4 - width(label, 7), y + share * high - 2, label, 7, colour=_SOFT)
        if not rows:
            self._nothing(x, y + high / 2)
            return
        first, last = rows[0]["day"], rows[-1]["day"]
        span = max((last - first).days, 1)
        self.canvas.setStrokeColor(HexColor(READ))
        self.canvas.setFillColor(HexColor(READ))
        self.canvas.setLineWidth(1.4)
        before: tuple[Any, float, float] | None = None
        for row in rows:
            if row["token_hit_rate"] is None:
                before = None
                continue
            at = (x + (row["day"] - first).days / span * wide, y + row["token_hit_rate"] * high)
            if before is not None and (row["day"] - before[0]).days == 1:
                self.canvas.line(before[1], before[2], *at)  # a day without calls is a gap
            else:
                self.canvas.circle(*at, 1.2, stroke=0, fill=1)
            before = (row["day"], *at)
        self.canvas.setLineWidth(1)
        self._line(x, y - 10, first.isoformat(), 7, colour=_SOFT)
        if last != first:
            self._line(x + wide - width(last.isoformat(), 7), y - 10, last.isoformat(), 7, colour=_SOFT)

    def chargeback(self) -> None:
        """Draw who is charged, and by which rule, as many groups as there is room for; the total is of all."""
        room = int((self.y - self._foot_top() - _AROUND) / _LINE)
        rule = self.document.request.allocate or DEFAULT_RULE
        self.table("chargeback", _CHARGE_COLUMNS, max(1, min(_CHARGED, room)), rule)

    def table(self, sheet: str, columns: tuple[str, ...], most: int, *said_too: str) -> None:
        """Draw the first rows of a sheet and its total, every digit of it."""
        report = self.document.sheets[sheet]
        left_out = len(report.groups) - most
        title = " · ".join(
            [
                self.document.title(sheet),
                *said_too,
                *([self.document.word("pdf.more", n=left_out)] if left_out > 0 else []),
            ]
        )
        self._text(_LEFT, title, 10.5, bold=True)
        self.y -= 14
        labels = [self.document.word(f"metric.{name}") for name in columns]
        self._row(" / ".join(self.document.word(f"col.{name}") for name in report.by), labels, colour=_SOFT)
        self._rule(_LEFT, self.y + 9, _RIGHT)
        for row in report.groups[:most]:
            name = " / ".join(said.name(self.document, report, column, row[column]) for column in report.by)
            loss = (row.get("net_savings_usd") or 0) < 0
            self._row(name, self._cells(report, row, columns), colour=LOSS if loss else INK)
        self._rule(_LEFT, self.y + 9, _RIGHT)
        self._row(self.document.word("total"), self._cells(report, report.total, columns), bold=True)
        self.y -= _LINE

    def foot(self) -> None:
        """Draw what makes the figures understood and found again."""
        self.y = min(self.y, self._foot_top() - _LINE)
        self._rule(_LEFT, self.y + 12, _RIGHT)
        for key in self.footed:
            text = f"{self.document.word(key)}: {self.cover[key]}"
            self._text(_LEFT, fitted(text, 7, _RIGHT - _LEFT), 7, colour=_SOFT)
            self.y -= 10

    def _foot_top(self) -> float:
        return 18.0 + 10 * len(self.footed) + _LINE

    def _cells(self, report: Report, row: dict[str, Any], columns: tuple[str, ...]) -> list[str]:
        return [said.shown(row[name], report.units[name]) for name in columns]

    def _row(self, name: str, cells: list[str], *, bold: bool = False, colour: str = INK) -> None:
        room = (_RIGHT - _LEFT - 132) / len(cells)
        self._text(_LEFT, fitted(name, 8, 126, bold=bold), 8, bold=bold, colour=colour)
        self.canvas.setFillColor(HexColor(colour))
        for column, cell in enumerate(cells, start=1):
            size = size_for(cell, 8, room - 6, bold=bold)
            draw(self.canvas, _LEFT + 132 + column * room, self.y, cell, size, bold=bold, align="right")
        self.y -= 12

    def _text(self, x: float, text: str, size: float, *, up: float = 0, bold: bool = False, colour: str = INK) -> None:
        self._line(x, self.y + up, text, size, bold=bold, colour=colour)

    def _line(self, x: float, y: float, text: str, size: float, *, bold: bool = False, colour: str = INK) -> None:
        self.canvas.setFillColor(HexColor(colour))
        draw(self.canvas, x, y, text, size, bold=bold)

    def _rule(self, x: float, y: float, end: float) -> None:
        self.canvas.setStrokeColor(HexColor(RULE))
        self.canvas.setLineWidth(0.6)
        self.canvas.line(x, y, end, y)
        self.canvas.setLineWidth(1)

    def _nothing(self, x: float, y: float) -> None:
        self._line(x, y, self.document.word("pdf.nothing"), 8, colour=_SOFT)
