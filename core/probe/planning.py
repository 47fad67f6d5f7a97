"""The plan of a run: whom to ask, what it will probably cost, and the least budget with which it can finish.

Only free requests are made here (count_tokens). What stands in the way (no key, no network, no price) is part of the
plan, not an exception: whoever sees the plan sees it, and a run of such a plan spends nothing and says why.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal
from urllib.parse import urlsplit

from core.errors import CachewiseError, FixSettings
from core.pricing import PriceBook, Unpriced, load_book
from core.probe.bench import Bench, no_price, ordinary_prefix_tokens
from core.probe.budget import Budget, plain, worst_case_usd
from core.probe.experiments import Experiment, named
from core.probe.faults import problem_of
from core.probe.forecast import NO_LIMIT, ForecastDoor
from core.probe.live import LiveDoor
from core.probe.model import Plan, PlannedExperiment, Problem, StartedBy, Target
from core.probe.prompts import new_nonce
from core.probe.ruler import Ruler, measure
from core.settings import PROVIDERS, Settings, usd_amount

DEFAULT_MODELS = {
    # cheap, with a minimum so low that every experiment fits into the default budget
    "anthropic": "claude-haiku-5-5",
    "bedrock": "global.anthropic.claude-haiku-4-5-20251001-v1:0",
}
_ZERO = Decimal(0)
OpenDoor = Callable[[Target, Settings, PriceBook], LiveDoor]


@dataclass(frozen=True, slots=True)
class _Measured:
    """What the free requests told."""

    ruler: Ruler
    simulated: bool | None
    problem: Problem | None


def plan(
    settings: Settings,
    experiments: Sequence[str] = (),
    *,
    suite: str | None = None,
    provider: str | None = None,
    model: str | None = None,
    budget_usd: Decimal | str | float | None = None,
    prefix_tokens: int | None = None,
    max_wait_s: float | None = None,
    started_by: StartedBy = "person",
    open_door: OpenDoor = LiveDoor,
    now: datetime | None = None,
) -> Plan:
    """Return what the chosen experiments (else a suite, else the seed suite) will do and may cost.

    What is not given comes from the [probe] table. Raises FixSettings for a name that does not exist.
    """
    chosen, called = named(experiments, suite=suite)
    at, book = now or datetime.now(UTC), load_book(settings.price_files)
    target = target_of(settings, book, provider=provider, model=model, at=at)
    wanted = prefix_tokens if prefix_tokens is not None else settings.probe.prefix_tokens
    asks = any(item.asks_claude for item in chosen)
    measured = _measure(target, settings, book, open_door, at) if asks else _Measured(Ruler(), None, None)
    size = ordinary_prefix_tokens(target, wanted)
    longest = settings.probe.max_wait_s if max_wait_s is None else max_wait_s
    if measured.problem is None:
        planned, warnings = _forecast(chosen, target, settings, book, measured, size, longest, at)
    else:
        planned, warnings = [PlannedExperiment(item.name, item.title, 0, _ZERO, _ZERO, 0.0) for item in chosen], []
    budget = settings.probe.budget_usd if budget_usd is None else usd_amount(budget_usd, where="budget")
    estimate, needed = sum((item.estimate_usd for item in planned), _ZERO), _needed(planned)
    if needed > budget:
        warnings.append(f"${plain(needed)} are needed to finish; experiments beyond ${plain(budget)} will not be run.")
    return Plan(
        run_id=uuid.uuid4().hex,
        suite=called,
        target=target,
        experiments=tuple(planned),
        estimate_usd=estimate,
        needed_usd=needed,
        budget_usd=budget,
        prefix_tokens=size,
        counted=measured.ruler.counted,
        simulated=measured.simulated,
        problem=measured.problem,
        warnings=tuple(warnings),
        price_book=book.version,
        started_by=started_by,
        max_wait_s=longest,
        ruler=measured.ruler,
        settings=settings,
    )


def target_of(
    settings: Settings,
    book: PriceBook,
    *,
    provider: str | None = None,
    model: str | None = None,
    at: datetime | None = None,
) -> Target:
    """Return whom to ask: as given, else as configured, else a cheap model. Raises FixSettings."""
    where = _provider(provider or settings.probe.provider)
    configured = settings.probe.model if provider in (None, settings.probe.provider) else None
    which = model or configured or DEFAULT_MODELS[where]
    minimum = book.cache_minimum_tokens(which, where)
    size = ordinary_prefix_tokens(Target(where, which, None, "5m", minimum, None), settings.probe.prefix_tokens)
    ttl: Literal["5m", "1h"] = "1h" if settings.probe.cache_ttl == "1h" else "5m"
    other = settings.probe.other_model or _other_model(book, where, which, size, at or datetime.now(UTC))
    return Target(where, which, _foreign(settings, where), ttl, minimum, other)


def _provider(name: str) -> Literal["anthropic", "bedrock"]:
    if name == "anthropic":
        return "anthropic"
    if name == "bedrock":
        return "bedrock"
    raise FixSettings(
        f"There is no provider {name!r}.", code="PRB-403", mend=f"Accepted: {', '.join(PROVIDERS)}.", about=(name,)
    )


def _foreign(settings: Settings, provider: str) -> str | None:
    """Return the base URL when it is not the provider's own."""
    direct = provider == "anthropic"
    url = settings.anthropic_base_url if direct else settings.bedrock_base_url
    own = "anthropic.com" if direct else "amazonaws.com"
    host = urlsplit(url).hostname or "" if url else ""
    return None if not url or host == own or host.endswith(f".{own}") else url


