"""The figures that rules measure over a window, by engine, and what is usual at the same hours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from core.metrics import aggregate, breakdown, summary
from core.metrics.buckets import zone_of
from core.metrics.catalog import measures_of
from core.metrics.scope import Scope
from core.store.query import Reader

ALL = "all"
NAMELESS = "calls without an engine"
DAYS = 28
_LEAST_DAYS = 4
_LEAST_COUNT = 5
Figure = tuple[float | None, int]

_PARTS: dict[str, tuple[str, str, str]] = {  # metric → numerator, denominator, what is counted
    "hit_rate": ("cache_read_tokens", "prompt_tokens", "calls"),
    "request_hit_rate": ("claude_cache_read_calls", "cacheable_calls", "cacheable_calls"),
    "prompt_store_hit_rate": ("prompt_store_hits", "prompt_store_lookups", "prompt_store_lookups"),
    "cost_per_request": ("cost_usd", "priced_calls", "priced_calls"),
    "cost": ("cost_usd", "", "calls"),
    "error_rate": ("failed_calls", "calls_and_failed", "calls_and_failed"),
}


_SUMMED: dict[str, tuple[str, ...]] = {
    **{metric: tuple(filter(None, parts)) for metric, parts in _PARTS.items()},
    "prompt_store_hit_rate": ("prompt_store_hits", "prompt_store_misses"),
    "error_rate": ("failed_calls", "calls"),
}


def measured(reader: Reader, scope: Scope, metric: str, *, together: bool) -> dict[str, Figure]:
    """Return value and count of a metric in the scope by engine, or under "all".

    Calls that name no engine are one of their own: a service that never names any is watched all the same.
    """
    if together:
        return {ALL: figure(summary(reader, scope), metric)}
    rows = breakdown(reader, scope, ["engine"])
    return {_subject(row["engine"]): figure(row, metric) for row in rows}


def usual(reader: Reader, scope: Scope, metric: str, *, together: bool, zone: str) -> dict[str, float | None]:
    """Return the median over up to 28 like days (working days, or weekend days) of the metric at the same hours.

    One window after the other is asked, for what the metric needs: engines times days are held, and no more.
    """
    assert scope.start is not None and scope.end is not None
    values: dict[str, list[float]] = defaultdict(list)
    for start, end in _windows(scope.start, scope.end, zone):
        window = Scope(_five_minutes(start), _five_minutes(end), scope.engines)
        for subject, row in _sums(reader, window, metric, together=together).items():
            value, count = figure(row, metric)
            if value is not None and count >= _LEAST_COUNT:
                values[subject].append(value)
            else:
                values.setdefault(subject, [])
    return {subject: median(days) if len(days) >= _LEAST_DAYS else None for subject, days in values.items()}


def _sums(reader: Reader, scope: Scope, metric: str, *, together: bool) -> dict[str, dict[str, Any]]:
    """Return the sums that a metric is made of, by engine or under "all"."""
    table = "prompt_store_events" if metric == "prompt_store_hit_rate" else "calls"
    measures = {name: item for name, item in measures_of(table).items() if name in _SUMMED[metric]}
    if together:
        found = {ALL: aggregate.totals(reader, table, scope, measures)}
    else:
        parts = aggregate.groups(reader, table, scope, measures, by=["engine"], zone=ZoneInfo("UTC"))
        found = {_subject(engine): row for (engine,), row in (parts or {}).items()}
    for row in found.values():
        row["prompt_store_lookups"] = (row.get("prompt_store_hits") or 0) + (row.get("prompt_store_misses") or 0)
    return found


def _five_minutes(moment: datetime) -> datetime:
    """Return the first full five minutes that are not before a moment: windows are asked at another every minute."""
    past = timedelta(minutes=moment.minute % 5, seconds=moment.second, microseconds=moment.microsecond)
    return moment - past + (timedelta(minutes=5) if past else timedelta())


def _subject(engine: str | None) -> str:
    return NAMELESS if engine is None else engine


def figure(row: Mapping[str, Any], metric: str) -> Figure:
    """Return a metric's value and what it counts, from a row of sums."""
    numerator, denominator, counted = _PARTS[metric]
    above, below = _sum(row, numerator), _sum(row, denominator) if denominator else 1
    count = int(_sum(row, counted) or 0)
    if above is None or not below:
        return None, count
    return float(above) / float(below), count


def _sum(row: Mapping[str, Any], name: str) -> Any:
    if name == "calls_and_failed":
        return (row.get("calls") or 0) + (row.get("failed_calls") or 0)
    return row.get(name)


def _windows(start: datetime, end: datetime, zone: str) -> list[tuple[datetime, datetime]]:
    """Return the same hours of earlier days of the same kind; a window of days is compared with earlier whole ones."""
    place = zone_of(zone)
    step = max(1, -(-int((end - start).total_seconds()) // 86_400))
    kind = start.astimezone(place).weekday() >= 5
    shifted = [(start - timedelta(days=n), end - timedelta(days=n)) for n in range(step, DAYS + 1, step)]
    if step > 1:
        return shifted
    return [pair for pair in shifted if (pair[0].astimezone(place).weekday() >= 5) == kind]
