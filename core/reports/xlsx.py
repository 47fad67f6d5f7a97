"""Excel: a cover, the totals, a sheet for each subject, native charts. Text is text: no name can become a formula.

Excel computes in binary floating point, 15 to 16 digits. So every total stands twice: as a number to compute with,
and as text with all its digits.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from core.errors import FixSettings
from core.metrics.catalog import METRICS, formula
from core.reports import xlsx_charts
from core.reports.document import Document
from core.reports.palette import INK, READ
from core.reports.table import Report, heading
from core.reports.words import without

MOST_ROWS = 1_048_576 - 4  # heading, total and exact total
MOST_TEXT = 32_767
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
_FORMS = {
    "usd": "[$$-409]#,##0.00####;[Red]-[$$-409]#,##0.00####",
    "ratio": "0.0%",
    "ms": "#,##0",
    "count": "#,##0",
    "tokens": "#,##0",
    "tokens per token": "#,##0.0",
    "day": "yyyy-mm-dd",
    "hour": "yyyy-mm-dd hh:mm",
}


def write(document: Document, out: BinaryIO) -> None:
    """Write the workbook."""
    for report in document.sheets.values():
        check_rows(len(report.groups))
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, _OPTIONS) as book:
        book.set_properties({"title": document.word("title"), "created": document.request.made_at.replace(tzinfo=None)})
        _Book(book, document).write()
    out.write(content.getbuffer())


def check_rows(rows: int) -> None:
    """Refuse more rows than a sheet holds."""
    if rows > MOST_ROWS:
        raise FixSettings(
            f"The report has {rows:,} rows; an Excel sheet holds {MOST_ROWS:,}.",
            code="REP-004",
            mend="Accepted: a shorter range, fewer names in --by, or --format csv or parquet.",
            about=(f"{rows:,}", f"{MOST_ROWS:,}"),
        )


class _Book:
    """One workbook on its way: its formats, and the sheets in order."""

    def __init__(self, book: xlsxwriter.Workbook, document: Document) -> None:
        self.book, self.document = book, document
        self.zone = ZoneInfo(document.request.zone)
        self.head = book.add_format({"bold": True, "bg_color": READ, "font_color": "#FFFFFF", "text_wrap": True})
        self.title = book.add_format({"bold": True, "font_size": 18, "font_color": INK})
        self.label = book.add_format({"bold": True, "valign": "top"})
        self.wrap = book.add_format({"text_wrap": True, "valign": "top"})
        self.mark = book.add_format({"bold": True, "font_color": "#C20A41", "text_wrap": True, "valign": "top"})
        self.forms = {unit: book.add_format({"num_format": form}) for unit, form in _FORMS.items()}
        self.bold = {
            unit: book.add_format({"num_format": form, "bold": True, "top": 1}) for unit, form in _FORMS.items()
        }
        self.plain_bold = book.add_format({"bold": True, "top": 1})
        self.exact = book.add_format({"align": "right", "font_name": "Consolas"})

    def write(self) -> None:
        """Write every sheet."""
        document = self.document
        self._cover(self.book.add_worksheet(document.word("sheet.cover")))
        self._summary(self.book.add_worksheet(document.word("sheet.summary")))
        charts = self.book.add_worksheet(document.word("sheet.charts"))
        places = {}
        for name, report in document.sheets.items():
            title = document.title(name)[:31]
            places[name] = title
            self._subject(self.book.add_worksheet(title), report)
        xlsx_charts.draw(self.book, charts, document, places)

    def _cover(self, sheet: Worksheet) -> None:
        word = self.document.word
        sheet.set_column(0, 0, 34)
        sheet.set_column(1, 1, 18)
        sheet.set_column(2, 2, 100)
        sheet.hide_gridlines(2)
        sheet.write_string(0, 0, word("title"), self.title)
        row = 2
        for key, text in self.document.cover:
            sheet.write_string(row, 0, word(key), self.label)
            sheet.write_string(row, 2, text[:MOST_TEXT], self.mark if key == "cover.origin" else self.wrap)
            row += 1
        row = self._lines(sheet, row + 1, ("notes.unknown", "notes.exact", "notes.caches"))
        self._heads(sheet, row + 1, ("col.metric", "col.unit", "col.formula"))
        for number, (name, unit) in enumerate(self._defined(), start=row + 2):
            sheet.write_string(number, 0, name)
            sheet.write_string(number, 1, word(f"unit.{unit}"))
            sheet.write_string(number, 2, formula(name, self.document.request.lang), self.wrap)

    def _summary(self, sheet: Worksheet) -> None:
        sheet.set_column(0, 0, 32)
        sheet.set_column(1, 2, 24)
        sheet.set_column(3, 3, 14)
        sheet.set_column(4, 6, 26)
        sheet.freeze_panes(1, 1)
        heads = ("metric", "value", "exact", "unit", "numerator", "denominator", "name")
        self._heads(sheet, 0, [f"col.{head}" for head in heads])
        for row, (name, unit) in enumerate(self.document.units.items(), start=1):
            value = self.document.total[name]
            metric = METRICS.get(name)
            sheet.write_string(row, 0, name)
            self._cell(sheet, row, 1, value, self.forms.get(unit))
            sheet.write_string(row, 2, exact(value), self.exact)
            sheet.write_string(row, 3, self.document.word(f"unit.{unit}"))
            for column, part in enumerate((metric and metric.numerator, metric and metric.denominator), start=4):
                if part:
                    sheet.write_string(row, column, f"{part} = {exact(self.document.total.get(part))}")
            sheet.write_string(row, 6, self.document.word(f"metric.{name}"))

    def _subject(self, sheet: Worksheet, report: Report) -> None:
        names = list(report.by)
        sheet.set_column(0, len(names) - 1, 26)
        sheet.set_column(len(names), len(names) + len(report.units), 19)
        sheet.set_row(0, 48)
        sheet.freeze_panes(1, len(names))
        word = self.document.word
        headings = [f"{word(f'col.{name}')}\n{name}" for name in names]
        headings += [f"{word(f'metric.{name}')}\n{heading(name, unit)}" for name, unit in report.units.items()]
        for column, text in enumerate(headings):
            sheet.write_string(0, column, text, self.head)
        for row, group in enumerate(report.groups, start=1):
            for column, name in enumerate(names):
                self._cell(sheet, row, column, self._member(name, group[name]), self.forms.get(name))
            for column, (name, unit) in enumerate(report.units.items(), start=len(names)):
                self._cell(sheet, row, column, group[name], self.forms.get(unit))
        last = len(report.groups)
        sheet.write_string(last + 1, 0, word("total"), self.plain_bold)
        for column, (name, unit) in enumerate(report.units.items(), start=len(names)):
            self._cell(sheet, last + 1, column, report.total[name], self.bold.get(unit, self.plain_bold))
        sheet.write_string(last + 2, 0, word("total.exact"))  # in constant memory, rows are written in their order
        for column, name in enumerate(report.units, start=len(names)):
            if isinstance(report.total[name], Decimal):
                sheet.write_string(last + 2, column, exact(report.total[name]), self.exact)
        if last:
            sheet.autofilter(0, 0, last, len(headings) - 1)
            self._bars(sheet, report, last)

    def _member(self, column: str, value: Any) -> Any:
        """Return a member of a group: causes and what has no name in the report's language, names as they are."""
        if value is None:
            return without(column, self.document.request.lang)
        return self.document.word(f"cause.{value}") if column == "cause" else value

    def _bars(self, sheet: Worksheet, report: Report, last: int) -> None:
        """Lay data bars under the dollars that are looked at first."""
        for name in ("cost_usd", "usd"):
            if name in report.units:
                column = len(report.by) + list(report.units).index(name)
                sheet.conditional_format(1, column, last, column, {"type": "data_bar", "bar_color": READ})

    def _cell(self, sheet: Worksheet, row: int, column: int, value: Any, form: Format | None) -> None:
        """Write one value; unknown stays empty, and text is never read as anything else."""
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            sheet.write_blank(row, column, None, form)
        elif isinstance(value, datetime):
            sheet.write_datetime(row, column, value.astimezone(self.zone).replace(tzinfo=None), form)
        elif isinstance(value, date):
            sheet.write_datetime(row, column, datetime(value.year, value.month, value.day), form)  # noqa: DTZ001
        elif isinstance(value, str):
            sheet.write_string(row, column, value[:MOST_TEXT])
        else:
            sheet.write_number(row, column, value, form)

    def _heads(self, sheet: Worksheet, row: int, keys: Iterable[str]) -> None:
        for column, key in enumerate(keys):
            sheet.write_string(row, column, self.document.word(key), self.head)

    def _lines(self, sheet: Worksheet, row: int, keys: Iterable[str]) -> int:
        for key in keys:
            sheet.write_string(row, 0, self.document.word(key))
            row += 1
        return row

    def _defined(self) -> Mapping[str, str] | Any:
        return [(name, metric.unit) for name, metric in METRICS.items() if name in self.document.units]


def exact(value: Any) -> str:
    """Return a value with every digit it has."""
    if value is None:
        return ""
    return format(value, "f") if isinstance(value, Decimal) else str(value)
