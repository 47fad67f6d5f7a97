"""The exact forms of lines, looked for in all lines of a piece at once: frames of requests, hits, costs, records.

A request with anything else of ours in it is not in the exact form: a cold start, an error, a miss of the prompt store,
a line of another request, another spelling, a time that is none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.lane.lines import RID, STAMP, Bools, Bytes, Ints, Lines, head_of
from collector.parsers.clock import STAMP_SPAN

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_END = r"[ \t\r]*\n\z"
_NUMBER = r"\d{1,9}(?:\.\d{1,6})?"
_START = rf"\ASTART RequestId: {_UUID} Version: (?P<version>[!-~]{{1,80}}){_END}"
_REPORT = (
    rf"\AREPORT RequestId: {_UUID}\tDuration: (?P<duration>{_NUMBER}) ms\tBilled Duration: (?P<billed>{_NUMBER}) ms\t"
    rf"Memory Size: (?P<memory>\d{{1,9}}) MB\tMax Memory Used: (?P<most>\d{{1,9}}) MB{_END}"
)
HIT = (
    r"\A(?:\xe2\x9c\x85 )?Cache HIT for (?:\[(?P<bracketed>[^\[\]{}:\x00-\x20][^\[\]{}:\x00-\x1f]*)\]|"
    rf"(?P<bare>[A-Za-z0-9_][A-Za-z0-9_.-]*)) - DB query skipped(?: \(permanent cache\))?{_END}"
)
COST = (
    r"\A(?:\xf0\x9f\x92\xb0 )?API Cost: \$(?P<usd>\d{1,6}\.\d{1,12}) \| input: (?P<given>\d{1,10}), "
    rf"output: (?P<output>\d{{1,10}}), cache_read: (?P<read>\d{{1,10}}), cache_write: (?P<write>\d{{1,10}}){_END}"
)
OURS = (
    r"RequestId|Cache |Cost|llm_usage|Permanently|platform\.|timed out|INIT_REPORT|_tokens|ModelInvocationLog|"
    r'CloudWatchMetrics|gen_ai\.|custom_id|"logEvents"|"awslogs"|"eventId"|"messageType"|"resourceSpans"'
)
"""Words of prefilter.py, and those of envelopes."""
_ENVELOPE = r'"logEvents"|"awslogs"|"eventId"|"messageType"|"resourceSpans"'
_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d"
_START_WORD, _END_WORD, _REPORT_WORD = b"START RequestId: ", b"END RequestId: ", b"REPORT RequestId: "
_START_HEAD, _END_HEAD, _REPORT_HEAD = head_of(_START_WORD), head_of(_END_WORD), head_of(_REPORT_WORD)
_HITS = (head_of("✅ Cache".encode()), head_of(b"Cache HIT"))
_COSTS = (head_of("💰 API".encode()), head_of(b"API Cost"))
_BRACE, _BRACKET, _TWO, _TAB = ord("{"), ord("["), ord("2"), 9
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
    engines: pa.Array
    costs: Own
    figures: pa.StructArray
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
    head, foot = pc.extract_regex(lines.whole(start), _START), pc.extract_regex(lines.whole(end + 1), _REPORT)
    exact = pc.and_(pc.is_valid(head), pc.is_valid(foot))
    kept = exact.to_numpy(zero_copy_only=False)
    foot = foot.filter(exact)
    return Frames(
        start[kept],
        end[kept] + 1,
        np.ones(int(kept.sum()), dtype=np.int64),
        rid[kept],
        _texts(pc.struct_field(head.filter(exact), "version")),
        *(_texts(pc.struct_field(foot, name)) for name in ("duration", "billed", "memory", "most")),
    )


def read_lines(lines: Lines, frames: Frames, now_ms: int) -> Read:
    """Sort all lines out: ours in the exact form, ours in another, not ours."""
    inside, owner = within(frames.start, frames.report - 1, len(lines))
    places, times = lines.stamped(now_ms)
    message, named = _messages(lines, places, times)
    heads = lines.words(message[inside])
    is_hit, is_cost = (np.isin(heads, words) for words in (_HITS, _COSTS))
    good = np.ones(len(frames), dtype=np.bool_)

    hits = _own(lines, frames, inside[is_hit], owner, places, named)
    costs = _own(lines, frames, inside[is_cost], owner, places, named)
    hits, told = _exact(lines, hits, message, HIT, good)
    costs, figures = _exact(lines, costs, message, COST, good)

    marked = np.zeros(len(lines), dtype=np.bool_)
    for line in (frames.start, frames.report - 1, frames.report):
        marked[line] = True
    looked_at = marked.copy()
    looked_at[inside[is_hit | is_cost]] = True
    others = np.flatnonzero(~looked_at)
    ours = np.zeros(len(lines), dtype=np.bool_)
    ours[others] = _matches(lines.whole(others), OURS)
    brace = lines.firsts == _BRACE
    telling = ~looked_at & ((lines.firsts == _BRACKET) | (lines.firsts == _TWO))
    untimed = np.flatnonzero(telling & (times < 0) & ~ours)  # a time in any other form is looked for line by line
    dated = _matches(_beginnings(lines, untimed), _TIME)
    ours[untimed[dated]] = True
    telling &= ~ours

    maybe = inside[ours[inside] & brace[inside]]
    strange = _matches(lines.whole(maybe), _ENVELOPE) | _matches(_beginnings(lines, maybe), _TIME)
    records = Own(maybe, owner[maybe], np.zeros(len(maybe), dtype=np.bool_))
    good[owner[inside[ours[inside] & ~brace[inside]]]] = False
    good[owner[maybe[strange]]] = False

    own = marked.copy()
    for found in (hits, costs, records):
        own[found.line] = True
    return Read(
        frames, good, hits, engines_in(told), costs, figures, records, times,
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


def _exact(lines: Lines, own: Own, message: Ints, form: str, good: Bools) -> tuple[Own, pa.StructArray]:
    """Return the lines in that form with what they say; the frames of the others are not good."""
    told = pc.extract_regex(lines.cut(message[own.line], lines.ends[own.line]), form)
    exact = pc.is_valid(told).to_numpy(zero_copy_only=False)
    exact &= own.explicit | (message[own.line] == lines.starts[own.line])  # dressed, it names its own request
    good[own.frame[~exact]] = False
    return own.only(exact), told.filter(pa.array(exact))


def engines_in(told: pa.StructArray) -> pa.Array:
    """Return the engines that hits name, in brackets or bare."""
    return pc.coalesce(*(_named(told, name) for name in ("bracketed", "bare")))


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


def _beginnings(lines: Lines, which: Ints) -> pa.Array:
    return lines.cut(lines.starts[which], np.minimum(lines.ends[which], lines.starts[which] + STAMP_SPAN))


def _matches(told: pa.Array, form: str) -> Bools:
    found: Bools = pc.match_substring_regex(told, form).to_numpy(zero_copy_only=False)
    return found


def _named(told: pa.StructArray, name: str) -> pa.Array:
    """Return a part of a form that may be missing: then it is empty."""
    part = pc.struct_field(told, name)
    return pc.if_else(pc.equal(pc.binary_length(part), 0), pa.scalar(None, pa.binary()), part)


def _texts(told: pa.Array) -> pa.Array:
    return told.cast(pa.string())
