"""Appending rows to a table: one Parquet file for each day, written by Arrow, then named in one Delta commit.

The Delta library's own writer takes three times as long for the same rows (docs/decisions/098-written-by-arrow.md).
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction

from core.store.commit import DATE
from core.store.schema import KEYS

LEVEL = 1
"""Of zstd: a hundredth larger than level 3 and a third quicker; what is compacted is compressed anew."""
FEW = 20
"""So few rows are not compressed: as little as following writes every few seconds, and compacts soon."""
_DISTINCT = frozenset({"call_id", "event_key", "event_id", "invocation_id", "other_id", "pass_id", "cursor_json"})
"""Columns whose values hardly repeat: looking for repetitions in them takes time and finds none."""
_MEASURED = frozenset({"ts", "finished_at", "duration_ms", "response_time_ms", "latency_ms", "ttft_ms"})
"""Times and durations: they repeat as little, and are smaller without a list of them."""
_ENCODED = {
    "ts": "DELTA_BINARY_PACKED",  # sorted by time, each is a small step from the one before
    "event_id": "DELTA_BYTE_ARRAY",  # a file and a place in it: each begins as the one before
    **dict.fromkeys(("call_id", "event_key", "invocation_id"), "DELTA_LENGTH_BYTE_ARRAY"),
}
"""Ids apart from their lengths: letters alone are compressed in two thirds of the time, and smaller."""
_LOOKED_FOR = ("ts", "engine", "model")
"""Columns by whose bounds readers leave parts of a file out; those of other columns are never asked for."""


def append(
    delta: DeltaTable,
    table: str,
    folder: Path,
    rows: pa.Table,
    properties: CommitProperties,
    guard: AbstractContextManager[object],
) -> list[tuple[date, str]]:
    """Append rows, sorted by date, in one transaction. What fails on the way leaves no file behind.

    Returns the files, each with its day. The handle may be one that others read with: `guard` is held while the
    transaction moves it on.
    """
    written: list[Path] = []
    try:
        days = list(_days(rows))
        actions = [_write(folder, day, part, table, written) for day, part in days]
    except BaseException:
        _take_back(written)
        raise
    try:
        with guard:
            delta.create_write_transaction(
                actions, mode="append", schema=rows.schema, partition_by=[DATE], commit_properties=properties
            )
    except BaseException:
        # It may have been written before it failed: a checkpoint that finds the disk full, Ctrl-C on the way back.
        if not _is_named(folder, actions):
            _take_back(written)
        raise
    return [(day, str(path)) for (day, _), path in zip(days, written, strict=True)]


def _is_named(folder: Path, actions: list[AddAction]) -> bool:
    """Say whether the table's log names a file of these; where it cannot be read, it may: a vacuum removes strays."""
    try:
        named = DeltaTable(folder).get_add_actions().column("path").to_pylist()
    except (DeltaError, OSError):  # the failure to tell is the one before
        return True
    return actions[0].path in named


def _take_back(written: list[Path]) -> None:
    for path in written:
        path.unlink(missing_ok=True)


def _days(rows: pa.Table) -> Iterator[tuple[date, pa.Table]]:
    """Cut a table that is sorted by date."""
    at = 0
    for run in pc.value_counts(rows[DATE]).to_pylist():
        yield run["values"], rows.slice(at, run["counts"])
        at += run["counts"]


def _write(folder: Path, day: date, rows: pa.Table, table: str, written: list[Path]) -> AddAction:
    how = "" if rows.num_rows <= FEW else ".zstd"
    place = f"{DATE}={day.isoformat()}/part-00000-{uuid.uuid4()}-c000{how}.parquet"
    path = folder / place
    path.parent.mkdir(exist_ok=True)
    written.append(path)
    told = rows.drop_columns([DATE])
    with path.open("wb") as file:  # ours to close, so that a full disk is let go of
        pq.write_table(
            told,
            file,
            **_compression(told),
            use_dictionary=[name for name in told.column_names if name not in _DISTINCT | _MEASURED],
            column_encoding={name: _ENCODED[name] for name in told.column_names if name in _ENCODED},
            write_statistics=[name for name in _LOOKED_FOR if name in told.column_names],
            store_decimal_as_integer=True,
        )
    return AddAction(
        path=place,
        size=path.stat().st_size,
        partition_values={DATE: day.isoformat()},
        modification_time=time.time_ns() // 1_000_000,
        data_change=True,
        stats=json.dumps(_statistics(told, KEYS[table])),
    )


def _compression(rows: pa.Table) -> dict[str, Any]:
    """Compress what gets smaller by it: each compressed column of a file costs as much as a hundred values."""
    if rows.num_rows <= FEW:
        return {"compression": "none"}
    told = [name for name in rows.column_names if rows[name].null_count < rows.num_rows]
    chosen = dict.fromkeys(rows.column_names, "none") | dict.fromkeys(told, "zstd")
    return {"compression": chosen, "compression_level": dict.fromkeys(told, LEVEL)}


def _statistics(rows: pa.Table, key: str) -> dict[str, Any]:
    """Return what other readers of the table may leave files out by: counts, times and the key's bounds."""
    span, keys = pc.min_max(rows["ts"]).as_py(), pc.min_max(rows[key]).as_py()
    return {
        "numRecords": rows.num_rows,
        "nullCount": {"ts": rows["ts"].null_count, key: rows[key].null_count},
        "minValues": {"ts": _iso(span["min"]), key: keys["min"]},
        "maxValues": {"ts": _iso(span["max"]), key: keys["max"]},
    }


def _iso(moment: Any) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"
