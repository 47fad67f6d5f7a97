"""One scan of one table for all its measures, whole or by group; the rest of core.metrics is built on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import ibis.expr.types as ir

from core.errors import FixSettings
from core.metrics import buckets
from core.metrics.measure import Measure
from core.metrics.scope import Scope, asked, rows_of
from core.store.query import Reader
from core.store.schema import TABLES

if TYPE_CHECKING:
    from core.metrics.drilldown import Which
    from core.metrics.leading import Leading

COLUMNS = (
    "engine", "tenant", "model", "provider", "function_name", "function_version", "account", "source", "cache_ttl",
)  # fmt: skip
TIMES = ("day", "hour")
GROUPS = (*COLUMNS, *TIMES)

Group = tuple[Any, ...]


def check_groups(by: Sequence[str]) -> None:
    """Refuse a dimension that does not exist, or one named twice."""
    for name in by:
        if name not in GROUPS or list(by).count(name) > 1:
            problem = "is named twice" if name in GROUPS else "is not something to group by"
            raise FixSettings(
                f'"{name}" {problem}.', code="MET-004", mend=f"Accepted: {', '.join(GROUPS)}.", about=(name,)
            )


def check_columns(by: Sequence[str]) -> None:
    """Refuse a dimension that is not a column; time is no dimension of a series."""
    for name in by:
        if name not in COLUMNS:
            raise FixSettings(
                f'"{name}" is not something to split a series by.',
                code="MET-004",
                mend=f"Accepted: {', '.join(COLUMNS)}.",
                about=(name,),
            )


def answers(table: str, scope: Scope, by: Iterable[str] = ()) -> bool:
    """Say whether the table knows every filtered and grouped column; if not, its numbers are unknown here."""
    return scope.fits(table) and all(name in TABLES[table].names for name in by if name in COLUMNS)


def rows_for(reader: Reader, table: str, scope: Scope) -> ir.Table:
    """Return the rows in scope; calls are marked `returned` (gave usage) and `priced`."""
    return marked(table, rows_of(reader, table, scope))


def marked(table: str, rows: ir.Table) -> ir.Table:
    """Mark calls `returned` and `priced`; other tables stay as they are.

    A stream that failed half way gave usage: its tokens were processed, and its line shows what they cost.
    """
    if table != "calls":
        return rows
    some = rows.prompt_tokens.fill_null(0) + rows.output_tokens.fill_null(0) > 0
    told = rows.mutate(returned=(rows.status.fill_null("ok") != "error") | some)
    return told.mutate(priced=told.returned & (told.price_status.fill_null("unpriced") == "priced"))


def totals(
    reader: Reader, table: str, scope: Scope, measures: Mapping[str, Measure], *, which: Which | None = None
) -> dict[str, Any]:
    """Return every measure over all rows in scope, or `which` of them; all None when the table cannot answer."""
    if not answers(table, scope):
        return dict.fromkeys(measures)

    def build(rows: ir.Table) -> ir.Table:
        kept = marked(table, rows)
        kept = kept if which is None else which.of(kept)
        return kept.aggregate(**_expressions(kept, measures))

    shape = None if which is not None and which.once else ("totals", tuple(measures.items()), which)
    found = asked(reader, table, scope, shape=shape, build=build)
    return _filled(found[0], measures)


def groups(
    reader: Reader,
    table: str,
    scope: Scope,
    measures: Mapping[str, Measure],
    *,
    by: Sequence[str],
    zone: ZoneInfo,
    few: Leading | None = None,
) -> dict[Group, dict[str, Any]] | None:
    """Return every measure by group; None when the table cannot answer. `few`: of one dimension, these members."""
    if not answers(table, scope, by):
        return None
    span = reader.span(table, scope.start, scope.end)
    if span is None:
        return {}

    def build(rows: ir.Table) -> ir.Table:
        kept = marked(table, rows)
        keys = group_keys(kept, by, zone=zone, span=span, few=few)
        return kept.group_by(**keys).aggregate(**_expressions(kept, measures))

    shape = ("groups", tuple(measures.items()), *shape_of_groups(by, zone, span, few))
    found = asked(reader, table, scope, shape=shape, build=build)
    return {member_of(row, by): _filled(row, measures) for row in found}


def bucketed(
    reader: Reader,
    table: str,
    scope: Scope,
    measures: Mapping[str, Measure],
    *,
    by: Sequence[str],
    bucket: str,
    zone: ZoneInfo,
    few: Leading | None = None,
) -> dict[Group, dict[str, Any]]:
    """Return every measure by (bucket number, members of `by`); nothing when the table cannot answer."""
    span = reader.span(table, scope.start, scope.end)
    if span is None or not answers(table, scope, by):
        return {}

    def build(rows: ir.Table) -> ir.Table:
        kept = marked(table, rows)
        members = group_keys(kept, by, zone=zone, span=span, few=few)
        keys = {"at_bucket": buckets.key(kept, bucket, zone, span), **members}
        return kept.group_by(**keys).aggregate(**_expressions(kept, measures))

    shape = ("bucketed", tuple(measures.items()), tuple(by), bucket, buckets.changes(zone, *span), few)
    found = asked(reader, table, scope, shape=shape, build=build)
    return {(row["at_bucket"], *member_of(row, by)): _filled(row, measures) for row in found}


def group_keys(
    rows: ir.Table,
    by: Sequence[str],
    *,
    zone: ZoneInfo,
    span: tuple[datetime, datetime],
    few: Leading | None = None,
) -> dict[str, ir.Column]:
    """Return what to group by; the names are prefixed so that they hide no column of the table."""
    if few is not None:
        return {f"by_{few.by}": few.key(rows)}
    return {f"by_{name}": rows[name] if name in COLUMNS else buckets.key(rows, name, zone, span) for name in by}


def shape_of_groups(
    by: Sequence[str], zone: ZoneInfo, span: tuple[datetime, datetime], few: Leading | None
) -> tuple[Any, ...]:
    """Name everything that decides the SQL of `group_keys`."""
    return tuple(by), buckets.changes(zone, *span) if set(by) & set(TIMES) else None, few


def member_of(row: Mapping[str, Any], by: Sequence[str]) -> Group:
    """Return the group a result row is about."""
    return tuple(_member(row[f"by_{name}"], name) for name in by)


def empty(measures: Mapping[str, Measure]) -> dict[str, Any]:
    """Return every measure over no rows: counts are 0, dollars and times unknown."""
    return {name: measure.empty for name, measure in measures.items()}


def _expressions(rows: ir.Table, measures: Mapping[str, Measure]) -> dict[str, ir.Scalar]:
    return {name: measure.of(rows) for name, measure in measures.items()}


def _filled(row: Mapping[str, Any], measures: Mapping[str, Measure]) -> dict[str, Any]:
    return {
        name: measure.empty if row[name] is None else _whole(row[name], measure.metric.unit)
        for name, measure in measures.items()
    }


def _whole(value: Any, unit: str) -> Any:
    """Return sums of whole numbers as int: DuckDB adds 64-bit numbers up as 128-bit decimals."""
    return int(value) if unit in ("count", "tokens") else value


def _member(value: Any, name: str) -> str | date | datetime | None:
    if name == "day":
        return buckets.day_of(value)
    return buckets.start_of(value, name, ZoneInfo("UTC")) if name == "hour" else value
