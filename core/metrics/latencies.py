"""The latency page's figures: response time cold and warm, calls with and without cache reads, prompt-store misses."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from core.metrics import aggregate
from core.metrics.catalog import DERIVED, MEASURES
from core.metrics.invocations import QUANTILE_NAMES, QUANTILES
from core.metrics.measure import Measure
from core.metrics.scope import Scope
from core.metrics.speed import DISTRIBUTIONS
from core.store.query import Reader

_COUNT = "_count"
_TABLES = ("invocations", "calls", "prompt_store_events")
_SHARED = (
    "invocations",
    "cold_starts",
    "response_time_ms",
    "response_times",
    "prompt_store_hits",
    "prompt_store_fetch_ms",
)


def latency(reader: Reader, scope: Scope, by: str | None = None) -> list[dict[str, Any]]:
    """Return one dict (or one for each member of `by`): every distribution as {p50, p95, p99, count} in ms.

    A distribution of a table that cannot answer (invocations know no model) is all None.
    """
    names = [by] if by else []
    aggregate.check_columns(names)
    measures = {table: _measures(table) for table in _TABLES}
    if not by:
        sums: dict[str, Any] = {}
        for table in _TABLES:
            sums |= aggregate.totals(reader, table, scope, measures[table])
        return [_shaped(sums)]
    found = {t: aggregate.groups(reader, t, scope, measures[t], by=names, zone=ZoneInfo("UTC")) for t in _TABLES}
    members = sorted({m for part in found.values() for m in part or {}}, key=lambda member: str(member[0] or ""))
    return [{by: member[0], **_shaped(_sums_of(found, measures, member))} for member in members]


@cache
def _measures(table: str) -> dict[str, Measure]:
    """Return two measures for each distribution of the table, its quantiles and its count, and the shared ones."""
    found = {name: MEASURES[name] for name in _SHARED if MEASURES[name].table == table}
    for item in DISTRIBUTIONS:
        if item.table == table:
            found[item.metric.name] = item.quantiles(QUANTILES)
            found[item.metric.name + _COUNT] = item.count()
    return found


def _sums_of(
    found: Mapping[str, dict[aggregate.Group, dict[str, Any]] | None],
    measures: Mapping[str, Mapping[str, Measure]],
    member: aggregate.Group,
) -> dict[str, Any]:
    sums: dict[str, Any] = {}
    for table, part in found.items():
        nothing = aggregate.empty(measures[table])
        sums |= dict.fromkeys(nothing) if part is None else part.get(member, nothing)
    return sums


def _shaped(sums: Mapping[str, Any]) -> dict[str, Any]:
    shaped = {name: sums[name] for name in ("invocations", "cold_starts", "prompt_store_hits")}
    shaped["response_time_ms"] = _spread(sums["response_time_ms"], sums["response_times"])
    for item in DISTRIBUTIONS:
        name = item.metric.name
        shaped[name] = _spread(sums[name], sums[name + _COUNT])
    shaped["db_time_saved_ms"] = DERIVED["db_time_saved_ms"].of(sums)
    return shaped


def _spread(quantiles: list[float] | None, count: int | None) -> dict[str, Any]:
    return {**dict(zip(QUANTILE_NAMES, quantiles or (None, None, None), strict=True)), "count": count}
