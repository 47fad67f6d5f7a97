"""Conversations without fingerprints: what the sizes of prefixes alone can tell of partial reads.

A call that read exactly what an earlier one had cached went on from it; one that read an older end of a conversation
was changed since. Of one that read no more than all conversations share, the likeliest cause is named where it is
likelier than all others together (see `weigh`); else nobody knows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.caching.cache_model import TTL_MS
from core.misses.causes import CODE
from core.misses.ends import Ends, ends_of
from core.misses.weigh import Scales, Weighed, habits
from core.traffic import Traffic
from core.traffic.arrays import Bools, Floats, Ints, by_lane

_LIKELIER = 0.5  # than all others together
_PLAIN = 0.9  # from here on a cause is said without more ado
_NAMES = ("first_touch", "prefix_changed", "after_deploy", "after_clear", "lookback", "concurrent_first_write",
          "expired_5m", "expired_1h", "unknown")  # fmt: skip
_NEW, _CHANGED, _DEPLOYED, _CLEARED, _OVERRAN, _BESIDE, _EXPIRED_5M, _EXPIRED_1H, _UNKNOWN = range(len(_NAMES))
_CODES = np.array([CODE[name] for name in _NAMES])
EVIDENCE = ("size", "gap", "response_not_begun", "likeliest", "nothing")
_SIZE, _GAP, _NOT_BEGUN, _LIKELIEST, _NOTHING = range(len(EVIDENCE))
_TOLD_BY = np.array([_SIZE, _SIZE, _SIZE, _SIZE, _SIZE, _NOT_BEGUN, _GAP, _GAP, _NOTHING])


@dataclass(frozen=True, slots=True)
class Sized:
    """What sizes explain: rows of calls, their causes as `CODE` has them, and places in EVIDENCE."""

    row: Ints
    cause: Ints
    evidence: Ints


def of_sizes(calls: Traffic, part: Bools, whole: Bools, own_ttl: Ints) -> Sized:
    """Judge the partial reads marked, lane by lane; and the `whole` rewrites of lanes that have such.

    Of a rewrite it is known that something all conversations share was changed; but most of one may have been dead.
    """
    lanes = np.unique(calls.lane[part])
    nothing = np.zeros(0, dtype=np.int64)
    found = [Sized(nothing, nothing, nothing)]
    if len(lanes):
        rows = np.flatnonzero(np.isin(calls.lane, lanes) & (calls.cached > 0))
        rows = rows[by_lane(calls.lane[rows], calls.start_ms[rows])]
        bounds = np.flatnonzero(np.diff(calls.lane[rows])) + 1
        found += [_of_lane(calls, here, part[here], whole[here], own_ttl[here]) for here in np.split(rows, bounds)]
    return Sized(*(np.concatenate([getattr(one, name) for one in found]) for name in ("row", "cause", "evidence")))


def _of_lane(calls: Traffic, rows: Ints, part: Bools, whole: Bools, ttl_ms: Ints) -> Sized:
    read, cached, start_ms = calls.read[rows], calls.cached[rows], calls.start_ms[rows]
    ends = ends_of(read, cached, start_ms, calls.begin_ms[rows])
    changed = _gone_on_otherwise(ends)
    sheet = _Sheet(np.full(len(rows), _UNKNOWN), np.zeros(len(rows)), ttl_ms)
    left_behind = np.zeros(len(rows))
    usual = habits(ends, read, cached, start_ms, ttl_ms)
    if usual is not None:
        claimed = np.zeros(len(rows), dtype=np.bool_)
        claimed[changed[changed >= 0]] = True
        asked = np.flatnonzero((cached > read) & (ends.origin < 0) & (ends.twin < 0))  # those not judged claim as well
        version, fetched = calls.version.codes[rows], calls.fetched[rows]
        for places, weighed in Scales(ends, usual, cached, start_ms, ttl_ms, claimed).weigh(asked):
            sheet.put(places, weighed, version, fetched)
            np.add.at(left_behind, weighed.end.ravel(), weighed.share.ravel())
    sheet.went_on(ends, changed, left_behind, start_ms)
    cause = np.where(sheet.share >= _LIKELIER, sheet.cause, _UNKNOWN)
    expired = (cause == _EXPIRED_5M) | (cause == _EXPIRED_1H)
    at = np.flatnonzero(part | (whole & expired))
    vague = (sheet.share < _PLAIN) & (cause != _UNKNOWN)
    return Sized(rows[at], _CODES[cause[at]], np.where(vague, _LIKELIEST, _TOLD_BY[cause])[at])


def _gone_on_otherwise(ends: Ends) -> Ints:
    """Return for every call that read an end others had gone on from that conversation's latest call, else -1."""
    places = np.arange(len(ends.origin))
    older = (ends.origin >= 0) & (ends.twin < 0) & (ends.heir[np.maximum(ends.origin, 0)] != places)
    latest = np.full(len(places), -1)
    latest[older] = ends.latest(ends.origin[older], places[older])
    return latest


