"""What the quick lane found in a batch: requests, text calls and prompt-store hits as rows of plain values."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from collector.event import LogEvent, Origin, TimeKind
from collector.parsers.facts import CallRecord, CostLine

if TYPE_CHECKING:
    from collector.correlate import Invocation

RequestRow = tuple[int, bytes, int, bool, int, int, bytes, int, int, bytes, bytes, bytes, bytes]
"""place, request id, START's time, is it logged, START's offset, where the request ends, version, REPORT's time, lines
of ours, duration, billed, memory, most memory."""
CallRow = tuple[int, int, bool, int, str | None, bool, bytes, bytes, bytes, bytes, bytes]
"""request, time, is it logged, offset, engine, does it name its request, dollars, input, output, read, write."""
StoreRow = tuple[int, int, int, str, bool]
"""request, time, offset, engine, does it name its request. Hits only: a miss waits for its "stored" line."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file whose lines are one stream."""

    origin: Origin
    file_id: str


@dataclass(frozen=True, slots=True)
class ToldCall:
    """A call of a request that tells some of its calls as records: they are paired and written the ordinary way."""

    fact: CallRecord | CostLine
    ts_ms: int
    ts_kind: TimeKind
    offset: int
    engine: str | None
    explicit: bool


@dataclass(slots=True)
class Run:
    """Requests of one file that follow each other, and what they change of the state of its stream."""

    at: int  # the place among the batch's events that they come before
    place: Place
    first: int  # of Requests.rows
    first_call: int  # of Requests.calls
    last: int = 0
    lowest_ms: int = 1 << 62
    highest_ms: int = 0
    engine: str | None = None  # of its last prompt-store line
    lines_again: Callable[[RequestRow], list[LogEvent]] = lambda _: []
    """The lines of one of its requests as ordinary events, for a stream that something else is open in."""


@dataclass(slots=True)
class Requests:
    """Everything the lane took of one batch."""

    places: list[Place] = field(default_factory=list)
    rows: list[RequestRow] = field(default_factory=list)
    calls: list[CallRow] = field(default_factory=list)
    stores: list[StoreRow] = field(default_factory=list)
    told: dict[int, list[ToldCall]] = field(default_factory=dict)  # by request: those that tell records
    runs: list[Run] = field(default_factory=list)


@dataclass(slots=True)
class Lot:
    """Requests of one run that the correlator took in whole."""

    first: int  # of Requests.rows
    last: int
    place: int  # how many settled requests come before them
    owners: dict[int, Invocation] = field(default_factory=dict)  # of those that tell records
    timed_out: dict[int, int] = field(default_factory=dict)  # lines that said so afterwards


def count_run(run: Run, found: Requests, recognised: Counter[str]) -> None:
    """Count the lines of ours in the requests of a run."""
    count = run.last - run.first
    recognised["start"] += count
    recognised["end"] += count
    recognised["report"] += count
    recognised["prompt_store_hit"] += _among(found.stores, run)
    recognised["cost"] += _among(found.calls, run)
    for number, told in found.told.items():
        if run.first <= number < run.last:
            records = sum(isinstance(call.fact, CallRecord) for call in told)
            recognised["record"] += records
            recognised["cost"] += len(told) - records
    for kind in [kind for kind, lines in recognised.items() if not lines]:
        del recognised[kind]


def _among(rows: Sequence[tuple[Any, ...]], run: Run) -> int:
    first, last = (bisect_left(rows, number, key=lambda row: row[0]) for number in (run.first, run.last))
    return last - first
