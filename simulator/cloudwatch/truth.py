"""What really happened in the simulated service: kept beside the log, never read from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from simulator.cloudwatch.log_groups import Event

StoreKind = Literal["hit", "miss", "stored"]


@dataclass(frozen=True, slots=True)
class TrueCall:
    """One request to Claude. With a message id it is known by it; without, by the line that tells it."""

    message_id: str | None
    request_id: str | None
    engine: str | None
    tokens: tuple[int, int, int, int]  # input, cache read, cache write, output
    failed: bool = False


@dataclass(frozen=True, slots=True)
class TrueStoreEvent:
    """One look into the prompt store."""

    kind: StoreKind
    engine: str
    request_id: str | None
    fetch_ms: float | None = None


@dataclass(frozen=True, slots=True)
class TrueInvocation:
    """One Lambda request."""

    request_id: str
    started_ms: int
    version: str
    status: Literal["ok", "timeout", "error", "open"]
    duration_ms: float | None
    calls: int
    engine: str | None
    cold: bool | None


@dataclass(slots=True)
class Truth:
    """Everything that happened. What a line without an id tells is known by its event; a copy of it is a suspect."""

    calls: list[TrueCall] = field(default_factory=list)
    invocations: list[TrueInvocation] = field(default_factory=list)
    call_lines: dict[str, TrueCall] = field(default_factory=dict)  # event id → the call that only this line tells
    store_lines: dict[str, TrueStoreEvent] = field(default_factory=dict)
    copied_calls: dict[str, TrueCall] = field(default_factory=dict)  # event ids of re-deliveries of such lines
    copied_stores: dict[str, TrueStoreEvent] = field(default_factory=dict)

    def logged(self, what: TrueCall | TrueStoreEvent, events: list[Event]) -> None:
        """Note under which ids a line was delivered: the first in the log's order is the line, the others copies."""
        first, *others = sorted(events)
        if isinstance(what, TrueCall):
            self.call_lines[first.event_id] = what
            self.copied_calls.update({event.event_id: what for event in others})
        else:
            self.store_lines[first.event_id] = what
            self.copied_stores.update({event.event_id: what for event in others})
