"""Lambda's execution environments: one request at a time, a few hours of life, a prompt store of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from simulator.fleet.engines import Function
from simulator.fleet.plan import Plan, Version, from_ms

_LIFE_MS = (2 * 3_600_000, 5 * 3_600_000)
_IDLE_MS = (20 * 60_000, 50 * 60_000)
_BUSY = 1 << 62


@dataclass(slots=True)
class Environment:
    """One execution environment = one log stream."""

    function: Function
    version: Version
    stream: str
    dies_ms: int
    idle_ms: int
    free_ms: int
    memory_mb: int
    seen_ms: int
    prompt_store: dict[str, int] = field(default_factory=dict)  # engine → revision of the prompt it holds

    def alive(self, at_ms: int) -> bool:
        """Say whether Lambda still keeps it; a busy one always is."""
        return self.free_ms == _BUSY or (at_ms < self.dies_ms and at_ms - self.free_ms < self.idle_ms)


class Pool:
    """The environments of one function."""

    def __init__(self, function: Function, plan: Plan) -> None:
        self._function = function
        self._plan = plan
        self._environments: list[Environment] = []

    def take(self, at_ms: int, rng: Random) -> tuple[Environment, bool]:
        """Hand out a warm environment of the current version, or start one; say whether it is cold."""
        version = self._plan.version(self._function.name, at_ms)
        self._environments = [item for item in self._environments if item.alive(at_ms)]
        warm = [e for e in self._environments if e.free_ms <= at_ms and e.version is version]
        cold = not warm
        chosen = self._start(version, at_ms, rng) if cold else warm[rng.randrange(len(warm))]
        self._clear_if_told(chosen, at_ms)
        chosen.seen_ms = at_ms
        chosen.free_ms = _BUSY
        return chosen, cold

    def give_back(self, environment: Environment, at_ms: int, *, killed: bool = False) -> None:
        """Take an environment back after its invocation; a timeout or crash ends it."""
        environment.free_ms = at_ms
        if killed:
            environment.dies_ms = at_ms

    def _start(self, version: Version, at_ms: int, rng: Random) -> Environment:
        stream = f"{from_ms(at_ms):%Y/%m/%d}/[{version.number}]{rng.getrandbits(128):032x}"
        environment = Environment(
            function=self._function,
            version=version,
            stream=stream,
            dies_ms=at_ms + rng.randint(*_LIFE_MS),
            idle_ms=rng.randint(*_IDLE_MS),
            free_ms=at_ms,
            memory_mb=rng.randint(148, 172),
            seen_ms=at_ms,
        )
        self._environments.append(environment)
        return environment

    def _clear_if_told(self, environment: Environment, at_ms: int) -> None:
        """Empty the prompt store if it was cleared since the environment last served."""
        for clear in self._plan.clears:
            if clear.function == self._function.name and environment.seen_ms < clear.at_ms <= at_ms:
                environment.prompt_store.clear()
