"""Which text line goes with which record, among lines outside any request: many at once.

Each line takes the first record in order that tells the same tokens, is near it and is still free, as drafts.py has it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collector.lane.requests import Bools, Ints
from core.store.hashes import Hashes


class Side:
    """Text lines or records in order: what they counted, a hash of that, and when they were logged."""

    def __init__(self, hashes: Hashes, counts: Sequence[Ints], ms: Ints) -> None:
        self.counts, self.ms = counts, ms
        self.order = np.argsort(hashes, kind="stable")
        self.hashes, self.first, self.size = np.unique(hashes[self.order], return_index=True, return_counts=True)

    def members(self, at: int) -> list[int]:
        """Return those of one hash, in order."""
        told: list[int] = self.order[self.first[at] : self.first[at] + self.size[at]].tolist()
        return told

    def tokens(self, number: int) -> tuple[int, ...]:
        """Return what one counted."""
        return tuple(int(column[number]) for column in self.counts)


def pairs_of(lines: Side, records: Side, within_ms: int) -> tuple[Ints, Ints]:
    """Return text lines and the record of each."""
    _, ours, theirs = np.intersect1d(lines.hashes, records.hashes, assume_unique=True, return_indices=True)
    few = np.minimum(lines.size[ours], records.size[theirs])
    step = np.arange(int(few.sum())) - np.repeat(np.cumsum(few) - few, few)
    line = lines.order[np.repeat(lines.first[ours], few) + step]
    record = records.order[np.repeat(records.first[theirs], few) + step]
    fits: Bools = np.abs(lines.ms[line] - records.ms[record]) <= within_ms
    for mine, other in zip(lines.counts, records.counts, strict=True):
        fits &= mine[line] == other[record]
    if fits.all():  # the first goes with the first, the second with the second: none would have found another
        return line, record
    of_kind = np.repeat(np.arange(len(few)), few)
    odd = np.unique(of_kind[~fits])
    kept = ~np.isin(of_kind, odd)
    told = [
        pair for at in odd.tolist() for pair in _one_by_one(lines, records, int(ours[at]), int(theirs[at]), within_ms)
    ]
    more = np.array(told, dtype=np.int64).reshape(-1, 2)
    return np.concatenate([line[kept], more[:, 0]]), np.concatenate([record[kept], more[:, 1]])


def _one_by_one(lines: Side, records: Side, ours: int, theirs: int, within_ms: int) -> list[tuple[int, int]]:
    free: dict[tuple[int, ...], list[int]] = {}
    for number in records.members(theirs):
        free.setdefault(records.tokens(number), []).append(number)
    told = []
    for number in lines.members(ours):
        same = free.get(lines.tokens(number), [])
        for place, record in enumerate(same):
            if abs(int(lines.ms[number]) - int(records.ms[record])) <= within_ms:
                told.append((number, same.pop(place)))
                break
    return told
