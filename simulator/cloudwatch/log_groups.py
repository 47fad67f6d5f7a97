"""Log groups in memory: what was put, when each event becomes visible, and in which order it is told.

Order and paging: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
Ids are laid out like those of real accounts: time, ingestion time, delivery, position in the delivery.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from simulator.fleet.events import event_id

PAGE_BYTES = 1024 * 1024
_EVENT_OVERHEAD = 26
_TIME_SHIFT = 144  # the time stands above everything else in an id


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """One event as it was taken in; `order` is its id as a number."""

    order: int
    timestamp_ms: int = field(compare=False)
    ingested_ms: int = field(compare=False)
    visible_ms: int = field(compare=False)  # FilterLogEvents does not tell it before
    stream: str = field(compare=False)
    message: str = field(compare=False)

    @property
    def event_id(self) -> str:
        """Return the id as the API tells it."""
        return f"{self.order:056d}"

    @property
    def size(self) -> int:
        """Return what it counts towards a page's megabyte."""
        return len(self.message.encode()) + _EVENT_OVERHEAD


@dataclass(slots=True)
class LogGroup:
    """One log group of one account and region. Deleting it and making it again gives it another `life`."""

    name: str
    account: str
    region: str
    created_ms: int
    life: int = 1
    events: list[Event] = field(default_factory=list)
    puts: int = 0

    @property
    def arn(self) -> str:
        """Return its ARN without the `:*`, as cross-account calls name it."""
        return f"arn:aws:logs:{self.region}:{self.account}:log-group:{self.name}"

    def put(
        self, stream: str, lines: Sequence[tuple[int, str]], *, ingested_ms: int, visible_ms: Sequence[int]
    ) -> list[Event]:
        """Take in one delivery of (time, message) lines; each becomes visible at its own time."""
        self.puts += 1
        put_id = (ingested_ms & ((1 << 40) - 1)) << 24 | self.puts
        taken = []
        for position, ((at_ms, message), seen_ms) in enumerate(zip(lines, visible_ms, strict=True)):
            order = int(event_id(at_ms, ingested_ms, put_id, position))
            event = Event(order, at_ms, ingested_ms, max(seen_ms, ingested_ms), stream, message)
            insort(self.events, event)
            taken.append(event)
        return taken

    def between(self, start_ms: int, end_ms: int, *, after: int, now_ms: int) -> Iterator[Event]:
        """Yield the events of [start, end] that are visible now and stand behind the id `after`, in their order."""
        first = max(start_ms << _TIME_SHIFT, after + 1)
        at = bisect_left(self.events, first, key=lambda event: event.order)
        for event in self.events[at:]:
            if event.timestamp_ms > end_ms:
                return
            if event.visible_ms <= now_ms:
                yield event

    def streams(self, now_ms: int) -> dict[str, list[Event]]:
        """Return the visible events of each stream."""
        found: dict[str, list[Event]] = {}
        for event in self.events:
            if event.visible_ms <= now_ms:
                found.setdefault(event.stream, []).append(event)
        return found


class LogGroups:
    """Every log group of every account. Safe to use from several threads."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._groups: dict[tuple[str, str, str], LogGroup] = {}
        self._lives: dict[tuple[str, str, str], int] = {}

    def make(self, name: str, *, account: str, region: str, now_ms: int) -> LogGroup:
        """Make a log group, empty."""
        key = (account, region, name)
        with self.lock:
            if key in self._groups:
                raise ValueError(f"the log group {name} exists already")
            self._lives[key] = self._lives.get(key, 0) + 1
            group = self._groups[key] = LogGroup(name, account, region, now_ms, life=self._lives[key])
            return group

    def delete(self, group: LogGroup) -> None:
        """Delete a log group with everything in it."""
        with self.lock:
            del self._groups[group.account, group.region, group.name]

    def find(self, name: str, *, account: str, region: str) -> LogGroup | None:
        """Return a log group by its name, or by its ARN whatever account asks."""
        if name.startswith("arn:"):
            return next((group for group in self._groups.values() if group.arn == name), None)
        return self._groups.get((account, region, name))

    def of(self, *, account: str, region: str) -> list[LogGroup]:
        """Return the log groups of one account and region, by name."""
        return [
            group for (owner, place, _), group in sorted(self._groups.items()) if (owner, place) == (account, region)
        ]
