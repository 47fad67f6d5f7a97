"""Bytes of a log without requests to runs of lines of ours; what is in another form goes the ordinary way, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from collector.event import LogEvent, Position, TimeKind
from collector.lane.bare import COSTS, RECORDS, STORES, BareBlock, BareRun, Entries
from collector.lane.bare_forms import ODD, QUIET, Sorted, sort_out
from collector.lane.lines import Bools, Ints, Lines
from collector.lane.requests import UNNAMED, Place, Requests
from collector.sources.open_file import OpenFile, settle_stamp

if TYPE_CHECKING:
    from collector.lane.scan import Hands

_KINDS = (COSTS, RECORDS, STORES)
_LEAST = 4  # lines of ours: fewer are told one by one
_MORE = 16  # lines looked at together for the end of what goes on over several


class _Stretch(NamedTuple):
    """Lines of ours with no line in another form between them, and the time in force before the first."""

    first: int
    end: int  # behind the last
    at: int  # the place among the events
    ms: int
    stamped: bool


def read_bare(file: OpenFile, lines: Lines, found: Requests, place: Place, hands: Hands) -> int | None:
    """Tell the lines of a piece; return how many are not ours. None: none is in the exact form, and none was told."""
    told = sort_out(lines, hands.now_ms, found.code_of)
    if told is None:
        return None
    walk = _Walk(file, lines, told, hands)
    offset = file.offset
    walk.through()
    if walk.stretches:
        if not found.places or found.places[-1] != place:
            found.places.append(place)
        _add(found, lines, told, walk.stretches, offset)
    return walk.ignored


class _Walk:
    """Goes through a piece in order: takes what is in the exact form, hands the rest to the ordinary way."""

    def __init__(self, file: OpenFile, lines: Lines, told: Sorted, hands: Hands) -> None:
        self._file, self._lines, self._told, self._hands = file, lines, told, hands
        self._offset = file.offset  # of the piece in the file
        self._at = 0  # the first line that was not told
        self.ignored = 0
        self.stretches: list[_Stretch] = []

    def through(self) -> None:
        """Take what can be taken, leave the rest."""
        count, kind = len(self._lines), self._told.kind
        own = np.flatnonzero(kind >= 0)
        odd = np.append(np.flatnonzero(kind == ODD), count)
        behind = np.searchsorted(own, odd)  # how many lines of ours come before each
        begun = np.concatenate([[0], behind[:-1]])
        for at in np.flatnonzero(behind - begun >= _LEAST).tolist():
            self._leave(int(odd[at - 1]) + 1 if at else 0)
            first = max(int(begun[at]), int(np.searchsorted(own, self._at)))
            if behind[at] - first >= _LEAST:
                self._take(int(own[first]), int(own[behind[at] - 1]) + 1)
        self._leave(count)
        self._file.offset = self._offset + len(self._lines.data)

    def _take(self, first: int, end: int) -> None:
        self._quiet(first)
        file, told = self._file, self._told
        settle_stamp(file, self._hands.now_ms)
        self.stretches.append(_Stretch(first, end, self._hands.events(), file.stamp_ms, file.stamped))
        self.ignored += int(np.count_nonzero(told.kind[first:end] == QUIET))
        last = int(told.last[end - 1])
        if last >= first:
            file.stamp_ms, file.stamped = int(told.times[last]), True
        file.stamp_line, file.ids = b"", False
        self._at = end

    def _quiet(self, until: int) -> None:
        """Pass lines that are not ours; note the last that may tell a time."""
        first, self._at = self._at, until
        self.ignored += until - first
        telling = np.flatnonzero(self._told.telling[first:until])
        if len(telling):
            self._file.stamp_line = self._lines.line(first + int(telling[-1]))

    def _leave(self, until: int) -> None:
        """Leave lines to the ordinary way; those before and behind that are not ours need not go it."""
        loud = np.flatnonzero(self._told.kind[self._at : until] != QUIET) + self._at
        if len(loud):
            self._quiet(int(loud[0]))
            self._hand_over(int(loud[-1]) + 1)
        while self._at < len(self._lines) and (self._file.pieces or self._file.indented):
            self._hand_over(min(self._at + _MORE, len(self._lines)))  # an answer or an object that goes on
        self._quiet(max(until, self._at))

    def _hand_over(self, end: int) -> None:
        start = int(self._lines.starts[self._at])
        self._file.offset = self._offset + start
        self._hands.by_line(self._file, self._lines.data[start : int(self._lines.ends[end - 1])])
        self._at = end


class _Own:
    """The lines taken out of a piece, in order."""

    def __init__(self, lines: Lines, told: Sorted, stretches: list[_Stretch], offset: int) -> None:
        first, end = (np.array([one[at] for one in stretches], dtype=np.int64) for at in range(2))
        base_ms = np.array([one.ms for one in stretches], dtype=np.int64)
        base_stamped = np.array([one.stamped for one in stretches], dtype=np.bool_)
        line = np.flatnonzero(told.kind >= 0)
        stretch = np.searchsorted(first, line, side="right") - 1
        taken = (stretch >= 0) & (line < end[stretch])
        self.line, self.stretch = line[taken], stretch[taken]
        self.kind = told.kind[self.line]
        self.offset, self.length = lines.starts[self.line] + offset, lines.ends[self.line] - lines.starts[self.line] - 1
        last = told.last[self.line]
        held = last >= first[self.stretch]  # told within the stretch
        self.ms = np.where(held, told.times[last], base_ms[self.stretch])
        self.stamped = held | base_stamped[self.stretch]
        self.kept = [taken[told.kind[line] == kind] for kind in _KINDS]  # of all lines of each kind
        self.of_kind = [np.flatnonzero(self.kind == kind) for kind in _KINDS]
        self.codes = [codes[kept] for codes, kept in zip(told.engines, self.kept, strict=True)]  # as they say
        self.begin = np.flatnonzero(np.diff(self.stretch, prepend=-1))  # the first of each stretch

    def entries(self, kind: int, block: int) -> Entries:
        """Return the lines of one kind."""
        at, codes = self.of_kind[kind], self.codes[kind]
        engine = np.where(codes == UNNAMED, self._spoken_of(at), codes)
        where = np.full(len(at), block, dtype=np.int64)
        return Entries(where, self.offset[at], self.length[at], self.ms[at], self.stamped[at], engine)

    def _spoken_of(self, at: Ints) -> Ints:
        """Return the engine of the last hit before each line, in its stretch."""
        hits = self.of_kind[STORES]
        if not len(hits):
            return np.full(len(at), UNNAMED, dtype=np.int64)
        before = np.searchsorted(hits, at) - 1
        within: Bools = (before >= 0) & (self.stretch[hits[before]] == self.stretch[at])
        return np.where(within, self.codes[STORES][before], UNNAMED)

    def event(self, at: int, place: Place) -> LogEvent:
        """Return a line as an event without its text."""
        kind: TimeKind = "logged" if self.stamped[at] else "file"
        offset = int(self.offset[at])
        return LogEvent(place.origin, None, int(self.ms[at]), kind, "", offset, Position(place.file_id, offset))


def _add(found: Requests, lines: Lines, told: Sorted, stretches: list[_Stretch], offset: int) -> None:
    """Lay the lines taken out as a block, and cut it into runs."""
    own = _Own(lines, told, stretches, offset)
    counts, block = found.bare.counts, len(found.bare.blocks)
    entries = [own.entries(kind, block) for kind in _KINDS]
    figures, rows = (
        table.filter(pa.array(own.kept[kind])) for kind, table in ((COSTS, told.figures), (RECORDS, told.rows))
    )
    found.bare.add(BareBlock(len(found.places) - 1, lines.data, offset, (*entries,), figures, rows))
    place, names = found.places[-1], list(found.engines)
    steps = np.arange(len(stretches) + 1)
    bounds = [np.searchsorted(own.stretch[own.of_kind[kind]], steps) for kind in _KINDS]
    lowest, highest = np.minimum.reduceat(own.ms, own.begin), np.maximum.reduceat(own.ms, own.begin)
    last = np.append(own.begin[1:], len(own.ms)) - 1
    for number, stretch in enumerate(stretches):
        spans = [
            slice(int(of[number]) + count, int(of[number + 1]) + count)
            for of, count in zip(bounds, counts, strict=True)
        ]
        behind = int(bounds[STORES][number + 1])
        named = behind > int(bounds[STORES][number])
        found.runs.append(
            BareRun(
                stretch.at, place, (*spans,), own.event(int(own.begin[number]), place), int(lowest[number]),
                int(highest[number]), int(own.ms[last[number]]),
                names[int(own.codes[STORES][behind - 1])] if named else None,
            )
        )  # fmt: skip
