"""Conversations without fingerprints: what the sizes of prefixes alone can tell of partial reads.

A call that read exactly what an earlier one had cached went on from it. One that read less, and wrote, belongs to the
conversation whose size it is near; where several are, and they would explain it differently, nobody knows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from core.caching.cache_model import LOOKBACK_POSITIONS
from core.misses.causes import expiry
from core.misses.moved import Found
from core.traffic import Traffic
from core.traffic.arrays import Bools, Ints, by_lane

_FORGET_MS = 3 * 3_600_000
_NEAR = 3.0  # turns between two calls of one conversation, at most
_TOO_LONG = LOOKBACK_POSITIONS / 2  # turns: an answer and the next question are two blocks
_PLENTY = 200  # conversations side by side: one of them is always near


def of_sizes(calls: Traffic, part: Bools, whole: Bools, own_ttl: Ints) -> list[Found]:
    """Judge the partial reads marked, lane by lane; and the `whole` rewrites of lanes that have such.

    Of a rewrite it is known that something all conversations share was changed; but most of one may have been dead.
    """
    lanes = np.unique(calls.lane[part])
    if not len(lanes):
        return []
    rows = np.flatnonzero(np.isin(calls.lane, lanes) & (calls.cached > 0))
    rows = rows[by_lane(calls.lane[rows], calls.start_ms[rows])]
    bounds = np.flatnonzero(np.diff(calls.lane[rows])) + 1
    found: list[Found] = []
    for here in np.split(rows, bounds):
        found += _Lane(calls, own_ttl, step=_turn(calls, here)).judge(here, part, whole)
    return found


def _turn(calls: Traffic, rows: Ints) -> float:
    """Return how many tokens a turn usually adds: the median of what was written onto exactly what was there."""
    held: set[int] = set()
    steps: list[int] = []
    for read, cached in zip(calls.read[rows].tolist(), calls.cached[rows].tolist(), strict=True):
        if read in held and cached > read:
            steps.append(cached - read)
        held.add(cached)
    return float(np.median(steps)) if steps else 0.0


@dataclass(slots=True)
class _Lane:
    calls: Traffic
    own_ttl: Ints
    step: float
    ends: dict[int, int] = field(default_factory=dict)  # size of each conversation as it stands → its last row

    def judge(self, rows: Ints, part: Bools, whole: Bools) -> list[Found]:
        """Follow the conversations through time."""
        found: list[Found] = []
        for row in rows.tolist():
            read, cached = int(self.calls.read[row]), int(self.calls.cached[row])
            kin, verdict = self._explain(row, read, cached)
            if verdict is not None and (part[row] or (whole[row] and verdict.evidence == "gap")):
                found.append(verdict)
            if kin is not None:
                self.ends.pop(kin, None)
            self.ends[cached] = row
        return found

    def _explain(self, row: int, read: int, cached: int) -> tuple[int | None, Found | None]:
        """Return the size of the conversation that the call goes on from, where it is known, and the verdict."""
        twin = self.ends.get(cached)
        if twin is not None and self.calls.read[twin] == read < cached and self._wait(row, twin) < 0:
            return cached, Found(row, "concurrent_first_write", "response_not_begun", sure=False)
        if read in self.ends:
            return read, Found(row, "first_touch", "size", sure=False)
        if twin is not None and read == cached:
            return cached, None
        near = self._near(row, cached)
        verdicts = {self._why(row, cached, size) for size in near}
        if len(verdicts) == 1:
            (cause,) = verdicts
            return max(near), Found(row, cause, "gap" if cause.startswith("expired") else "size", sure=False)
        if not verdicts and self.step and cached - read <= 1.5 * self.step:
            return None, Found(row, "first_touch", "size", sure=False)
        return None, Found(row, "unknown", "nothing")

    def _wait(self, row: int, before: int) -> int:
        return int(self.calls.start_ms[row] - self.calls.begin_ms[before])

    def _near(self, row: int, cached: int) -> list[int]:
        """Return the sizes of the conversations that the call can have gone on from."""
        now = int(self.calls.start_ms[row])
        for size in [size for size, last in self.ends.items() if now - self.calls.start_ms[last] > _FORGET_MS]:
            del self.ends[size]
        if len(self.ends) > _PLENTY or not self.step:
            return []
        turns = {size: (cached - size) / self.step for size in self.ends}
        near = [size for size, added in turns.items() if -1 <= added <= _NEAR]
        return near or [size for size, added in turns.items() if _TOO_LONG <= added <= 1.5 * _TOO_LONG]

    def _why(self, row: int, cached: int, size: int) -> str:
        last = self.ends[size]
        ttl_ms = int(self.own_ttl[last])
        if ttl_ms and self.calls.start_ms[row] - self.calls.start_ms[last] > ttl_ms:
            return expiry(ttl_ms)
        overran = (cached - size) / self.step >= _TOO_LONG
        return "lookback" if overran else "prefix_changed"
