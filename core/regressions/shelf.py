"""Where sums of many lanes wait: put down slice by slice as they are read, taken up again lane by lane.

They lie in the process's scratch folder, so that memory holds one slice or a few lanes, however much there is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import ipc

from core.store import scratch
from core.traffic.arrays import Ints

_ROWS = 8_192  # read at once at least: what one lane needs of a slice is a few of these
_PACKED = ipc.IpcWriteOptions(compression="lz4")


class Shelf:
    """Rows under numbers, until it is closed."""

    def __init__(self) -> None:
        """Make the folder."""
        self._folder = tempfile.TemporaryDirectory(dir=scratch.folder())
        self._parts: list[tuple[Path, Ints]] = []

    def close(self) -> None:
        """Remove the folder."""
        self._folder.cleanup()

    def put(self, numbers: Ints, rows: pa.Table) -> None:
        """Lay rows down under their numbers; rows of one number keep their order."""
        if not len(numbers):
            return
        order = np.argsort(numbers, kind="stable")
        path = Path(self._folder.name) / f"{len(self._parts)}.arrow"
        sorted_rows = rows.take(pa.array(order)).combine_chunks()
        with ipc.new_file(path, rows.schema, options=_PACKED) as file:
            file.write_table(sorted_rows, max_chunksize=_ROWS)
        self._parts.append((path, numbers[order].astype(np.int32)))

    def sizes(self) -> Ints:
        """Return how many rows there are under each number."""
        longest = max((int(numbers[-1]) + 1 for _, numbers in self._parts), default=0)
        whole = np.zeros(longest, dtype=np.int64)
        for _, numbers in self._parts:
            whole += np.bincount(numbers, minlength=longest)
        return whole

    def take(self, wanted: Ints) -> Iterator[tuple[int, pa.Table]]:
        """Yield the rows of each of these numbers that has any, in the order they were put down."""
        parts, under = [], []
        for path, numbers in self._parts:
            rows = np.flatnonzero(np.isin(numbers, wanted))
            if len(rows):
                parts.append(_read(path, rows))
                under.append(numbers[rows])
        if not parts:
            return
        numbers = np.concatenate(under)
        order = np.argsort(numbers, kind="stable")
        table = pa.concat_tables(parts).take(pa.array(order))
        edges = np.flatnonzero(np.diff(numbers[order], prepend=-1, append=-1))
        for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            yield int(numbers[order[start]]), table.slice(start, end - start)


def _read(path: Path, rows: Ints) -> pa.Table:
    """Return rows of one file; only the pieces that hold any are unpacked."""
    with pa.memory_map(str(path)) as source:
        file = ipc.open_file(source)
        needed = np.unique(rows // _ROWS)
        whole = pa.Table.from_batches([file.get_batch(int(piece)) for piece in needed])
        return whole.take(pa.array(np.searchsorted(needed, rows // _ROWS) * _ROWS + rows % _ROWS))
