"""Judges what a call's kin explains: conversations whose part changed, and engines that switch model or speed.

These verdicts come last, for they know more than the lanes do: which earlier call this one went on from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.caching.cache_model import LOOKBACK_POSITIONS
from core.misses.causes import expiry
from core.misses.lanes import Lanes
from core.misses.talks import Kinship, conversations, side_by_side
from core.traffic import Traffic
from core.traffic.arrays import Bools, Ints, combined

UNDER_WAY_MS = 1_000  # by so much may two requests have arrived further apart than they were sent
_NEAR_MS = 50  # as near to a limit as a told start is rounded, nothing is measured


@dataclass(frozen=True, slots=True)
class Found:
    """A better reason for one call."""

    row: int
    cause: str
    evidence: str
    part: str | None = None
    sure: bool = True


def of_talks(calls: Traffic, house: Ints, wrote: Bools, own_ttl: Ints) -> list[Found]:
    """Judge every conversational call that wrote by the nearest earlier call of its conversation."""
    found = [
        _of_talk(calls, own_ttl, kinship)
        for kinship in conversations(calls, house, wrote | (calls.read > 0))
        if wrote[kinship.row] and kinship.kin >= 0
    ]
    return [one for one in found if one is not None]


def _of_talk(calls: Traffic, own_ttl: Ints, kinship: Kinship) -> Found | None:
    row, kin = kinship.row, kinship.kin
    gap_ms, ttl_ms = int(calls.start_ms[row] - calls.start_ms[kin]), int(own_ttl[kin] or own_ttl[row])
    sure = bool(calls.start_known[row]) and abs(gap_ms - ttl_ms) > _NEAR_MS
    scope = _scope(calls, row, kin)
    if gap_ms > ttl_ms:
        if not kinship.shared or not ttl_ms:
            return None  # the lanes know when the engine's common part was used last
        return Found(row, expiry(ttl_ms), "gap", sure=sure)
    if not kinship.shared:
        return _of_new_talk(calls, kinship, scope, sure=sure)
    if scope == "place":
        return Found(row, "region_workspace", "other_cache", sure=sure)
    if scope is not None:
        return Found(row, "prefix_changed", "other_cache", scope, sure=sure)
    if kinship.differs is not None:
        return _changed(calls, kinship, sure=sure)
    if calls.start_ms[row] < calls.begin_ms[kin]:
        told = sure and bool(calls.begin_ms[row] > calls.start_ms[row])
        return Found(row, "concurrent_first_write", "response_not_begun", sure=told)
    if kinship.added >= LOOKBACK_POSITIONS:
        return Found(row, "lookback", "fingerprint", sure=sure)
    if calls.read[row] == calls.cached[kin]:
        return Found(row, "first_touch", "size", sure=sure)
    if calls.read[row] == 0 and calls.cached[kin] > 0 and ttl_ms - gap_ms >= UNDER_WAY_MS:
        return Found(row, "unknown", "nothing")  # nothing changed and all was within reach: evicted early, perhaps
    return None


def _of_new_talk(calls: Traffic, kinship: Kinship, scope: str | None, *, sure: bool) -> Found | None:
    """Judge a conversation's first call, held against the engine's last: only tools and system can have changed.

    One that read nothing although tools and system are the same had no breakpoint there: that its messages begin
    with something new every time is then the fault, and the lanes name it.
    """
    fresh = bool(calls.read[kinship.row] == 0)
    if kinship.differs in ("tools", "system") and scope is None:
        return _changed(calls, kinship, sure=sure)
    if fresh:
        turned = scope in ("model", "speed")
        return Found(kinship.row, "prefix_changed", "other_cache", scope, sure=sure) if turned else None
    return Found(kinship.row, "first_touch", "fingerprint", sure=sure)


def _changed(calls: Traffic, kinship: Kinship, *, sure: bool) -> Found:
    row, version = kinship.row, calls.version.codes
    if kinship.differs != "messages":
        if version[row] >= 0 and version[kinship.kin] >= 0 and version[row] != version[kinship.kin]:
            return Found(row, "after_deploy", "version", kinship.differs, sure=sure)
        if calls.fetched[row]:
            return Found(row, "after_clear", "fetch", kinship.differs, sure=False)
    return Found(row, "prefix_changed", "fingerprint", kinship.differs, sure=sure)


def _scope(calls: Traffic, row: int, before: int) -> str | None:
    """Name what keeps the entries of two calls apart."""
    for name in ("place", "model", "speed"):
        codes = getattr(calls, name).codes
        if codes[row] != codes[before]:
            return name
    return None


def of_switches(calls: Traffic, house: Ints, wrote: Bools, anywhere: Lanes) -> list[Found]:
    """Judge writes of the very prefix that the engine's last call used a moment ago, under another model or speed."""
    scope = combined(calls.model.codes, calls.speed.codes)
    if len(np.unique(scope)) < 2:
        return []
    at = np.maximum(anywhere.previous, 0)
    same = (calls.fingerprint.codes >= 0) & (calls.fingerprint.codes == calls.fingerprint.codes[at])
    turned = (scope != scope[at]) & (calls.place.codes == calls.place.codes[at])
    warm = (anywhere.previous >= 0) & (anywhere.gap_ms <= anywhere.ttl_ms) & (calls.start_ms >= calls.begin_ms[at])
    sure = calls.start_known & (anywhere.ttl_ms - anywhere.gap_ms > _NEAR_MS)
    rows = np.flatnonzero(wrote & same & turned & warm & ~side_by_side(house, scope))
    return [
        Found(row, "prefix_changed", "other_cache", _scope(calls, row, int(at[row])), sure=bool(sure[row]))
        for row in rows.tolist()
    ]
