"""Calls, tokens and the hit rates of the Claude cache. Nothing here is about the prompt store."""

from __future__ import annotations

import ibis.expr.types as ir

from core.metrics.measure import Sums, derived, measure, number, ratio, total


@measure("calls", "count")
def calls(rows: ir.Table) -> ir.Scalar:
    """Requests to Claude that returned usage.

    Failed requests are counted apart: they have neither tokens nor a cost, and belong to no denominator.
    """
    return number(rows.returned)


@measure("calls", "count", better="down")
def failed_calls(rows: ir.Table) -> ir.Scalar:
    """Requests to Claude that returned an error and no usage."""
    return number(~rows.returned)


@measure("calls", "tokens")
def input_tokens(rows: ir.Table) -> ir.Scalar:
    """Σ input tokens that were neither read from nor written to the Claude cache."""
    return total(rows.input_tokens, rows.returned)


@measure("calls", "tokens", cache="claude_cache")
def cache_read_tokens(rows: ir.Table) -> ir.Scalar:
    """Σ prompt tokens read from the Claude cache."""
    return total(rows.cache_read_tokens, rows.returned)


@measure("calls", "tokens", cache="claude_cache")
def cache_write_5m_tokens(rows: ir.Table) -> ir.Scalar:
    """Σ prompt tokens written to the Claude cache for 5 minutes."""
    return total(rows.cache_write_5m_tokens, rows.returned)


@measure("calls", "tokens", cache="claude_cache")
def cache_write_1h_tokens(rows: ir.Table) -> ir.Scalar:
    """Σ prompt tokens written to the Claude cache for 1 hour."""
    return total(rows.cache_write_1h_tokens, rows.returned)


@measure("calls", "tokens")
def output_tokens(rows: ir.Table) -> ir.Scalar:
    """Σ output tokens, thinking included."""
    return total(rows.output_tokens, rows.returned)


@measure("calls", "tokens", cache="claude_cache")
def cache_write_tokens(rows: ir.Table) -> ir.Scalar:
    """Σ prompt tokens written to the Claude cache: for 5 minutes, for 1 hour, or for a lifetime nobody told."""
    return total(rows.prompt_tokens - rows.input_tokens - rows.cache_read_tokens, rows.returned)


@measure("calls", "tokens")
def prompt_tokens(rows: ir.Table) -> ir.Scalar:
    """Σ prompt, where prompt = input + cache_read + cache_write_5m + cache_write_1h."""
    return total(rows.prompt_tokens, rows.returned)


@derived("ratio", cache="claude_cache", better="up", numerator="cache_read_tokens", denominator="prompt_tokens")
def token_hit_rate(sums: Sums) -> float | None:
    """Σ cache_read / Σ prompt."""
    return ratio(sums["cache_read_tokens"], sums["prompt_tokens"])


@measure("calls", "count", cache="claude_cache")
def claude_cache_read_calls(rows: ir.Table) -> ir.Scalar:
    """Cacheable calls with cache_read > 0."""
    return number(rows.returned & rows.cacheable & (rows.cache_read_tokens > 0))


@measure("calls", "count", cache="claude_cache")
def cacheable_calls(rows: ir.Table) -> ir.Scalar:
    """Calls that could be cached: caching on and prefix ≥ the model's minimum."""
    return number(rows.returned & rows.cacheable)


@measure("calls", "count", cache="claude_cache")
def unknown_cacheable_calls(rows: ir.Table) -> ir.Scalar:
    """Calls of which it is not known whether they could be cached; in no hit rate."""
    return number(rows.returned & rows.cacheable.isnull())


@derived("ratio", cache="claude_cache", better="up", numerator="claude_cache_read_calls", denominator="cacheable_calls")
def request_hit_rate(sums: Sums) -> float | None:
    """Calls with cache_read > 0 / calls that could be cached (caching on, prefix ≥ model minimum)."""
    return ratio(sums["claude_cache_read_calls"], sums["cacheable_calls"])


@derived(
    "tokens per token",
    cache="claude_cache",
    better="up",
    numerator="cache_read_tokens",
    denominator="cache_write_tokens",
)
def write_amortization(sums: Sums) -> float | None:
    """Σ cache_read / Σ cache_write: tokens read per token written."""
    return ratio(sums["cache_read_tokens"], sums["cache_write_tokens"])
