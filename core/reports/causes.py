"""Miss causes of a report: the miss ledger by cause, in one go or, past a million calls, some days at a time.

Each slice is judged with the eight days before it, so a prefix idle for longer counts there as touched first. How many
days a slice has follows the traffic: so many calls are in memory at once, however long the report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from core import advice, misses, ttl
from core.metrics.scope import Scope
from core.misses import sums
from core.reports import table
from core.reports.request import Desk, Progress, Request
from core.store.query import Reader
from core.traffic import Bounds, bounded, load
from core.traffic.calls import LOOK_BACK

AT_ONCE = 420_000
"""Calls of a slice of a report that is too long to be judged in one go, the eight days before it among them: below
700 MB of memory."""

COLUMNS = {
    "tokens": "tokens",
    "usd": "usd",
    "recoverable_usd": "usd",
    "calls": "count",
    "measured_tokens": "tokens",
    "inferred_tokens": "tokens",
    "unknown_tokens": "tokens",
    "measured_share": "ratio",
}
_ZERO = Decimal(0)
_DAY = timedelta(days=1)


def causes(desk: Desk, request: Request, *, progress: Progress) -> table.Report:
    """Return every missed prompt token under its cause, dearest first; the causes sum to the total."""
    bounds = bounded(desk.reader, request.scope)
    rows = _by_slice(desk, request, bounds.calls, progress) if bounds.cut else _together(desk, bounds)
    return table.Report(("cause",), COLUMNS, rows, _total(rows))


def _together(desk: Desk, bounds: Bounds) -> list[dict[str, Any]]:
    traffic = load(desk.reader, bounds.scope, desk.book, look_back=bounds.look_back)  # as the Misses page does
    lines = misses.of_traffic(traffic)
    return [{"cause": row["cause"]} | _columns(row) for row in advice.by_cause(lines, ttl.of_traffic(traffic))]


def _by_slice(desk: Desk, request: Request, calls: int, progress: Progress) -> list[dict[str, Any]]:
    parts = slices(desk.reader, request.scope, calls)
    found: sums.Sums = {}
    for number, part in enumerate(parts):
        progress("progress.causes", number, len(parts))
        look_back = bounded(desk.reader, part).look_back
        sums.add(found, sums.by_cause(load(desk.reader, part, desk.book, look_back=look_back)))
    rows = [{"cause": cause} | _columns(row | {"recoverable_usd": None}) for cause, row in found.items()]
    return sorted(rows, key=lambda row: (-(row["usd"] or _ZERO), -row["tokens"]))


def slices(reader: Reader, scope: Scope, calls: int) -> list[Scope]:
    """Cut a scope of so many calls at midnights of UTC, so that a slice and what it looks back on are AT_ONCE at most.

    Where the traffic is so dense that the days before alone are more, a slice has one day.
    """
    bounds = reader.span("calls", scope.start, scope.end)
    if bounds is None:
        return []
    begin, end = max(scope.start or bounds[0], bounds[0]), min(scope.end or bounds[1], bounds[1])
    a_day = calls / max((end - begin) / _DAY, 1)
    length = max(_DAY, _DAY * int(AT_ONCE / a_day - LOOK_BACK / _DAY))
    edges = [begin]
    while (edge := midnight(edges[-1]) + length) < end:
        edges.append(edge)
    parts = [replace(scope, start=start, end=stop) for start, stop in pairwise([*edges, end])]
    return [part for part in parts if reader.span("calls", part.start, part.end)]


def midnight(moment: datetime) -> datetime:
    """Return the midnight of UTC with which a moment's day began."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _columns(row: Mapping[str, Any]) -> dict[str, Any]:
    share = row["measured_tokens"] / row["tokens"] if row["tokens"] else None
    return {name: row.get(name) for name in COLUMNS} | {"measured_share": share}


def _total(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Add up the causes; calls may have two lines each and do not add up."""
    whole: dict[str, Any] = {name: sum(row[name] for row in rows) for name in sums.SUMS}
    for name in ("usd", "recoverable_usd"):
        known = [row[name] for row in rows if row[name] is not None]
        whole[name] = sum(known, _ZERO) if known else None
    return _columns(whole) | {"calls": None}
