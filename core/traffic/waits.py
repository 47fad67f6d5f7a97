"""How long a model usually takes to its first token, for calls that do not tell.

It decides which calls came too early to read what another was still writing. Told by records; else worked out from
bursts, where the last call that still wrote and the first that read enclose the moment; else a default.
"""

from __future__ import annotations

import numpy as np

from core.traffic.arrays import Bools, Ints, by_lane, first_of_run, previous

DEFAULT_MS = 1_500
_QUIET_MS = 5_000  # a burst begins with a write after so long a pause
_CLOSE_MS = 1_000  # how tightly the moment must be enclosed
_LONGEST_MS = 15_000
_ENOUGH = 5


def usual_waits(*, ttft_ms: Ints, model: Ints, start_ms: Ints, read: Bools, wrote: Bools, lane: Ints) -> Ints:
    """Return the usual wait in ms by model code; the last entry, for code -1, is the default."""
    usual = np.full(int(model.max(initial=-1)) + 2, DEFAULT_MS, dtype=np.int64)
    from_bursts, of_model = _enclosed(model, start_ms=start_ms, read=read, wrote=wrote, lane=lane)
    for code in range(len(usual) - 1):
        told = ttft_ms[(ttft_ms >= 0) & (model == code)]
        seen = told if len(told) else from_bursts[of_model == code]
        if len(seen) >= (1 if len(told) else _ENOUGH):
            usual[code] = int(np.median(seen))
    return usual


def _enclosed(model: Ints, *, start_ms: Ints, read: Bools, wrote: Bools, lane: Ints) -> tuple[Ints, Ints]:
    """Return the waits that bursts tell, with their models."""
    rows = np.flatnonzero(read | wrote)
    rows = rows[by_lane(lane[rows], start_ms[rows])]
    opens = first_of_run(lane[rows])
    start, has_read = start_ms[rows], read[rows]
    gap = np.diff(start, prepend=start[:1])
    leads = wrote[rows] & ~has_read & (opens | (gap > _QUIET_MS))
    leader = previous(leads, opens)
    at = np.arange(len(rows))
    # The first read after a leader: the call before it in the lane was the last that still wrote.
    reader = has_read & (leader >= 0) & (previous(has_read, opens) < leader)
    reader &= at - leader >= 2
    first = np.flatnonzero(reader)
    late = start[first] - start[leader[first]]
    early = start[first - 1] - start[leader[first]]
    good = (late - early <= _CLOSE_MS) & (late <= _LONGEST_MS)
    return (late[good] + early[good]) // 2, model[rows][first[good]]
