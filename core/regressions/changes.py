"""Change points: a CUSUM of evidence per channel and function version, day by day, with a way back.

While all is well, evidence for a change is summed and never falls below nothing; when it reaches ALARM nats, the change
is dated back to where the sum last left zero. From then on the same evidence, turned round, tells when it is over.
Versions are summed apart, so that a canary that serves a tenth of the calls is heard.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from core.regressions.baseline import Baseline, Calendar, Past
from core.regressions.channels import Channel
from core.regressions.lane import GAP_CLASSES, Bools, Floats, Ints, Lane, summed

ALARM = 15.0
OVER = 9.0
LEAST_CALLS = 5
LEAST_US = 600_000_000  # a burst shorter than ten minutes is no regression, unless it is this many calls:
MANY_CALLS = 25
_RELIEVED_US = 3_600_000_000  # older versions speak again when the one at fault has been silent for an hour


@dataclass(slots=True)
class Found:
    """One change of one channel: rows of the lane where it starts, was found, and is over."""

    channel: Channel
    version: int  # the code of a function version, -1: unknown
    start: int
    found: int
    strength: float
    level: int
    day: int  # whose baseline it was measured against
    baseline: Baseline | None
    end: int | None = None


@dataclass(slots=True)
class _State:
    """What is carried from one day to the next."""

    sums: dict[int, Floats] = field(default_factory=dict)  # by version: one sum for each level
    since: dict[int, Ints] = field(default_factory=dict)  # row at which each sum last left zero
    calls: dict[int, Ints] = field(default_factory=dict)
    open: Found | None = None
    relief: float = 0.0
    relief_since: int = -1
    relief_calls: int = 0
    told: Floats = field(default_factory=lambda: np.zeros(GAP_CLASSES))  # evidence for the open change, by gap

    def reopen(self, found: Found, told: Floats) -> None:
        """Go over to waiting for the end of a change."""
        self.open, self.told = found, told
        self.relief, self.relief_since, self.relief_calls = 0.0, -1, 0


def changes(channel: Channel, lane: Lane, calendar: Calendar) -> list[Found]:
    """Return every change for the worse, in order; each day is judged by what was known before it."""
    state, done = _State(), []
    spoiled, past = np.zeros(len(lane), dtype=bool), Past(channel.sums(lane), lane, calendar)
    debut = _debut(lane)

    def spoil(start: int, end: int) -> None:
        spoiled[start:end] = True
        past.spoil(start, end)

    for day in np.unique(calendar.day).tolist():
        rows = calendar.rows(day)
        weighed = channel.weigh(channel, lane, calendar, day, past, spoiled)
        if weighed is None:
            continue
        voices, known = weighed
        at = 0
        while at < len(rows):
            if state.open is None:
                hit = _look(state, channel, lane, rows[at:], voices[:, at:])
                if hit is None:
                    break
                hit.day, hit.baseline = day, known
                spoil(hit.start, hit.found + 1)
                at += int(np.searchsorted(rows[at:], hit.found)) + 1
                state.reopen(hit, _by_gap(lane, rows, voices[0], hit.start, hit.found))
                continue
            over = _relieved(state, lane, debut, rows[at:], voices[0, at:])  # gone only if hardly any of it is left
            if over is None:
                break
            spoil(state.open.found, state.relief_since)
            state.open.end = state.relief_since
            done.append(state.open)
            at += int(np.searchsorted(rows[at:], over)) + 1
            state = _State()
        if state.open is not None:
            spoil(state.open.start, int(rows[-1]) + 1)
    return [*done, state.open] if state.open is not None else done


def _debut(lane: Lane) -> Ints:
    """Return for each row when its version was first seen in the lane."""
    _, first, inverse = np.unique(lane.version.codes, return_index=True, return_inverse=True)
    return lane.first_us[first[inverse]]


def _look(state: _State, channel: Channel, lane: Lane, rows: Ints, voices: Floats) -> Found | None:
    """Sum evidence for a change, version by version; return the first alarm and leave the sums as they are after it."""
    best: Found | None = None
    versions = lane.version.codes[rows]
    for version in dict.fromkeys(versions.tolist()):
        own = versions == version
        hit = _cross(state, channel, lane, rows[own], voices[:, own], version)
        if hit is not None and (best is None or hit.found < best.found):
            best = hit
    return best


def _cross(state: _State, channel: Channel, lane: Lane, rows: Ints, voices: Floats, version: int) -> Found | None:
    levels = len(voices)
    carried = state.sums.get(version, np.zeros(levels))
    since = state.since.get(version, np.full(levels, -1))
    before = state.calls.get(version, np.zeros(levels, dtype=np.int64))
    whole = carried[:, np.newaxis] + np.cumsum(voices, axis=1)
    lowest = np.minimum(np.minimum.accumulate(whole, axis=1), 0.0)
    height = whole - lowest
    calls = np.cumsum(lane.calls[rows])
    begun, so_far = _begun(whole, lowest, since, rows, calls, before)
    lasted = lane.last_us[rows] - lane.first_us[np.maximum(begun, 0)]
    alarm = (height >= ALARM) & (so_far >= LEAST_CALLS) & ((lasted >= LEAST_US) | (so_far >= MANY_CALLS))
    best: Found | None = None
    for level in range(levels):
        if not alarm[level].any():
            continue
        at = int(np.argmax(alarm[level]))
        if best is None or rows[at] < best.found:
            start, found = int(begun[level, at]), int(rows[at])
            best = Found(channel, version, start, found, float(height[level, at]), level, 0, None)
    state.sums[version], state.since[version], state.calls[version] = height[:, -1], begun[:, -1], so_far[:, -1]
    return best


def _begun(whole: Floats, lowest: Floats, since: Ints, rows: Ints, calls: Ints, before: Ints) -> tuple[Ints, Ints]:
    """Return, for each row and level, the row at which the sum last left zero, and the calls from there on.

    A row that leaves the sum at zero begins nothing: the next one does, and -1 says that it is not known yet.
    """
    position = np.arange(len(rows))
    at_zero = whole <= lowest
    last = np.maximum.accumulate(np.where(at_zero, position, -1), axis=1)
    since = np.where(since < 0, rows[0], since)
    following = np.append(rows, -1)[last + 1]
    begun = np.where(last >= 0, following, since[:, np.newaxis])
    so_far = np.where(last >= 0, calls - calls[np.maximum(last, 0)], before[:, np.newaxis] + calls)
    return begun, so_far


def _by_gap(lane: Lane, rows: Ints, voices: Floats, start: int, found: int) -> Floats:
    """Return the evidence from the start of a change to its finding, by gap, as far as it is of this day."""
    own = (rows >= start) & (rows <= found)
    return summed(lane.gap[rows[own]], voices[own], GAP_CLASSES)


def _relieved(state: _State, lane: Lane, debut: Ints, rows: Ints, voices: Floats) -> int | None:
    """Sum evidence that the open change is over; return the row at which it is enough.

    Only gaps in which the change was seen may speak: a call that would have written anyway looks healthy always.
    """
    assert state.open is not None
    eligible = _speaks(state.open, lane, debut, rows) & (state.told[lane.gap[rows]] > 0)
    state.told = state.told + summed(lane.gap[rows], np.maximum(voices, 0.0), GAP_CLASSES)
    own, relief = rows[eligible], -voices[eligible]
    if not len(own):
        return None
    whole = state.relief + np.cumsum(relief)
    lowest = np.minimum(np.minimum.accumulate(whole), 0.0)
    calls = np.cumsum(lane.calls[own])
    since, before = np.array([state.relief_since]), np.array([state.relief_calls])
    begun, so_far = _begun(whole[np.newaxis], lowest[np.newaxis], since, own, calls, before)
    over = (whole - lowest >= OVER) & (so_far[0] >= LEAST_CALLS)
    at = int(np.argmax(over)) if over.any() else len(own) - 1
    state.relief, state.relief_since = float((whole - lowest)[at]), int(begun[0, at])
    state.relief_calls = int(so_far[0, at])
    return int(own[at]) if over.any() else None


def _speaks(found: Found, lane: Lane, debut: Ints, rows: Ints) -> Bools:
    """Say which rows may tell that it is over: those of the version at fault, of newer ones, or of older ones alone."""
    born = debut[found.start]
    at_fault = lane.version.codes[rows] == found.version
    seen = np.maximum.accumulate(np.where(at_fault, lane.last_us[rows], lane.last_us[found.start]))
    return at_fault | (debut[rows] > born) | (lane.first_us[rows] - seen > _RELIEVED_US)
