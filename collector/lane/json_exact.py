"""Lines of Lambda's JSON log format exactly as its platform and its runtime for Python write them, read as columns.

Members in that order, compact or with a blank behind each sign, and nothing in a message that JSON would have escaped:
of such a line every letter is known, so that it need not be decoded. Whatever is written otherwise is left.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from collector.lane.figures import Reading
from collector.lane.forms import COST_HEADS, HIT_HEADS, costs_of, hits_of, is_name, known_words
from collector.lane.lines import RID, STAMP, Bools, Bytes, Ints, Lines, head_of, moments

START, DONE, REPORT = 0, 1, 2
_PLATFORM = (b'{"time":"', b'","type":"platform.')
_ID = b'","record":{"requestId":"'
_KINDS = (b"start" + _ID, b"runtimeDone" + _ID, b"report" + _ID)
_VERSION = re.compile(rb'[!#-\[\]-~]{1,80}"\}\}')
_SUCCESS, _METRICS = b'"status":"success"', b'"metrics":{"durationMs":'
_LOGGER = re.compile(rb"[A-Za-z0-9_.-]+")
_USUAL, _LONGEST_LOGGER = 4, 40  # letters: "root"
_SECONDS = len("2026-11-20T15:30:00")
_NO_FRACTION = np.frombuffer(b".000Z", dtype=np.uint8)
_ZERO, _Z = ord("0"), ord("Z")
_ESCAPING = re.compile(rb'["\\]')


@dataclass(frozen=True, slots=True)
class Marks:
    """Lines of the platform, in order: the kind, the request's id, and what START and REPORT say."""

    line: Ints
    kind: Ints
    rid: Bytes
    version: pa.Array
    duration: NDArray[np.float64]
    billed: NDArray[np.float64]
    memory: Ints
    most: Ints

    @classmethod
    def of(cls, line: Ints, kind: int, rid: Bytes) -> Marks:
        """Return lines of one kind that say nothing more."""
        count = len(line)
        zeros, none = np.zeros(count, dtype=np.int64), np.zeros(count)
        return cls(line, np.full(count, kind), rid, pa.nulls(count, pa.string()), none, none, zeros, zeros)

    def only(self, kept: Bools | Ints) -> Marks:
        """Return some of them, or all in another order."""
        place = np.flatnonzero(kept) if kept.dtype == np.bool_ else kept
        columns = [getattr(self, one.name) for one in fields(self)]
        return Marks(*(c[place] if isinstance(c, np.ndarray) else c.take(pa.array(place)) for c in columns))

    @classmethod
    def joined(cls, parts: Sequence[Marks]) -> Marks:
        """Return lines of several kinds in order."""
        columns = [[getattr(part, one.name) for part in parts] for one in fields(cls)]
        whole = cls(*(np.concatenate(c) if isinstance(c[0], np.ndarray) else pa.concat_arrays(c) for c in columns))
        return whole.only(np.argsort(whole.line, kind="stable"))


@dataclass(frozen=True, slots=True)
class Said:
    """Lines of the application in one form: the line, the id of the request that it names, and what it says."""

    line: Ints
    rid: Bytes
    told: pa.Array


@dataclass(frozen=True, slots=True)
class Exact:
    """What was read of a piece without decoding, and the time that each of those lines tells."""

    marks: Marks
    hits: Said
    costs: Said
    times: Ints  # per line; -1: not one of these

    def lines(self) -> Ints:
        """Return all of these lines."""
        return np.concatenate([self.marks.line, self.hits.line, self.costs.line])


def read_exact(lines: Lines, now_ms: int) -> Exact:
    """Read the lines of a piece that are exactly in the usual form."""
    times = np.full(len(lines), -1, dtype=np.int64)
    marks = _marks(lines, now_ms, times)
    parts = [_Members(lines, gap, now_ms) for gap in (b"", b" ")]
    hits = _said([part.read(HIT_HEADS, hits_of, times) for part in parts])
    costs = _said([part.read(COST_HEADS, costs_of, times) for part in parts])
    return Exact(marks, hits, costs, times)


