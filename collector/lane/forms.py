"""The exact forms of lines, looked for in all lines of a piece at once: frames of requests, hits, costs, records.

A request with anything else of ours in it is not in the exact form: a cold start, an error, a miss of the prompt store,
a line of another request, another spelling, a time that is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.lane.figures import Reading, stripped
from collector.lane.lines import RID, STAMP, Bools, Bytes, Ints, Lines, head_of
from collector.parsers.clock import STAMP_SPAN

_BRACKETED = re.compile(rb"\[[^\[\]{}:\x00-\x20][^\[\]{}:\x00-\x1f]*\]")
_BARE = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_VERSION = re.compile(rb"[!-~]{1,80}")
OURS = (
    r"RequestId|Cache |Cost|llm_usage|Permanently|platform\.|timed out|INIT_REPORT|_tokens|ModelInvocationLog|"
    r'CloudWatchMetrics|gen_ai\.|custom_id|modelInput|"logEvents"|"awslogs"|"eventId"|"messageType"|"resourceSpans"'
)
"""Words of prefilter.py, and those of envelopes."""
_ENVELOPE = r'"logEvents"|"awslogs"|"eventId"|"messageType"|"resourceSpans"'
TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d"
_START_WORD, _END_WORD, _REPORT_WORD = b"START RequestId: ", b"END RequestId: ", b"REPORT RequestId: "
_START_HEAD, _END_HEAD, _REPORT_HEAD = head_of(_START_WORD), head_of(_END_WORD), head_of(_REPORT_WORD)
HIT_HEADS = (head_of("✅ Cache".encode()), head_of(b"Cache HIT"))
COST_HEADS = (head_of("💰 API".encode()), head_of(b"API Cost"))
_CHECK, _MONEYBAG = len("✅ ".encode()), len("💰 ".encode())
_SKIPPED, _PERMANENT = b" - DB query skipped", b" (permanent cache)"
FIGURES = ("usd", "given", "output", "read", "write")
"""What a cost line says: dollars and counts of tokens."""
_KINDS = np.array([1 if chr(letter) in "0123456789abcdef" else 2 * (chr(letter) == "-") for letter in range(256)], "u1")
_NAME = np.array([2 if place in (8, 13, 18, 23) else 1 for place in range(RID)], "u1")
"""Of each letter and of each place in a request's id: is it a figure or small letter, or a dash."""
_BRACE, _BRACKET, _TWO, _TAB = ord("{"), ord("["), ord("2"), 9
_TOGETHER = 32  # lines
_LONGEST = 256 * 1024  # from START to REPORT
_FRONT = STAMP + 1 + RID + 1  # a time, a tab, a request id, a tab


Said = tuple[dict[str, Any], str | None]
"""A record, and the request that the line around it names."""


@dataclass(frozen=True, slots=True)
class Frames:
    """Requests whose START, END and REPORT are in the exact form: the numbers of those lines, and what they say."""

    start: Ints
    report: Ints
    ended: Ints  # how many lines said that the runtime was done: END; of the JSON format one or none
    rid: Bytes
    version: pa.Array
    duration: pa.Array
    billed: pa.Array
    memory: pa.Array
    most: pa.Array

    def __len__(self) -> int:
        return len(self.start)

    def names(self) -> pa.Array:
        """Return the ids of the requests as texts."""
        letters = pa.py_buffer(np.ascontiguousarray(self.rid))
        ends = pa.py_buffer(np.arange(0, RID * (len(self) + 1), RID, dtype=np.int32))
        return pa.Array.from_buffers(pa.string(), len(self), [None, ends, letters])


@dataclass(frozen=True, slots=True)
class Own:
    """Lines of ours of one kind: the line, the frame it stands in, and whether it names its request."""

    line: Ints
    frame: Ints
    explicit: Bools

    def only(self, kept: Bools) -> Own:
        """Return some of them."""
        return Own(self.line[kept], self.frame[kept], self.explicit[kept])


