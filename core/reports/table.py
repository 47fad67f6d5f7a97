"""The rows of a report: one for each group, and the total, with every metric flat and named with its unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from core.metrics import breakdown, chargeback, summary
from core.metrics.aggregate import COLUMNS, TIMES
from core.metrics.catalog import METRICS
from core.metrics.chargeback import COLUMNS as CHARGED
from core.metrics.chargeback import total as total_charged
from core.metrics.invocations import QUANTILE_NAMES
from core.metrics.scope import Scope
from core.reports.request import Progress, Request, silent
from core.store.query import Reader

Row = dict[str, Any]

_SPREAD = "response_time_ms"
_ARROW = {"count": pa.int64(), "tokens": pa.int64(), "usd": pa.decimal128(38, 12)}
_UNITS = {"usd": "USD", "tokens per token": "tokens/token"}
_TABLES = ("calls", "invocations", "prompt_store_events")
_IN_ONE_GO = timedelta(days=93)
"""A longer range grouped by time is asked month by month, so that memory holds a month of groups."""


@dataclass(frozen=True, slots=True)
class Report:
    """Groups and total of one scope; `units` names the metric columns in order."""

    by: tuple[str, ...]
    units: Mapping[str, str]
    groups: list[Row]
    total: Row

    def arrow(self) -> pa.Table:
        """Return the groups as Arrow, dollars as DECIMAL(38,12); the total is their sum, so it is no row here."""
        return pa.Table.from_pylist(self.groups, schema=schema(self.by, self.units))


@dataclass(frozen=True, slots=True)
class Stream:
    """The same, its groups coming a month at a time."""

    by: tuple[str, ...]
    units: Mapping[str, str]
    total: Row
    chunks: Iterator[list[Row]]


def build(reader: Reader, scope: Scope, by: Sequence[str], *, zone: str = "UTC") -> Report:
    """Ask the metrics of the scope by group, and whole: a report has no arithmetic of its own."""
    total = flat(summary(reader, scope))
    return Report(tuple(by), units_of(total), _groups(reader, scope, by, zone=zone) if by else [], total)


def stream(reader: Reader, request: Request, progress: Progress = silent) -> Stream:
    """Ask the same for a report that may be long: groups by day or hour come a month at a time, in the same order.

    With a rule to allocate by, it is the chargeback of the groups.
    """
    if request.allocate is not None:
        report = charged(reader, request.scope, request.by, request.allocate)
        return Stream(report.by, report.units, report.total, iter([report.groups]))
    total = flat(summary(reader, request.scope))
    return Stream(request.by, units_of(total), total, _chunks(reader, request, progress))


def charged(reader: Reader, scope: Scope, by: Sequence[str], rule: str) -> Report:
    """Ask what each group is charged, with shared cache writes allocated by a rule."""
    rows = chargeback(reader, scope, by, rule)
    return Report(tuple(by), CHARGED, rows, total_charged(rows))


def schema(by: Iterable[str], units: Mapping[str, str]) -> pa.Schema:
    """Return the Arrow schema of groups: counts and tokens whole, dollars decimal, the rest float."""
    kinds = [pa.field(name, _group_type(name)) for name in by]
    return pa.schema([*kinds, *(pa.field(name, _ARROW.get(unit, pa.float64())) for name, unit in units.items())])


def heading(name: str, unit: str) -> str:
    """Return a column's heading with its unit, such as "cost_usd [USD]"."""
    return f"{name} [{_UNITS.get(unit, unit)}]"


def flat(row: Mapping[str, Any]) -> Row:
    """Return the metrics of a row one by one, the quantiles of the response time each under a name of its own."""
    found: Row = {}
    for name in METRICS:
        if name == _SPREAD:
            found |= {f"response_time_{level}_ms": row[name][level] for level in QUANTILE_NAMES}
        elif name in row:
            found[name] = row[name]
    return found


def units_of(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the unit of each metric of a flat row."""
    return {name: METRICS[name].unit if name in METRICS else "ms" for name in row}


def months(reader: Reader, scope: Scope, *, zone: str) -> list[Scope]:
    """Cut a scope at the midnights that begin a month in the zone; months without any data are left out."""
    spans = [span for name in _TABLES if (span := reader.span(name, scope.start, scope.end))]
    if not spans:
        return []
    begin = max(filter(None, (scope.start, min(first for first, _ in spans))))
    end = min(filter(None, (scope.end, max(last for _, last in spans))))
    edges = [begin, *_month_starts(begin, end, ZoneInfo(zone)), end]
    parts = [replace(scope, start=start, end=stop) for start, stop in pairwise(edges)]
    return [part for part in parts if any(reader.span(name, part.start, part.end) for name in _TABLES)]


def _groups(reader: Reader, scope: Scope, by: Sequence[str], *, zone: str) -> list[Row]:
    return [{name: row[name] for name in by} | flat(row) for row in breakdown(reader, scope, by, zone=zone)]


def _chunks(reader: Reader, request: Request, progress: Progress) -> Iterator[list[Row]]:
    if not request.by:
        return
    parts = [request.scope]
    if set(request.by) & set(TIMES):
        cut = months(reader, request.scope, zone=request.zone)
        if cut and cut[-1].end - cut[0].start > _IN_ONE_GO:  # type: ignore[operator]
            parts = cut
    for number, part in enumerate(parts):
        progress("progress.groups", number, len(parts))
        yield _groups(reader, part, request.by, zone=request.zone)


def _month_starts(begin: datetime, end: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    local = begin.astimezone(zone)
    year, month = local.year, local.month
    while True:
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
        edge = datetime(year, month, 1, tzinfo=zone).astimezone(UTC)
        if edge >= end:
            return
        yield edge


def _group_type(name: str) -> pa.DataType:
    if name in COLUMNS or name == "cause":
        return pa.string()
    return pa.date32() if name == "day" else pa.timestamp("us", tz="UTC")
