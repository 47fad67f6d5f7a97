"""From lines found in a piece to a block of requests: engines, records, times, offsets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.event import LogEvent, TimeKind
from collector.lane.forms import Own, Read
from collector.lane.lines import Bools, Ints, Lines
from collector.lane.records import read_lines
from collector.lane.requests import UNNAMED, Block, Costs, Heads, Kept, Place, Requests, Run, Told, ToldCall, Twins
from collector.parsers import parse_message
from collector.parsers.clock import ISO_TIME
from collector.parsers.facts import CallRecord, CostLine

NEVER = np.iinfo(np.int64).max
REMEMBERED = 64
"""Records of a run that lines still to come are compared with, as many as the correlator keeps of a stream."""
_COUNTED = ("input", "output", "read", "written")
_UNTOLD: tuple[Any, str | None] = (None, None)
_LONGEST_NAME = 80  # bytes of an engine; a longer one is for the parser to judge


@dataclass(frozen=True, slots=True)
class Base:
    """Per frame: was it taken, from which line on its piece tells the time, and the time in force before that."""

    taken: Bools
    line: Ints
    ms: Ints
    stamped: Bools

    @classmethod
    def of(cls, count: int) -> Base:
        """Return that of frames not looked at yet."""
        none, zeros = np.zeros(count, dtype=np.bool_), np.zeros(count, dtype=np.int64)
        return cls(none, zeros, zeros.copy(), none.copy())


class Taken:
    """The lines of ours in the good frames of a piece. Frames whose lines say nothing usable are good no longer."""

    def __init__(
        self, lines: Lines, read: Read, found: Requests, events: Sequence[LogEvent] = (), where: Ints | None = None
    ) -> None:
        """`where` says which of the events each line is, if they have ids; else a line is a place in a file."""
        self._events, self._where = events, where
        self._lines, self._read, self._found = lines, read, found
        self._hit_engines = self._coded(read)
        self._facts: dict[int, list[tuple[int, CallRecord | CostLine]]] = {}  # by frame, each with its line
        self._twin = np.full(len(read.frames), -1, dtype=np.int64)  # by frame: the cost line that its record stands for
        self._records = self._read_records(read.records.only(read.good[read.records.frame]))
        count, frames = len(read.frames), read.frames
        own = sum(np.bincount(one.frame, minlength=count) for one in (read.hits, read.costs, self._records))
        self._own: Ints = np.asarray(own, dtype=np.int64)
        self.ignored: Ints = frames.report - frames.start - 1 - frames.ended - self._own
        self.earliest: Ints = np.full(count, NEVER, dtype=np.int64)
        for one in (read.hits, read.costs, self._records):
            told = read.last[one.line]
            bare = np.flatnonzero(~one.explicit & (told >= frames.start[one.frame]))
            np.minimum.at(self.earliest, one.frame[bare], read.times[told[bare]])

    @property
    def several(self) -> list[int]:
        """Return the frames whose calls are told as facts."""
        return list(self._facts)

    def block(self, base: Base, counts: list[int], offset: int, places: Ints) -> Block:
        """Return the requests taken, in runs of these lengths, out of a piece that begins at that offset."""
        read, lines, frames = self._read, self._lines, self._read.frames
        taken = np.flatnonzero(base.taken)
        first = self._found.count
        number = np.cumsum(base.taken) - 1 + first
        run_first = np.repeat(np.cumsum([0, *counts[:-1]]) + first, counts)
        start, report = frames.start[taken], frames.report[taken]
        started, stamped = self._moments(start, taken, base)
        ended, _ = self._moments(report, taken, base)
        kept = pa.array(base.taken)
        starts, ends = (lines.starts + offset, lines.ends + offset) if self._where is None else (self._where,) * 2
        heads = Heads(
            frames.names().filter(kept), started, stamped, starts[start],
            ends[report], frames.version.filter(kept), ended, frames.ended[taken], 2 + self._own[taken],
            frames.duration.filter(kept), frames.billed.filter(kept), frames.memory.filter(kept),
            frames.most.filter(kept),
        )  # fmt: skip

        def told(own: Own, engine: Ints) -> Told:
            ms, at_a_time = self._moments(own.line, own.frame, base)
            return Told(number[own.frame], ms, at_a_time, starts[own.line], engine, own.explicit)

        of_hits = base.taken[read.hits.frame]
        hits, engines = read.hits.only(of_hits), self._hit_engines[of_hits]
        hit_numbers = number[hits.frame]

        def spoken_of(own: Own) -> Ints:
            """Return the engine of the last hit before each line, in its run."""
            if not len(hits.line):
                return np.full(len(own.line), UNNAMED, dtype=np.int64)
            before = np.searchsorted(hits.line, own.line) - 1
            within = (before >= 0) & (hit_numbers[before] >= run_first[number[own.frame] - first])
            return np.where(within, engines[before], UNNAMED)

        alone = base.taken[read.costs.frame] & ~np.isin(read.costs.frame, list(self._facts))
        alone &= self._twin[read.costs.frame] < 0
        costs = read.costs.only(alone)
        figures = read.figures.filter(pa.array(alone))
        plain = base.taken[self._records.frame] & ~np.isin(self._records.frame, list(self._facts))
        records = self._records.only(plain)
        rows = self._rows.filter(pa.array(plain))
        named = self._codes_of(rows["engine"].combine_chunks())
        self._record_lines = records.line
        twin = self._twin[records.frame]
        return Block(
            first,
            places,
            read.json,
            heads,
            told(costs, spoken_of(costs)),
            Costs(_usd(figures), *_counts(figures)),
            told(hits, engines),
            told(records, np.where(named >= 0, named, spoken_of(records))),
            rows,
            Twins(
                np.where(twin >= 0, starts[read.costs.line[twin]], -1)
                if len(read.costs.line)
                else np.full(len(twin), -1, dtype=np.int64),
                _usd(read.figures).take(pa.array(twin, mask=twin < 0)),
            ),
            {
                int(number[frame]): self._told_calls(frame, facts, told, spoken_of)
                for frame, facts in self._facts.items()
                if base.taken[frame]
            },
        )

    def run(
        self, block: Block, at: int, place: Place, first: int, last: int, again: Callable[[int], list[LogEvent]]
    ) -> Run:
        """Return the requests of a block from `first` to before `last` as a run."""
        names = list(self._found.engines)
        heads = slice(first - block.first, last - block.first)
        spans = [block.heads.started_ms[heads], block.heads.ended_ms[heads]]
        spans += [lines.ms[lines.among(first, last)] for lines in (block.calls, block.stores, block.records)]
        lowest = min(int(ms.min()) for ms in spans if len(ms))
        highest = max(int(ms.max()) for ms in spans if len(ms))
        for number in [number for number in block.told if first <= number < last]:
            times = [call.ts_ms for call in block.told[number]]
            lowest, highest = min(lowest, *times), max(highest, *times)
        stores, records = block.stores.among(first, last), block.records.among(first, last)
        engine = names[int(block.stores.engine[stores.stop - 1])] if stores.stop > stores.start else None
        kept = []
        for place_of in range(max(records.start, records.stop - REMEMBERED), records.stop):
            told, code = block.records, int(block.records.engine[place_of])
            kept.append(
                Kept(
                    block.head(int(told.number[place_of])), self._lines.line(int(self._record_lines[place_of])),
                    int(told.ms[place_of]), _kind(bool(told.stamped[place_of])), int(told.offset[place_of]),
                    None if code == UNNAMED else names[code], bool(told.explicit[place_of]),
                    bool(block.twins.offset[place_of] >= 0), self._two_events(block, place_of),
                )
            )  # fmt: skip
        return Run(at, place, block, first, last, lowest, highest, engine, kept, again)

    def _two_events(self, block: Block, place: int) -> tuple[LogEvent, LogEvent] | None:
        """Return START and line of a record, if they are events with ids."""
        if self._where is None:
            return None
        told = block.records
        start = int(block.heads.start[int(told.number[place]) - block.first])
        return self._events[start], self._events[int(told.offset[place])]

    def _moments(self, line: Ints, frame: Ints, base: Base) -> tuple[Ints, Bools]:
        """Return the time in force at each line, and whether a line told it."""
        last = self._read.last[line]
        held = last >= base.line[frame]
        return np.where(held, self._read.times[last], base.ms[frame]), held | base.stamped[frame]

    def _coded(self, read: Read) -> Ints:
        """Return the code of the engine of each hit; a name that is none makes its frame one to be left."""
        names = read.engines
        codes = np.array([self._code(name) for name in names.dictionary.to_pylist()], dtype=np.int64)
        found = codes[names.indices.to_numpy()] if len(codes) else np.zeros(0, dtype=np.int64)
        read.good[read.hits.frame[found == UNNAMED]] = False
        return found

    def _codes_of(self, engines: pa.Array) -> Ints:
        """Return the code of the engine that each record names."""
        names = engines.dictionary_encode()
        codes = np.array([self._found.code_of(name) for name in names.dictionary.to_pylist()], dtype=np.int64)
        told = np.full(len(engines), UNNAMED, dtype=np.int64)
        named = _flags(pc.is_valid(engines))
        told[named] = codes[names.indices.drop_null().to_numpy()]
        return told

    def _code(self, name: bytes) -> int:
        engine = engine_in(name)
        return UNNAMED if engine is None else self._found.code_of(engine)

    # records

    def _read_records(self, records: Own) -> Own:
        """Read the records of good frames; those of frames that tell several calls by the parser itself."""
        read, lines = self._read, self._lines
        counts = np.bincount(records.frame, minlength=len(read.frames))
        costs = np.bincount(read.costs.frame, minlength=len(read.frames))
        alone = ((counts == 1) & (costs <= 1))[records.frame]
        numbers = zip(records.line.tolist(), alone.tolist(), strict=True)
        said = [_UNTOLD if not only else read.bodies.get(line) or (lines.line(line), None)
                for line, only in numbers]  # fmt: skip
        told, plain = read_lines([body for body, _ in said], [around for _, around in said])
        named = told["request_id"]
        own = pc.fill_null(pc.equal(named, read.frames.names().take(pa.array(records.frame))), True)
        plain &= alone & _flags(own)
        self._join(told, records, plain, (counts == 1) & (costs == 1))
        explicit = plain & _flags(pc.is_valid(named))
        for at in np.flatnonzero(~plain).tolist():
            line, frame = int(records.line[at]), int(records.frame[at])
            fact = _fact(lines.line(line), read.frames.rid[frame].tobytes().decode())
            if fact is None:
                read.good[frame] = False
            else:
                self._facts.setdefault(frame, []).append((line, fact))
                explicit[at] = fact.request_id is not None
        self._rows = told
        self._add_costs()
        return Own(records.line, records.frame, explicit)

    def _join(self, told: pa.Table, records: Own, plain: Bools, wanted: Bools) -> None:
        """Let records stand for the cost line beside them; one that is not of the same call is plain no longer."""
        costs, hits = self._read.costs, self._read.hits.line
        places = np.flatnonzero(wanted[costs.frame])
        beside = np.full(len(wanted), -1, dtype=np.int64)  # by frame: its cost line
        beside[costs.frame[places]] = places
        paired = np.flatnonzero(plain & (beside[records.frame] >= 0))
        if not len(paired):
            return
        place = beside[records.frame[paired]]
        # both lines speak of one engine unless told otherwise: no hit stands between them
        same = np.searchsorted(hits, records.line[paired]) == np.searchsorted(hits, costs.line[place])
        same |= _flags(pc.is_valid(told["engine"]))[paired]
        for name, counted in zip(_COUNTED, _counts(self._read.figures), strict=True):
            same &= told[name].to_numpy()[paired] == counted.to_numpy()[place]
        plain[paired[~same]] = False
        self._twin[records.frame[paired[same]]] = place[same]

    def _add_costs(self) -> None:
        """Put the cost lines of frames whose calls are told as facts among them."""
        costs = self._read.costs
        beside = np.flatnonzero(np.isin(costs.frame, list(self._facts)))
        said = self._read.figures.take(pa.array(beside)).to_pylist()
        for place, values in zip(beside.tolist(), said, strict=True):
            frame = int(costs.frame[place])
            rid = self._read.frames.rid[frame].tobytes().decode() if costs.explicit[place] else None
            self._facts[frame].append((int(costs.line[place]), _cost(values, rid)))
        for facts in self._facts.values():
            facts.sort(key=lambda told: told[0])

    def _told_calls(
        self,
        frame: int,
        facts: list[tuple[int, CallRecord | CostLine]],
        told: Callable[[Own, Ints], Told],
        spoken_of: Callable[[Own], Ints],
    ) -> list[ToldCall]:
        names = list(self._found.engines)
        line = np.array([line for line, _ in facts], dtype=np.int64)
        own = Own(line, np.full(len(line), frame), np.zeros(len(line), dtype=np.bool_))
        when = told(own, spoken_of(own))
        calls = []
        for place, (_, fact) in enumerate(facts):
            code = int(when.engine[place])
            engine = fact.engine if isinstance(fact, CallRecord) else None
            engine = engine or (None if code == UNNAMED else names[code])
            if engine is not None:
                self._found.code_of(engine)  # so that it has one, if no prompt-store line names it
            calls.append(
                ToldCall(
                    fact, int(when.ms[place]), _kind(bool(when.stamped[place])), int(when.offset[place]), engine,
                    fact.request_id is not None,
                )
            )  # fmt: skip
        return calls


def engine_in(name: bytes) -> str | None:
    """Return the engine that a hit names; None: the parser may say otherwise."""
    try:
        engine = name.decode().strip()
    except UnicodeDecodeError:
        return None
    told_otherwise = not engine or len(name) > _LONGEST_NAME or "Cost" in engine or ISO_TIME.search(engine)
    return None if told_otherwise else engine


def _fact(line: bytes, request_id: str) -> CallRecord | None:
    """Read a record as the ordinary way reads it; None: it is no record of that request."""
    try:
        parsed = parse_message(line.decode().rstrip("\r"))
    except UnicodeDecodeError:
        return None
    fact = parsed.facts[0] if len(parsed.facts) == 1 else None
    if not isinstance(fact, CallRecord) or fact.told_by != "record":
        return None
    return fact if fact.request_id in (None, request_id) else None


def _cost(values: dict[str, Any], request_id: str | None) -> CostLine:
    given, output, read, write = (values[name] for name in ("given", "output", "read", "write"))
    return CostLine(values["usd"], given, output, read, write, request_id)


def _flags(told: pa.Array | pa.ChunkedArray) -> Bools:
    flags: Bools = np.array(told, dtype=np.bool_)
    return flags


def _kind(stamped: bool) -> TimeKind:
    return "logged" if stamped else "file"


def _usd(told: pa.StructArray) -> pa.Array:
    return pc.struct_field(told, "usd")


def _counts(told: pa.StructArray) -> list[pa.Array]:
    return [pc.struct_field(told, name) for name in ("given", "output", "read", "write")]
