"""Requests in Lambda's JSON log format, looked for in a piece of it: what forms.py does for the text format.

Lines as the platform and the runtime for Python write them are read as they stand (json_exact.py). Any other that may
be ours is decoded once; what it is, its members say, in any order and spacing. A request with anything
else of ours in it is left to the ordinary way: platform records of other kinds, other formats, other wrappers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from collector.lane.forms import (
    OURS,
    Frames,
    Own,
    Read,
    Said,
    costs_of,
    frames_of,
    hits_of,
    last_told,
    read_lines,
    within,
)
from collector.lane.json_exact import DONE, REPORT, START, Marks, in_order, read_exact, times_of
from collector.lane.json_exact import Said as AsItStands
from collector.lane.lines import RID, Bools, Ints, Lines, head_of
from collector.lane.records import METRICS
from collector.parsers.clock import STAMP_SPAN, find_iso_ms, plausible
from collector.parsers.message import request_id_in
from core.telemetry import RECORD_EVENT

_BRACE, _BRACKET, _TWO = ord("{"), ord("["), ord("2")
_FRONTS = tuple(
    (head_of(front), len(front), head_of(front[-8:]))
    for front in (b'{"time":"', b'{"timestamp":"', b'{"time": "', b'{"timestamp": "')
)
_LONGEST = 256 * 1024  # from START to REPORT
_LONGEST_VERSION = 80
_LIMIT = 10**12
_ENVELOPES = frozenset({"logEvents", "awslogs", "eventId", "messageType", "resourceSpans"})
_OTHERS = _ENVELOPES | {
    "event", "schemaType", "_aws", "call_type", "spanId", "custom_id", "modelInput", "response", "sessionId", "uuid",
    "type",
}  # fmt: skip
"""Members by which objects of other formats are known: a wrapper of a message has none of them."""
_PLATFORM = frozenset({"time", "type", "record"})
_KINDS = {"start": START, "done": DONE, "report": REPORT}
_UNMEASURED = (0.0, 0.0, 0, 0)
Told = tuple[Own, pa.Array]
"""Lines, and what they say."""


@dataclass(slots=True)
class _Found:
    """What the lines that may be ours are, each list in order of lines."""

    marks: list[tuple[int, str, str, Any]] = field(default_factory=list)  # line, kind, request, what it says
    hits: list[tuple[int, str, str | None]] = field(default_factory=list)  # line, message, request
    costs: list[tuple[int, str, str | None]] = field(default_factory=list)
    records: list[tuple[int, Said]] = field(default_factory=list)
    odd: list[int] = field(default_factory=list)


def look(lines: Lines, now_ms: int) -> Read | None:
    """Look for requests in the format that most lines are in; None: there are none."""
    if np.count_nonzero(lines.firsts == _BRACE) > len(lines) // 2:
        return read_json(lines, now_ms)
    frames = frames_of(lines)
    return read_lines(lines, frames, now_ms) if frames else None


def read_json(lines: Lines, now_ms: int) -> Read | None:
    """Sort the lines of a piece out; None: there is no whole request in it."""
    if b"platform.report" not in lines.data:
        return None
    exact = read_exact(lines, now_ms)
    known = exact.lines()
    ours = np.ones(len(lines), dtype=np.bool_)
    ours[known] = False
    others = np.flatnonzero(ours)
    ours[others] = pc.match_substring_regex(lines.whole(others), OURS).to_numpy(zero_copy_only=False)
    ours |= (lines.firsts == _BRACKET) | (lines.firsts == _TWO)  # they may tell a time to those behind them
    found = _look_at(lines, np.flatnonzero(ours))
    ours[known] = True
    frames = _frames(lines, exact.marks, found.marks)
    if frames is None:
        return None
    _, owner = within(frames.start, frames.report, len(lines))
    good = np.ones(len(frames), dtype=np.bool_)
    odd = owner[np.array(found.odd, dtype=np.int64)]
    good[odd[odd >= 0]] = False
    hits, engines = _together(
        _decoded(found.hits, hits_of, frames, owner, good), _as_it_stands(exact.hits, frames, owner, good)
    )
    costs, figures = _together(
        _decoded(found.costs, costs_of, frames, owner, good), _as_it_stands(exact.costs, frames, owner, good)
    )
    records = _records(found.records, owner)
    own = np.zeros(len(lines), dtype=np.bool_)
    own[np.array([mark[0] for mark in found.marks], dtype=np.int64)] = True
    own[exact.marks.line] = True
    for some in (hits, costs, records):
        own[some.line] = True
    times = _times(lines, own, exact.times, now_ms)
    quiet = np.zeros(len(lines), dtype=np.bool_)
    return Read(
        frames, good, hits, engines, costs, figures, records, times, last_told(own, quiet, times), ours,
        quiet, dict(found.records), json=True,
    )  # fmt: skip


def _look_at(lines: Lines, which: Ints) -> _Found:
    found = _Found()
    marks, hits, costs, records, odd = found.marks, found.hits, found.costs, found.records, found.odd
    loads, data = orjson.loads, lines.data
    spans = zip(which.tolist(), lines.starts[which].tolist(), lines.ends[which].tolist(), strict=True)
    for number, begin, end in spans:
        line = data[begin : end - 1]
        try:
            body = loads(line) if line[:1] == b"{" else line.decode()
        except ValueError:
            odd.append(number)
            continue
        if type(body) is dict:
            said, named, kind = body.get("message"), body.get("requestId"), body.get("type")
            if kind is not None:
                mark = _mark(number, kind, body)
                if mark is None:
                    odd.append(number)
                else:
                    marks.append(mark)
                continue
            if not _OTHERS.isdisjoint(body):
                if body.get("event") == RECORD_EVENT and _ENVELOPES.isdisjoint(body):
                    body.pop(METRICS, None)
                    records.append((number, (body, request_id_in(body))))
                else:
                    odd.append(number)
                continue
            if type(named) is not str or not named:
                named = request_id_in(body)
        else:  # printed past the logger
            said, named = body.rstrip("\r"), None
        if type(said) is not str:
            odd.append(number)
        elif said.startswith(("💰 API Cost", "API Cost")):
            costs.append((number, said, named))
        elif said.startswith(("✅ Cache HIT", "Cache HIT")):
            hits.append((number, said, named))
        else:
            told = _record_in(said)
            if told is None:
                odd.append(number)
            else:
                records.append((number, (told, request_id_in(told) or named)))
    return found


def _record_in(message: str) -> dict[str, Any] | None:
    """Return the record that was logged as a message."""
    if message[:1] != "{":
        return None
    try:
        body = orjson.loads(message)
    except ValueError:
        return None
    if type(body) is not dict or body.get("event") != RECORD_EVENT:
        return None
    body.pop(METRICS, None)
    return body


def _mark(number: int, kind: object, body: dict[str, Any]) -> tuple[int, str, str, Any] | None:
    """Read START, the runtime's end or REPORT of a request that went well and was warm; None: it is another line."""
    record = body.get("record")
    if body.keys() != _PLATFORM or type(record) is not dict:
        return None
    name = record.get("requestId")
    if type(name) is not str or len(name) != RID or not name.isascii():
        return None
    if kind == "platform.start":
        version = record.get("version")
        named = type(version) is str and 0 < len(version) <= _LONGEST_VERSION
        return (number, "start", name, version) if named else None
    if kind == "platform.report":
        measured = _measured(record)
        return None if measured is None else (number, "report", name, measured)
    return (number, "done", name, None) if kind == "platform.runtimeDone" else None


