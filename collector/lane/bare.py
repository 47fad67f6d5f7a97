"""Lines of ours outside any request, as columns: what a service writes that is no Lambda.

They are numbered through the batch, each kind by itself. A run of them joins what is open in its stream without an
object for each line; one becomes a draft only where a line told the ordinary way may be its twin.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.event import LogEvent, Position
from collector.lane.lines import Bools, Ints
from core.store.hashes import Hashes

if TYPE_CHECKING:
    from collector.lane.requests import Place

COSTS, RECORDS, STORES = range(3)
"""The kinds of lines: text lines of calls, records of calls, hits of the prompt store."""
_COUNTED = ("cost", "record", "prompt_store_hit")
_ODD = 0x9E3779B97F4A7C15
_COUNTS = (("given", "output", "read", "write"), ("input", "output", "read", "written"))


@dataclass(frozen=True, slots=True)
class Entries:
    """Lines of one kind, a value for each."""

    block: Ints
    offset: Ints  # in the file
    length: Ints  # bytes, without the newline
    ms: Ints
    stamped: Bools
    engine: Ints  # a code of Requests.engines

    def __len__(self) -> int:
        return len(self.offset)


@dataclass(frozen=True, slots=True)
class BareBlock:
    """What one piece of a file holds."""

    place: int  # which of Requests.places
    data: bytes
    offset: int  # where the piece begins in the file
    kinds: tuple[Entries, ...]
    figures: pa.Table  # what each cost line says
    rows: pa.Table  # what each record tells: records.RECORDS


@dataclass(slots=True)
class BareRun:
    """Lines of one piece with no other line of ours between them, and what they change of the state of their stream."""

    at: int  # the place among the batch's events that they come before
    place: Place
    spans: tuple[slice, ...]  # by kind: which of the batch
    first: LogEvent  # without its text
    lowest_ms: int
    highest_ms: int
    last_ms: int  # of the last line
    engine: str | None  # of the last prompt-store line

    def count(self, kind: int) -> int:
        """Return how many lines of a kind it has."""
        return int(self.spans[kind].stop) - int(self.spans[kind].start)

    @property
    def calls(self) -> int:
        """Return how many of its lines tell calls."""
        return self.count(COSTS) + self.count(RECORDS)

    def count_lines(self, recognised: Counter[str]) -> None:
        """Count its lines."""
        for kind, name in enumerate(_COUNTED):
            if self.count(kind):
                recognised[name] += self.count(kind)


class Kind:
    """All lines of one kind of a batch, and what becomes of each."""

    def __init__(self, parts: Sequence[Entries]) -> None:
        told = [np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Entries)]
        self.block, self.offset, self.length, self.ms, self.stamped, self.engine = told
        self.owner: Ints = np.full(len(self.offset), -1, dtype=np.int64)  # its place among what is settled
        self.told: Bools = np.ones(len(self.offset), dtype=np.bool_)  # False: it is a draft, or another stands for it

    def settled(self) -> Ints:
        """Return the numbers of the lines to be told as columns."""
        return np.flatnonzero(self.told & (self.owner >= 0))


class BareLines:
    """All lines outside requests of a batch, once it is whole."""

    def __init__(self, blocks: Sequence[BareBlock], places: Sequence[Place]) -> None:
        self._blocks, self._places = blocks, places
        self.kinds = [Kind([block.kinds[kind] for block in blocks]) for kind in (COSTS, RECORDS, STORES)]
        self.place: Ints = np.array([block.place for block in blocks], dtype=np.int64)  # by block
        self.figures = pa.concat_tables([block.figures for block in blocks]).combine_chunks()
        self.rows = pa.concat_tables([block.rows for block in blocks]).combine_chunks()
        tables = (self.figures, self.rows)
        self._ids = self.rows["call_id"].combine_chunks()
        self.counts = [[table[name].to_numpy() for name in names] for table, names in zip(tables, _COUNTS, strict=True)]
        self.hashes = [_hashed(columns) for columns in self.counts]
        self.twin: Ints = np.full(len(self.hashes[RECORDS]), -1, dtype=np.int64)  # by record: its cost line

    def ids(self, records: Ints) -> pa.Array:
        """Return the ids of calls."""
        return self._ids.take(pa.array(records))

    def costs(self, numbers: Ints) -> list[pa.Array]:
        """Return what cost lines say: dollars and counts of tokens."""
        told = self.figures.take(pa.array(numbers)).combine_chunks()
        return [told[name].combine_chunks() for name in ("usd", *_COUNTS[COSTS])]

    def tokens(self, record: int) -> tuple[int, ...]:
        """Return what a record counted."""
        return tuple(int(column[record]) for column in self.counts[RECORDS])

    def event(self, kind: int, number: int) -> LogEvent:
        """Return a line as an ordinary event."""
        lines = self.kinds[kind]
        block = self._blocks[int(lines.block[number])]
        offset, place = int(lines.offset[number]), self._places[block.place]
        begin = offset - block.offset
        text = block.data[begin : begin + int(lines.length[number])].decode().rstrip("\r")
        where = Position(place.file_id, offset)
        stamp = "logged" if lines.stamped[number] else "file"
        return LogEvent(place.origin, None, int(lines.ms[number]), stamp, text, offset, where)  # type: ignore[arg-type]

    def events(self, run: BareRun) -> list[LogEvent]:
        """Return a run as ordinary events, for a stream in which requests were seen."""
        spans = enumerate(run.spans)
        told = [self.event(kind, number) for kind, span in spans for number in range(span.start, span.stop)]
        return sorted(told, key=lambda event: event.order)

    def name_engine(self, run: BareRun, engine: int) -> None:
        """Give the calls before a run's first prompt-store line the engine that was spoken of last."""
        for kind in (COSTS, RECORDS):
            codes = self.kinds[kind].engine[run.spans[kind]]
            codes[codes < 0] = engine


@dataclass(slots=True)
class Bare:
    """Everything outside requests that the lane took of one batch."""

    blocks: list[BareBlock] = field(default_factory=list)
    counts: list[int] = field(default_factory=lambda: [0, 0, 0])  # lines of each kind
    _lines: BareLines | None = None

    @property
    def count(self) -> int:
        """Return how many lines were taken."""
        return sum(self.counts)

    def add(self, block: BareBlock) -> None:
        """Take in what another piece holds."""
        self.blocks.append(block)
        self.counts = [count + len(entries) for count, entries in zip(self.counts, block.kinds, strict=True)]

    def lines(self, places: Sequence[Place]) -> BareLines:
        """Return all of it. No block is added afterwards."""
        if self._lines is None:
            self._lines = BareLines(self.blocks, places)
        return self._lines


def hash_of(counts: Sequence[int]) -> int:
    """Return the hash of a call's tokens."""
    told = 0
    for count in counts:
        told = (told * _ODD + count) % (1 << 64)
    return told


def _hashed(columns: Sequence[Ints]) -> Hashes:
    told = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        told = told * np.uint64(_ODD) + column.astype(np.uint64)
    return told


def firsts_of(ids: pa.Array) -> Bools:
    """Say which ids are not among those before them."""
    first = np.ones(len(ids), dtype=np.bool_)
    if len(pc.unique(ids)) < len(ids):
        _, place = np.unique(ids.dictionary_encode().indices.to_numpy(), return_index=True)
        first[:] = False
        first[place] = True
    return first
