"""Text lines and records outside requests, joined many at once: as one after the other would be."""

from __future__ import annotations

from random import Random

import numpy as np
import pyarrow as pa
import pytest

from collector.lane.bare import firsts_of, hash_of
from collector.lane.pairs import Side, pairs_of

NEAR_MS = 5_000


def one_by_one(lines: list[tuple[tuple[int, ...], int]], records: list[tuple[tuple[int, ...], int]]) -> dict[int, int]:
    """Give each line the first free record of equal tokens near it."""
    taken: dict[int, int] = {}
    for line, (tokens, ms) in enumerate(lines):
        for record, (counted, at) in enumerate(records):
            if record not in taken.values() and counted == tokens and abs(at - ms) <= NEAR_MS:
                taken[line] = record
                break
    return taken


def side(told: list[tuple[tuple[int, ...], int]], hashes: int) -> Side:
    """Return lines with so many different hashes."""
    columns = [np.array([tokens[at] for tokens, _ in told], dtype=np.int64) for at in range(4)]
    hashed = np.array([hash_of(tokens) % hashes for tokens, _ in told], dtype=np.uint64)
    return Side(hashed, columns, np.array([ms for _, ms in told], dtype=np.int64))


@pytest.mark.parametrize("hashes", [1 << 64, 3])
def test_each_line_takes_the_first_free_record_near_it(hashes: int) -> None:
    """Whatever the tokens, the times and the order, and where different tokens have one hash."""
    draw = Random(7)
    for _ in range(200):
        kinds = [(draw.randrange(3), 2, draw.choice((0, 10**10)), 0) for _ in range(4)]
        lines, records = (
            [(draw.choice(kinds), draw.choice((0, 3_000, 6_000, 12_000))) for _ in range(draw.randrange(1, 12))]
            for _ in range(2)
        )

        line, record = pairs_of(side(lines, hashes), side(records, hashes), NEAR_MS)

        assert dict(zip(line.tolist(), record.tolist(), strict=True)) == one_by_one(lines, records)


def test_the_first_of_equal_ids_is_told_from_the_others() -> None:
    """A call that records tell twice is that of the first."""
    assert firsts_of(pa.array(["a", "b", "a", "c", "b"])).tolist() == [True, True, False, True, False]
    assert firsts_of(pa.array(["a", "b"])).tolist() == [True, True]
    assert firsts_of(pa.array([], pa.string())).tolist() == []
