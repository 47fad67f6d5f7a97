"""The prompt store (the service's own permanent cache of prompt texts). Nothing here is about the Claude cache."""

from __future__ import annotations

import ibis.expr.types as ir

from core.metrics.measure import Sums, derived, measure, number, ratio


@measure("prompt_store_events", "count", cache="prompt_store")
def prompt_store_hits(rows: ir.Table) -> ir.Scalar:
    """HIT lines of the prompt store."""
    return number(rows.kind == "hit")


@measure("prompt_store_events", "count", cache="prompt_store", better="down")
def prompt_store_misses(rows: ir.Table) -> ir.Scalar:
    """MISS lines of the prompt store."""
    return number(rows.kind == "miss")


@derived("count", cache="prompt_store")
def prompt_store_lookups(sums: Sums) -> int | None:
    """HIT + MISS lines of the prompt store."""
    hits, misses = sums["prompt_store_hits"], sums["prompt_store_misses"]
    return None if hits is None or misses is None else hits + misses


@derived("ratio", cache="prompt_store", better="up", numerator="prompt_store_hits", denominator="prompt_store_lookups")
def prompt_store_hit_rate(sums: Sums) -> float | None:
    """HIT / (HIT + MISS) lines."""
    return ratio(sums["prompt_store_hits"], sums["prompt_store_lookups"])


@measure("prompt_store_events", "ms", cache="prompt_store", better="down")
def prompt_store_fetch_ms(rows: ir.Table) -> ir.Scalar:
    """Median time from a MISS to its stored prompt."""
    return rows.fetch_ms.quantile(0.5, where=rows.kind == "miss")


@derived("ms", cache="prompt_store", better="up")
def db_time_saved_ms(sums: Sums) -> float | None:
    """Prompt-store HITs × the median fetch time seen on MISSes."""
    hits, fetch = sums["prompt_store_hits"], sums["prompt_store_fetch_ms"]
    return None if hits is None or fetch is None else hits * fetch