@dataclass(slots=True)
class _Sheet:
    """Per call of a lane: the likeliest cause as a place in _NAMES, and its share of all that is likely."""

    cause: Ints
    share: Floats
    ttl_ms: Ints

    def put(self, places: Ints, weighed: Weighed, version: Ints, fetched: Bools) -> None:
        """Add up what the ends weighed say, and keep the likeliest."""
        share, end = weighed.share, weighed.end
        overran = np.where(weighed.warm, share * weighed.overran, 0)
        changed = np.where(weighed.expired, 0, share - overran)
        # What all share was changed: by a deploy or a clear, if there was one between.
        shared = ~weighed.expired & ~weighed.warm
        now = version[places][:, None]
        deployed = shared & (now >= 0) & (version[end] >= 0) & (version[end] != now)
        cleared = shared & ~deployed & fetched[places][:, None]
        short = self.ttl_ms[end] == TTL_MS["5m"]
        shares = np.zeros((len(places), len(_NAMES)))
        shares[:, _NEW] = weighed.new
        shares[:, _OVERRAN] = overran.sum(axis=1)
        shares[:, _CHANGED] = np.where(deployed | cleared, 0, changed).sum(axis=1)
        shares[:, _DEPLOYED] = np.where(deployed, changed, 0).sum(axis=1)
        shares[:, _CLEARED] = np.where(cleared, changed, 0).sum(axis=1)
        shares[:, _EXPIRED_5M] = np.where(weighed.expired & short, share, 0).sum(axis=1)
        shares[:, _EXPIRED_1H] = np.where(weighed.expired & ~short, share, 0).sum(axis=1)
        self.cause[places] = np.argmax(shares, axis=1)
        self.share[places] = np.max(shares, axis=1)

    def went_on(self, ends: Ends, changed: Ints, left_behind: Floats, start_ms: Ints) -> None:
        """Judge the calls that read what an earlier one had left: theirs are the stronger reasons."""
        at, latest = np.maximum(ends.origin, 0), np.maximum(changed, 0)
        self._all(ends.origin >= 0, _NEW)
        self._all((ends.origin >= 0) & (ends.epoch[at] != ends.epoch) & (left_behind[at] > _LIKELIER), _CHANGED)
        self._all(changed >= 0, _CHANGED)
        lives_ms = self.ttl_ms[latest]
        dead = (changed >= 0) & (lives_ms > 0) & (start_ms - start_ms[latest] > lives_ms)
        self._all(dead & (lives_ms == TTL_MS["5m"]), _EXPIRED_5M)
        self._all(dead & (lives_ms != TTL_MS["5m"]), _EXPIRED_1H)
        self._all(ends.twin >= 0, _BESIDE)

    def _all(self, where: Bools, cause: int) -> None:
        self.cause[where] = cause
        self.share[where] = 1.0