@dataclass(frozen=True, slots=True)
class Read:
    """What was found in a piece. `good`: nothing in that frame is in another form."""

    frames: Frames
    good: Bools
    hits: Own
    engines: pa.DictionaryArray  # of bytes
    costs: Own
    figures: pa.StructArray  # FIGURES
    records: Own
    times: Ints  # per line: the time it tells; -1: none
    last: Ints  # per line: the line whose time holds there; -1: one before the piece
    noisy: Bools  # per line: outside a good frame, it must be looked at by itself
    telling: Bools  # per line: not ours, and looks as if it told a time
    bodies: dict[int, Said] = field(default_factory=dict)  # by line: records that were decoded to be found
    json: bool = False  # in Lambda's JSON format


def frames_of(lines: Lines) -> Frames | None:
    """Find whole requests; None: there is none."""
    starts, ends, reports = (lines.heads == head for head in (_START_HEAD, _END_HEAD, _REPORT_HEAD))
    marks = np.flatnonzero(starts | ends | reports)
    if len(marks) < 3:
        return None
    start, end, report = marks[:-2], marks[1:-1], marks[2:]
    whole = starts[start] & ends[end] & reports[report] & (report == end + 1)
    whole &= lines.ends[report] - lines.starts[start] <= _LONGEST
    whole &= lines.ends[end] - lines.starts[end] == len(_END_WORD) + RID + 1
    start, end = start[whole], end[whole]
    rid = lines.at(lines.starts[start] + len(_START_WORD), RID)
    same = _said(lines, end, _END_WORD) & (lines.at(lines.starts[end] + len(_END_WORD), RID) == rid).all(axis=1)
    same &= (lines.at(lines.starts[end + 1] + len(_REPORT_WORD), RID) == rid).all(axis=1)
    start, end, rid = start[same], end[same], rid[same]
    if not len(start):
        return None
    begin, close = Reading(lines, lines.starts[start] + len(_START_WORD) + RID), stripped(lines, start)
    begin.word(b" Version: ")
    begin.fits &= is_name(rid)
    version = known_words(lines, begin, close, _VERSION)
    foot = Reading(lines, lines.starts[end + 1])
    foot.word(_REPORT_WORD)
    foot.at += RID
    foot.word(b"\tDuration: ")
    duration = foot.number()
    foot.word(b" ms\tBilled Duration: ")
    billed = foot.number()
    foot.word(b" ms\tMemory Size: ")
    memory = foot.whole()
    foot.word(b" MB\tMax Memory Used: ")
    most = foot.whole()
    foot.few(b" MB")
    foot.end(stripped(lines, end + 1))
    kept = begin.fits & foot.fits
    return Frames(
        start[kept],
        end[kept] + 1,
        np.ones(int(kept.sum()), dtype=np.int64),
        rid[kept],
        version.filter(pa.array(kept)).cast(pa.string()),
        *(pa.array(told[kept]) for told in (duration, billed, memory, most)),
    )


def read_lines(lines: Lines, frames: Frames, now_ms: int) -> Read:
    """Sort all lines out: ours in the exact form, ours in another, not ours."""
    inside, owner = within(frames.start, frames.report - 1, len(lines))
    places, times = lines.stamped(now_ms)
    message, named = _messages(lines, places, times)
    heads = lines.words(message[inside])
    is_hit, is_cost = (np.isin(heads, words) for words in (HIT_HEADS, COST_HEADS))
    good = np.ones(len(frames), dtype=np.bool_)

    hits = _own(lines, frames, inside[is_hit], owner, places, named)
    costs = _own(lines, frames, inside[is_cost], owner, places, named)
    hits, engines = _exact(hits, hits_of(lines, hits.line, message[hits.line]), lines, message, good)
    costs, figures = _exact(costs, costs_of(lines, costs.line, message[costs.line]), lines, message, good)

    marked = np.zeros(len(lines), dtype=np.bool_)
    for line in (frames.start, frames.report - 1, frames.report):
        marked[line] = True
    looked_at = marked.copy()
    looked_at[inside[is_hit | is_cost]] = True
    others = np.flatnonzero(~looked_at)
    ours = np.zeros(len(lines), dtype=np.bool_)
    ours[others] = is_ours(lines, others)
    brace = lines.firsts == _BRACE
    telling = ~looked_at & ((lines.firsts == _BRACKET) | (lines.firsts == _TWO))
    untimed = np.flatnonzero(telling & (times < 0) & ~ours)  # a time in any other form is looked for line by line
    dated = matches(beginnings(lines, untimed), TIME)
    ours[untimed[dated]] = True
    telling &= ~ours

    maybe = inside[ours[inside] & brace[inside]]
    strange = matches(lines.whole(maybe), _ENVELOPE) | matches(beginnings(lines, maybe), TIME)
    records = Own(maybe, owner[maybe], np.zeros(len(maybe), dtype=np.bool_))
    good[owner[inside[ours[inside] & ~brace[inside]]]] = False
    good[owner[maybe[strange]]] = False

    own = marked.copy()
    for found in (hits, costs, records):
        own[found.line] = True
    return Read(
        frames, good, hits, engines, costs, figures, records, times,
        last_told(own, telling, times), ours | brace | marked, telling,
    )  # fmt: skip


