"""How long each call waited for its first token, where it does not tell.

It decides which calls came too early to read what another was still writing. Told by records; else what of the
calls' durations does not grow with their answers; else worked out from bursts, where the last call that still wrote
and the first that read enclose the moment; else a default. Whatever it is guessed at, what the next calls found in
the cache bounds it: `bounded`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.traffic.arrays import Bools, Floats, Ints, by_lane, first_of_run, previous

DEFAULT_MS = 1_500
_QUIET_MS = 5_000  # a burst begins with a write after so long a pause
_CLOSE_MS = 1_000  # how tightly the moment must be enclosed
_LONGEST_MS = 15_000
_SHORTEST_MS = 50
_ENOUGH = 5
_ENOUGH_TO_FIT = 60
_SAMPLE = 20_000
_OUTLIER = 4.0  # times the median deviation
_SENSIBLE = 0.9  # of the waits by a line must be possible, or the line says nothing


@dataclass(frozen=True, slots=True)
class Waiting:
    """What tells how long calls waited, in columns; unknown times are -1."""

    ttft_ms: Ints
    lasted_ms: Ints
    model: Ints
    start_ms: Ints
    processed: Ints  # tokens of the prompt that were not read
    output: Ints
    read: Bools
    wrote: Bools
    lane: Ints


def usual_waits(calls: Waiting) -> Ints:
    """Return the wait in ms that a call like each one usually has."""
    usual = np.full(len(calls.model), DEFAULT_MS, dtype=np.int64)
    from_bursts, of_model = _enclosed(calls)
    for code in range(int(calls.model.max(initial=-1)) + 1):
        own = calls.model == code
        told, dated = own & (calls.ttft_ms >= 0), own & (calls.lasted_ms > 0)
        seen = from_bursts[of_model == code]
        fitted = _fitted(calls, own, told, calls.ttft_ms, output=False)
        if fitted is None and told.any():
            fitted = np.full(int(own.sum()), np.median(calls.ttft_ms[told]))
        if fitted is None:
            fitted = _fitted(calls, own, dated, calls.lasted_ms, output=True)
        if fitted is None and len(seen) >= _ENOUGH:
            fitted = np.full(int(own.sum()), np.median(seen))
        if fitted is not None:
            usual[own] = np.clip(fitted, _SHORTEST_MS, _LONGEST_MS).astype(np.int64)
    return usual


def bounded(begin_ms: Ints, calls: Waiting) -> Ints:
    """Return guessed beginnings moved to where the cache shows them.

    After a write that follows a pause, calls that wrote the same prefix again came before the earliest answer, and
    the first that read it came after.
    """
    rows, leader, first = _bursts(calls)
    begin = begin_ms.copy()
    start = calls.start_ms[rows]
    for reader in first.tolist():
        writers = np.arange(leader[reader], reader)
        late, early = start[reader], start[reader - 1]
        if late - start[writers[0]] > _LONGEST_MS:
            continue
        guessed = writers[calls.ttft_ms[rows[writers]] < 0]
        begin[rows[guessed]] = np.maximum(begin[rows[guessed]], early + 1)
        if begin[rows[writers]].min() > late and len(guessed):
            begin[rows[guessed[0]]] = late
    return begin


def _fitted(calls: Waiting, own: Bools, known: Bools, took_ms: Ints, *, output: bool) -> Floats | None:
    """Return what a model's calls wait by a line through the known ones; None where there are too few, or no sense.

    The line is drawn through relative errors, since long calls scatter more, and a second time without outliers.
    """
    rows = np.flatnonzero(known)
    if len(rows) < _ENOUGH_TO_FIT:
        return None
    rows = rows[:: max(1, len(rows) // _SAMPLE)]
    columns = [np.ones(len(rows)), calls.processed[rows].astype(np.float64)]
    if output:
        columns.append(calls.output[rows].astype(np.float64))
    table, took = np.column_stack(columns), np.maximum(took_ms[rows], 1).astype(np.float64)
    line = _line(table, took)
    off = np.abs(table @ line - took) / took
    kept = off <= _OUTLIER * max(float(np.median(off)), 0.01)
    line = _line(table[kept], took[kept])
    if line[1] < 0:  # processing saves no time: the calls do not tell it apart
        return None
    fitted: Floats = line[0] + line[1] * calls.processed[own]
    inside = fitted[known[own]]
    if np.mean((inside > _SHORTEST_MS) & (inside < _LONGEST_MS)) < _SENSIBLE:
        return None
    if output:
        if line[2] <= 0 or np.mean(inside < took_ms[known]) < _SENSIBLE:
            return None
        fitted[known[own]] = _shared(inside, line[2] * calls.output[known], took_ms[known].astype(np.float64))
    return fitted


def _shared(wait: Floats, answer: Floats, took: Floats) -> Floats:
    """Return each call's own wait: of what it took more or less than usual, the part by which waits scatter.

    Waits and answers scatter in proportion to their length; how much each does shows in calls with short and with
    long answers.
    """
    rest = took - wait - answer
    usual = np.abs(rest) <= _OUTLIER * max(float(np.median(np.abs(rest))), 1.0)
    squares = np.column_stack((wait**2, answer**2))
    of_waits, of_answers = np.maximum(np.linalg.lstsq(squares[usual], rest[usual] ** 2, rcond=None)[0], 0)
    scatter = of_waits * wait**2 + of_answers * answer**2
    share = np.divide(of_waits * wait**2, scatter, out=np.zeros_like(wait), where=scatter > 0)
    found: Floats = wait + np.where(usual, share * rest, 0)
    return found


def _line(table: Floats, took: Floats) -> Floats:
    return np.asarray(np.linalg.lstsq(table / took[:, None], np.ones(len(took)), rcond=None)[0], dtype=np.float64)


def _enclosed(calls: Waiting) -> tuple[Ints, Ints]:
    """Return the waits that bursts tell, with their models."""
    rows, leader, first = _bursts(calls)
    first = first[first - leader[first] >= 2]
    start = calls.start_ms[rows]
    late = start[first] - start[leader[first]]
    early = start[first - 1] - start[leader[first]]
    good = (late - early <= _CLOSE_MS) & (late <= _LONGEST_MS)
    return (late[good] + early[good]) // 2, calls.model[rows][first[good]]


def _bursts(calls: Waiting) -> tuple[Ints, Ints, Ints]:
    """Return the calls that used the cache by lane, each one's leader, and the first reader after each leader.

    A leader is a write after a pause; between it and its first reader there are only writes.
    """
    rows = np.flatnonzero(calls.read | calls.wrote)
    rows = rows[by_lane(calls.lane[rows], calls.start_ms[rows])]
    opens = first_of_run(calls.lane[rows])
    start, has_read = calls.start_ms[rows], calls.read[rows]
    gap = np.diff(start, prepend=start[:1])
    leads = calls.wrote[rows] & ~has_read & (opens | (gap > _QUIET_MS))
    leader = previous(leads, opens)
    reader = has_read & (leader >= 0) & (previous(has_read, opens) < leader)
    return rows, leader, np.flatnonzero(reader)