def _measured(record: dict[str, Any]) -> tuple[float, float, int, int] | None:
    metrics = record.get("metrics")
    if (
        type(metrics) is not dict
        or record.get("status", "success") != "success"
        or "errorType" in record
        or "initDurationMs" in metrics
        or "restoreDurationMs" in metrics
    ):
        return None
    took: Any = metrics.get("durationMs")
    billed: Any = metrics.get("billedDurationMs")
    memory: Any = metrics.get("memorySizeMB")
    most: Any = metrics.get("maxMemoryUsedMB")
    if not (type(took) in (int, float) and type(billed) in (int, float) and type(memory) is type(most) is int):
        return None
    known = 0 <= took < _LIMIT and 0 <= billed < _LIMIT and 0 <= memory < _LIMIT and 0 <= most < _LIMIT
    return (float(took), float(billed), memory, most) if known else None


def _frames(lines: Lines, exact: Marks, others: list[tuple[int, str, str, Any]]) -> Frames | None:
    """Put marks together: START, at most one end of the runtime, REPORT, all of one request."""
    marks = Marks.joined([exact, _marks(others)]) if others else exact
    if len(marks.line) < 2:
        return None
    report = np.flatnonzero(marks.kind == REPORT)
    report = report[report > 0]
    done = (marks.kind[report - 1] == DONE) & (report > 1)
    start = report - 1 - done
    same = (marks.kind[start] == START) & (marks.rid[start] == marks.rid[report]).all(axis=1)
    same &= ~done | (marks.rid[report - 1] == marks.rid[report]).all(axis=1)
    same &= lines.ends[marks.line[report]] - lines.starts[marks.line[start]] <= _LONGEST
    start, report, done = start[same], report[same], done[same]
    if not len(start):
        return None
    return Frames(
        marks.line[start], marks.line[report], done.astype(np.int64), marks.rid[report],
        marks.version.take(pa.array(start)), pa.array(marks.duration[report]), pa.array(marks.billed[report]),
        pa.array(marks.memory[report]), pa.array(marks.most[report]),
    )  # fmt: skip