def times_of(lines: Lines, at: Ints, now_ms: int) -> Ints:
    """Read the times that stand there in quotes, to the thousandth or to the second; -1: it is none."""
    told = lines.at(at, STAMP).copy()
    whole_seconds = told[:, _SECONDS] == _Z
    told[whole_seconds, _SECONDS:] = _NO_FRACTION
    return moments(told, now_ms)


# lines of the platform


def _marks(lines: Lines, now_ms: int, times: Ints) -> Marks:
    front, middle = _PLATFORM
    line = np.flatnonzero(lines.heads == head_of(front))
    told = Reading(lines, lines.starts[line])
    told.word(front)
    at = told.at
    told.at = at + STAMP
    told.word(middle)
    line, at, behind = line[told.fits], at[told.fits], told.at[told.fits]
    heads = lines.words(behind)
    parts = []
    for kind, word, read in ((START, _KINDS[0], _start), (DONE, _KINDS[1], _done), (REPORT, _KINDS[2], _report)):
        which = np.flatnonzero(heads == head_of(word))
        reading = Reading(lines, behind[which])
        reading.word(word)
        rid = lines.at(np.minimum(reading.at, len(lines.data)), RID)
        reading.at = np.minimum(reading.at + RID, len(lines.data))
        reading.fits &= is_name(rid)
        ms = moments(lines.at(at[which], STAMP), now_ms)
        reading.fits &= ms >= 0
        marks = read(lines, reading, Marks.of(line[which], kind, rid))
        parts.append(marks.only(reading.fits))
        times[line[which][reading.fits]] = ms[reading.fits]
    return Marks.joined(parts)


def _start(lines: Lines, told: Reading, marks: Marks) -> Marks:
    told.word(b'","version":"')
    versions = known_words(lines, told, lines.ends[marks.line] - 1, _VERSION)
    texts = [name[:-3].decode() if _VERSION.fullmatch(name) else None for name in versions.dictionary.to_pylist()]
    version = pa.array(texts, pa.string()).take(versions.indices)
    return Marks(marks.line, marks.kind, marks.rid, version, marks.duration, marks.billed, marks.memory, marks.most)


def _done(lines: Lines, told: Reading, marks: Marks) -> Marks:
    told.word(b'",' + _SUCCESS + b"}}")
    told.end(lines.ends[marks.line] - 1)
    return marks


def _report(lines: Lines, told: Reading, marks: Marks) -> Marks:
    """Read REPORT with its status behind its metrics, or before them."""
    told.few(b'",')
    first = Reading(lines, told.at)
    first.word(_SUCCESS + b",")
    told.at = np.where(first.fits, first.at, told.at)
    told.word(_METRICS)
    duration = _number(told)
    told.word(b',"billedDurationMs":')
    billed = _number(told)
    told.word(b',"memorySizeMB":')
    memory = _whole(told)
    told.word(b',"maxMemoryUsedMB":')
    most = _whole(told)
    last = Reading(lines, told.at)
    last.word(b"}," + _SUCCESS + b"}}\n")
    near = Reading(lines, told.at)
    near.few(b"}}}\n")
    told.fits &= np.where(first.fits, near.fits, last.fits)
    told.fits &= lines.ends[marks.line] == np.where(first.fits, near.at, last.at)
    return Marks(marks.line, marks.kind, marks.rid, marks.version, duration, billed, memory, most)


def _number(told: Reading) -> NDArray[np.float64]:
    _no_leading_zero(told)
    return told.number()


def _whole(told: Reading) -> Ints:
    _no_leading_zero(told)
    return told.whole()


def _no_leading_zero(told: Reading) -> None:
    """JSON has none."""
    letters = told.lines.letters
    told.fits &= (letters[told.at] != _ZERO) | ((letters[told.at + 1] - np.uint8(_ZERO)) > 9)


# lines of the application


