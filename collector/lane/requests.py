"""What the quick lane found in a batch: requests, text calls, records and prompt-store hits, as columns."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collector.event import LogEvent, Origin, TimeKind
from collector.lane.bare import Bare, BareRun
from collector.parsers.facts import CallRecord, CostLine

if TYPE_CHECKING:
    from collector.drafts import Invocation

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
UNNAMED = -1
"""The code of an engine that nobody named."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file whose lines are one stream, or a stream whose events have ids: then there is no file."""

    origin: Origin
    file_id: str

    @property
    def key_of_events(self) -> str:
        """Return what an event's key begins with, where events have ids (LogEvent.event_key)."""
        origin = self.origin
        return f"{origin.account or ''}|{origin.region or ''}|{origin.log_group or ''}"


@dataclass(frozen=True, slots=True)
class Heads:
    """Requests, a value for each: the lines around them and what REPORT measured."""

    rid: pa.Array
    started_ms: Ints
    stamped: Bools  # is START's time one that a line tells
    start: Ints  # where the request begins in the file
    end: Ints
    version: pa.Array
    ended_ms: Ints
    ended: Ints  # lines that said that the runtime was done
    lines: Ints  # of ours that tell something
    duration_ms: pa.Array
    billed_ms: pa.Array
    memory_mb: pa.Array
    max_memory_mb: pa.Array


@dataclass(frozen=True, slots=True)
class Told:
    """Lines of ours, a value for each: calls or prompt-store hits. A miss waits for its "stored" line: not here."""

    number: Ints  # of the request, counted through the batch
    ms: Ints
    stamped: Bools
    offset: Ints
    engine: Ints  # a code of Requests.engines
    explicit: Bools  # does the line name its request

    def only(self, kept: Bools) -> Told:
        """Return some of them."""
        return Told(*(getattr(self, one.name)[kept] for one in fields(self)))

    def among(self, first: int, last: int) -> slice:
        """Return where the lines of requests from `first` to before `last` stand."""
        at, end = np.searchsorted(self.number, (first, last))
        return slice(int(at), int(end))


@dataclass(frozen=True, slots=True)
class Costs:
    """What cost lines say."""

    usd: pa.Array
    given: pa.Array
    output: pa.Array
    read: pa.Array
    write: pa.Array


@dataclass(frozen=True, slots=True)
class Twins:
    """The cost lines that tell the calls of records once more, a value for each record."""

    offset: Ints  # -1: there is none
    usd: pa.Array

    def only(self, kept: Bools) -> Twins:
        """Return those of some records."""
        return Twins(self.offset[kept], self.usd.filter(pa.array(kept)))


@dataclass(frozen=True, slots=True)
class ToldCall:
    """A call of a request that tells its calls in several lines: they are paired and written the ordinary way."""

    fact: CallRecord | CostLine
    ts_ms: int
    ts_kind: TimeKind
    offset: int
    engine: str | None
    explicit: bool
    event: LogEvent | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Requests of one piece of a file."""

    first: int  # of all requests of the batch
    places: Ints  # by request: which of Requests.places
    json: bool  # told in Lambda's JSON format
    heads: Heads
    calls: Told
    costs: Costs
    stores: Told
    records: Told
    rows: pa.Table  # what each of `records` tells: records.RECORDS
    twins: Twins
    told: dict[int, list[ToldCall]]  # by request: those that tell several calls, one of them a record

    @property
    def last(self) -> int:
        """Return the number behind the last of its requests."""
        return self.first + len(self.heads.start)

    def ids(self, first: int, last: int) -> list[str]:
        """Return the ids of requests."""
        ids: list[str] = self.heads.rid.slice(first - self.first, last - first).to_pylist()
        return ids

    def times(self, first: int, last: int) -> Iterator[tuple[int, int, str]]:
        """Return of requests when they began, when they ended, and their ids."""
        part, heads = slice(first - self.first, last - self.first), self.heads
        return zip(heads.started_ms[part].tolist(), heads.ended_ms[part].tolist(), self.ids(first, last), strict=True)

    def head(self, number: int) -> Head:
        """Return one of its requests."""
        at, heads = number - self.first, self.heads
        return Head(
            number, heads.rid[at].as_py(), heads.version[at].as_py(), int(heads.started_ms[at]),
            bool(heads.stamped[at]), int(heads.start[at]), int(heads.ended_ms[at]), int(heads.lines[at]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Head:
    """One request, as what its calls need to know of it."""

    number: int
    rid: str
    version: str
    started_ms: int
    stamped: bool
    start: int
    ended_ms: int
    lines: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A record that a line still to come may be a copy of: enough to make a draft of it."""

    head: Head
    line: bytes
    ts_ms: int
    ts_kind: TimeKind
    offset: int
    engine: str | None
    explicit: bool
    joined: bool  # with its text line already
    events: tuple[LogEvent, LogEvent] | None = None  # START and the record, where they are events with ids


