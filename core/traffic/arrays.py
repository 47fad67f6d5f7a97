"""Small array tools that the miss ledger and the TTL Lab share: coding words, sorting lanes, exact dollars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

_RADIX_LANES = 65_536  # numpy sorts 16-bit numbers by radix: five times faster than any comparison


@dataclass(frozen=True, slots=True)
class Coded:
    """A column of words as numbers into `values`; -1 is unknown."""

    codes: Ints
    values: tuple[str, ...]

    def take(self, rows: Ints | Bools) -> Coded:
        """Return some of the rows."""
        return Coded(self.codes[rows], self.values)

    def word(self, row: int) -> str | None:
        """Return the word of one row."""
        code = int(self.codes[row])
        return None if code < 0 else self.values[code]

    def arrow(self) -> pa.Array:
        """Return the words."""
        codes = pa.array(self.codes, mask=self.codes < 0)
        return pa.array(self.values, pa.string()).take(codes)

    def equals(self, word: str) -> Bools:
        """Say which rows hold a word."""
        if word not in self.values:
            return np.zeros(len(self.codes), dtype=np.bool_)
        return self.codes == self.values.index(word)


def coded(column: pa.ChunkedArray | pa.Array) -> Coded:
    """Number the distinct words of a column."""
    whole = pa.chunked_array([column]) if isinstance(column, pa.Array) else column
    whole = whole.cast(pa.string())
    if whole.num_chunks == 0:
        return Coded(np.zeros(0, dtype=np.int64), ())
    encoded = pa.concat_arrays(whole.chunks).dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return Coded(codes, tuple(encoded.dictionary.to_pylist()))


def integers(column: pa.ChunkedArray, missing: int = 0) -> Ints:
    """Return a column of whole numbers, `missing` standing for null."""
    return column.cast(pa.int64()).fill_null(missing).to_numpy().astype(np.int64)


def combined(*columns: Ints) -> Ints:
    """Number the distinct rows of several code columns (-1 and up) from 0."""
    key = columns[0] + 1
    for column in columns[1:]:
        width = int(column.max(initial=-1)) + 2
        if int(key.max(initial=0)) > (1 << 62) // width:
            key = np.unique(key, return_inverse=True)[1].reshape(-1).astype(np.int64)
        key = key * width + column + 1
    return np.unique(key, return_inverse=True)[1].reshape(-1).astype(np.int64)


def by_lane(lane: Ints, start_ms: Ints) -> Ints:
    """Return the order by lane and then by start; calls of one moment keep the order they came in."""
    if len(start_ms) and bool(np.any(np.diff(start_ms) < 0)):
        early = np.argsort(start_ms, kind="stable")
        return early[by_lane(lane[early], start_ms[early])]
    small = int(lane.max(initial=0)) < _RADIX_LANES and int(lane.min(initial=0)) >= 0
    return np.argsort(lane.astype(np.uint16) if small else lane, kind="stable").astype(np.int64)


def first_of_run(lane: Ints) -> Bools:
    """Mark where a new lane begins in a sorted column."""
    first = np.ones(len(lane), dtype=np.bool_)
    first[1:] = lane[1:] != lane[:-1]
    return first


def run_minimum(values: Ints, first: Bools) -> Ints:
    """Return, for every row, the smallest value of its run."""
    if not len(values):
        return values
    starts = np.flatnonzero(first)
    return np.repeat(np.minimum.reduceat(values, starts), np.diff(np.append(starts, len(values))))


def previous(positions: Bools, first: Bools) -> Ints:
    """Return, for every row, the row of the latest mark before it in its run, else -1."""
    rows = np.arange(len(first), dtype=np.int64)
    marked = np.where(positions, rows, -1)
    latest = np.maximum.accumulate(marked) if len(marked) else marked
    before = np.concatenate(([-1], latest[:-1])).astype(np.int64)[: len(first)]
    begins = np.maximum.accumulate(np.where(first, rows, 0)) if len(rows) else rows
    return np.where(before >= begins, before, -1)


def usd(picodollars: Ints, valid: Bools) -> pa.Array:
    """Return whole picodollars as DECIMAL(18,12), exact to the last digit; null where not valid."""
    halves = np.empty((len(picodollars), 2), dtype="<i8")
    halves[:, 0] = np.where(valid, picodollars, 0)
    halves[:, 1] = halves[:, 0] >> 63
    bitmap = pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
    return pa.Array.from_buffers(pa.decimal128(18, 12), len(picodollars), [bitmap, pa.py_buffer(halves)])


def words(codes: Ints | NDArray[np.int8], values: Sequence[str]) -> pa.Array:
    """Return one word per row from a fixed list."""
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(values, pa.string())).cast(pa.string())
