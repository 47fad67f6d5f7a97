"""The pulse of the service for the head of every page: calls a minute just now, and dollars since midnight."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import ibis.expr.types as ir

from core.metrics import aggregate, buckets
from core.metrics.coverage import by_defaults
from core.store.query import Reader

WINDOW = timedelta(minutes=5)
_TODAY = ("calls", "priced_calls", "calls_by_defaults", "cost_usd", "cost_by_defaults_usd")


def pulse(reader: Reader, now: datetime, known_until: datetime, zone: str = "UTC") -> dict[str, Any]:
    """Return calls a minute over the five minutes before `known_until`, and today's calls, priced calls and dollars.

    Today begins at midnight of `zone`. Keys: calls_per_minute, from, until, calls, priced_calls, calls_by_defaults,
    cost_usd and cost_by_defaults_usd (None: no priced call), since.
    """
    local = now.astimezone(buckets.zone_of(zone))
    midnight = datetime.combine(local.date(), datetime.min.time(), tzinfo=ZoneInfo(zone)).astimezone(UTC)
    start = known_until - WINDOW
    (lately,) = reader.shaped("calls", start, known_until, shape="calls lately", build=_count)
    (found,) = reader.shaped("calls", midnight, max(now, known_until), shape="calls today", build=_sums)
    return {
        "calls_per_minute": lately["n"] / (WINDOW / timedelta(minutes=1)),
        "from": start,
        "until": known_until,
        "since": midnight,
        **{name: found[name] for name in _TODAY},
    }


def _count(rows: ir.Table) -> ir.Table:
    return rows.aggregate(n=rows.count())


def _sums(rows: ir.Table) -> ir.Table:
    rows = aggregate.marked("calls", rows)
    return rows.aggregate(
        calls=rows.count(where=rows.returned),
        priced_calls=rows.count(where=rows.priced),
        cost_usd=rows.cost_usd.sum(where=rows.priced),
        calls_by_defaults=rows.count(where=by_defaults(rows)),
        cost_by_defaults_usd=rows.cost_usd.sum(where=rows.priced & by_defaults(rows)),
    )
