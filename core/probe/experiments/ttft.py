"""Time to first token, cached against uncached: the same prompt in turns, medians, and a bootstrap interval.

Each request is sent once, without retries, over a connection that is open already.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from core.probe.bench import Answer, Bench
from core.probe.model import Finding, Problem

PAIRS = 6
RESAMPLES = 2000
CONFIDENCE = 0.95
_TIMES_LARGER, _LARGEST = 4, 4000  # a small prefix is worked out too fast for the difference to be seen


def run(bench: Bench) -> Finding:
    """Pass when the whole interval says that cached is sooner; inconclusive when it holds 0."""
    bench.new_prefix()  # refuses a size that is not cached
    tokens = max(bench.prefix_tokens, min(_TIMES_LARGER * bench.prefix_tokens, _LARGEST))
    cached = bench.marked(bench.prefix_of(tokens), stream=True)
    write = bench.ask(cached, "writing a prefix")
    if not write.written:
        return bench.not_cached(write)
    with_cache: list[float] = []
    without: list[float] = []
    missed = 0
    for at in range(PAIRS):
        turns = (cached, replace(cached, cache_ttl=None))
        for ask in turns if at % 2 == 0 else turns[::-1]:  # in turns, so that drift favours neither
            answer = bench.ask(ask, f"pair {at + 1} of {PAIRS}")
            if ask.cache_ttl is not None and not answer.read:
                missed += 1
            else:
                (without if ask.cache_ttl is None else with_cache).append(_first_token_ms(answer))
    if len(with_cache) < 2:
        problem = Problem("PRB-413", f"{missed} of {PAIRS} cached requests were not read.")
        return Finding("failed", "Too few requests were read from the cache.", {"missed": missed}, problem)
    return finding_of(with_cache, without, write.written, missed)


def finding_of(with_cache: Sequence[float], without: Sequence[float], tokens: int, missed: int) -> Finding:
    """Return the verdict that the interval allows."""
    low, high = bootstrap_interval(with_cache, without)
    saved = median(without) - median(with_cache)
    evidence = {
        "cached_ms": [round(value, 1) for value in with_cache],
        "uncached_ms": [round(value, 1) for value in without],
        "cached_median_ms": round(median(with_cache), 1),
        "uncached_median_ms": round(median(without), 1),
        "saved_ms": round(saved, 1),
        "saved_low_ms": round(low, 1),
        "saved_high_ms": round(high, 1),
        "confidence": CONFIDENCE,
        "n_cached": len(with_cache),
        "n_uncached": len(without),
        "cached_missed": missed,
        "prefix_tokens": tokens,
    }
    told = (
        f"Cached {median(with_cache):.0f} ms (n = {len(with_cache)}), uncached {median(without):.0f} ms "
        f"(n = {len(without)}): {saved:.0f} ms sooner, 95 % interval {low:.0f} to {high:.0f} ms."
    )
    if low > 0:
        return Finding("passed", told, evidence)
    if high >= 0:
        problem = Problem("PRB-423", f"The interval holds 0 with {tokens} tokens: probe a longer prefix, or again.")
        return Finding("inconclusive", told, evidence, problem)
    return Finding("failed", told, evidence, Problem("PRB-424", "Reading from the cache was slower."))


def bootstrap_interval(with_cache: Sequence[float], without: Sequence[float], *, seed: int = 0) -> tuple[float, float]:
    """Return the percentile interval of median(uncached) − median(cached); the same data give the same interval."""
    dice = random.Random(seed)  # noqa: S311 - statistics, no secret
    differences = sorted(
        median(dice.choices(without, k=len(without))) - median(dice.choices(with_cache, k=len(with_cache)))
        for _ in range(RESAMPLES)
    )
    cut = round((1 - CONFIDENCE) / 2 * RESAMPLES)
    return differences[cut], differences[-cut - 1]


def _first_token_ms(answer: Answer) -> float:
    return answer.latency_ms if answer.ttft_ms is None else answer.ttft_ms
