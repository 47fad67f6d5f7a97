"""What goes wrong, and when: a seeded plan, so that a schedule that broke something can be played again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Literal, get_args

RequestFault = Literal["throttle", "server_error", "cut", "garbled", "empty", "partial", "repeat_token", "repeat_page",
                       "expire_token"]  # fmt: skip
OutageKind = Literal["no_group", "expired_credentials"]
REQUEST_FAULTS: tuple[RequestFault, ...] = get_args(RequestFault)
_IN_A_ROW = 3  # a fault that needs the client to ask again ends after so many, as AWS's do


@dataclass(frozen=True, slots=True)
class Outage:
    """A stretch of virtual time in which every request fails the same way."""

    kind: OutageKind
    from_ms: int
    until_ms: int


@dataclass(slots=True)
class FaultPlan:
    """Draws a fault for each request. `rates` are probabilities; `happened` counts what was done."""

    seed: int = 0
    rates: Mapping[RequestFault, float] = field(default_factory=dict)
    outages: tuple[Outage, ...] = ()
    page_sizes: tuple[int, ...] = (1, 50, 800, 3000)  # of partial pages
    largest_page: int = 10_000  # of all others
    happened: Counter[str] = field(default_factory=Counter)
    _rng: Random = field(init=False)
    _row: tuple[str | None, int] = (None, 0)

    def __post_init__(self) -> None:
        unknown = set(self.rates) - set(REQUEST_FAULTS)
        if unknown:
            raise ValueError(f"unknown faults {sorted(unknown)}; known: {', '.join(REQUEST_FAULTS)}")
        self._rng = Random(f"{self.seed}:faults")  # noqa: S311  # must be repeatable

    def outage(self, now_ms: int) -> OutageKind | None:
        """Return the outage of this moment."""
        kind = next((one.kind for one in self.outages if one.from_ms <= now_ms < one.until_ms), None)
        if kind:
            self.happened[kind] += 1
        return kind

    def draw(self) -> RequestFault | None:
        """Return the fault of the next request."""
        drawn, threshold = self._rng.random(), 0.0
        fault: RequestFault | None = None
        for name in REQUEST_FAULTS:
            threshold += self.rates.get(name, 0.0)
            if drawn < threshold:
                fault = name
                break
        row = self._row[1] + 1 if fault == self._row[0] else 1
        if fault is not None and row > _IN_A_ROW:
            fault, row = None, 1
        self._row = fault, row
        return fault

    def did(self, fault: RequestFault) -> None:
        """Count a fault that was really done: a first page has no token to repeat."""
        self.happened[fault] += 1

    def page_size(self) -> int:
        """Return how many events a partial page holds."""
        return self._rng.choice(self.page_sizes)
