"""The pulse of the service for the head of every page: calls a minute just now, and dollars since midnight."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import ibis

from core.metrics import aggregate, buckets
from core.metrics.coverage import by_defaults
from core.metrics.scope import Scope, rows_of
from core.store.query import Reader

WINDOW = timedelta(minutes=5)
_NEEDED = (
    "ts",
    "status",
    "prompt_tokens",
    "output_tokens",
    "price_status",
    "cost_usd",
    "model_known_by",
    "ttl_known_by",
)
_TODAY = ("calls", "priced_calls", "calls_by_defaults", "cost_usd", "cost_by_defaults_usd")


def pulse(reader: Reader, now: datetime, known_until: datetime, zone: str = "UTC") -> dict[str, Any]:
    """Return calls a minute over the five minutes before `known_until`, and today's calls, priced calls and dollars.

    Today begins at midnight of `zone`. Keys: calls_per_minute, from, until, calls, priced_calls, calls_by_defaults,
    cost_usd and cost_by_defaults_usd (None: no priced call), since. One scan of a day or two of the calls.
    """
    local = now.astimezone(buckets.zone_of(zone))
    midnight = datetime.combine(local.date(), datetime.min.time(), tzinfo=ZoneInfo(zone)).astimezone(UTC)
    start = known_until - WINDOW
    recent = rows_of(reader, "calls", Scope(start=min(midnight, start), end=max(now, known_until)))
    rows = aggregate.marked("calls", recent.select(*_NEEDED))  # of a few columns a query is soon made
    today = rows.ts >= ibis.literal(midnight, type="timestamp('UTC', 6)")
    lately = (rows.ts >= ibis.literal(start, type="timestamp('UTC', 6)")) & (
        rows.ts < ibis.literal(known_until, type="timestamp('UTC', 6)")
    )
    (found,) = reader.rows(
        rows.aggregate(
            lately=rows.count(where=lately),
            calls=rows.count(where=today & rows.returned),
            priced_calls=rows.count(where=today & rows.priced),
            cost_usd=rows.cost_usd.sum(where=today & rows.priced),
            calls_by_defaults=rows.count(where=today & by_defaults(rows)),
            cost_by_defaults_usd=rows.cost_usd.sum(where=today & rows.priced & by_defaults(rows)),
        )
    )
    return {
        "calls_per_minute": found["lately"] / (WINDOW / timedelta(minutes=1)),
        "from": start,
        "until": known_until,
        "since": midnight,
        **{name: found[name] for name in _TODAY},
    }
