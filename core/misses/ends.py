"""The ends of conversations, as the sizes of prefixes tell them: who went on from where, and what all had in common.

Every call leaves an end behind: the size of what it had cached. A later call that reads exactly that size went on
from it. A size that is read though no call left it is an inner breakpoint, the head that conversations share. While a
head stands and nothing is written from the first token on, one epoch lasts. All of it is arithmetic on sorted arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.traffic.arrays import Bools, Ints

_HUB = 4  # an end from which so many calls went on is no conversation's, but common to all


@dataclass(frozen=True, slots=True)
class Ends:
    """One lane's calls in the order of their starts; every number is a place in that order, -1 = none."""

    origin: Ints  # the latest earlier call whose end was read
    heir: Ints  # the first later call that read this end
    twin: Ints  # the earlier call of the same size that read the same: written side by side if that had not begun
    chain: Ints  # first call of the conversation, as far as exact reads connect it
    epoch: Ints
    head: Ints  # tokens before the conversation
    guessed: Bools  # nobody read the head in this epoch: it is taken from the one before

    def latest(self, call: Ints, before: Ints) -> Ints:
        """Return the last call of the conversation of `call` that began before `before`."""
        size = len(self.chain)
        keys = self.chain * size + np.arange(size)
        order = np.argsort(keys, kind="stable")
        return order[np.searchsorted(keys[order], self.chain[call] * size + before) - 1]


def ends_of(read: Ints, cached: Ints, start_ms: Ints, begin_ms: Ints) -> Ends:
    """Connect the calls of one lane."""
    origin, heir = _connected(read, cached)
    twin = _twins(read, cached)
    twin[(twin >= 0) & (start_ms >= begin_ms[np.maximum(twin, 0)])] = -1
    places = np.arange(len(read))
    goes_on = (origin >= 0) & (heir[np.maximum(origin, 0)] == places)
    parent = np.where(twin >= 0, twin, np.where(goes_on, origin, places))
    common = (origin < 0) | _hubs(read, cached, origin)
    epoch, head, guessed = _epochs(read, common & (read > 0))
    origin = np.where(common, -1, origin)
    return Ends(origin, heir, twin, _roots(parent), epoch, head, guessed)


def _connected(read: Ints, cached: Ints) -> tuple[Ints, Ints]:
    """Return for every call the latest earlier end it read, and for every end the first later call that read it.

    An end that a later call of the same size left anew is that call's.
    """
    size = len(read)
    places = np.arange(size)
    value = np.concatenate([read, cached])
    moment = np.concatenate([2 * places, 2 * places + 1])  # a call reads before it leaves its own end
    order = np.lexsort((moment, value))
    value, call, leaves = value[order], (moment // 2)[order], (moment % 2 == 1)[order]
    at = np.arange(2 * size)
    left = np.maximum.accumulate(np.where(leaves, at, -1))
    source = np.where((left >= 0) & (value[np.maximum(left, 0)] == value), call[np.maximum(left, 0)], -1)
    origin, heir = np.full(size, -1), np.full(size, -1)
    origin[call[~leaves]] = source[~leaves]
    origin[read == 0] = -1
    following = np.append(call[1:], -1)
    reads_it = leaves & np.append(~leaves[1:] & (value[1:] == value[:-1]), False)
    heir[call[reads_it]] = following[reads_it]
    return origin, heir


def _twins(read: Ints, cached: Ints) -> Ints:
    """Return for every call that wrote the latest earlier one that read and wrote just as much."""
    order = np.lexsort((np.arange(len(read)), read, cached))
    alike = (np.diff(read[order]) == 0) & (np.diff(cached[order]) == 0) & (cached > read)[order][1:]
    twin = np.full(len(read), -1)
    twin[order[1:][alike]] = order[:-1][alike]
    return twin


def _hubs(read: Ints, cached: Ints, origin: Ints) -> Bools:
    """Say which calls went on from an end that many did."""
    grew = (origin >= 0) & (cached > read)
    return (origin >= 0) & (np.bincount(origin[grew], minlength=len(read))[np.maximum(origin, 0)] >= _HUB)


def _roots(parent: Ints) -> Ints:
    """Follow every call to the first of its conversation: each step doubles the distance."""
    while True:
        further = parent[parent]
        if np.array_equal(further, parent):
            return parent
        parent = further


def _epochs(read: Ints, shared: Bools) -> tuple[Ints, Ints, Bools]:
    """Number the epochs, and give each its head: the one read in it, else the last one known, else the first."""
    marks = np.flatnonzero(shared | (read == 0))
    breaks = np.zeros(len(read), dtype=np.int64)
    if len(marks):
        value = read[marks]
        before = np.concatenate(([0], value[:-1]))
        breaks[marks[(value == 0) | ((before > 0) & (value != before))]] = 1
    epoch = np.cumsum(breaks)
    heads = np.zeros(int(epoch[-1]) + 1, dtype=np.int64)
    heads[epoch[shared]] = read[shared]
    known = heads > 0
    latest = np.maximum.accumulate(np.where(known, np.arange(len(heads)), -1))
    first = int(np.argmax(known))  # 0 where no head is known: then it is 0 as well
    heads = heads[np.where(latest >= 0, latest, first)]
    return epoch, heads[epoch], ~known[epoch]
