"""The nouns of the probe: what will be done and may cost, how an experiment ended, and what a run says in the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from core.settings import Settings

Verdict = Literal["passed", "failed", "inconclusive", "not_run"]
StartedBy = Literal["person", "canary"]
SEED_SUITE = ("write_then_read", "saving", "prompt_store")
FULL_SUITE = (*SEED_SUITE, "perturbation", "minimum", "ttft", "ttl")
SUITES: Mapping[str, tuple[str, ...]] = {"seed": SEED_SUITE, "full": FULL_SUITE}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something was not measured: code, one line, what to do, and the values that it is about."""

    code: str
    message: str
    about: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the one line an operator reads."""
        return f"{self.code}: {self.message}"


@dataclass(frozen=True, slots=True)
class PlannedExperiment:
    """What one experiment will do if all goes as expected.

    `needed_usd` is the least budget with which it can finish: what it will have spent by its dearest moment, plus the
    worst case of that request. `wait_s` is real time spent waiting.
    """

    name: str
    title: str
    requests: int
    estimate_usd: Decimal
    needed_usd: Decimal
    wait_s: float


@dataclass(frozen=True, slots=True)
class Target:
    """Whom the probe asks: provider, model, address, and what is known of its cache."""

    provider: Literal["anthropic", "bedrock"]
    model: str
    base_url: str | None  # None: the provider's own
    cache_ttl: Literal["5m", "1h"]
    minimum_tokens: int | None
    other_model: str | None

    @property
    def is_foreign(self) -> bool:
        """Say whether requests, and with them the key, go to another address than the provider's."""
        return self.base_url is not None

    @property
    def shown_url(self) -> str | None:
        """The base URL as it may be shown and kept: without a user or password in it."""
        if self.base_url is None:
            return None
        parts = urlsplit(self.base_url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do and may cost. Nothing has been spent yet: token counts are free."""

    run_id: str
    suite: str
    target: Target
    experiments: tuple[PlannedExperiment, ...]
    estimate_usd: Decimal
    needed_usd: Decimal
    budget_usd: Decimal
    prefix_tokens: int  # of the ordinary prefix, as counted or estimated
    counted: bool  # by the provider; False: estimated from the length of the text
    simulated: bool | None  # None: nobody has answered yet
    problem: Problem | None  # why nothing can be asked at all; a run then spends nothing
    warnings: tuple[str, ...]
    price_book: str
    started_by: StartedBy
    max_wait_s: float
    ruler: Any = field(repr=False, compare=False)
    settings: Settings = field(repr=False, compare=False)

    @property
    def requests(self) -> int:
        """Requests to Claude that cost money, if all goes as expected."""
        return sum(item.requests for item in self.experiments)

    @property
    def wait_s(self) -> float:
        """Seconds that the experiments wait for the clock."""
        return sum(item.wait_s for item in self.experiments)

    @property
    def fits(self) -> bool:
        """Say whether the budget lets every experiment finish."""
        return self.needed_usd <= self.budget_usd


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: which experiment (1-based), what it is doing, and what has been spent so far."""

    experiment: str
    position: int
    experiments: int
    doing: str
    requests: int
    spent_usd: Decimal
    budget_usd: Decimal


OnProgress = Callable[[Progress], object]


@dataclass(frozen=True, slots=True)
class Finding:
    """What an experiment found: the verdict, one sentence with the figures, and the figures."""

    verdict: Verdict
    summary: str
    evidence: Mapping[str, Any]
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class ExperimentResult:
    """One experiment of a run, with what it cost. `spent_exact` is False where an answer was lost on the way."""

    experiment: str
    title: str
    verdict: Verdict
    summary: str
    evidence: Mapping[str, Any]
    problem: Problem | None
    started_at: datetime
    finished_at: datetime
    requests: int
    estimate_usd: Decimal
    spent_usd: Decimal
    spent_exact: bool


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """A finished run."""

    plan: Plan
    started_at: datetime
    finished_at: datetime
    results: tuple[ExperimentResult, ...]
    simulated: bool | None
    spent_usd: Decimal
    spent_exact: bool
    requests: int
    kept: bool  # whether the results are in the table of probes
    keep_problem: Problem | None

    @property
    def passed(self) -> bool:
        """Say whether every experiment passed."""
        return bool(self.results) and all(result.verdict == "passed" for result in self.results)
