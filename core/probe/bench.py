"""The bench that experiments work at: they ask through it, and it minds the budget, the clock and the wish to stop.

Behind it stands a door: the live one, or the forecast that answers by the documented rules and spends nothing. The plan
is made by running the same experiments at a forecast bench, so estimate and run cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

from core.errors import BadInput, CachewiseError, FixSettings, TryAgain
from core.pricing import PriceBook, PricedCall
from core.probe import faults
from core.probe.budget import Budget, worst_case_usd
from core.probe.model import Finding, Problem, Target
from core.probe.prompts import Ask, Prefix, new_nonce
from core.probe.ruler import Ruler, most_tokens
from core.settings import Settings
from core.usage import Usage

ENOUGH_FOR_ALL = 4400  # tokens, where the model's minimum is not known: above every published one
LEAST_PREFIX = 1200  # tokens: small minimums are doubted by users, and a larger prefix costs next to nothing
_OVER_MINIMUM = 1.05
_SLACK = 40


class Stopped(CachewiseError):
    """Someone asked the run to end."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request did. `started_s` is on the bench's clock."""

    usage: Usage
    priced: PricedCall
    cost_usd: Decimal
    started_s: float
    latency_ms: float
    ttft_ms: float | None
    message_id: str | None
    diagnosis: dict[str, Any] | None

    @property
    def read(self) -> int:
        """Tokens read from the Claude cache."""
        return self.usage.cache_read_tokens

    @property
    def written(self) -> int:
        """Tokens written to the Claude cache."""
        return self.usage.cache_write_tokens


class Door(Protocol):
    """A way to an answer. `send` gives None for what the provider did not tell."""

    @property
    def simulated(self) -> bool | None:
        """Whether answers are made up; None before the first."""

    def count(self, ask: Ask, model: str) -> int | None:
        """Return the tokens of the prompt, free of charge; None where nobody counts."""

    def send(self, ask: Ask, model: str) -> Answer | None:
        """Send one request, once."""

    def now_s(self) -> float:
        """Return the time on the cache's clock."""

    def wait_until(self, moment_s: float, stop: Callable[[], bool]) -> None:
        """Let time pass; return early when asked to stop."""


@dataclass(slots=True)
class Bench:
    """Everything an experiment may touch."""

    door: Door
    target: Target
    budget: Budget
    book: PriceBook
    ruler: Ruler
    settings: Settings
    prefix_tokens: int
    max_wait_s: float
    stop: Callable[[], bool] = lambda: False
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    tell: Callable[[str], object] = lambda doing: None
    shared: dict[str, Any] = field(default_factory=dict)  # what one experiment may use of another
    requests: int = 0

    def new_prefix(self, **parts: Any) -> Prefix:
        """Return a prefix of the ordinary size that nobody has sent. Raises when the model would not cache it."""
        if (minimum := self.target.minimum_tokens) is not None and self.prefix_tokens < minimum:
            raise BadInput(
                f"The prefix has {self.prefix_tokens} tokens; {self.target.model} caches nothing below {minimum} and "
                "says nothing about it. Nothing was sent.",
                code="PRB-412",
                mend="Leave out --prefix-tokens and probe.prefix_tokens, or raise them.",
                about=(self.target.model, f"{self.prefix_tokens} < {minimum}"),
            )
        return self.prefix_of(self.prefix_tokens, **parts)

    def prefix_of(self, tokens: int, **parts: Any) -> Prefix:
        """Return a prefix of about that many tokens that nobody has sent."""
        return Prefix(new_nonce(), self.ruler.words_for(tokens), **parts)

    def marked(self, prefix: Prefix, **parts: Any) -> Ask:
        """Return a request that marks the prefix to be cached, for the target's TTL unless `cache_ttl` says else."""
        return Ask(prefix, **{"cache_ttl": self.target.cache_ttl, **parts})

    def ask(self, ask: Ask, doing: str) -> Answer:
        """Send a request within the budget: the worst case is set aside first, and nothing is ever sent twice."""
        self.check_stop()
        self.tell(doing)
        model = ask.model or self.target.model
        reserved = self.budget.reserve(self._worst(ask, model))
        self.requests += 1
        try:
            answer = self.door.send(ask, model)
        except BaseException as error:
            self.requests -= isinstance(error, Exception) and not faults.was_sent(error)
            free = isinstance(error, Exception) and faults.billing_of(error) == "free"
            (self.budget.release if free else self.budget.lose)(reserved)
            raise
        if answer is None:
            self.budget.lose(reserved)
            raise TryAgain("The answer told no usage that can be priced.", code="PRB-420", mend="Try again.")
        self.budget.settle(reserved, answer.cost_usd)
        if answer.cost_usd > reserved:
            raise TryAgain(
                f"The server billed {answer.usage.prompt_tokens} prompt tokens, more than the request can have.",
                code="PRB-417",
                mend="Nothing more was sent. Check who answers at that address.",
                about=(f"{answer.usage.prompt_tokens} tokens",),
            )
        return answer

    def wait_until(self, moment_s: float, doing: str) -> None:
        """Wait until the cache's clock shows that moment."""
        self.tell(doing)
        self.door.wait_until(moment_s, self.stop)
        self.check_stop()

    def check_stop(self) -> None:
        """Raise Stopped when someone asked the run to end."""
        if self.stop():
            raise Stopped("The run was stopped.", code="PRB-408", mend="Start it again when you like.")

    def _worst(self, ask: Ask, model: str) -> Decimal:
        request = ask.request()
        tokens = most_tokens(request, self.door.count(ask, model))
        worst = worst_case_usd(
            self.book,
            provider=self.target.provider,
            model=model,
            at=self.now(),
            prompt_tokens=tokens,
            max_tokens=ask.max_tokens,
            cache_ttl=ask.cache_ttl or "5m",
        )
        if worst is None:
            raise no_price(self.book, self.target.provider, model)
        return worst

    def not_cached(self, answer: Answer) -> Finding:
        """Return the finding for a marked prefix that was neither written nor read."""
        about = answer.usage.prompt_tokens
        minimum = self.target.minimum_tokens
        known = f"its published minimum is {minimum}" if minimum is not None else "its minimum is not published"
        problem = Problem(
            "PRB-411",
            f"{self.target.model} cached nothing of a prompt with {about} tokens ({known}): it does not cache here, or "
            "only longer prefixes. The experiment `minimum` looks for the limit.",
        )
        return Finding("failed", "Nothing was cached.", {"prompt_tokens": about, "minimum_tokens": minimum}, problem)


def no_price(book: PriceBook, provider: str, model: str) -> FixSettings:
    """Return the error for a model without a price: what it may cost is not known, so nothing is sent."""
    found = book.resolve(model, provider)
    reason = getattr(found, "reason", None) or f"{model} has no price today"
    return FixSettings(
        f"Nothing was sent, because the cost is not known: {reason}.",
        code="PRB-410",
        mend="Choose a model of the price book, or add its price in prices.files.",
        about=(model,),
    )


def ordinary_prefix_tokens(target: Target, wanted: int | None) -> int:
    """Return how large the prefix of most experiments is: as asked, else safely over the model's minimum."""
    if wanted is not None:
        return wanted
    if target.minimum_tokens is None:
        return ENOUGH_FOR_ALL
    return max(LEAST_PREFIX, round(target.minimum_tokens * _OVER_MINIMUM) + _SLACK)
