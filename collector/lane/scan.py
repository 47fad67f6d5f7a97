"""Bytes of a text log to requests: from START to REPORT, when everything between is in the exact form.

What is not is left to the ordinary way. So is a request that begins in one piece of a file and ends in the next.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from collector.event import LogEvent
from collector.lane.bare_scan import read_bare
from collector.lane.forms import Read
from collector.lane.json_forms import look
from collector.lane.lines import Lines
from collector.lane.requests import Block, Place, Requests
from collector.lane.taken import Base, Taken
from collector.sources.indented import may_hold_ours
from collector.sources.open_file import OpenFile, settle_stamp

_LEAST = 4096  # bytes: below it, looking at all lines at once costs more than it saves


class Lane:
    """Takes requests out of pieces of files; what it leaves goes through `by_line`, in order."""

    def __init__(
        self,
        by_line: Callable[[OpenFile, bytes], None],
        lines_again: Callable[[OpenFile, bytes], list[LogEvent]],
    ) -> None:
        self._by_line = by_line
        self._lines_again = lines_again
        self._now_ms = 0

    def begin(self, now_ms: int) -> None:
        """Start a pass: what lies beyond it is no time."""
        self._now_ms = now_ms

    def read(self, file: OpenFile, data: bytes, found: Requests, events: Callable[[], int]) -> int:
        """Tell whole lines, none of which was read before; return how many the lane took that are not ours.

        `events` says how many ordinary events the batch holds, which the requests found stand among.
        """
        lines = Lines(data) if len(data) >= _LEAST else None
        if lines is not None and lines.open_objects().any() and may_hold_ours(data):
            self._by_line(file, data)
            return 0
        read = look(lines, self._now_ms) if lines else None
        hands = Hands(self._by_line, self._lines_again, events, self._now_ms)
        if lines is not None and read is None:
            ignored = read_bare(file, lines, found, Place(file.origin, file.known.file_id), hands)
            if ignored is not None:
                return ignored
        if lines is None or read is None:
            self._by_line(file, data)
            return 0
        told = Taken(lines, read, found)
        if not read.good.any():
            self._by_line(file, data)
            return 0
        offset, place = file.offset, self._place(file, found)
        walk = _Walk(file, lines, read, told, hands)
        walk.through()
        if walk.runs:
            counts = [count for _, count in walk.runs]
            places = np.full(sum(counts), len(found.places) - 1, dtype=np.int64)
            block = told.block(walk.base, counts, offset, places)
            again, last = walk.again(block), block.first
            for at, count in walk.runs:
                first, last = last, last + count
                found.runs.append(told.run(block, at, place, first, last, again))
            found.blocks.append(block)
            found.count = block.last
        return walk.ignored

    def _place(self, file: OpenFile, found: Requests) -> Place:
        place = Place(file.origin, file.known.file_id)
        if not found.places or found.places[-1] != place:
            found.places.append(place)
        return place


class Hands(NamedTuple):
    """What a walk is given to do its work with."""

    by_line: Callable[[OpenFile, bytes], None]
    lines_again: Callable[[OpenFile, bytes], list[LogEvent]]
    events: Callable[[], int]
    now_ms: int


class _Walk:
    """Goes through a piece in order: takes good frames, hands the rest to the ordinary way."""

    def __init__(self, file: OpenFile, lines: Lines, read: Read, told: Taken, hands: Hands) -> None:
        self._file, self._lines, self._read, self._told = file, lines, read, told
        self._by_line, self._lines_again, self._events, self._now_ms = hands
        self._offset = file.offset  # of the piece in the file
        self._at = 0  # the first line that was not told
        self._good = np.flatnonzero(read.good)
        self._starts = read.frames.start[self._good]  # first line of each
        self._ends = read.frames.report[self._good] + 1  # the line behind each
        self._begun = read.last[self._starts]  # the line whose time START has
        self._earliest = told.earliest[self._good]
        begun_ms = np.where(self._begun >= 0, read.times[self._begun], 0)
        self._late: list[int] = np.flatnonzero(self._earliest < begun_ms).tolist()
        self.base = Base.of(len(read.good))
        self.ignored = 0
        self.runs: list[tuple[int, int]] = []  # (the place among the events, how many requests)

    def through(self) -> None:
        """Take what can be taken, leave the rest."""
        count, first = len(self._good), 0
        gap_starts = np.concatenate([[0], self._ends])
        gap_ends = np.concatenate([self._starts, [len(self._lines)]])
        noisy = np.concatenate([[0], np.cumsum(self._read.noisy)])
        for gap in np.flatnonzero(noisy[gap_ends] > noisy[gap_starts]).tolist():
            self._segment(first, gap)
            self._leave(int(gap_starts[gap]), int(gap_ends[gap]))
            first = gap
        self._segment(first, count)
        self._quiet(len(self._lines))
        self._file.offset = self._offset + len(self._lines.data)

    def again(self, block: Block) -> Callable[[int], list[LogEvent]]:
        """Return what tells the lines of a request of that block as ordinary events."""
        file, data, offset, lines_again = self._file, self._lines.data, self._offset, self._lines_again
        heads, first = block.heads, block.first

        def told_again(number: int) -> list[LogEvent]:  # holds no batch: a cycle would keep it in memory
            at = number - first
            start, end = int(heads.start[at]), int(heads.end[at])
            then = replace(
                file, offset=start, seen=0, joint=-1, stamp_ms=int(heads.started_ms[at]),
                stamped=bool(heads.stamped[at]), stamp_line=b"",
            )  # fmt: skip
            return lines_again(then, data[start - offset : end - offset])

        return told_again

    def _segment(self, first: int, last: int) -> None:
        """Take the good frames from `first` to before `last`, between which nothing is noisy."""
        while first < last:
            start = int(self._starts[first])
            self._quiet(start)
            settle_stamp(self._file, self._now_ms)
            stop = self._stop(first, last, start)
            if stop > first:
                self._take(first, stop, start)
            if stop < last:
                self._leave(int(self._starts[stop]), int(self._ends[stop]))
            first = stop + 1

    def _stop(self, first: int, last: int, start: int) -> int:
        """Return the first frame that a line of, without a time of its own, would lie before its START.

        Frames before the first line that tells a time have that of the file; only the last of them can tell another.
        """
        fixed = first + int(np.searchsorted(self._begun[first:last], start))
        if fixed > first and self._earliest[fixed - 1] < self._file.stamp_ms:
            return fixed - 1
        place = bisect_left(self._late, fixed)
        return min(last, self._late[place]) if place < len(self._late) else last

    def _take(self, first: int, stop: int, start: int) -> None:
        file, frames, base = self._file, self._good[first:stop], self.base
        base.taken[frames], base.line[frames] = True, start
        base.ms[frames], base.stamped[frames] = file.stamp_ms, file.stamped
        self.runs.append((self._events(), stop - first))
        between = self._starts[first + 1 : stop] - self._ends[first : stop - 1]
        self.ignored += int(self._told.ignored[frames].sum() + between.sum())
        self._at = int(self._ends[stop - 1])
        ended = int(self._read.last[self._ends[stop - 1] - 1])
        if ended >= start:
            file.stamp_ms, file.stamped = int(self._read.times[ended]), True
        file.stamp_line, file.ids = b"", False

    def _quiet(self, until: int) -> None:
        """Pass lines that are not ours; note the last that may tell a time."""
        first, self._at = self._at, until
        self.ignored += until - first
        telling = np.flatnonzero(self._read.telling[first:until])
        if len(telling):
            self._file.stamp_line = self._lines.line(first + int(telling[-1]))

    def _leave(self, first: int, last: int) -> None:
        """Leave lines to the ordinary way."""
        self._quiet(first)
        start = int(self._lines.starts[first])
        self._file.offset = self._offset + start
        self._by_line(self._file, self._lines.data[start : int(self._lines.ends[last - 1])])
        self._at = last
