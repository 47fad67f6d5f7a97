"""Replays arrivals under one policy by arithmetic on gaps: exactly what core.caching.cache_model would answer.

Arrays are sorted by lane (the calls that share one prefix) and then by start. An entry lives from each use for its
lifetime; it can be read once the answer of the call that wrote it has begun; of calls that start before that, each
writes. So a lane falls into sessions wherever a gap is longer than the lifetime, and within a session exactly the
calls that start before the earliest answer write. Holds while no answer takes longer to begin than a lifetime.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.traffic.arrays import Bools, Ints, first_of_run, run_minimum

PING_MS = 240_000  # a keep-alive is sent four minutes after the last use, a minute before the entry would die
SHORT_MS, LONG_MS = 300_000, 3_600_000
_FAR = 1 << 31


@dataclass(frozen=True, slots=True)
class Replayed:
    """What each call did with its prefix: read it, or write it (first, after expiry, or beside another)."""

    read: Bools
    beside: Bools  # wrote only because another call was still writing
    pings: Ints | None = None  # keep-alives sent between this call and the next of its lane


@dataclass(frozen=True, slots=True)
class Sorted:
    """Arrivals in the order of lane and start, with what every policy needs of them."""

    opens: Bools  # first of its lane
    start_ms: Ints
    begin_ms: Ints
    gap_ms: Ints  # since the lane's last call; 0 where it opens

    @classmethod
    def of(cls, lane: Ints, start_ms: Ints, begin_ms: Ints) -> Sorted:
        """Take sorted columns."""
        opens = first_of_run(lane)
        gap = np.diff(start_ms, prepend=start_ms[:1])
        gap[opens] = 0
        return cls(opens, start_ms, begin_ms, gap)


def replay(calls: Sorted, ttl_ms: int) -> Replayed:
    """Replay one lifetime for all."""
    return _sessions(calls, calls.opens | (calls.gap_ms > ttl_ms))


def replay_mixed(calls: Sorted, ttl_ms: Ints) -> Replayed:
    """Replay the lifetime that each call asked for. Lanes that kept to one are reckoned at once."""
    done = _sessions(calls, calls.opens | (calls.gap_ms > ttl_ms))
    changes = ~calls.opens & (ttl_ms != np.concatenate((ttl_ms[:1], ttl_ms[:-1])))
    if changes.any():
        starts = np.flatnonzero(calls.opens)
        ends = np.append(starts[1:], len(calls.opens))
        for at in np.unique(np.searchsorted(starts, np.flatnonzero(changes), side="right") - 1).tolist():
            _one_by_one(calls, ttl_ms, range(int(starts[at]), int(ends[at])), done)
    return done


def replay_kept_alive(calls: Sorted, most_pings: Ints, *, end_ms: int) -> Replayed:
    """Replay 5m entries kept alive by up to `most_pings` requests with max_tokens=0 after each call.

    Pings are sent while nothing else comes, at every fourth minute since the last call, and stop for good at the
    limit; after a lane's last call they go on until `end_ms`.
    """
    following = np.empty_like(calls.gap_ms)
    following[:-1] = calls.gap_ms[1:]
    closes = np.append(calls.opens[1:], True)[: len(calls.opens)]
    left = np.where(closes, np.maximum(end_ms - calls.start_ms, 0), following) if len(closes) else following
    pings = np.minimum(np.maximum(-(-left // PING_MS) - 1, 0), most_pings)
    sent = np.concatenate(([0], pings[:-1]))[: len(pings)]
    age = calls.gap_ms - sent * PING_MS
    done = _sessions(calls, calls.opens | (age > SHORT_MS))
    return Replayed(done.read, done.beside, pings)


def stop_rule(read: Ints, write: Ints) -> Ints:
    """Return how many keep-alives cost as much as the write they would save: pinging longer loses for certain."""
    return np.maximum(write - read, 0) // np.maximum(read, 1)


def _sessions(calls: Sorted, leads: Bools) -> Replayed:
    if bool(np.any(calls.begin_ms <= calls.start_ms)):
        beside = ~leads & (calls.start_ms < _readable_before(calls, leads))
    else:  # whoever answers after it started cannot be the one that its own start waits for
        beside = ~leads & (calls.start_ms < run_minimum(calls.begin_ms, leads))
    return Replayed(~leads & ~beside, beside)


def _readable_before(calls: Sorted, leads: Bools) -> Ints:
    """Return the earliest answer of the calls before each one in its session.

    One running minimum for all sessions: each is shifted below the one before it, so that it begins anew.
    """
    session = np.cumsum(leads, dtype=np.int64)
    began = calls.start_ms[np.flatnonzero(leads)][session - 1] if len(session) else session
    shift = session << 32
    running = np.minimum.accumulate(np.minimum(calls.begin_ms - began, _FAR) - shift) if len(session) else session
    before = np.concatenate((running[:1], running[:-1]))
    return before + shift + began


def _one_by_one(calls: Sorted, ttl_ms: Ints, rows: range, done: Replayed) -> None:
    """Walk a lane whose lifetime changed: the entry keeps the one it was written with."""
    used, readable, ttl = 0, 0, -1
    for row in rows:
        start, begin, own = int(calls.start_ms[row]), int(calls.begin_ms[row]), int(ttl_ms[row])
        done.read[row] = done.beside[row] = False
        if ttl < 0 or start > used + ttl:
            used, readable, ttl = start, begin, own
        elif readable > start:
            done.beside[row] = True
            used, readable, ttl = start, min(readable, begin), max(ttl, own)
        else:
            done.read[row] = True
            used = start
