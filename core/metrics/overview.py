"""The metrics of a scope, whole or by group: what the first page, the command line and the reports show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import ibis.expr.types as ir

from core.metrics import aggregate, buckets
from core.metrics.aggregate import COLUMNS
from core.metrics.catalog import DERIVED, measures_of
from core.metrics.invocations import QUANTILE_NAMES
from core.metrics.leading import Leading, leading, others
from core.metrics.scope import Scope, asked
from core.store.query import Reader

_TABLES = ("calls", "invocations", "prompt_store_events")
_CALLS, _REST = _TABLES[0], _TABLES[1:]


def summary(reader: Reader, scope: Scope) -> dict[str, Any]:
    """Return every metric of the scope by name: one scan for each table.

    None is unknown: dollars of no priced call, ratios over nothing, and everything of a table that lacks a
    filtered column (invocations and the prompt store know no model).
    """
    sums: dict[str, Any] = {}
    for table in _TABLES:
        sums |= aggregate.totals(reader, table, scope, measures_of(table))
    unpriced = _unpriced(reader, scope, by=(), zone=ZoneInfo("UTC")) if _some_unpriced(sums) else {}
    return _finished(scope, sums, unpriced.get((), []))


def breakdown(
    reader: Reader, scope: Scope, by: Sequence[str], *, zone: str = "UTC", most: int | None = None
) -> list[dict[str, Any]]:
    """Return the summary of each group, the dearest first, or in order of time when grouped by day or hour.

    `by` names columns (aggregate.COLUMNS: engine, model, provider, …), day (date in `zone`) or hour. `most`: of a
    single column with more members only the dearest, and last of all the others as one group (leading.others).
    """
    aggregate.check_groups(by)
    place = buckets.zone_of(zone)
    few = leading(reader, scope, by[0], most=most, tables=_TABLES) if len(by) == 1 and by[0] in COLUMNS else None
    found = {
        table: aggregate.groups(reader, table, scope, measures_of(table), by=by, zone=place, few=few)
        for table in _TABLES
    }
    members = dict.fromkeys(member for part in found.values() for member in part or {})
    rows = {member: _sums_of(found, member) for member in members}
    needed = any(_some_unpriced(sums) for sums in rows.values())
    unpriced = _unpriced(reader, scope, by=by, zone=place, few=few) if needed else {}
    finished = [
        dict(zip(by, member, strict=True)) | _finished(scope, sums, unpriced.get(member, []))
        for member, sums in rows.items()
    ]
    return sorted(finished, key=lambda row: _order(row, by))


def derive(sums: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sums with every derived metric beside them."""
    whole = dict(sums)
    for name, metric in DERIVED.items():
        whole[name] = metric.of(whole)
    return whole


def quantiles(values: Sequence[float] | None) -> dict[str, float | None]:
    """Name the quantiles p50, p95 and p99; None when there was nothing to measure."""
    return dict(zip(QUANTILE_NAMES, values or (None, None, None), strict=True))


def _sums_of(found: Mapping[str, dict[aggregate.Group, dict[str, Any]] | None], member: Any) -> dict[str, Any]:
    sums: dict[str, Any] = {}
    for table, part in found.items():
        measures = measures_of(table)
        sums |= dict.fromkeys(measures) if part is None else part.get(member, aggregate.empty(measures))
    return sums


def _finished(scope: Scope, sums: Mapping[str, Any], unpriced: list[dict[str, Any]]) -> dict[str, Any]:
    whole = derive(sums)
    whole["response_time_ms"] = quantiles(whole["response_time_ms"])
    return {"from": scope.start, "to": scope.end, **whole, "unpriced_models": unpriced}


def _some_unpriced(sums: Mapping[str, Any]) -> bool:
    return bool(sums["calls"]) and sums["calls"] > sums["priced_calls"]


def _unpriced(
    reader: Reader, scope: Scope, *, by: Sequence[str], zone: ZoneInfo, few: Leading | None = None
) -> dict[aggregate.Group, list[dict[str, Any]]]:
    """Return, for each group, the models without a price, why, and how many calls each has."""
    span = reader.span(_CALLS, scope.start, scope.end)
    if span is None:
        return {}

    def build(rows: ir.Table) -> ir.Table:
        rows = aggregate.marked(_CALLS, rows)
        rows = rows.filter(rows.returned & ~rows.priced)
        keys = aggregate.group_keys(rows, by, zone=zone, span=span, few=few)
        return rows.group_by(
            **keys, unpriced_provider=rows.provider, unpriced_model=rows.model, reason=rows.price_reason
        ).aggregate(calls=rows.count())

    shape = ("unpriced", *aggregate.shape_of_groups(by, zone, span, few))
    counted = asked(reader, _CALLS, scope, shape=shape, build=build)
    found: dict[aggregate.Group, list[dict[str, Any]]] = {}
    for row in sorted(counted, key=lambda row: (-row["calls"], str(row["unpriced_model"]))):
        found.setdefault(aggregate.member_of(row, by), []).append(
            {
                "provider": row["unpriced_provider"],
                "model": row["unpriced_model"],
                "reason": row["reason"],
                "calls": row["calls"],
            }
        )
    return found


def _order(row: Mapping[str, Any], by: Sequence[str]) -> tuple[Any, ...]:
    times = tuple(str(row[name]) for name in by if name in aggregate.TIMES)
    names = tuple(str(row[name] or "") for name in by)
    rest = any(others(row[name]) is not None for name in by)
    return (times, rest, -(row["cost_usd"] or 0), -(row["calls"] or 0), names)
