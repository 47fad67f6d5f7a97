"""Every experiment by name, in the order in which a run makes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.errors import FixSettings
from core.probe.bench import Bench
from core.probe.experiments import minimum, perturbation, prompt_store, saving, ttft, ttl, write_read
from core.probe.model import SUITES, Finding


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment. Those that do not ask Claude cost nothing and need no key."""

    name: str
    title: str
    run: Callable[[Bench], Finding]
    asks_claude: bool = True
    builds_on: str | None = None  # it uses what that one wrote, where both are run


EXPERIMENTS: dict[str, Experiment] = {
    item.name: item
    for item in (
        Experiment("write_then_read", "Is the cache written, and then read?", write_read.run),
        Experiment("saving", "Is the saving what it is computed to be?", saving.run, builds_on="write_then_read"),
        Experiment("prompt_store", "Prompt store: MISS, then HIT?", prompt_store.run, asks_claude=False),
        Experiment("perturbation", "Which changes break the cache?", perturbation.run),
        Experiment("minimum", "What is the smallest prefix that is cached?", minimum.run),
        Experiment("ttft", "Does the first token come sooner?", ttft.run),
        Experiment("ttl", "How long does an entry live?", ttl.run),  # last: it may move a simulator's clock
    )
}


def named(experiments: Sequence[str] = (), *, suite: str | None = None) -> tuple[tuple[Experiment, ...], str]:
    """Return the chosen experiments in the order of a run, and what to call the choice. Raises FixSettings."""
    if suite is not None and suite not in SUITES:
        raise FixSettings(
            f"There is no suite {suite!r}.", code="PRB-403", mend=f"Accepted: {', '.join(SUITES)}.", about=(suite,)
        )
    for name in experiments:
        if name not in EXPERIMENTS:
            raise FixSettings(
                f"There is no experiment {name!r}.",
                code="PRB-403",
                mend=f"Accepted: {', '.join(EXPERIMENTS)}.",
                about=(name,),
            )
    if experiments and suite is None:
        wanted, called = set(experiments), "chosen"
    else:
        called = suite or "seed"
        wanted = {*SUITES[called], *experiments}
        called = called if wanted == set(SUITES[called]) else "chosen"
    return tuple(item for name, item in EXPERIMENTS.items() if name in wanted), called
