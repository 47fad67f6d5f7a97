"""Which conversation a call went on from that read no more than all of them share: each is weighed, none is sure.

A weight is how usual such a growth is, times how usual it is to return to a conversation after so many calls, times
how likely its entry was not read: surely, when it had died or what all share had changed; else only by an edit or an
overrun look-back. How conversations grow and how calls return to them is learned from the calls that read exactly
what an earlier one left. From one end only one call can have gone on: what one claims, the others give up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from core.caching.cache_model import LOOKBACK_POSITIONS
from core.misses.ends import Ends
from core.traffic.arrays import Bools, Floats, Ints

_FORGET_MS = 3 * 3_600_000
_WINDOW = 32  # ends that are weighed for a call, the latest
_CHUNK = 2_048  # calls weighed at once
_ROUNDS = 8
_EDITED, _OVERRAN, _NEW = 0.05, 0.05, 0.04  # of a hundred calls, when nothing is known of it
_SELDOM = 0.1  # of ends that a known edit went on from: another can only have done so before
_ASTRAY = 1e-6  # likelihood of whatever nobody thought of
_TURNS = LOOKBACK_POSITIONS / 2  # an answer and the next question are two blocks
_BUCKETS = 24


@dataclass(frozen=True, slots=True)
class Habits:
    """What the calls that went on exactly tell of a lane."""

    step: float  # tokens a turn usually adds
    spread: float  # its standard deviation, in steps
    still: float  # share of calls that added nothing
    returns: Floats  # chance that the next call goes on from an end, by its age in calls, in powers of two


@dataclass(frozen=True, slots=True)
class Weighed:
    """Per call asked about: the ends it may have gone on from, and how likely that is."""

    end: Ints  # calls × ends
    share: Floats  # calls × ends; the rest is a new conversation, or astray
    new: Floats
    expired: Bools
    warm: Bools  # its entry was there to be read
    overran: Floats  # share of the weight that a look-back overrun would have


def habits(ends: Ends, read: Ints, cached: Ints, start_ms: Ints, ttl_ms: Ints) -> Habits | None:
    """Learn how conversations grow and when they are returned to; None: no call went on from another."""
    size = len(read)
    places = np.arange(size)
    went_on = (ends.origin >= 0) & (ends.heir[np.maximum(ends.origin, 0)] == places)
    grown = (cached - read)[went_on]
    steps = grown[grown > 0]
    if not len(steps):
        return None
    step = float(np.median(steps))
    spread = max(float(np.std(np.minimum(steps, 3 * step))) / step, 0.15)
    still = (len(grown) - len(steps) + 1) / (len(grown) + 2)
    lives = np.where(ttl_ms > 0, np.searchsorted(start_ms, start_ms + ttl_ms, side="right"), size)
    until = np.minimum(np.where(ends.heir >= 0, ends.heir, size), lives) - places
    return Habits(step, spread, still, _returns((places - ends.origin)[went_on], until))


def _returns(lags: Ints, until: Ints) -> Floats:
    """Return the chance of a return per call, for ends of every age while they could be read."""
    seen = np.bincount(_bucket(lags), minlength=_BUCKETS)
    found = np.zeros(_BUCKETS)
    before = 0.5
    for bucket in range(_BUCKETS):
        low, high = 1 << bucket, 2 << bucket
        at_risk = float(np.clip(np.minimum(until + 1, high) - low, 0, None).sum())
        before = found[bucket] = (float(seen[bucket]) + 3 * before) / (at_risk + 3 / 0.7)
    return found


def _bucket(lags: Ints) -> Ints:
    return np.minimum(np.log2(np.maximum(lags, 1)).astype(np.int64), _BUCKETS - 1)


@dataclass(frozen=True, slots=True)
class Scales:
    """One lane's columns, as they are weighed."""

    ends: Ends
    habits: Habits
    cached: Ints
    start_ms: Ints
    ttl_ms: Ints
    claimed: Bools  # ends that a call is known to have gone on from, after an edit

    def weigh(self, asked: Ints) -> Iterator[tuple[Ints, Weighed]]:
        """Weigh the calls at these places, some thousands at a time."""
        loose = self._loose()
        for part in np.split(asked, range(_CHUNK, len(asked), _CHUNK)) if len(asked) and len(loose) else ():
            yield part, self._weigh(part, loose)

    def _loose(self) -> Ints:
        """Return the ends nobody went on from while their epoch lasted, nor wrote beside."""
        ends = self.ends
        heir = np.maximum(ends.heir, 0)
        free = (ends.heir < 0) | (ends.epoch[heir] != ends.epoch)
        free[ends.twin[ends.twin >= 0]] = False
        return np.flatnonzero(free)

    def _weigh(self, asked: Ints, loose: Ints) -> Weighed:
        ends, habits = self.ends, self.habits
        back = np.searchsorted(loose, asked)[:, None] - 1 - np.arange(min(_WINDOW, len(loose)))
        slot = np.maximum(back, 0)
        end = loose[slot]
        call = asked[:, None]
        there = (back >= 0) & ((ends.heir[end] < 0) | (ends.heir[end] > call))
        gap_ms = self.start_ms[call] - self.start_ms[end]
        own = self.cached[asked] - ends.head[asked]
        grown = (own[:, None] - self.cached[end] + ends.head[end]) / habits.step
        expired = (self.ttl_ms[end] > 0) & (gap_ms > self.ttl_ms[end])
        warm = ~expired & (ends.epoch[end] == ends.epoch[call])
        vague = ends.guessed[call] | ends.guessed[end]
        usual, edit, overran = _densities(grown, habits, vague)
        plain = np.where(warm, edit * _EDITED, usual * (1 - _EDITED - _OVERRAN) + edit * _EDITED)
        prior = habits.returns[_bucket(call - end)] * (there & (gap_ms <= _FORGET_MS))
        prior = prior * np.where(self.claimed[end], _SELDOM, 1)
        wide = 1.5 * habits.spread
        opens = own / habits.step
        new = np.where(opens > 0, _NEW * _bell(opens - 1, wide), 0)
        share, scale = _settled(prior * (plain + overran * _OVERRAN), new + _ASTRAY, slot - int(slot.min()))
        with np.errstate(invalid="ignore"):
            part = np.nan_to_num(overran * _OVERRAN / (plain + overran * _OVERRAN))
        return Weighed(end, share, new * scale, expired, warm, part)