def _marks(others: list[tuple[int, str, str, Any]]) -> Marks:
    """Return marks that were decoded."""
    line, kinds, names, said = zip(*others, strict=True)
    rid = np.frombuffer("".join(names).encode("ascii"), dtype=np.uint8).reshape(-1, RID)
    kind = np.array([_KINDS[name] for name in kinds], dtype=np.int64)
    measured = [told if name == "report" else _UNMEASURED for name, told in zip(kinds, said, strict=True)]
    took, billed, memory, most = zip(*measured, strict=True)
    versions = [told if name == "start" else None for name, told in zip(kinds, said, strict=True)]
    return Marks(
        np.array(line, dtype=np.int64), kind, rid, pa.array(versions, pa.string()), np.array(took, dtype=np.float64),
        np.array(billed, dtype=np.float64), np.array(memory, dtype=np.int64), np.array(most, dtype=np.int64),
    )  # fmt: skip


def _decoded(
    said: list[tuple[int, str, str | None]],
    form: Callable[[Lines, Ints, Ints], tuple[pa.Array, Bools]],
    frames: Frames,
    owner: Ints,
    good: Bools,
) -> Told | None:
    """Return decoded lines within frames in that form, with what they say; the frames of others are not good."""
    if not said:
        return None
    line = np.array([number for number, _, _ in said], dtype=np.int64)
    frame = owner[line]
    inside = np.flatnonzero(frame >= 0)
    line, frame = line[inside], frame[inside]
    kept = [said[place] for place in inside.tolist()]
    messages = Lines("".join([f"{message}\n" if "\n" not in message else "\n" for _, message, _ in kept]).encode())
    told, exact = form(messages, np.arange(len(kept)), messages.starts)
    names = _names(frames, frame)
    explicit = np.array([named is not None for _, _, named in kept], dtype=np.bool_)
    exact &= np.array(
        [named is None or named == name for (_, _, named), name in zip(kept, names, strict=True)], dtype=np.bool_
    )
    good[frame[~exact]] = False
    return Own(line[exact], frame[exact], explicit[exact]), told.filter(pa.array(exact))


def _as_it_stands(said: AsItStands, frames: Frames, owner: Ints, good: Bools) -> Told:
    """Return lines that were not decoded, within frames; one that names another request makes its frame not good."""
    frame = owner[said.line]
    exact = frame >= 0
    inside = np.flatnonzero(exact)
    exact[inside] = (said.rid[inside] == frames.rid[frame[inside]]).all(axis=1)
    good[frame[inside[~exact[inside]]]] = False
    line = said.line[exact]
    return Own(line, frame[exact], np.ones(len(line), dtype=np.bool_)), said.told.filter(pa.array(exact))


def _together(decoded: Told | None, as_it_stands: Told) -> Told:
    """Return lines of both ways in order."""
    if decoded is None:
        return as_it_stands
    owned, told = zip(decoded, as_it_stands, strict=True)
    order, said = in_order([own.line for own in owned], told)
    line, frame, explicit = (
        np.concatenate([getattr(own, name) for own in owned])[order] for name in ("line", "frame", "explicit")
    )
    return Own(line, frame, explicit), said


def _names(frames: Frames, frame: Ints) -> list[str]:
    """Return the request ids of frames."""
    told = np.ascontiguousarray(frames.rid[frame]).tobytes().decode("ascii")
    return [told[at : at + RID] for at in range(0, len(told), RID)]


def _records(found: list[tuple[int, Said]], owner: Ints) -> Own:
    """Return the records within frames; whose they are is looked at when they are read."""
    line = np.array([number for number, _ in found], dtype=np.int64)
    line = line[owner[line] >= 0]
    return Own(line, owner[line], np.zeros(len(line), dtype=np.bool_))


def _times(lines: Lines, own: Bools, known: Ints, now_ms: int) -> Ints:
    """Return the time that each of our lines tells, the first that is written in it; -1: none that can be one."""
    times = np.where(own, known, -1)
    which = np.flatnonzero(own & (known < 0))
    starts, heads = lines.starts[which], lines.heads[which]
    at = np.full(len(which), -1, dtype=np.int64)
    for head, length, tail in _FRONTS:
        maybe = np.flatnonzero(heads == head)
        ends = starts[maybe] + length
        maybe = maybe[lines.words(ends - 8) == tail]
        at[maybe] = starts[maybe] + length
    front = np.flatnonzero(at >= 0)
    times[which[front]] = times_of(lines, at[front], now_ms)
    for number in which[times[which] < 0].tolist():
        begin = int(lines.starts[number])
        written = lines.data[begin : min(begin + 4 * STAMP_SPAN, int(lines.ends[number]))]
        stamp = find_iso_ms(written.decode(errors="ignore")[:STAMP_SPAN])
        if stamp is not None and plausible(stamp, now_ms=now_ms):
            times[number] = stamp
    return times
