"""The budget: spent ≤ budget whatever the server does, and closed at once when it does the impossible."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

import httpx2
import pytest
from anthropic import APIConnectionError, APITimeoutError, RateLimitError
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import CachewiseError
from core.pricing import default_book, price_usage
from core.probe.bench import Answer, Bench
from core.probe.budget import Budget, BudgetSpent, worst_case_usd
from core.probe.experiments import EXPERIMENTS
from core.probe.model import Target
from core.probe.prompts import Ask
from core.probe.ruler import Ruler, most_tokens
from core.settings import Settings
from core.usage import Usage

AT = datetime(2026, 11, 20, tzinfo=UTC)
BOOK = default_book()
RULER = Ruler(base=60, per_word=1, counted=True)
REQUEST = httpx2.Request("POST", "http://127.0.0.1/v1/messages")
MODELS = ("claude-haiku-5-5", "claude-opus-4-5", "claude-sonnet-4-6")


@dataclass(slots=True)
class Capricious:
    """A server that does as it likes within a prompt of the counted size: any split, any answer, any failure."""

    dice: random.Random
    model: str
    overcharges: bool = False
    simulated: bool | None = False
    clock: float = 0.0
    sent: list[Decimal] = field(default_factory=list)
    over_at: int | None = None  # how many answers had been sent when one cost more than can be

    def count(self, ask: Ask, model: str) -> int | None:
        """Count truly, or not at all."""
        counted = RULER.prompt_tokens(ask.prefix.words)
        return counted if self.overcharges else self.dice.choice([counted, None])

    def send(self, ask: Ask, model: str) -> Answer | None:
        """Answer, lose the answer, or refuse."""
        fate = self.dice.random()
        if fate < 0.06:
            raise APITimeoutError(REQUEST)
        if fate < 0.1:
            raise APIConnectionError(request=REQUEST)
        if fate < 0.14:
            raise RateLimitError("busy", response=httpx2.Response(429, request=REQUEST), body=None)
        if fate < 0.2:
            return None
        prompt = round(RULER.prompt_tokens(ask.prefix.words) * (9 if self.overcharges else 1.05))
        cuts = sorted(self.dice.randint(0, prompt) for _ in range(2))
        write, read, plain = cuts[0], cuts[1] - cuts[0], prompt - cuts[1]
        usage = Usage(
            input_tokens=plain,
            cache_read_tokens=read,
            cache_write_5m_tokens=0 if ask.cache_ttl == "1h" else write,
            cache_write_1h_tokens=write if ask.cache_ttl == "1h" else 0,
            output_tokens=self.dice.randint(0, ask.max_tokens),
            inference_geo=self.dice.choice([None, "global", "us"]),
        )
        priced = price_usage(BOOK, usage, provider="anthropic", model=model, at=AT)
        assert priced.cost_usd is not None
        self.sent.append(priced.cost_usd)
        if self.overcharges and priced.cost_usd > self._most(ask, model):
            self.over_at = len(self.sent)
        return Answer(usage, priced, priced.cost_usd, self.clock, 1.0, 1.0, "msg_1", None)

    def _most(self, ask: Ask, model: str) -> Decimal:
        """What the request can cost at most."""
        most = worst_case_usd(
            BOOK,
            provider="anthropic",
            model=model,
            at=AT,
            prompt_tokens=most_tokens(ask.request(), self.count(ask, model)),
            max_tokens=ask.max_tokens,
            cache_ttl=ask.cache_ttl or "5m",
        )
        assert most is not None
        return most

    def now_s(self) -> float:
        """Tell the time."""
        return self.clock

    def wait_until(self, moment_s: float, stop: Callable[[], bool]) -> None:
        """Let time pass."""
        self.clock = max(self.clock, moment_s)


def bench_of(door: Capricious, limit: Decimal) -> Bench:
    """A bench before that server."""
    minimum = BOOK.cache_minimum_tokens(door.model, "anthropic")
    target = Target("anthropic", door.model, None, door.dice.choice(["5m", "1h"]), minimum, "claude-haiku-4-5")
    size = max(1200, (minimum or 0) + 100)
    return Bench(door, target, Budget(limit), BOOK, RULER, Settings(), size, 400.0, now=lambda: AT)


def run_everything(bench: Bench) -> None:
    """Make every experiment that asks Claude, whatever becomes of each."""
    for experiment in EXPERIMENTS.values():
        if experiment.asks_claude:
            try:
                experiment.run(bench)
            except (CachewiseError, APIConnectionError, RateLimitError):
                continue


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    limit=st.decimals("0.0001", "0.3", places=4),
    model=st.sampled_from(MODELS),
)
def test_the_budget_is_never_overrun(seed: int, limit: Decimal, model: str) -> None:
    """Known and possible spending together stay within the budget, and cover what the server really billed."""
    door = Capricious(random.Random(seed), model)
    bench = bench_of(door, limit)

    run_everything(bench)

    assert bench.budget.spent_usd <= limit
    assert sum(door.sent, Decimal(0)) <= bench.budget.spent_usd
    assert bench.budget.reserved_usd == 0


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_server_that_overcharges_is_asked_once(seed: int) -> None:
    """More prompt tokens than the request can have: it is recorded as it is, and nothing is sent any more."""
    door = Capricious(random.Random(seed), MODELS[0], overcharges=True)
    bench = bench_of(door, Decimal("0.3"))

    run_everything(bench)

    assert door.over_at in (None, len(door.sent))
    assert bench.budget.closed is (door.over_at is not None)
    assert sum(door.sent, Decimal(0)) <= bench.budget.spent_usd


def test_reserving_more_than_is_left_is_refused() -> None:
    """The boundary itself is allowed; a picodollar more is not."""
    budget = Budget(Decimal("0.05"))
    held = budget.reserve(Decimal("0.03"))

    with pytest.raises(BudgetSpent, match=r"PRB-402: The next request may cost \$0\.020000, and \$0\.020000 are left"):
        budget.reserve(Decimal("0.020000000001"))
    budget.reserve(Decimal("0.02"))
    budget.settle(held, Decimal("0.01"))
    assert (budget.spent_usd, budget.left_usd) == (Decimal("0.01"), Decimal("0.02"))


def test_the_worst_case_counts_the_dearest_geography() -> None:
    """A workspace may answer from the US at 1.1 times the price without being asked to."""
    worst = worst_case_usd(
        BOOK,
        provider="anthropic",
        model="claude-opus-4-8",
        at=AT,
        prompt_tokens=1000,
        max_tokens=10,
        cache_ttl="1h",
    )

    assert worst == (1000 * Decimal("0.00001") + 10 * Decimal("0.000025")) * Decimal("1.1")


def test_an_unpriced_model_has_no_worst_case() -> None:
    """Unknown is not zero: such a request must not be sent."""
    worst = worst_case_usd(
        BOOK, provider="anthropic", model="nobody", at=AT, prompt_tokens=1, max_tokens=1, cache_ttl="5m"
    )

    assert worst is None