def _densities(grown: Floats, habits: Habits, vague: Bools) -> tuple[Floats, Floats, Floats]:
    """Return how likely a growth, in turns, is of a usual turn, of an edit, and of an overrun look-back."""
    spread = habits.spread * np.where(vague, 2, 1)
    usual = habits.still * _bell(grown, np.where(vague, 0.15, 0.02)) + (1 - habits.still) * _bell(grown - 1, spread)
    beyond = grown / _TURNS - 1
    overran = np.exp(-np.maximum(beyond, 0) / 0.25 - np.maximum(-beyond, 0) / 0.05) * (beyond > -0.15)
    return usual, _bell(grown, spread), overran / (0.3 * _TURNS)


def _bell(distance: Floats, spread: Floats | float) -> Floats:
    return np.exp(-0.5 * (distance / spread) ** 2) / (spread * np.sqrt(2 * np.pi))


def _settled(weight: Floats, apart: Floats, slot: Ints) -> tuple[Floats, Floats]:
    """Return the shares: of every call they sum to one, with what is apart, and of every end to one at most."""
    price = np.ones(int(slot.max()) + 1)
    for _ in range(_ROUNDS):
        scale = 1 / ((weight * price[slot]).sum(axis=1) + apart)
        claimed = np.bincount(slot.ravel(), (weight * scale[:, None]).ravel(), minlength=len(price))
        price = 1 / np.maximum(claimed, 1)
    scale = 1 / ((weight * price[slot]).sum(axis=1) + apart)
    return weight * price[slot] * scale[:, None], scale
