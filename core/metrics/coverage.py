"""How much of the picture is known: priced calls, checked costs, suspected re-deliveries."""

from __future__ import annotations

import ibis.expr.types as ir

from core.metrics.measure import Sums, derived, measure, number, ratio


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
