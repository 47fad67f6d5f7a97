"""Miss causes of a report: the miss ledger by cause, in one go or, past a million calls, a month at a time.

Each month is judged with the eight days before it, so a prefix idle for longer counts there as touched first.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from core import advice, misses, ttl
from core.metrics.scope import Scope
from core.reports import table
from core.reports.request import Desk, Progress, Request
from core.traffic import load

IN_ONE_GO = 1_000_000
"""Calls that are judged together, as the Misses page does: below 2 GB of memory."""

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
_SUMS = ("tokens", "calls", "measured_tokens", "inferred_tokens", "unknown_tokens")
_ZERO = Decimal(0)


def causes(desk: Desk, request: Request, *, calls: int, progress: Progress) -> table.Report:
    """Return every missed prompt token under its cause, dearest first; the causes sum to the total."""
    rows = _together(desk, request.scope) if calls <= IN_ONE_GO else _by_month(desk, request, progress)
    return table.Report(("cause",), COLUMNS, rows, _total(rows))


def _together(desk: Desk, scope: Scope) -> list[dict[str, Any]]:
    traffic = load(desk.reader, scope, desk.book)
    lines = misses.of_traffic(traffic)
    return [{"cause": row["cause"]} | _columns(row) for row in advice.by_cause(lines, ttl.of_traffic(traffic))]


def _by_month(desk: Desk, request: Request, progress: Progress) -> list[dict[str, Any]]:
    parts = table.months(desk.reader, request.scope, zone="UTC")
    sums: dict[str, dict[str, Any]] = {}
    for number, part in enumerate(parts):
        progress("progress.causes", number, len(parts))
        for row in misses.by_cause(misses.of_traffic(load(desk.reader, part, desk.book))):
            into = sums.setdefault(row["cause"], dict.fromkeys(_SUMS, 0) | {"usd": None, "recoverable_usd": None})
            for name in _SUMS:
                into[name] += row[name]
            if row["usd"] is not None:
                into["usd"] = (into["usd"] or _ZERO) + row["usd"]
    rows = [{"cause": cause} | _columns(row) for cause, row in sums.items()]
    return sorted(rows, key=lambda row: (-(row["usd"] or _ZERO), -row["tokens"]))


def _columns(row: dict[str, Any]) -> dict[str, Any]:
    share = row["measured_tokens"] / row["tokens"] if row["tokens"] else None
    return {name: row.get(name) for name in COLUMNS} | {"measured_share": share}


def _total(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Add up the causes; calls may have two lines each and do not add up."""
    whole: dict[str, Any] = {name: sum(row[name] for row in rows) for name in _SUMS}
    for name in ("usd", "recoverable_usd"):
        known = [row[name] for row in rows if row[name] is not None]
        whole[name] = sum(known, _ZERO) if known else None
    return _columns(whole) | {"calls": None}
