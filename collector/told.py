"""What this process has committed lately, so that re-reading an overlap every few seconds costs no table work."""

from __future__ import annotations

import pyarrow as pa

from collector.rank import JOINED
from core.store.schema import KEYS

_LIMIT = 200_000


class Told:
    """Keys of rows committed by this process with their ranks; the oldest are forgotten."""

    def __init__(self) -> None:
        self._ranks: dict[tuple[str, str], int] = {}
        self._duplicates = 0

    def new(self, table: str, rows: pa.Table) -> pa.Table:
        """Return the rows that say more than what was committed, and count the others."""
        if not self._ranks or not rows.num_rows:
            return rows
        keys, ranks = rows[KEYS[table]].to_pylist(), rows["row_rank"].to_pylist()
        wanted = [self._ranks.get((table, key), -1) < rank for key, rank in zip(keys, ranks, strict=True)]
        kept = sum(wanted)
        if kept == rows.num_rows:
            return rows
        self._duplicates += rows.num_rows - kept
        return rows.filter(pa.array(wanted))

    def committed(self, table: str, rows: pa.Table) -> None:
        """Remember rows that are stored now."""
        if not rows.num_rows:
            return
        keys, ranks = rows[KEYS[table]].to_pylist(), rows["row_rank"].to_pylist()
        for key, rank in zip(keys, ranks, strict=True):
            self._ranks[table, key] = max(rank % JOINED, self._ranks.get((table, key), -1))
        while len(self._ranks) > _LIMIT:
            del self._ranks[next(iter(self._ranks))]

    def take_duplicates(self) -> int:
        """Return how many rows were told again since the last question."""
        count, self._duplicates = self._duplicates, 0
        return count
