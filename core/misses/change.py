"""Which part of a prefix changed: told by its blocks, else by the speed asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.caching.cache_model import LOOKBACK_POSITIONS
from core.traffic import Traffic
from core.traffic.arrays import Bools, Ints, combined


def grown(calls: Traffic, previous: Ints) -> Bools:
    """Say where a call read exactly what the call before it had cached, and wrote on."""
    at = np.maximum(previous, 0)
    return (previous >= 0) & (calls.read == calls.cached[at]) & (calls.cached > calls.read)


def changed_part(calls: Traffic, previous: Ints, changed: Bools, words: Sequence[str]) -> Ints:
    """Return which word of `words` names the change: by the listed blocks, else by the speed; -1 where untold."""
    part = np.full(len(calls), -1, dtype=np.int64)
    at = np.maximum(previous, 0)
    has = changed & (previous >= 0)
    same_prefix = (calls.fingerprint.codes == calls.fingerprint.codes[at]) & (calls.fingerprint.codes >= 0)
    part[has & same_prefix & (calls.speed.codes != calls.speed.codes[at])] = words.index("speed")
    listed = has & (calls.blocks.codes >= 0) & (calls.blocks.codes[at] >= 0)
    pairs = combined(calls.blocks.codes, calls.blocks.codes[at])
    answers: dict[int, int] = {}
    for row in np.flatnonzero(listed).tolist():
        pair = int(pairs[row])
        if pair not in answers:
            now, before = (calls.blocks.values[calls.blocks.codes[one]].split() for one in (row, int(at[row])))
            word = first_difference(before, now)
            answers[pair] = words.index(word) if word in words else -1
        if answers[pair] >= 0:  # listed alike, it is the speed if anything
            part[row] = answers[pair]
    return part


def first_difference(before: Sequence[str], now: Sequence[str]) -> str | None:
    """Return the part (tools, system, messages) of the first block that differs, or "lookback"; None when alike.

    Blocks are written `part:fingerprint`. A prefix that only grew, by more than the look-back, overran it.
    """
    for old, new in zip(before, now, strict=False):
        if old != new:
            return new.partition(":")[0]
    if len(now) - len(before) >= LOOKBACK_POSITIONS:
        return "lookback"
    return now[len(before)].partition(":")[0] if len(now) > len(before) else None
