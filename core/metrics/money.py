"""Dollars, exact to the last digit: sums of DECIMAL(18,12) columns over the calls that have a price.

Over no priced call a sum of dollars is unknown (None), never zero.
"""

from __future__ import annotations

from decimal import Decimal

import ibis.expr.types as ir

from core.metrics.measure import Sums, derived, measure, ratio, total, usd_each


@measure("calls", "usd", better="down")
def cost_usd(rows: ir.Table) -> ir.Scalar:
    """Σ cost of priced calls."""
    return total(rows.cost_usd, rows.priced)


@measure("calls", "usd")
def no_cache_cost_usd(rows: ir.Table) -> ir.Scalar:
    """Σ of what the same calls would have cost with every prompt token at the base input price (same modifiers)."""
    return total(rows.no_cache_cost_usd, rows.priced)


@measure("calls", "usd", cache="claude_cache", better="up")
def gross_savings_usd(rows: ir.Table) -> ir.Scalar:
    """Σ read × (input − read price)."""
    return total(rows.gross_savings_usd, rows.priced)


@measure("calls", "usd", cache="claude_cache", better="down")
def write_premium_usd(rows: ir.Table) -> ir.Scalar:
    """Σ write × (write − input price)."""
    return total(rows.write_premium_usd, rows.priced)


@measure("calls", "usd", cache="claude_cache", better="up")
def net_savings_usd(rows: ir.Table) -> ir.Scalar:
    """No-cache cost − cost = gross savings − write premium; negative when writes were not read enough."""
    return total(rows.net_savings_usd, rows.priced)


@measure("calls", "usd")
def input_cost_usd(rows: ir.Table) -> ir.Scalar:
    """Σ cost of uncached input tokens."""
    return total(rows.input_cost_usd, rows.priced)


@measure("calls", "usd", cache="claude_cache")
def cache_read_cost_usd(rows: ir.Table) -> ir.Scalar:
    """Σ cost of tokens read from the Claude cache."""
    return total(rows.cache_read_cost_usd, rows.priced)


@measure("calls", "usd", cache="claude_cache")
def cache_write_5m_cost_usd(rows: ir.Table) -> ir.Scalar:
    """Σ cost of tokens written to the Claude cache for 5 minutes."""
    return total(rows.cache_write_5m_cost_usd, rows.priced)


@measure("calls", "usd", cache="claude_cache")
def cache_write_1h_cost_usd(rows: ir.Table) -> ir.Scalar:
    """Σ cost of tokens written to the Claude cache for 1 hour."""
    return total(rows.cache_write_1h_cost_usd, rows.priced)


@measure("calls", "usd")
def output_cost_usd(rows: ir.Table) -> ir.Scalar:
    """Σ cost of output tokens."""
    return total(rows.output_cost_usd, rows.priced)


@measure("calls", "usd")
def tools_cost_usd(rows: ir.Table) -> ir.Scalar:
    """Σ cost of server tools, such as web searches."""
    return total(rows.tools_cost_usd, rows.priced)


@derived("usd", better="down", numerator="cost_usd", denominator="priced_calls")
def cost_per_request_usd(sums: Sums) -> Decimal | None:
    """Σ cost / priced calls.

    Calls without a price are left out above and below the line: their cost is unknown, not zero.
    """
    return usd_each(sums["cost_usd"], sums["priced_calls"])


@measure("calls", "usd")
def invocation_cost_usd(rows: ir.Table) -> ir.Scalar:
    """Σ cost of priced calls that a Lambda invocation made.

    By attribution and not by the invocation's id: the one is three words over and over, the other a million ids.
    """
    return total(rows.cost_usd, rows.priced & (rows.attribution != "none"))


@derived("usd", better="down", numerator="invocation_cost_usd", denominator="invocations")
def cost_per_invocation_usd(sums: Sums) -> Decimal | None:
    """Σ cost of priced calls that invocations made / invocations; a lower bound while calls have no price."""
    return usd_each(sums["invocation_cost_usd"], sums["invocations"])


@derived("ratio", cache="claude_cache", better="up", numerator="net_savings_usd", denominator="no_cache_cost_usd")
def net_savings_share(sums: Sums) -> float | None:
    """Net savings / no-cache cost."""
    net, whole = sums["net_savings_usd"], sums["no_cache_cost_usd"]
    return None if net is None or not whole else ratio(float(net / whole), 1)