class _Members:
    """Lines that the runtime for Python writes, with that between their members and behind their colons."""

    def __init__(self, lines: Lines, gap: bytes, now_ms: int) -> None:
        def member(name: bytes) -> bytes:
            return b'",' + gap + b'"' + name + b'":' + gap + b'"'

        self._lines, self._now_ms = lines, now_ms
        self._logger, self._request = member(b"logger"), member(b"requestId")
        front, middle = b'{"timestamp":' + gap + b'"', member(b"level") + b"INFO" + member(b"message")
        line = np.flatnonzero(lines.heads == head_of(front))
        line = line[lines.words(lines.starts[line] + len(front) - 8) == head_of(front[-8:])]
        at = lines.starts[line] + len(front)
        seconds = lines.letters[np.minimum(at + _SECONDS, len(lines.data))] == _Z
        width = np.where(seconds, _SECONDS + 1, STAMP)
        message = at + width + len(middle)
        likely = np.flatnonzero(np.isin(lines.words(np.minimum(message, len(lines.data))), HIT_HEADS + COST_HEADS))
        told = Reading(lines, (at + width)[likely])
        told.word(middle)
        told.fits &= told.at < lines.ends[line[likely]]
        likely = likely[told.fits]
        self._line, self._at, self._message = line[likely], at[likely], message[likely]
        self._heads = lines.words(self._message)

    def read(
        self,
        heads: tuple[np.uint64, ...],
        form: Callable[[Lines, Ints, Ints, Ints], tuple[pa.Array, Bools]],
        times: Ints,
    ) -> Said:
        """Read the messages that begin with one of these heads and are in that form."""
        which = np.flatnonzero(np.isin(self._heads, heads))
        lines, line, message = self._lines, self._line[which], self._message[which]
        close = lines.ends[line] - 1 - len(b'"}')
        fits = (lines.words(close - 6) >> np.uint64(48)) == int.from_bytes(b'"}', "little")
        rid = lines.at(close - RID, RID)
        fits &= is_name(rid)
        before = Reading(lines, close - RID - len(self._request))
        before.word(self._request)
        fits &= before.fits
        end = self._before_logger(close - RID - len(self._request), message)
        fits &= end > message
        ms = times_of(lines, self._at[which], self._now_ms)
        kept = np.flatnonzero(fits & (ms >= 0))
        line, rid, ms = line[kept], rid[kept], ms[kept]
        told, exact = form(lines, line, message[kept], end[kept])
        if pa.types.is_dictionary(told.type) and len(told):  # a name is all that may hold letters of any kind
            plain = [not _ESCAPING.search(name) for name in told.dictionary.to_pylist()]
            exact &= np.array(plain, dtype=np.bool_)[told.indices.to_numpy()]
        times[line[exact]] = ms[exact]
        return Said(line[exact], rid[exact], told.filter(pa.array(exact)))

    def _before_logger(self, ends: Ints, least: Ints) -> Ints:
        """Return where the member that names the logger begins, which ends there; -1: it is none."""
        lines, word = self._lines, self._logger
        found = np.full(len(ends), -1, dtype=np.int64)
        for length in (_USUAL, *range(1, _USUAL), *range(_USUAL + 1, _LONGEST_LOGGER)):
            open_ones = np.flatnonzero(found < 0)
            if not len(open_ones):
                break
            at = ends[open_ones] - length - len(word)
            told = Reading(lines, np.maximum(at, 0))
            told.word(word)
            known_words(lines, told, ends[open_ones], _LOGGER)
            told.fits &= at > least[open_ones]
            found[open_ones[told.fits]] = at[told.fits]
        return found


def _said(parts: Sequence[Said]) -> Said:
    """Return lines of several spacings in order."""
    kept = [part for part in parts if len(part.line)] or list(parts[:1])
    if len(kept) == 1:
        return kept[0]
    order, told = in_order([part.line for part in kept], [part.told for part in kept])
    line, rid = (np.concatenate([getattr(part, name) for part in kept])[order] for name in ("line", "rid"))
    return Said(line, rid, told)


def in_order(lines: Sequence[Ints], told: Sequence[pa.Array]) -> tuple[Ints, pa.Array]:
    """Return the order of the lines of several parts, and what they say in that order, in the same type as before."""
    order = np.argsort(np.concatenate(lines), kind="stable")
    if not pa.types.is_dictionary(told[0].type):
        return order, pa.concat_arrays(told).take(pa.array(order))
    plain = [one.cast(one.type.value_type) for one in told]
    return order, pa.concat_arrays(plain).take(pa.array(order)).dictionary_encode()
