"""A piece of a text log as arrays: where its lines begin, what stands at their beginning, which times they tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from collector.parsers.clock import AHEAD_MS, EARLIEST_MS

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

STAMP = 24  # letters of 2026-11-20T15:30:00.123Z
RID = 36
_PAD = 256  # behind the last line, so that looking ahead needs no care
_NEWLINE, _BRACKET, _TAB, _CLOSING, _BRACE, _RETURN = 10, ord("["), 9, ord("]"), ord("{"), 13
_LEVELS = range(4, 10)  # where the bracket behind a level of three to eight letters closes
ZEROS, ABOVE_NINE, HIGH = (np.uint64(0x0101010101010101 * letter) for letter in (0x30, 0x76, 0x80))
"""Of eight letters at once: xor with the first, a figure is below ten; with the second added, another is above 127."""


def _marks(letters: bytes) -> tuple[np.uint64, np.uint64]:
    """Return where eight letters are no figures, as a mask, and what stands there."""
    mask = bytes(0 if letter == ord("0") else 0xFF for letter in letters)
    marked = bytes(0 if letter == ord("0") else letter for letter in letters)
    return np.uint64(int.from_bytes(mask, "little")), np.uint64(int.from_bytes(marked, "little"))


_MARKS = tuple(_marks(part) for part in (b"0000-00-", b"00T00:00", b":00.000Z"))
_MONTHS: Ints = np.arange("1970-01", "2101-01", dtype="datetime64[M]").astype("datetime64[D]").astype(np.int64)
_INFO = np.frombuffer(b"[INFO]\t\0", dtype="<u8")[0]
_SEVEN = np.uint64((1 << 56) - 1)
_FIRST, _TEN, _EIGHT, _SIXTH = np.uint64(0xFF), np.uint64(10), np.uint64(8), np.uint64(48)


def head_of(letters: bytes) -> np.uint64:
    """Return eight letters as the number that `Lines.words` gives for them."""
    return np.uint64(int.from_bytes(letters[:8], "little"))


class Lines:
    """Lines of a piece, each with its newline; the last one has its own too."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.letters: Bytes = np.frombuffer(data + bytes(_PAD), dtype=np.uint8)
        self._words = np.ndarray((len(data) + _PAD - 7,), dtype="<u8", buffer=self.letters, strides=(1,))
        self.ends: Ints = np.flatnonzero(self.letters[: len(data)] == _NEWLINE) + 1
        self.starts: Ints = np.concatenate([np.zeros(1, dtype=np.int64), self.ends])[:-1]
        self.heads = self.words(self.starts)
        self.firsts: Bytes = (self.heads & _FIRST).astype(np.uint8)

    def __len__(self) -> int:
        return len(self.ends)

    def open_objects(self) -> Bools:
        """Say which lines end with a brace that opens an object: the rest of it is on the lines behind."""
        last = self.letters[self.ends - 2]
        found: Bools = last == _BRACE
        returned = np.flatnonzero(last == _RETURN)
        found[returned] = self.letters[self.ends[returned] - 3] == _BRACE
        return found

    def words(self, at: Ints) -> NDArray[np.uint64]:
        """Return the eight letters at each place as one number."""
        return self._words[at]

    def at(self, at: Ints, width: int) -> Bytes:
        """Return the letters at each place, a row for each."""
        count = len(self.letters) - width + 1
        rows = np.ndarray(
            (count,), dtype=f"V{width}", buffer=self.letters, strides=(1,)
        )  # overlapping, none is written
        return rows[at].view(np.uint8).reshape(-1, width)

    def cut(self, starts: Ints, ends: Ints) -> pa.Array:
        """Return pieces that follow each other and do not overlap, as an Arrow array of bytes."""
        if not len(starts):
            return pa.array([], pa.binary())
        between = np.empty(2 * len(starts), dtype=np.int32)
        between[0::2], between[1::2] = starts, ends
        buffers: list[Any] = [None, pa.py_buffer(between), pa.py_buffer(self.data)]
        parts = pa.Array.from_buffers(pa.binary(), len(between) - 1, buffers)
        return parts.take(pa.array(np.arange(0, len(between) - 1, 2)))

    def whole(self, which: Ints) -> pa.Array:
        """Return whole lines."""
        return self.cut(self.starts[which], self.ends[which])

    def line(self, number: int) -> bytes:
        """Return a line without its newline."""
        return self.data[int(self.starts[number]) : int(self.ends[number]) - 1]

    def stamped(self, now_ms: int) -> tuple[Ints, Ints]:
        """Return per line the place behind `[LEVEL]<tab>` and the time that is told there; -1: none."""
        which = np.flatnonzero(self.firsts == _BRACKET)
        at = np.full(len(which), -1, dtype=np.int64)
        starts, info = self.starts[which], (self.heads[which] & _SEVEN) == _INFO
        at[info] = starts[info] + 7
        rest = np.flatnonzero(~info)
        if len(rest):
            told = self.at(starts[rest], _LEVELS[-1] + 2)
            upper = (told - ord("A")) < 26
            for place in _LEVELS:
                found = (told[:, place] == _CLOSING) & (told[:, place + 1] == _TAB) & upper[:, 1:place].all(axis=1)
                at[rest[found]] = starts[rest[found]] + place + 2
        ms = np.full(len(which), -1, dtype=np.int64)
        front = np.flatnonzero(at >= 0)
        ms[front] = moments(self.at(at[front], STAMP), now_ms)
        places, times = np.full(len(self), -1, dtype=np.int64), np.full(len(self), -1, dtype=np.int64)
        places[which], times[which] = at, ms
        return places, times


def moments(told: Bytes, now_ms: int) -> Ints:
    """Read times like 2026-11-20T15:30:00.123Z, a row of letters for each; -1 where it is none, or implausible."""
    words = np.ascontiguousarray(told).view("<u8")  # three of eight letters each
    valid = np.ones(len(words), dtype=np.bool_)
    figures = []
    for place, (marks, marked) in enumerate(_MARKS):
        word = words[:, place]
        rest = (word ^ ZEROS) & ~marks
        valid &= ((word & marks) == marked) & ((((rest + ABOVE_NINE) | rest) & HIGH) == 0)
        figures.append(rest)
    date, clock, end = figures

    def two(word: NDArray[np.uint64], place: int) -> Ints:
        """Return the number that two letters are."""
        pair = word >> np.uint64(8 * place)
        number: Ints = ((pair & _FIRST) * _TEN + ((pair >> _EIGHT) & _FIRST)).astype(np.int64)
        return number

    month, day, hour, minute, second = two(date, 5), two(clock, 0), two(clock, 3), two(clock, 6), two(end, 1)
    months = (two(date, 0) * 100 + two(date, 2) - 1970) * 12 + month - 1
    valid &= (months >= 0) & (months < len(_MONTHS) - 1) & (month >= 1) & (month <= 12)
    known = np.clip(months, 0, len(_MONTHS) - 2)
    valid &= (day >= 1) & (day <= _MONTHS[known + 1] - _MONTHS[known]) & (hour < 24) & (minute < 60) & (second < 60)
    seconds = ((_MONTHS[known] + day - 1) * 24 + hour) * 3600 + minute * 60 + second
    valid &= (seconds * 1000 >= EARLIEST_MS) & (seconds * 1000 + 999 <= now_ms + AHEAD_MS)
    thousandths = two(end, 4) * 10 + ((end >> _SIXTH) & _FIRST).astype(np.int64)
    return np.where(valid, seconds * 1000 + thousandths, -1)