@dataclass(slots=True)
class Run:
    """Requests of one file that follow each other, and what they change of the state of its stream."""

    at: int  # the place among the batch's events that they come before
    place: Place
    block: Block
    first: int  # of the batch's requests
    last: int
    lowest_ms: int
    highest_ms: int
    engine: str | None  # of its last prompt-store line
    kept: list[Kept]  # its last records
    lines_again: Callable[[int], list[LogEvent]]
    """The lines of one of its requests as ordinary events, for a stream that something else is open in."""


@dataclass(slots=True)
class Requests:
    """Everything the lane took of one batch."""

    places: list[Place] = field(default_factory=list)
    bare: Bare = field(default_factory=Bare)  # lines outside them
    ids: list[str] | None = None  # of events: where they have ids, an offset is a place among these
    blocks: list[Block] = field(default_factory=list)
    runs: list[Run | BareRun] = field(default_factory=list)
    engines: dict[str, int] = field(default_factory=dict)  # the code of each name, in order
    count: int = 0

    def code_of(self, engine: str) -> int:
        """Return the code of an engine's name."""
        return self.engines.setdefault(engine, len(self.engines))

    def number_of(self, request_id: str, first: int, last: int) -> int | None:
        """Return the last of the requests from `first` to before `last`, which are of one block, that has that id."""
        block = self.block_of(first)
        ids = block.heads.rid.slice(first - block.first, last - first)
        found = pc.indices_nonzero(pc.equal(ids, request_id))
        return first + int(found[-1].as_py()) if len(found) else None

    def block_of(self, number: int) -> Block:
        """Return the block of a request."""
        return self.blocks[bisect_right(self.blocks, number, key=lambda block: block.first) - 1]


@dataclass(slots=True)
class Lot:
    """Requests of one run that the correlator took in whole."""

    first: int  # of the batch's requests
    last: int
    place: int  # how many settled requests come before them
    owners: dict[int, Invocation] = field(default_factory=dict)  # of those whose calls are drafts
    timed_out: dict[int, int] = field(default_factory=dict)  # lines that said so afterwards


def count_run(run: Run, recognised: Counter[str]) -> None:
    """Count the lines of ours in the requests of a run."""
    block, count = run.block, run.last - run.first
    recognised["start"] += count
    ended = block.heads.ended[run.first - block.first : run.last - block.first]
    recognised["runtime_done" if block.json else "end"] += int(ended.sum())
    recognised["report"] += count
    for kind, lines in (("prompt_store_hit", block.stores), ("cost", block.calls), ("record", block.records)):
        part = lines.among(run.first, run.last)
        recognised[kind] += part.stop - part.start
    recognised["cost"] += int((block.twins.offset[block.records.among(run.first, run.last)] >= 0).sum())
    for number, told in block.told.items():
        if run.first <= number < run.last:
            records = sum(isinstance(call.fact, CallRecord) for call in told)
            recognised["record"] += records
            recognised["cost"] += len(told) - records
    for kind in [kind for kind, lines in recognised.items() if not lines]:
        del recognised[kind]


def name_engines(run: Run, engine: int) -> None:
    """Give the calls before a run's first prompt-store line the engine that its stream spoke of last."""
    for told in (run.block.calls, run.block.records):
        codes = told.engine[told.among(run.first, run.last)]
        codes[codes == UNNAMED] = engine


def told_of(parts: Sequence[Told]) -> Told:
    """Return lines of several blocks as one."""
    return Told(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Told)))


def twins_of(parts: Sequence[Twins]) -> Twins:
    """Return the cost lines of records of several blocks as one."""
    return Twins(np.concatenate([part.offset for part in parts]), pa.concat_arrays([part.usd for part in parts]))


def heads_of(parts: Sequence[Heads]) -> Heads:
    """Return requests of several blocks as one."""
    columns = [[getattr(part, one.name) for part in parts] for one in fields(Heads)]
    return Heads(*(np.concatenate(c) if isinstance(c[0], np.ndarray) else pa.concat_arrays(c) for c in columns))
