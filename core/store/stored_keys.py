"""Which keys a table holds: of every file only hashes are kept, for files never change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.store.commit import DATE, KEY, RANK, keys_of
from core.store.hashes import Hashes, any_within, sorted_hashes, sorted_once
from core.store.kept_hashes import KeptHashes
from core.store.schema import KEYS, TABLES
from core.store.snapshot import Snapshot

_DAY = timedelta(days=1)


class StoredKeys:
    """The keys of all tables of a folder. Of each table only those of files near what is written are kept."""

    def __init__(self) -> None:
        """Know none yet."""
        self._held: defaultdict[str, KeptHashes] = defaultdict(KeptHashes)  # by table

    def forget(self, table: str) -> None:
        """Forget a table that is gone, or another one now."""
        self._held[table].keep(())

    def added(self, table: str, days: Any, hashes: Hashes, files: Sequence[tuple[date, str]]) -> None:
        """Note what new files hold, so that they need not be read for it: the day and hash of every row."""
        held = self._held[table]
        for day, uri in files:
            held[uri] = sorted_once(hashes[days == np.datetime64(day)])

    def stored(
        self, table: str, snapshot: Snapshot | None, batch: pa.Table, own: Hashes, gone: Collection[str]
    ) -> pa.Table:
        """Return what is stored under the batch's keys on its dates and the days beside them; `own` are their hashes.

        Files that may hold one of the keys are read.
        """
        days = {day + step for day in pc.unique(batch[DATE]).to_pylist() for step in (-_DAY, 0 * _DAY, _DAY)}
        keys = pa.concat_arrays([batch[KEYS[table]].combine_chunks().cast(pa.string()), pa.array(gone, pa.string())])
        wanted = sorted_hashes(keys) if gone else own
        near = {uri: day for day, uri in (snapshot.files if snapshot else ()) if day in days}
        held, found = self._held[table], [_no_keys()]
        held.keep(near)
        for uri, day in near.items():
            if uri not in held:
                held[uri] = sorted_hashes(_column(uri, KEYS[table]))
            if any_within(wanted, held[uri]):
                found.append(_keys_in(table, uri, day, keys))
        return pa.concat_tables(found).combine_chunks()


def _keys_in(table: str, uri: str, day: date, wanted: pa.Array) -> pa.Table:
    columns = [name for name in (KEYS[table], "row_rank") if name in TABLES[table].names]
    stored = keys_of(table, pq.ParquetFile(uri).read(columns))
    keys = stored.filter(pc.is_in(stored[KEY], value_set=wanted))
    return keys.append_column(DATE, pa.repeat(pa.scalar(day, pa.date32()), keys.num_rows))


def _column(uri: str, name: str) -> pa.ChunkedArray:
    return pq.ParquetFile(uri).read([name])[name]


def _no_keys() -> pa.Table:
    return pa.table(
        {
            KEY: pa.array([], pa.string()),
            RANK: pa.array([], pa.int32()),
            DATE: pa.array([], pa.date32()),
        }
    )
