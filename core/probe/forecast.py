"""The forecast door: answers by the documented cache rules, spends nothing, and notes how long it would have waited."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from core.caching.cache_model import Block, CacheModel
from core.caching.request import estimated_prefix_tokens
from core.pricing import PriceBook, price_usage
from core.probe.bench import Answer, no_price
from core.probe.model import Target
from core.probe.prompts import Ask
from core.probe.ruler import TAIL_TOKENS, Ruler
from core.usage import Usage

_MINIMUM_UNKNOWN = 1024


class ForecastDoor:
    """What a well-behaved provider would do. `waits` is False where the clock can be moved."""

    def __init__(self, target: Target, ruler: Ruler, book: PriceBook, *, at: datetime, simulated: bool | None) -> None:
        self.simulated, self.waited_s = simulated, 0.0
        self._target, self._ruler, self._book, self._at = target, ruler, book, at
        self._now_s = 0.0
        self._cache = CacheModel(minimum_tokens=target.minimum_tokens or _MINIMUM_UNKNOWN)

    def count(self, ask: Ask, model: str) -> int | None:
        """Return what the ruler says, where it was measured."""
        return self._tokens(ask) if self._ruler.counted else None

    def send(self, ask: Ask, model: str) -> Answer | None:
        """Answer at once; the answer is as long as it may be."""
        tools, tail = self._tools_tokens(ask), TAIL_TOKENS
        system = self._tokens(ask) - tools - tail
        blocks = [Block(json.dumps(ask.prefix.tools), tools), Block(ask.prefix.text(), system, ask.cache_ttl)]
        outcome = self._cache.request(
            round(self._now_s * 1000), blocks=[*blocks, Block(ask.question, tail)], model=model
        )
        usage = Usage(
            input_tokens=outcome.uncached,
            cache_read_tokens=outcome.read,
            cache_write_5m_tokens=outcome.write_5m,
            cache_write_1h_tokens=outcome.write_1h,
            output_tokens=ask.max_tokens,
        )
        priced = price_usage(self._book, usage, provider=self._target.provider, model=model, at=self._at)
        if priced.cost_usd is None:
            raise no_price(self._book, self._target.provider, model)
        ttft_ms = 300.0 + (outcome.prompt - outcome.read) / 10
        return Answer(usage, priced, priced.cost_usd, self._now_s, ttft_ms, ttft_ms, None, None)

    def now_s(self) -> float:
        """Return the forecast's own time."""
        return self._now_s

    def wait_until(self, moment_s: float, stop: Callable[[], bool]) -> None:
        """Let time pass at once, and note it where it would be real."""
        left = max(0.0, moment_s - self._now_s)
        self._now_s += left
        self.waited_s += 0.0 if self.simulated else left

    def _tokens(self, ask: Ask) -> int:
        return self._ruler.prompt_tokens(ask.prefix.words) + self._tools_tokens(ask)

    def _tools_tokens(self, ask: Ask) -> int:
        if not ask.prefix.tools:
            return 0
        with_tools = estimated_prefix_tokens(ask.request())
        return max(1, with_tools - round(len(ask.prefix.text()) / 3.5))


NO_LIMIT = Decimal("Infinity")
