"""Runs of life in the Claude cache: which calls found their prefix warm, cold, or just being written.

A lane is a set of calls that share one entry. Sorted by start, a lane falls into sessions: a session begins with a
call that writes after the entry had expired (or first of all) and lasts while uses follow within the lifetime.
Everything is array arithmetic; the rules are those of core.caching.cache_model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.traffic.arrays import Bools, Ints, by_lane, first_of_run, previous, run_minimum


@dataclass(frozen=True, slots=True)
class Lanes:
    """What each call found, in the order given. Only calls that used the cache (`touched`) are in lanes."""

    first: Bools  # no earlier use of this lane is known
    expired: Bools  # earlier use, longer ago than the entry's lifetime, and nothing was read
    concurrent: Bools  # the entry was being written
    previous: Ints  # row of the lane's last use before, -1
    following: Ints  # row of the lane's next use, -1
    gap_ms: Ints  # since that last use, -1
    ttl_ms: Ints  # lifetime of the entry that was or would have been there


def lanes(
    lane: Ints,
    *,
    start_ms: Ints,
    begin_ms: Ints,
    wrote: Bools,
    read: Bools,
    own_ttl_ms: Ints,
    touched: Bools,
    whole: bool = False,
) -> Lanes:
    """Find the sessions of every lane from what was observed: a read proves that the entry was there.

    `whole` says that a lane is one exact prefix: then a read of its beginning alone does not prove that.
    """
    rows = np.flatnonzero(touched)
    rows = rows[by_lane(lane[rows], start_ms[rows])]
    opens = first_of_run(lane[rows])
    start, begin, has_read, has_written = start_ms[rows], begin_ms[rows], read[rows], wrote[rows]
    gap = np.where(opens, -1, start - np.concatenate(([0], start[:-1])))
    ttl = _entry_ttl(own_ttl_ms[rows], has_written, opens)
    cold = has_written & (whole | ~has_read)
    expired = cold & ~opens & (gap > ttl) & (ttl > 0)
    leads = opens | expired
    readable = run_minimum(np.where(has_written, begin, start), leads)
    concurrent = has_written & ~leads & (start < readable)
    at = np.arange(len(rows))
    before = np.where(opens, -1, rows[np.maximum(at - 1, 0)]) if len(rows) else rows
    closes = np.append(opens[1:], True) if len(rows) else opens
    after = np.where(closes, -1, rows[np.minimum(at + 1, len(rows) - 1)]) if len(rows) else rows
    return Lanes(
        first=_spread(rows, opens, len(lane), fill=False),
        expired=_spread(rows, expired, len(lane), fill=False),
        concurrent=_spread(rows, concurrent, len(lane), fill=False),
        previous=_spread(rows, before, len(lane), fill=-1),
        following=_spread(rows, after, len(lane), fill=-1),
        gap_ms=_spread(rows, gap, len(lane), fill=-1),
        ttl_ms=_spread(rows, ttl, len(lane), fill=0),
    )


def _entry_ttl(own: Ints, wrote: Bools, opens: Bools) -> Ints:
    """Return the lifetime the entry was written with: that of the lane's last write before, else the call's own."""
    writer = previous(wrote & (own > 0), opens)
    return np.where(writer >= 0, own[np.maximum(writer, 0)], own)


def _spread(rows: Ints, values: np.ndarray, size: int, *, fill: int | bool) -> np.ndarray:
    whole = np.full(size, fill, dtype=values.dtype)
    whole[rows] = values
    return whole
