"""Claude as the fleet sees it: the cache decides the usage, the price book the cost, the pace the time."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

from core.caching.cache_model import Block, CacheModel, Outcome
from core.pricing import PriceBook, price_usage
from core.usage import Usage
from simulator.fleet.engines import Engine
from simulator.fleet.latency import generation_ms, ttft_ms
from simulator.fleet.plan import Plan, Version, from_ms

DAY_MS = 86_400_000
_KEEP_MS = 7 * DAY_MS
_TIMESTAMP_TOKENS = 14  # what "current time: …" adds to a system prompt
BEDROCK_MODELS = {"claude-opus-4-5": "apac.anthropic.claude-opus-4-5-20251101-v1:0"}
_ONE_TOKEN = (  # of each kind, in the order of Claude._cost
    Usage(input_tokens=1),
    Usage(cache_read_tokens=1),
    Usage(cache_write_5m_tokens=1),
    Usage(cache_write_1h_tokens=1),
    Usage(output_tokens=1),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from one call, with the truth about it."""

    provider: str
    model: str
    outcome: Outcome
    cause: str  # the true cause of what was not read
    missed: dict[str, int]  # prompt tokens not read, by cause
    prefix_tokens: int
    prefix_fingerprint: str
    ttft_ms: float
    latency_ms: float
    output_tokens: int
    cost_usd: Decimal

    def usage(self) -> dict[str, Any]:
        """Return the usage object in the wire's shape."""
        return {
            "input_tokens": self.outcome.uncached,
            "cache_creation_input_tokens": self.outcome.write_5m + self.outcome.write_1h,
            "cache_read_input_tokens": self.outcome.read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.outcome.write_5m,
                "ephemeral_1h_input_tokens": self.outcome.write_1h,
            },
            "output_tokens": self.output_tokens,
            "service_tier": "standard",
        }


class Claude:
    """One organisation's Claude: answers calls in the order of their start.

    A second, shadow cache sees the same calls as if no prompt had ever changed. Where it reads and the true one
    does not, the change is the cause; where it misses too, its own reason is.
    """

    def __init__(self, *, seed: int, plan: Plan, book: PriceBook) -> None:
        self._seed = seed
        self._plan = plan
        self._book = book
        self._minimums: dict[str, int] = {}
        self._cache = CacheModel(minimum_tokens=self._minimum)
        self._shadow = CacheModel(minimum_tokens=self._minimum)
        self._rates: dict[tuple[str, str, int], tuple[Decimal, ...]] = {}

    def call(
        self,
        engine: Engine,
        at_ms: int,
        *,
        version: Version,
        revision: int,
        message_tokens: int,
        output_tokens: int,
        rng: Random,
        aborted: bool = False,
    ) -> Answer:
        """Serve one call; `aborted` ends the stream half way, so that the output is not told."""
        provider, model = self.door(engine, at_ms)
        timestamped = engine.name in version.timestamped
        prefix_tokens = engine.prefix_tokens + 37 * revision + (_TIMESTAMP_TOKENS if timestamped else 0)
        content = f"{engine.name}/r{revision}" + (f"/{at_ms // 1000}" if timestamped else "")
        ttl = engine.ttl if version.caching_enabled else None

        blocks = (Block(content, prefix_tokens, ttl), Block("message", message_tokens))
        outcome = self._cache.request(
            at_ms, blocks=blocks, workspace=provider, model=model, response_begins_ms=sys.maxsize
        )
        ttft = ttft_ms(model, outcome, provider, rng)
        begins_ms = at_ms + int(ttft)
        self._cache.response_began(begins_ms, blocks=blocks, workspace=provider, model=model)
        unchanged = (Block(engine.name, prefix_tokens, ttl), blocks[1])
        shadow = self._shadow.request(
            at_ms, blocks=unchanged, workspace=provider, model=model, response_begins_ms=begins_ms
        )
        cause = self._cause(engine, at_ms, outcome, shadow, timestamped=timestamped)
        told = 0 if aborted else output_tokens
        return Answer(
            provider=provider,
            model=model,
            outcome=outcome,
            cause=cause,
            missed=_missed(cause, outcome, prefix_tokens),
            prefix_tokens=prefix_tokens,
            prefix_fingerprint=self._fingerprint(content),
            ttft_ms=ttft,
            latency_ms=ttft + generation_ms(model, output_tokens, rng) * (rng.random() if aborted else 1.0),
            output_tokens=told,
            cost_usd=self._cost(provider, model, at_ms, outcome, told),
        )

    def forget(self, now_ms: int) -> None:
        """Let go of prefixes unused for a week."""
        self._cache.forget(now_ms - _KEEP_MS)
        self._shadow.forget(now_ms - _KEEP_MS)

    def door(self, engine: Engine, at_ms: int) -> tuple[str, str]:
        """Return the provider and the model name that a call of `engine` asks for at that time."""
        if engine.function.tells_records and engine.model in BEDROCK_MODELS and self._plan.fallback.holds(at_ms):
            return "bedrock", BEDROCK_MODELS[engine.model]
        return "anthropic", engine.model

    def _minimum(self, model: str) -> int:
        known = self._minimums.get(model)
        if known is None:
            provider = "bedrock" if "anthropic." in model else "anthropic"
            known = self._minimums[model] = self._book.cache_minimum_tokens(model, provider) or 0
        return known

    def _cause(self, engine: Engine, at_ms: int, outcome: Outcome, shadow: Outcome, *, timestamped: bool) -> str:
        if outcome.cause == "off":
            return "caching_off"
        if outcome.cause in ("hit", "below_minimum"):
            return outcome.cause
        if shadow.cause != "hit":
            return shadow.cause
        if timestamped:
            return "prefix_changed"
        if outcome.cause == "concurrent_first_write":
            return outcome.cause
        return self._plan.last_change(engine.name, engine.function.name, at_ms)

    def _cost(self, provider: str, model: str, at_ms: int, outcome: Outcome, output_tokens: int) -> Decimal:
        """Price the call. Rates are whole picodollars per token, so one token's price times the count is exact."""
        key = (provider, model, at_ms // DAY_MS)
        rates = self._rates.get(key)
        if rates is None:
            rates = self._rates[key] = tuple(self._rate(usage, provider, model, at_ms) for usage in _ONE_TOKEN)
        counts = (outcome.uncached, outcome.read, outcome.write_5m, outcome.write_1h, output_tokens)
        return sum((rate * count for rate, count in zip(rates, counts, strict=True)), Decimal(0))

    def _rate(self, usage: Usage, provider: str, model: str, at_ms: int) -> Decimal:
        priced = price_usage(self._book, usage, provider=provider, model=model, at=from_ms(at_ms))
        if priced.cost_usd is None:
            raise LookupError(f"The price book does not know the demo's model {model}: {priced.reason}")
        return priced.cost_usd

    def _fingerprint(self, content: str) -> str:
        return hashlib.blake2b(content.encode(), key=f"demo-{self._seed}".encode(), digest_size=8).hexdigest()


def _missed(cause: str, outcome: Outcome, prefix_tokens: int) -> dict[str, int]:
    """Put every prompt token that was not read under one cause."""
    missed = {} if cause == "hit" else {cause: prefix_tokens - outcome.read}
    tail = outcome.prompt - prefix_tokens
    return {**missed, "dynamic_tail": tail} if tail else missed
