"""What a source is: a name, and a way to read on from a cursor, batch by batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from collector.event import LogEvent
from collector.lane.requests import Requests
from collector.sessions.found import SessionCalls
from core.errors import CachewiseError

Example = dict[str, str | int]
"""Where a line stands that had to be skipped, and how long it is; never what it says."""
Cursor = dict[str, Any]
"""Where a source reads on. A JSON object; only the source that wrote it knows what it means."""

BATCH_EVENTS = 50_000
BATCH_BYTES = 32 * 1024 * 1024


@dataclass(slots=True)
class Batch:
    """Some events, what the source counted itself, and where to read on once all of it is stored."""

    events: list[LogEvent] = field(default_factory=list)
    cursor: Cursor = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)  # lines that cannot be ours, by kind
    skipped: Counter[str] = field(default_factory=Counter)  # lines that could not be read, by reason
    examples: dict[str, Example] = field(default_factory=dict)  # of each reason, where the first such line stands
    problems: list[CachewiseError] = field(default_factory=list)
    lane: Requests = field(default_factory=Requests)  # requests told as columns, among the events
    sessions: SessionCalls = field(default_factory=SessionCalls)  # calls of session files told as columns
    bytes_read: int = 0
    requests: int = 0
    retries: int = 0
    late_events: int = 0  # told after a pass had gone by their time
    max_lateness_ms: int = 0
    window_start_ms: int | None = None
    window_end_ms: int | None = None
    complete_until_ms: int | None = None  # set by the last batch of a complete pass
    context_before_ms: int | None = None  # events before it are told for context only; their rows are stored already
    scan: int = 0  # 0: reading on; each re-scan of the past has a number of its own, and a correlator of its own
    ends_scan: bool | None = None  # the last batch of its scan; None: it is when none follows
    seen_before: tuple[int, int] | None = None  # re-scan: (from when on, at what time) this was read the last time

    def skip(self, reason: str, *, length: int, at: str) -> None:
        """Count a line that cannot be used."""
        self.skipped[reason] += 1
        if reason not in self.examples:
            self.examples[reason] = {"length": length, "at": at[-200:]}


class Source(Protocol):
    """Where log lines come from. Reading never changes the outside world, and may be repeated."""

    @property
    def name(self) -> str:
        """The configured name: cursor and rows are kept under it."""
        ...

    @property
    def kind(self) -> str:
        """The kind as settings call it."""
        ...

    def read(self, cursor: Cursor | None, now: datetime) -> Iterator[Batch]:
        """Read on from a cursor (None: from the beginning). Raises TryAgain or FixSettings; yields at least once.

        The cursor of a batch is laid over the one before it, member by member.
        """
        ...

    def hold(self, cursor: Cursor, events: Sequence[LogEvent], counted: Sequence[LogEvent] = ()) -> Cursor:
        """Return the cursor moved back so that these events will be read again.

        `counted` are last lines without their newline that ended in a counter: whole, they are not counted again.
        """
        ...
