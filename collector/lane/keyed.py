"""Requests among events that have ids, of many streams at once: the quick lane for what CloudWatch gives.

The messages of a batch are put together stream by stream, and looked at as the lines of a file are. What is not taken
stays an event: requests with a line in another form, those that an earlier batch or another stream may have told of,
those at the edges of the batch, and whatever might be delivered twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from collector.event import LogEvent
from collector.lane.forms import Frames
from collector.lane.json_forms import look
from collector.lane.lines import RID, Bools, Ints, Lines
from collector.lane.requests import Place, Requests, Run
from collector.lane.taken import Base, Taken
from collector.parsers.service_lines import UUID

LEAST = 200  # events: below it, looking at all of them at once costs more than it saves
_ODD = "RequestId\n"  # stands for a message of several lines: no line of the exact form, and one of ours
_DASHES = [8, 13, 18, 23]
_HEX = [place for place in range(RID) if place not in _DASHES]


class _Look(NamedTuple):
    """What is known of a batch: by line the stream and which event it is, by event whether it stays one."""

    frames: Frames
    stream: Ints
    where: Ints
    events: list[LogEvent]
    stays: Bools


def take_requests(events: list[LogEvent], found: Requests, *, now_ms: int, context_ms: int | None) -> list[LogEvent]:
    """Take requests out of a batch's events, which are in order of time; return the others.

    What was logged before `context_ms` was told by an earlier pass.
    """
    if len(events) < LEAST:
        return events
    streams: dict[int, int] = {}
    codes = np.array([streams.setdefault(id(event.origin), len(streams)) for event in events], dtype=np.int64)
    where: Ints = np.argsort(codes, kind="stable")
    told = [events[place] for place in where.tolist()]
    messages = [event.message for event in told]
    data = _as_lines(messages)
    lines = Lines(data) if data else None
    read = look(lines, now_ms) if lines else None
    if lines is None or read is None:
        return events
    assert len(lines) == len(events), "a line for each event"
    ms = np.array([event.ts_ms for event in told], dtype=np.int64)
    read = replace(read, times=ms, last=np.arange(len(lines)), json=read.json)
    frames, good, stream = read.frames, read.good, codes[where]
    good &= (stream[frames.start] == stream[frames.report]) & _once(frames)
    left = np.array([event.again or event.event_id is None for event in told], dtype=np.bool_)
    left |= (ms == ms.min()) | (ms == ms.max()) | _twice(messages, stream, ms)
    if context_ms is not None:
        left |= ms < context_ms
    before = np.concatenate([[0], np.cumsum(left)])
    good &= before[frames.report + 1] == before[frames.start]
    taken = Taken(lines, read, found, events, where)
    good[taken.several] = False
    others = _others(good, frames, len(lines))
    good &= ~_named_in((message for message, stays in zip(messages, others.tolist(), strict=True) if stays), frames)
    if not good.any():
        return events
    stays = np.empty(len(events), dtype=np.bool_)
    stays[where] = _others(good, frames, len(lines))
    found.runs.extend(_runs(taken, np.flatnonzero(good), _Look(frames, stream, where, events, stays), found))
    return [event for event, is_left in zip(events, stays.tolist(), strict=True) if is_left]


def _as_lines(messages: list[str]) -> bytes:
    """Return messages as lines, one for each."""
    text = "".join(messages)
    if not text.count("\n") == len(messages) == [message[-1:] for message in messages].count("\n"):
        lines = [message if message.endswith("\n") else f"{message}\n" for message in messages]
        text = "".join([line if line.count("\n") == 1 else _ODD for line in lines])
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a letter, as JSON can write it
        lines = text.removesuffix("\n").split("\n")
        return b"".join(_ODD.encode() if _is_broken(line) else f"{line}\n".encode() for line in lines)


def _is_broken(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def _once(frames: Frames) -> Bools:
    """Say which frames have a request id that is one, and that no other has."""
    letters = np.ascontiguousarray(frames.rid)
    _, place, count = np.unique(letters.view(f"S{RID}")[:, 0], return_inverse=True, return_counts=True)
    figures = letters[:, _HEX]
    plain = ((figures >= ord("0")) & (figures <= ord("9"))) | ((figures >= ord("a")) & (figures <= ord("f")))
    once: Bools = (count[place.reshape(-1)] == 1) & plain.all(axis=1) & (letters[:, _DASHES] == ord("-")).all(axis=1)
    return once


def _twice(messages: Sequence[str], stream: Ints, ms: Ints) -> Bools:
    """Say which events have another beside them of the same stream, millisecond and text: one may be a re-delivery."""
    hashes = np.array([hash(message) for message in messages], dtype=np.int64)
    order = np.lexsort((hashes, ms, stream))
    same = (np.diff(stream[order]) == 0) & (np.diff(ms[order]) == 0) & (np.diff(hashes[order]) == 0)
    twice = np.zeros(len(ms), dtype=np.bool_)
    twice[order[1:][same]] = twice[order[:-1][same]] = True
    return twice


def _others(good: Bools, frames: Frames, count: int) -> Bools:
    """Say which events are in none of the good frames."""
    change = np.zeros(count + 1, dtype=np.int64)
    change[frames.start[good]] += 1
    change[frames.report[good] + 1] -= 1
    others: Bools = np.cumsum(change[:-1]) == 0
    return others


def _named_in(messages: Iterable[str], frames: Frames) -> Bools:
    """Say which frames' requests are named by other events too: they have lines elsewhere."""
    named = {name for message in messages for name in UUID.findall(message)}
    if not named:
        return np.zeros(len(frames), dtype=np.bool_)
    told = np.ascontiguousarray(frames.rid).view(f"S{RID}")[:, 0]
    return np.isin(told, np.array([name.encode() for name in named], dtype=f"S{RID}"))


def _runs(taken: Taken, good: Ints, look_of: _Look, found: Requests) -> list[Run]:
    """Lay the good frames out as a block, and cut it into runs: of one stream, without another event in between."""
    frames, where, events = look_of.frames, look_of.where, look_of.events
    start, report, stream = frames.start[good], frames.report[good], look_of.stream[frames.start[good]]
    breaks = np.flatnonzero((start[1:] != report[:-1] + 1) | (stream[1:] != stream[:-1])) + 1
    firsts = np.concatenate([[0], breaks])
    counts = np.diff(np.append(firsts, len(good)))
    origins, places = np.unique(stream, return_inverse=True)
    at_start = {int(code): events[int(where[line])] for code, line in zip(stream, start, strict=True)}
    first_place = len(found.places)
    found.places.extend(Place(at_start[code].origin, "") for code in origins.tolist())
    base = Base.of(len(frames))
    base.taken[good] = base.stamped[good] = True
    block = taken.block(base, counts.tolist(), 0, first_place + places.reshape(-1))
    before: Ints = np.cumsum(look_of.stays) - look_of.stays  # events that stay, before each
    spans = [(int(frames.start[frame]), int(frames.report[frame]) + 1) for frame in good.tolist()]

    def again(number: int) -> list[LogEvent]:
        begin, end = spans[number - block.first]
        return [events[place] for place in where[begin:end].tolist()]

    runs = []
    for first, count in zip(firsts.tolist(), counts.tolist(), strict=True):
        place = found.places[int(block.places[first])]
        at = int(before[where[start[first]]])
        number = block.first + first
        runs.append(taken.run(block, at, place, number, number + count, again))
    found.blocks.append(block)
    found.count = block.last
    found.ids = [str(event.event_id) for event in events]
    begun = where[start[firsts]]
    return [runs[place] for place in np.argsort(begun, kind="stable").tolist()]
