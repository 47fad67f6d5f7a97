"""The smallest prefix that is cached: bisection around the published minimum, as far as requests and budget go.

Below the minimum a request is answered as if it had not asked for caching, and nothing says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from core.probe.bench import Bench
from core.probe.budget import BudgetSpent
from core.probe.model import Finding, Problem
from core.probe.ruler import TAIL_TOKENS

MOST_REQUESTS = 9
_MARGIN = 0.04
_SLACK = 16
_GUESS = 1024  # where to begin when no minimum is published
_WIDEN = 1.6


@dataclass(slots=True)
class _Bracket:
    """The smallest prefix seen cached, and the largest seen not cached."""

    cached: int | None = None
    uncached: int | None = None
    tail: int = TAIL_TOKENS
    off: int = 0  # how many tokens more than wanted the last prefix had
    tried: list[dict[str, Any]] = field(default_factory=list)

    @property
    def closed(self) -> bool:
        return self.cached is not None and self.uncached is not None and self.cached - self.uncached <= 1

    def next_tokens(self, published: int) -> int:
        """Return the size to try next: both sides of the published minimum, further out, then in between."""
        margin = round(published * _MARGIN) + _SLACK
        if self.cached is None:
            return published + margin if self.uncached is None else round(max(self.uncached, published) * _WIDEN)
        if self.uncached is None:
            return published - margin if not self.tried[1:] else max(8, round(self.cached / _WIDEN))
        return (self.cached + self.uncached) // 2

    def note(self, *, cached: bool, tokens: int) -> None:
        self.tried.append({"prefix_tokens": tokens, "cached": cached})
        if cached:
            self.cached = tokens if self.cached is None else min(self.cached, tokens)
        else:
            self.uncached = tokens if self.uncached is None else max(self.uncached, tokens)


def run(bench: Bench) -> Finding:
    """Pass when the published minimum lies between the largest uncached and the smallest cached prefix."""
    published = bench.target.minimum_tokens
    bracket = _Bracket()
    stopped_by = "requests"
    for _ in range(MOST_REQUESTS):
        if bracket.closed:
            stopped_by = "exact"
            break
        try:
            if not _try(bench, bracket, published or _GUESS):
                stopped_by = "resolution"
                break
        except BudgetSpent:
            if bracket.cached is None or bracket.uncached is None:
                raise
            stopped_by = "budget"
            break
    return _finding(bracket, published, stopped_by, bench)


def _try(bench: Bench, bracket: _Bracket, published: int) -> bool:
    """Send one prefix and note whether it was cached. False when its size was seen already."""
    wanted = bracket.next_tokens(published)
    prefix = bench.prefix_of(wanted - bracket.off)
    answer = bench.ask(bench.marked(prefix), f"trying a prefix of about {wanted} tokens")
    if answer.written:
        bracket.tail = answer.usage.input_tokens
        tokens = answer.written
    else:
        tokens = answer.usage.prompt_tokens - bracket.tail
    bracket.off += tokens - wanted
    known = any(row["prefix_tokens"] == tokens for row in bracket.tried)
    bracket.note(cached=answer.written > 0, tokens=tokens)
    return not known


def _finding(bracket: _Bracket, published: int | None, stopped_by: str, bench: Bench) -> Finding:
    evidence = {
        "smallest_cached_tokens": bracket.cached,
        "largest_uncached_tokens": bracket.uncached,
        "published_tokens": published,
        "ended_by": stopped_by,
        "tried": bracket.tried,
    }
    if bracket.cached is None:
        problem = Problem("PRB-411", f"{bench.target.model} cached nothing, up to {bracket.uncached} tokens.")
        return Finding("failed", f"Nothing was cached up to {bracket.uncached} tokens.", evidence, problem)
    low = 0 if bracket.uncached is None else bracket.uncached
    told = f"Cached from {bracket.cached} tokens, not cached at {low}"
    if published is None:
        return Finding("passed", f"{told}; no minimum is published.", evidence)
    if low < published <= bracket.cached:
        return Finding("passed", f"{told}; published: {published}.", evidence)
    problem = Problem(
        "PRB-422", f"The published minimum of {published} tokens is not between {low} and {bracket.cached}."
    )
    return Finding("failed", f"{told}; published: {published}.", evidence, problem)