def within(start: Ints, end: Ints, count: int) -> tuple[Ints, Ints]:
    """Return the lines between the beginnings and the ends of frames, and per line its frame; -1: in none."""
    counts = end - start - 1
    which = np.repeat(np.arange(len(start)), counts)
    inside = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts) + start[which] + 1
    owner = np.full(count, -1, dtype=np.int64)
    owner[inside] = which
    return inside, owner


def _messages(lines: Lines, places: Ints, times: Ints) -> tuple[Ints, Bools]:
    """Return where the message of each line begins, and which lines have level, time and request id in front of it."""
    message, named = lines.starts.copy(), np.zeros(len(lines), dtype=np.bool_)
    timed = np.flatnonzero(times >= 0)
    at = places[timed]
    # a line may be shorter than that: then what is looked at is no tab, or no request id in the end
    at_end = np.minimum(at + _FRONT - 1, len(lines.letters) - 1)
    dressed = (lines.letters[at + STAMP] == _TAB) & (lines.letters[at_end] == _TAB)
    dressed &= at + _FRONT <= lines.ends[timed]
    named[timed[dressed]] = True
    message[timed[dressed]] = at[dressed] + _FRONT
    return message, named


def _own(lines: Lines, frames: Frames, which: Ints, owner: Ints, places: Ints, named: Bools) -> Own:
    return Own(which, owner[which], named[which] & _of_its_request(lines, frames, which, owner, places, named))


def _of_its_request(
    lines: Lines, frames: Frames, which: Ints, owner: Ints, places: Ints, named: Bools
) -> Bools:  # of the lines that name one
    same = np.zeros(len(which), dtype=np.bool_)
    dressed = np.flatnonzero(named[which])
    line = which[dressed]
    same[dressed] = (lines.at(places[line] + STAMP + 1, RID) == frames.rid[owner[line]]).all(axis=1)
    return same


def _exact(own: Own, told: tuple[pa.Array, Bools], lines: Lines, message: Ints, good: Bools) -> tuple[Own, pa.Array]:
    """Return the lines in the exact form with what they say; the frames of the others are not good."""
    said, exact = told
    exact &= own.explicit | (message[own.line] == lines.starts[own.line])  # dressed, it names its own request
    good[own.frame[~exact]] = False
    return own.only(exact), said.filter(pa.array(exact))


