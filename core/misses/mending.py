"""What the mend of each miss would bring back, in whole picodollars a call, net of what the mend itself costs.

Only what one mend does by itself is counted. Expired entries are not here: what another lifetime saves or costs is
the TTL Lab's to say (core.ttl), and the two are joined in `summary.recoverable`.
"""

from __future__ import annotations

import numpy as np

from core.misses.causes import CODE
from core.misses.judge import Verdict
from core.traffic import Traffic
from core.traffic.arrays import Bools, Ints, by_lane, first_of_run

_HOUR_MS = 3_600_000


def savings(calls: Traffic, verdict: Verdict) -> Ints:
    """Return what the mend of each call's prefix miss saves; negative where a call would pay for others' gain."""
    rates = calls.rates
    written = calls.write_5m * (rates.write_5m - rates.read) + calls.write_1h * (rates.write_1h - rates.read)
    saved = np.zeros(len(calls), dtype=np.int64)
    for cause in ("prefix_changed", "lookback", "region_workspace"):
        here = verdict.cause == CODE[cause]
        saved[here] = written[here]
    _pre_warmed(saved, calls, verdict, written)
    _switched_on(saved, calls, verdict)
    return saved


def _pre_warmed(saved: Ints, calls: Traffic, verdict: Verdict, written: Ints) -> None:
    """A pre-warming request writes in the first call's place; that call then pays a read more in all."""
    rows = np.flatnonzero(verdict.cause == CODE["concurrent_first_write"])
    saved[rows] = written[rows]
    if not len(rows):
        return
    lane = calls.lane[rows]
    order = by_lane(lane, calls.start_ms[rows])
    start, sorted_lane = calls.start_ms[rows][order], lane[order]
    burst = first_of_run(sorted_lane)
    burst[1:] |= np.diff(start) > 60_000
    first = rows[order][burst]
    saved[first] -= calls.cached[first] * calls.rates.read[first]


def _switched_on(saved: Ints, calls: Traffic, verdict: Verdict) -> None:
    """Calls without caching, had it been on and the prefix long enough: a read while warm, else a write."""
    off = verdict.cause == CODE["caching_off"]
    short = verdict.cause == CODE["below_minimum"]
    rows = np.flatnonzero((off | short) & (calls.minimum >= 0))
    if not len(rows):
        return
    warm = _warm(calls, off | short)[rows]
    rates = calls.rates.take(rows)
    now = verdict.prefix[rows] * rates.input
    padded = np.maximum(verdict.prefix[rows], calls.minimum[rows])
    then = padded * np.where(warm, rates.read, rates.write(np.where(calls.ttl_ms[rows] == 300_000, 300_000, _HOUR_MS)))
    saved[rows] = now - then
    # Switching on does not help a prefix that is below the minimum: that needs its own mend.
    needless = off[rows] & (verdict.prefix[rows] < calls.minimum[rows])
    saved[rows[needless]] = 0


def _warm(calls: Traffic, idle: Bools) -> Bools:
    """Say whether the lane's last call, cached or not, is within the lifetime that would have been in force."""
    order = by_lane(calls.lane, calls.start_ms)
    first = first_of_run(calls.lane[order])
    gap = np.where(first, -1, np.diff(calls.start_ms[order], prepend=0))
    lifetime = np.where(calls.ttl_ms[order] == 300_000, 300_000, _HOUR_MS)
    warm = np.zeros(len(calls), dtype=np.bool_)
    warm[order] = ~first & (gap <= lifetime)
    return warm & idle
