"""What the reports for people (Excel, HTML, PDF) are made of: a cover, the totals, and one sheet for each subject."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.metrics import freshness
from core.metrics.scope import Scope, rows_of
from core.pricing.provenance import newest_check
from core.reports import causes, table
from core.reports.request import Desk, Progress, Request, silent
from core.reports.said import money
from core.reports.table import Report
from core.reports.words import without, word
from core.store.query import Reader

DEFAULT_RULE = "by-reads"
SUBJECTS = ("day", "engine", "model")
"""Breakdowns that every document has; another grouping that was asked for comes first."""


@dataclass(frozen=True, slots=True)
class Document:
    """One report for people: `cover` holds (word, text) pairs, `sheets` the subjects by name, in order."""

    request: Request
    cover: tuple[tuple[str, str], ...]
    total: dict[str, Any]
    units: dict[str, str]
    sheets: dict[str, Report]

    @property
    def days(self) -> Report:
        """The breakdown by day, which charts over time are drawn from."""
        return self.sheets["day"]

    @property
    def rows(self) -> int:
        """How many rows its sheets have."""
        return sum(len(report.groups) for report in self.sheets.values())

    def word(self, key: str, **values: object) -> str:
        """Return a text in the report's language."""
        return word(self.request.lang, key, **values)

    def title(self, sheet: str) -> str:
        """Return the name of a sheet."""
        return self.word(f"sheet.{sheet}") if sheet in (*SUBJECTS, "causes", "chargeback") else sheet.replace(",", ", ")


def build(desk: Desk, request: Request, progress: Progress = silent) -> Document:
    """Ask the metrics everything a document shows."""
    plain = replace(request, allocate=None)
    steps = [*_groupings(request), ("causes", ()), ("chargeback", request.charged)]
    progress("progress.totals", 0, len(steps) + 1)
    first = table.build(desk.reader, request.scope, ())
    sheets: dict[str, Report] = {}
    for number, (name, by) in enumerate(steps, start=1):
        progress("progress.causes" if name == "causes" else "progress.groups", number, len(steps) + 1)
        if name == "causes":
            sheets[name] = causes.causes(desk, request, progress=progress)
        elif name == "chargeback":
            sheets[name] = table.charged(desk.reader, request.scope, by, request.allocate or DEFAULT_RULE)
        else:
            rows = [row for part in table.stream(desk.reader, replace(plain, by=by)).chunks for row in part]
            sheets[name] = Report(by, first.units, rows, first.total)
    progress("progress.writing", len(steps) + 1, len(steps) + 1)
    return Document(request, tuple(cover(desk, request, first.total)), first.total, dict(first.units), sheets)


def period(request: Request, reader: Reader) -> tuple[datetime | None, datetime | None]:
    """Return the range asked for, or the one that the tables cover where it is open."""
    span = reader.span("calls", request.scope.start, request.scope.end)
    start = request.scope.start or (span[0] if span else None)
    return start, request.scope.end or (span[1] if span else None)


def moment(value: datetime | None, zone: str) -> str:
    """Return a time of the cover in the report's zone, with its offset."""
    return "…" if value is None else value.astimezone(ZoneInfo(zone)).isoformat(sep=" ", timespec="minutes")


def _groupings(request: Request) -> Iterator[tuple[str, tuple[str, ...]]]:
    if request.by and request.by not in [(name,) for name in SUBJECTS]:
        yield ",".join(request.by), request.by
    for name in SUBJECTS:
        yield name, (name,)


def cover(desk: Desk, request: Request, total: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Return what makes the figures understood and found again, as (word, text)."""
    lang = request.lang
    start, end = period(request, desk.reader)
    if request.demo:
        yield "cover.origin", word(lang, "cover.demo")
    yield "cover.from", moment(start, request.zone)
    yield "cover.to", word(lang, "cover.until", moment=moment(end, request.zone))
    yield "cover.zone", request.zone
    yield "cover.filters", _filters(request) or word(lang, "cover.no_filters")
    yield "cover.currency", word(lang, "cover.usd")
    yield "cover.book", desk.book.version
    yield "cover.books", ", ".join(_books(desk.reader, request.scope)) or "–"
    yield "cover.checked", _day(newest_check())
    yield "cover.coverage", _coverage(request, total)
    if total["calls_by_defaults"]:
        yield "cover.by_defaults", _by_defaults(request, total)
    rule = request.allocate or DEFAULT_RULE
    yield "cover.rule", f"{rule}: {word(lang, f'rule.{rule}')}"
    yield "cover.complete", _complete(desk.reader, request)
    yield "cover.made", request.made_at.astimezone(UTC).isoformat(sep=" ", timespec="seconds")


def _filters(request: Request) -> str:
    return "; ".join(
        f"{column} = {', '.join(value or without(column, request.lang) for value in values)}"
        for column, values in request.scope.filters().items()
    )


def _books(reader: Reader, scope: Scope) -> list[str]:
    """Return the price books that the calls in scope were priced with."""
    calls = rows_of(reader, "calls", scope)
    priced = calls.filter(calls.price_book.notnull())
    return sorted(row["price_book"] for row in reader.rows(priced.select("price_book").distinct()))


def _coverage(request: Request, total: dict[str, Any]) -> str:
    share, lang = total["price_coverage"], request.lang
    if share is None:
        return word(lang, "cover.no_calls")
    text = f"{share:.2%} ({total['priced_calls']:,} / {total['calls']:,})"
    left = total["unpriced_calls"]
    return f"{text} · {word(lang, 'cover.unpriced', n=f'{left:,}')}" if left else text


def _by_defaults(request: Request, total: dict[str, Any]) -> str:
    """Say of how many calls the settings told model or TTL, and their dollars."""
    names = {"n": "calls_by_defaults", "calls": "calls", "model": "model_by_defaults", "ttl": "ttl_by_defaults"}
    counts = {key: f"{total[name]:,}" for key, name in names.items()}
    return word(request.lang, "cover.of_defaults", usd=money(total["cost_by_defaults_usd"]), **counts)


def _complete(reader: Reader, request: Request) -> str:
    """Say how far the data of each source reaches: what comes later is not in the report."""
    told = [
        f"{row['source']}: {moment(row['complete_until'], request.zone)}"
        for row in freshness(reader)
        if not request.scope.sources or row["source"] in request.scope.sources
    ]
    return "; ".join(told) or "–"


def _day(value: date) -> str:
    return value.isoformat()
