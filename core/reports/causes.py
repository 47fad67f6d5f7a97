"""Miss causes of a report: the miss ledger by cause, in one go or, past a million calls, some days at a time."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from core import advice, misses, ttl
from core.misses import sums
from core.reports import table
from core.reports.request import Desk, Progress, Request
from core.traffic import bounded, load_bounded, slices
from core.traffic.bounds import EVERY

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


def causes(desk: Desk, request: Request, *, progress: Progress) -> table.Report:
    """Return every missed prompt token under its cause, dearest first; the causes sum to the total."""
    bounds = bounded(desk.reader, request.scope)
    rows = _by_slice(desk, request, bounds.calls, progress) if bounds.cut else _together(desk, request)
    return table.Report(("cause",), COLUMNS, rows, _total(rows))


def _together(desk: Desk, request: Request) -> list[dict[str, Any]]:
    traffic, _ = load_bounded(desk.reader, request.scope, desk.book)  # as the Misses page does
    lines = misses.of_traffic(traffic)
    return [{"cause": row["cause"]} | _columns(row) for row in advice.by_cause(lines, ttl.of_traffic(traffic))]


def _by_slice(desk: Desk, request: Request, calls: int, progress: Progress) -> list[dict[str, Any]]:
    parts = slices(desk.reader, request.scope, calls)
    found: sums.Sums = {}
    for number, part in enumerate(parts):
        progress("progress.causes", number, len(parts))
        traffic, _ = load_bounded(desk.reader, part, desk.book, at_once=EVERY)
        sums.add(found, sums.by_cause(traffic))
    rows = [{"cause": cause} | _columns(row | {"recoverable_usd": None}) for cause, row in found.items()]
    return sorted(rows, key=lambda row: (-(row["usd"] or _ZERO), -row["tokens"]))


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
