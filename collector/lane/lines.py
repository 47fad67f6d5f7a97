"""A piece of a text log as arrays: where its lines begin, what stands at their beginning, which times they tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from collector.parsers.clock import AHEAD_MS, EARLIEST_MS

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

STAMP = 24  # letters of 2026-11-20T15:30:00.123Z
RID = 36
_PAD = 128  # behind the last line, so that looking ahead needs no care
_NEWLINE, _BRACKET, _TAB, _CLOSING = 10, ord("["), 9, ord("]")
_LEVELS = range(4, 10)  # where the bracket behind a level of three to eight letters closes
_DIGITS = np.array([0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18, 20, 21, 22])
_MARKS = np.array([4, 7, 10, 13, 16, 19, 23])
_MARKED = np.frombuffer(b"--T::.Z", dtype=np.uint8)
_MONTHS: Ints = np.arange("1970-01", "2101-01", dtype="datetime64[M]").astype("datetime64[D]").astype(np.int64)
_INFO = np.frombuffer(b"[INFO]\t\0", dtype="<u8")[0]
_SEVEN = np.uint64((1 << 56) - 1)
_FIRST = np.uint64(0xFF)


def head_of(letters: bytes) -> np.uint64:
    """Return eight letters as the number that `Lines.words` gives for them."""
    return np.uint64(int.from_bytes(letters[:8], "little"))


class Lines:
    """Lines of a piece, each with its newline; the last one has its own too."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.letters: Bytes = np.frombuffer(data + bytes(_PAD), dtype=np.uint8)
        self.ends: Ints = np.flatnonzero(self.letters[: len(data)] == _NEWLINE) + 1
        self.starts: Ints = np.concatenate([np.zeros(1, dtype=np.int64), self.ends[:-1]])
        self.heads = self.words(self.starts)
        self.firsts: Bytes = (self.heads & _FIRST).astype(np.uint8)

    def __len__(self) -> int:
        return len(self.ends)

    def words(self, at: Ints) -> NDArray[np.uint64]:
        """Return the eight letters at each place as one number."""
        return self.at(at, 8).view("<u8")[:, 0]

    def at(self, at: Ints, width: int) -> Bytes:
        """Return the letters at each place, a row for each."""
        return sliding_window_view(self.letters, width)[at]

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
    figures = told[:, _DIGITS] - np.uint8(ord("0"))
    valid = (figures <= 9).all(axis=1) & (told[:, _MARKS] == _MARKED).all(axis=1)
    d = figures.astype(np.int64).T
    months = (d[0] * 1000 + d[1] * 100 + d[2] * 10 + d[3] - 1970) * 12 + d[4] * 10 + d[5] - 1
    month, day = d[4] * 10 + d[5], d[6] * 10 + d[7]
    hour, minute, second = d[8] * 10 + d[9], d[10] * 10 + d[11], d[12] * 10 + d[13]
    valid &= (months >= 0) & (months < len(_MONTHS) - 1) & (month >= 1) & (month <= 12)
    known = np.clip(months, 0, len(_MONTHS) - 2)
    valid &= (day >= 1) & (day <= _MONTHS[known + 1] - _MONTHS[known]) & (hour < 24) & (minute < 60) & (second < 60)
    seconds = ((_MONTHS[known] + day - 1) * 24 + hour) * 3600 + minute * 60 + second
    valid &= (seconds * 1000 >= EARLIEST_MS) & (seconds * 1000 + 999 <= now_ms + AHEAD_MS)
    return np.where(valid, seconds * 1000 + d[14] * 100 + d[15] * 10 + d[16], -1)
