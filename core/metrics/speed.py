"""How long things took: the distributions of the latency page, each with the invocations or calls it is over."""

from __future__ import annotations

import ibis.expr.types as ir

from core.metrics.measure import Distribution, distribution


@distribution("invocations")
def cold_response_time_ms(rows: ir.Table) -> tuple[ir.Column, ir.BooleanValue]:
    """Response time of invocations on a cold start: Duration + Init or Restore."""
    return rows.response_time_ms, rows.cold


@distribution("invocations")
def warm_response_time_ms(rows: ir.Table) -> tuple[ir.Column, ir.BooleanValue]:
    """Response time of invocations in a warm environment: Duration."""
    return rows.response_time_ms, ~rows.cold


@distribution("invocations")
def start_up_ms(rows: ir.Table) -> tuple[ir.Column, ir.BooleanValue]:
    """Init or Restore time of cold starts."""
    return rows.init_ms.fill_null(0) + rows.restore_ms.fill_null(0), rows.cold


@distribution("calls", cache="claude_cache")
def ttft_read_ms(rows: ir.Table) -> tuple[ir.Column, ir.BooleanValue]:
    """Time to first token of calls with cache_read > 0."""
    return rows.ttft_ms, rows.cache_read_tokens > 0


@distribution("calls")
def ttft_unread_ms(rows: ir.Table) -> tuple[ir.Column, ir.BooleanValue]:
    """Time to first token of calls with cache_read = 0."""
    return rows.ttft_ms, rows.cache_read_tokens == 0


@distribution("calls", cache="claude_cache")
def call_latency_read_ms(rows: ir.Table) -> tuple[ir.Column, ir.BooleanValue]:
    """Duration of calls with cache_read > 0, first byte sent to last byte received."""
    return rows.latency_ms, rows.cache_read_tokens > 0


@distribution("calls")
def call_latency_unread_ms(rows: ir.Table) -> tuple[ir.Column, ir.BooleanValue]:
    """Duration of calls with cache_read = 0, first byte sent to last byte received."""
    return rows.latency_ms, rows.cache_read_tokens == 0


@distribution("prompt_store_events", cache="prompt_store")
def prompt_store_miss_ms(rows: ir.Table) -> tuple[ir.Column, ir.BooleanValue]:
    """Time from a prompt-store MISS to its stored prompt: what a miss costs."""
    return rows.fetch_ms, rows.kind == "miss"


DISTRIBUTIONS: tuple[Distribution, ...] = (
    cold_response_time_ms,
    warm_response_time_ms,
    start_up_ms,
    ttft_read_ms,
    ttft_unread_ms,
    call_latency_read_ms,
    call_latency_unread_ms,
    prompt_store_miss_ms,
)
