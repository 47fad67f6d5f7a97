"""How long the prefix of each call was: counted by the API, told by a record, or worked out."""

from __future__ import annotations

import numpy as np

from core.traffic.arrays import Bools, Ints, by_lane, combined, first_of_run, previous
from core.traffic.calls import Traffic

_NOBODY = 1 << 60


def prefixes(calls: Traffic) -> tuple[Ints, Bools]:
    """Return the tokens up to the last breakpoint, and where they are measured.

    The API's own split tells them wherever anything was cached. Else the record's count does; else the size that the
    engine's prefix had when it was cached last; else the engine's smallest prompt, which its prefix cannot exceed.
    """
    cached = calls.cached
    split = cached > 0
    told = calls.told_prefix >= 0
    usual = last_known(calls.lane, calls.start_ms, cached, split)
    smallest = _smallest(combined(calls.lane, calls.version.codes), calls.prompt)
    guess = np.where(usual >= 0, usual, smallest)
    prefix = np.where(split, cached, np.where(told, calls.told_prefix, guess))
    return np.minimum(prefix, calls.prompt), split | told


def last_known(lane: Ints, start_ms: Ints, values: Ints, known: Bools) -> Ints:
    """Return, for every call, the lane's latest known value up to it, else its first one after it, else -1."""
    order = by_lane(lane, start_ms)
    first = first_of_run(lane[order])
    have = known[order]
    at = np.arange(len(order))
    row = np.where(have, at, previous(have, first))
    ends = np.append(first[1:], True) if len(order) else first
    forward = previous(have[::-1], ends[::-1])[::-1]
    forward = np.where(forward >= 0, len(order) - 1 - forward, -1)
    row = np.where(row >= 0, row, forward)
    found = np.where(row >= 0, values[order][np.maximum(row, 0)], -1) if len(order) else values
    spread = np.full(len(lane), -1, dtype=np.int64)
    spread[order] = found
    return spread


def _smallest(crew: Ints, prompt: Ints) -> Ints:
    least = np.full(int(crew.max(initial=-1)) + 1, _NOBODY, dtype=np.int64)
    np.minimum.at(least, crew, prompt)
    return least[crew]