def hits_of(lines: Lines, which: Ints, at: Ints, ends: Ints | None = None) -> tuple[pa.Array, Bools]:
    """Return the engines that hits name in lines whose messages begin there, and which of them are in the form.

    The messages end there, or with their lines.
    """
    told, ends = Reading(lines, _undressed(lines, at, HIT_HEADS[0], _CHECK)), _ends(lines, which, ends)
    told.word(b"Cache HIT for ")
    close = Reading(lines, np.maximum(ends - len(_PERMANENT), 0))
    close.word(_PERMANENT)
    ends = np.where(close.fits, ends - len(_PERMANENT), ends)
    close = Reading(lines, np.maximum(ends - len(_SKIPPED), 0))
    close.word(_SKIPPED)
    told.fits &= close.fits
    ends = np.maximum(ends - len(_SKIPPED), 0)
    names = known_words(lines, told, ends, _BRACKETED, _BARE)
    inside = [name[1:-1] if name[:1] == b"[" else name for name in names.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(names.indices, pa.array(inside, pa.binary())), told.fits


def costs_of(lines: Lines, which: Ints, at: Ints, ends: Ints | None = None) -> tuple[pa.StructArray, Bools]:
    """Return what cost lines say whose messages begin there (FIGURES), and which of them are in the form.

    The messages end there, or with their lines.
    """
    told = Reading(lines, _undressed(lines, at, COST_HEADS[0], _MONEYBAG))
    told.word(b"API Cost: $")
    usd, counts = told.dollars(), []
    for name in (b" | input: ", b", output: ", b", cache_read: ", b", cache_write: "):
        told.word(name)
        counts.append(pa.array(told.whole()))
    told.end(_ends(lines, which, ends))
    return pa.StructArray.from_arrays([usd, *counts], names=FIGURES), told.fits


def _ends(lines: Lines, which: Ints, ends: Ints | None) -> Ints:
    return stripped(lines, which) if ends is None else ends


def _undressed(lines: Lines, at: Ints, head: np.uint64, length: int) -> Ints:
    """Pass the sign that messages may begin with."""
    return np.where(lines.words(at) == head, at + length, at)


def known_words(lines: Lines, told: Reading, ends: Ints, *forms: re.Pattern[bytes]) -> pa.DictionaryArray:
    """Return what stands from where the reading is to the ends, in one of the forms: few different words in all."""
    told.fits &= told.at < ends
    begin = np.where(told.fits, told.at, ends)
    names = lines.cut(begin, ends).dictionary_encode()
    exact = [any(form.fullmatch(name) for form in forms) for name in names.dictionary.to_pylist()]
    told.fits &= np.array(exact, dtype=np.bool_)[names.indices.to_numpy()] if len(begin) else told.fits
    return names


def is_name(rid: Bytes) -> Bools:
    """Say which are request ids as Lambda writes them: figures and small letters, and dashes."""
    named: Bools = (_KINDS[rid] == _NAME).all(axis=1)
    return named


def last_told(own: Bools, telling: Bools, times: Ints) -> Ints:
    """Return per line the last line whose time holds there: one of ours, or the last of others before one of ours."""
    line = np.flatnonzero(own | telling)
    before_own = np.append(own[line[1:]], False)
    holds = line[(own[line] | before_own) & (times[line] >= 0)]
    last = np.full(len(own), -1, dtype=np.int64)
    last[holds] = holds
    return np.maximum.accumulate(last)


def _said(lines: Lines, which: Ints, word: bytes) -> Bools:
    same: Bools = (lines.at(lines.starts[which], len(word)) == np.frombuffer(word, dtype=np.uint8)).all(axis=1)
    return same


def is_ours(lines: Lines, which: Ints) -> Bools:
    """Say in which lines a word of ours is. Where many lines have none, they are looked at together."""
    found = np.zeros(len(which), dtype=np.bool_)
    likely = lines.firsts[which] == _BRACE
    found[likely] = matches(lines.whole(which[likely]), OURS)
    others = np.flatnonzero(~likely)
    told = lines.whole(which[others])
    if not len(told):
        return found
    _, ends, letters = told.buffers()
    ends = np.frombuffer(ends, dtype=np.int32)[: len(told) + 1]
    bounds = np.append(ends[:-1:_TOGETHER], ends[-1])
    groups = pa.Array.from_buffers(pa.binary(), len(bounds) - 1, [None, pa.py_buffer(bounds), letters])
    near = np.repeat(matches(groups, OURS), _TOGETHER)[: len(told)]
    if near.any():
        found[others[near]] = matches(told.filter(pa.array(near)), OURS)
    return found


def beginnings(lines: Lines, which: Ints) -> pa.Array:
    """Return as much of each line as is looked at for its time."""
    return lines.cut(lines.starts[which], np.minimum(lines.ends[which], lines.starts[which] + STAMP_SPAN))


def matches(told: pa.Array, form: str) -> Bools:
    """Say which of some bytes hold what a regular expression says."""
    found: Bools = pc.match_substring_regex(told, form).to_numpy(zero_copy_only=False)
    return found
