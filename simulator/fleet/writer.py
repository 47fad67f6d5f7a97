"""Writes the fleet's life to its folder: history as fast as it can, then live as time passes."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from core.pricing import PriceBook
from simulator.fleet.arrivals import HOUR_MS
from simulator.fleet.claude import DAY_MS
from simulator.fleet.engines import ENGINES, FUNCTIONS, Engine, Function
from simulator.fleet.events import Envelope
from simulator.fleet.folder import FleetFolder, Identity
from simulator.fleet.plan import Plan, plan_for, seoul_day
from simulator.fleet.world import Invocation, World

DEFAULT_SEED = 7
MAX_GAP_DAYS = 30
WARM_UP_HOURS = 2  # lived through unseen before writing begins: environments are warm, caches filled
_SEOUL_OFFSET_MS = 9 * HOUR_MS
_MINUTE_MS = 60_000


@dataclass(slots=True)
class Progress:
    """What has been written so far."""

    hours: int = 0
    calls: int = 0
    events: int = 0
    live_calls: int = 0


class FleetWriter:
    """Writes one fleet. Call `write_history` first, then `catch_up` every few seconds, at last `finish`."""

    def __init__(
        self,
        folder: FleetFolder,
        *,
        book: PriceBook,
        now_ms: int,
        days: int = MAX_GAP_DAYS,
        seed: int | None = None,
        engines: Sequence[Engine] = ENGINES,
        plan: Plan | None = None,  # None: the demo's calendar
    ) -> None:
        folder.make()
        self.folder = folder
        self.identity: Identity = folder.identity(seed=seed, today=seoul_day(now_ms), default_seed=DEFAULT_SEED)
        self.progress = Progress()
        self._world = World(
            seed=self.identity.seed, plan=plan or plan_for(self.identity.anchor), book=book, engines=engines
        )
        self._envelope = Envelope()
        self._live = _LiveQueue()
        first_ms = seoul_midnight(now_ms) - days * DAY_MS
        written_ms = folder.written_until_ms()
        self._resumed_ms = written_ms if written_ms is not None and written_ms > first_ms else None
        self._from_ms = max(first_ms, written_ms or first_ms)
        self._next_hour_ms = hour_of(self._from_ms)
        self._live_ms = self._from_ms
        for hours_before in range(WARM_UP_HOURS, 0, -1):
            self._world.hour(self._next_hour_ms - hours_before * HOUR_MS)

    def write_history(self, now_ms: int, *, stop: Callable[[], bool] = lambda: False) -> Progress:
        """Write every whole hour before `now_ms` that is not written yet."""
        self._finish_partial_hour(now_ms)
        while self._next_hour_ms + HOUR_MS <= now_ms and not stop():
            self._write_hour(self._next_hour_ms)
            self._next_hour_ms += HOUR_MS
        self._live_ms = max(self._from_ms, self._next_hour_ms)
        return self.progress

    def catch_up(self, now_ms: int) -> int:
        """Write the live events that are due by `now_ms`, at most a minute per payload; return how many."""
        written = 0
        for until_ms in range(self._live_ms + _MINUTE_MS, now_ms, _MINUTE_MS):
            written += self._tick(until_ms)
        written += self._tick(now_ms)
        self._live_ms = now_ms
        return written

    def _tick(self, now_ms: int) -> int:
        while self._next_hour_ms <= now_ms:
            self._live.add(self._begin_hour(self._next_hour_ms, live=True))
            self._next_hour_ms += HOUR_MS
        return self._flush(now_ms, now_ms)

    def finish(self, now_ms: int) -> int:
        """Let the invocations that have begun end, so that no request stays open; return the events written."""
        return self._flush(now_ms, None)

    def _begin_hour(self, hour_ms: int, *, live: bool) -> list[Invocation]:
        """Let the world live an hour. One that was partly written is lived anew, and what was written left out."""
        resumed_ms = self._resumed_ms
        if resumed_ms is None or resumed_ms <= hour_ms:
            return self._world.hour(hour_ms, live=live)
        self._resumed_ms = None
        invocations = self._world.hour(hour_ms, live=live, salt=str(resumed_ms))
        return [invocation for invocation in invocations if invocation.first_ms > resumed_ms]

    def _finish_partial_hour(self, now_ms: int) -> None:
        """Append the rest of an hour in which an earlier run stopped, if that hour is over."""
        if self._from_ms == self._next_hour_ms or self._next_hour_ms + HOUR_MS > now_ms:
            return
        self._live.add(self._begin_hour(self._next_hour_ms, live=False))
        self._next_hour_ms += HOUR_MS
        self._flush(self._next_hour_ms - 1, None)

    def _write_hour(self, hour_ms: int) -> None:
        invocations = self._begin_hour(hour_ms, live=False)
        rng = Random(f"{self.identity.seed}:{hour_ms}:delivery")  # noqa: S311 - must be repeatable
        batches: dict[tuple[str, int], list[Invocation]] = {}
        for invocation in invocations:
            batches.setdefault((invocation.stream, invocation.first_ms // _MINUTE_MS), []).append(invocation)
        payloads: dict[str, list[bytes]] = {function.source: [] for function in FUNCTIONS}
        for (stream, _), batch in batches.items():
            events = [event for invocation in batch for event in invocation.events]
            function = batch[0].function
            ingested_ms = events[-1][0] + rng.randint(180, 1_400)
            payloads[function.source].append(self._envelope.wrap(function, stream, events, ingested_ms))
            self.progress.events += len(events)
        truths = [truth for invocation in invocations for truth in invocation.truths]
        self.folder.write_hour(hour_ms, payloads, truths)
        self.progress.hours += 1
        self.progress.calls += len(truths)

    def _flush(self, now_ms: int, until_ms: int | None) -> int:
        """Append what has begun by `now_ms` and is due by `until_ms` (None: all of it)."""
        started, due = self._live.due(now_ms, until_ms)
        hour_ms = hour_of(now_ms)
        truths = [truth for invocation in started for truth in invocation.truths]
        self.folder.append_truth(hour_ms, truths)
        payloads: dict[str, list[bytes]] = {}
        for (_, stream), (function, events) in due.items():
            ingested_ms = max(now_ms, events[-1][0]) + 350
            line = self._envelope.wrap(function, stream, events, ingested_ms)
            payloads.setdefault(function.source, []).append(line)
        for source, lines in payloads.items():
            self.folder.append_live(source, hour_ms, lines)
        written = sum(len(events) for _, events in due.values())
        self.progress.events += written
        self.progress.live_calls += len(truths)
        return written


_Due = dict[tuple[str, str], tuple[Function, list[tuple[int, str]]]]


class _LiveQueue:
    """Invocations that wait for their time, and the events of those that have begun."""

    def __init__(self) -> None:
        self._waiting: list[Invocation] = []
        self._events: list[tuple[int, int, Function, str, str]] = []
        self._order = 0

    def add(self, invocations: list[Invocation]) -> None:
        """Queue invocations, in order of their start."""
        self._waiting += invocations

    def due(self, now_ms: int, until_ms: int | None) -> tuple[list[Invocation], _Due]:
        """Take out the invocations that begin by `now_ms` and the events due by `until_ms`, by stream."""
        begun = next((i for i, item in enumerate(self._waiting) if item.first_ms > now_ms), len(self._waiting))
        started, self._waiting = self._waiting[:begun], self._waiting[begun:]
        for invocation in started:
            for at_ms, message in invocation.events:
                item = (at_ms, self._order, invocation.function, invocation.stream, message)
                heapq.heappush(self._events, item)
                self._order += 1
        due: _Due = {}
        while self._events and (until_ms is None or self._events[0][0] <= until_ms):
            at_ms, _, function, stream, message = heapq.heappop(self._events)
            due.setdefault((function.name, stream), (function, []))[1].append((at_ms, message))
        return started, due


def hour_of(at_ms: int) -> int:
    """Return the start of the UTC hour."""
    return at_ms - at_ms % HOUR_MS


def seoul_midnight(at_ms: int) -> int:
    """Return the start of the day in Seoul (which has no summer time)."""
    return at_ms - (at_ms + _SEOUL_OFFSET_MS) % DAY_MS


def summary(progress: Progress, identity: Identity) -> dict[str, Any]:
    """Return what was written, for people and scripts."""
    return {
        "seed": identity.seed,
        "anchor_day": identity.anchor.isoformat(),
        "hours_written": progress.hours,
        "calls": progress.calls,
        "live_calls": progress.live_calls,
        "events": progress.events,
    }
