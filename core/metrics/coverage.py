"""How much of the picture is known, and by what: priced calls, defaults, checked costs, suspected re-deliveries."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from core.metrics.measure import Sums, derived, measure, number, ratio, total

DEFAULTS = "defaults"
"""What `model_known_by` and `ttl_known_by` of a call say where its source's settings fill in what its line lacks."""


@measure("calls", "count")
def priced_calls(rows: ir.Table) -> ir.Scalar:
    """Calls with a price."""
    return number(rows.priced)


@derived("count", better="down")
def unpriced_calls(sums: Sums) -> int | None:
    """Calls − priced calls."""
    return None if sums["calls"] is None else sums["calls"] - sums["priced_calls"]


@derived("ratio", better="up", numerator="priced_calls", denominator="calls")
def price_coverage(sums: Sums) -> float | None:
    """Priced calls / calls."""
    return ratio(sums["priced_calls"], sums["calls"])


@measure("calls", "count", better="down")
def calls_by_defaults(rows: ir.Table) -> ir.Scalar:
    """Calls whose model or TTL their source's defaults tell, because their own line does not."""
    return number(by_defaults(rows))


@measure("calls", "count", better="down")
def model_by_defaults(rows: ir.Table) -> ir.Scalar:
    """Calls whose model their source's defaults tell."""
    return number(rows.returned & (rows.model_known_by == DEFAULTS))


@measure("calls", "count", better="down")
def ttl_by_defaults(rows: ir.Table) -> ir.Scalar:
    """Calls whose TTL their source's defaults tell."""
    return number(rows.returned & (rows.ttl_known_by == DEFAULTS))


@measure("calls", "usd", better="down")
def cost_by_defaults_usd(rows: ir.Table) -> ir.Scalar:
    """Σ cost of priced calls whose model or TTL their source's defaults tell."""
    told, kind = by_defaults(rows), rows.cost_usd.type()
    # Where every line tells all, nothing costs so; where none of those told by defaults has a price, nobody knows.
    none = (number(told) == 0) & (number(rows.priced) > 0)
    return total(rows.cost_usd, told & rows.priced).coalesce(none.ifelse(ibis.literal(0).cast(kind), ibis.null(kind)))


def by_defaults(rows: ir.Table) -> ir.BooleanValue:
    """Return which calls have a model or TTL that their source's defaults tell."""
    return rows.returned & ((rows.model_known_by == DEFAULTS) | (rows.ttl_known_by == DEFAULTS))  # null marks none


@measure("calls", "count")
def price_check_agrees(rows: ir.Table) -> ir.Scalar:
    """Calls whose own logged dollar figure equals ours to its last digit."""
    return number(rows.price_check == "agrees")


@measure("calls", "count", better="down")
def price_check_other(rows: ir.Table) -> ir.Scalar:
    """Calls whose logged dollar figure is that of another model or TTL than the configured one."""
    return number(rows.price_check.startswith("other:"))


@measure("calls", "count", better="down")
def price_check_differs(rows: ir.Table) -> ir.Scalar:
    """Calls whose logged dollar figure no current model and TTL gives."""
    return number(rows.price_check == "differs")


@measure("calls", "count")
def suspected_redeliveries(rows: ir.Table) -> ir.Scalar:
    """Calls that look delivered twice but carry no identity to prove it; counted, never dropped."""
    return number(rows.suspected_redelivery)
