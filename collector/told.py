"""What this process has committed lately, so that re-reading an overlap every few seconds costs no table work.

Kept as Arrow columns: a Python string per row, made while a batch is in memory and held beyond it, would keep the
batch's memory from being given back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collector.rank import JOINED
from core.store.hashes import Hashes, any_within, sorted_hashes
from core.store.schema import KEYS

_LIMIT = 100_000
_PIECES = 32


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows of one table committed at once, or joined since."""

    hashes: Hashes
    keys: pa.Array
    ranks: NDArray[np.int64]


class Told:
    """Keys of rows committed by this process with their ranks; the oldest are forgotten."""

    def __init__(self) -> None:
        self._pieces: dict[str, list[_Piece]] = {table: [] for table in KEYS}
        self._duplicates = 0

    def new(self, table: str, rows: pa.Table) -> pa.Table:
        """Return the rows that say more than what was committed, and count the others."""
        if not self._pieces[table] or not rows.num_rows:
            return rows
        named = _keys(table, rows)
        known = self._known(table, named)
        if not known:
            return rows
        keys, ranks = named.to_pylist(), rows["row_rank"].to_pylist()
        wanted = [known.get(key, -1) < rank for key, rank in zip(keys, ranks, strict=True)]
        kept = sum(wanted)
        if kept == rows.num_rows:
            return rows
        self._duplicates += rows.num_rows - kept
        return rows.filter(pa.array(wanted))

    def committed(self, table: str, rows: pa.Table, hashes: Hashes | None = None) -> None:
        """Remember rows that are stored now, as they were told: joined with others they may stand under another key.

        `hashes` are those of the keys they are stored under, if they are known.
        """
        if not rows.num_rows:
            return
        keys = _whole(_keys(table, rows))
        ranks = rows["row_rank"].to_numpy().astype(np.int64) % JOINED
        pieces = self._pieces[table]
        same = hashes if table != "calls" else None  # calls are told apart by more than that
        pieces.append(_Piece(sorted_hashes(keys) if same is None else same, keys, ranks))
        if len(pieces) > _PIECES:
            self._pieces[table] = pieces = [_joined(pieces)]
        while len(pieces) > 1 and sum(len(piece.keys) for piece in pieces) > _LIMIT:
            del pieces[0]

    def take_duplicates(self) -> int:
        """Return how many rows were told again since the last question."""
        count, self._duplicates = self._duplicates, 0
        return count

    def _known(self, table: str, keys: pa.ChunkedArray) -> dict[str, int]:
        """Return the highest rank committed under each of these keys."""
        hashes = sorted_hashes(keys)
        known: dict[str, int] = {}
        for piece in self._pieces[table]:
            if any_within(hashes, piece.hashes):
                among = np.flatnonzero(pc.is_in(piece.keys, value_set=_whole(keys)).to_numpy(zero_copy_only=False))
                for key, rank in zip(
                    piece.keys.take(pa.array(among)).to_pylist(), piece.ranks[among].tolist(), strict=True
                ):
                    known[key] = max(rank, known.get(key, -1))
        return known


def _keys(table: str, rows: pa.Table) -> pa.ChunkedArray:
    """Return what tells rows apart: two formats may tell one call under one id, and neither is told again by that."""
    keys = rows[KEYS[table]].cast(pa.string())
    return pc.binary_join_element_wise(keys, rows["told_by"].cast(pa.string()), " ") if table == "calls" else keys


def _joined(pieces: list[_Piece]) -> _Piece:
    """Join pieces; of rows with one key the last told, of the highest rank, stays."""
    keys, ranks = pa.concat_arrays([piece.keys for piece in pieces]), np.concatenate([piece.ranks for piece in pieces])
    rows = pa.table({"key": keys, "rank": ranks}).group_by("key", use_threads=False).aggregate([("rank", "max")])
    keys, ranks = _whole(rows["key"]), rows["rank_max"].to_numpy()
    keys, ranks = keys[-_LIMIT // 2 :], ranks[-_LIMIT // 2 :]
    return _Piece(sorted_hashes(keys), keys, ranks)


def _whole(keys: pa.ChunkedArray) -> pa.Array:
    """Return a column of strings in memory of its own."""
    return pa.concat_arrays([chunk.cast(pa.string()) for chunk in keys.chunks])