def _other_model(book: PriceBook, provider: str, model: str, size: int, at: datetime) -> str | None:
    """Return the cheapest other model of the direct API that would cache a prefix of this size."""
    if provider != "anthropic":
        return None  # which ids an account may call on Bedrock is not known
    own = book.model_of_name(model)
    found = []
    for name, known in book.models.items():
        minimum = known.cache_min_anthropic
        retired = known.retires is not None and known.retires <= at.date()
        if (
            name == own
            or retired
            or minimum is None
            or minimum > size
            or isinstance(book.resolve(name, provider), Unpriced)
        ):
            continue
        cost = worst_case_usd(
            book, provider=provider, model=name, at=at, prompt_tokens=size, max_tokens=0, cache_ttl="5m"
        )
        if cost is not None:
            found.append((cost, name))
    return min(found)[1] if found else None


def _measure(target: Target, settings: Settings, book: PriceBook, open_door: OpenDoor, at: datetime) -> _Measured:
    """Check that there is a price, then measure with two free counts."""
    worst = worst_case_usd(
        book, provider=target.provider, model=target.model, at=at, prompt_tokens=1, max_tokens=1, cache_ttl="5m"
    )
    if worst is None:
        return _Measured(Ruler(), None, problem_of(no_price(book, target.provider, target.model)))
    door = open_door(target, settings, book)
    try:
        ruler = measure(lambda ask: door.count_now(ask, target.model), nonce=new_nonce())
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the reason why nothing can be asked
        return _Measured(Ruler(), door.simulated, problem_of(error))
    finally:
        door.close()
    return _Measured(ruler, door.simulated, None)


def _forecast(
    chosen: Sequence[Experiment],
    target: Target,
    settings: Settings,
    book: PriceBook,
    measured: _Measured,
    size: int,
    max_wait_s: float,
    at: datetime,
) -> tuple[list[PlannedExperiment], list[str]]:
    """Run the experiments at a forecast bench, and note what they would cost."""
    door = ForecastDoor(target, measured.ruler, book, at=at, simulated=measured.simulated)
    bench = Bench(door, target, Budget(NO_LIMIT), book, measured.ruler, settings, size, max_wait_s, now=lambda: at)
    planned: list[PlannedExperiment] = []
    warnings: list[str] = []
    for item in chosen:
        bench.budget, bench.requests, door.waited_s = Budget(NO_LIMIT), 0, 0.0
        if item.asks_claude:
            try:
                item.run(bench)
            except CachewiseError as error:
                warnings.append(f"{item.title} {error}")
        budget = bench.budget
        planned.append(
            PlannedExperiment(item.name, item.title, bench.requests, budget.spent_usd, budget.needed_usd, door.waited_s)
        )
    return planned, warnings


def _needed(planned: Sequence[PlannedExperiment]) -> Decimal:
    """Return the least budget of the whole run: what went before, and what each needs at its dearest moment."""
    before, needed = _ZERO, _ZERO
    for item in planned:
        needed = max(needed, before + item.needed_usd)
        before += item.estimate_usd
    return needed
