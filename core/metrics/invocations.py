"""Invocations (one Lambda request each) and their response time."""

from __future__ import annotations

import ibis.expr.types as ir

from core.metrics.measure import measure, number

QUANTILES = (0.5, 0.95, 0.99)
QUANTILE_NAMES = ("p50", "p95", "p99")


@measure("invocations", "count")
def invocations(rows: ir.Table) -> ir.Scalar:
    """Lambda requests begun (START lines), finished or not."""
    return rows.count()


@measure("invocations", "count")
def open_invocations(rows: ir.Table) -> ir.Scalar:
    """Invocations whose REPORT was not seen yet; they have no response time."""
    return number(rows.status == "open")


@measure("invocations", "count", better="down")
def failed_invocations(rows: ir.Table) -> ir.Scalar:
    """Invocations that ended in an error or a timeout."""
    return number(rows.status.isin(("error", "timeout")))


@measure("invocations", "count", better="down")
def cold_starts(rows: ir.Table) -> ir.Scalar:
    """Invocations that had to start or restore their environment first."""
    return number(rows.cold)


@measure("invocations", "ms", better="down")
def response_time_ms(rows: ir.Table) -> ir.Scalar:
    """p50, p95 and p99 of Duration (+ Init or Restore on a cold start); never Billed Duration."""
    return rows.response_time_ms.quantile(list(QUANTILES))


@measure("invocations", "count")
def response_times(rows: ir.Table) -> ir.Scalar:
    """Invocations with a known response time."""
    return rows.response_time_ms.count()
