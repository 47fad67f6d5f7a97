"""A table that is open: at its newest version without reading a log at rest, and of our columns alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable

from core.store import growth
from core.store.faults import not_ours
from core.store.schema import KEYS, TABLES

_CONFIGURATION = {
    "delta.logRetentionDuration": "interval 1 hours",
    "delta.deletedFileRetentionDuration": "interval 1 hours",
    "delta.checkpointInterval": "10",  # each commit reads again what came since: with 50 it takes twice as long
}


@dataclass(slots=True)
class Opened:
    """An open table, the inode of its log, and which checkpoint the log had."""

    place: int
    delta: DeltaTable
    checkpoint: tuple[int, int] | None

    @classmethod
    def of(cls, folder: Path, table: str, place: int) -> Opened:
        """Open a table whose log has that inode. Raises FixSettings where its columns are not ours."""
        checkpoint = _checkpoint(log_of(folder))
        delta = DeltaTable(folder)
        _check_columns(folder, table, delta)
        return cls(place, delta, checkpoint)

    def move_on(self, log: str) -> None:
        """Go to the newest version. Where no entry follows, it is this one; only a checkpoint may clean one away."""
        checkpoint, following = _checkpoint(log), f"{log}/{self.delta.version() + 1:020}.json"
        if checkpoint != self.checkpoint or os.path.exists(following):  # noqa: PTH110  # as in place_of
            self.delta.update_incremental()
            self.checkpoint = checkpoint


def create(folder: Path, table: str) -> DeltaTable:
    """Make a table. Bounds of other columns than these are not written; looking for them is half a commit."""
    bounds = {"delta.dataSkippingStatsColumns": f"ts,{KEYS[table]}"}
    return DeltaTable.create(
        folder, schema=TABLES[table], partition_by=["date"], configuration={**_CONFIGURATION, **bounds}
    )


def log_of(folder: Path) -> str:
    """Return the folder of a table's log."""
    return f"{folder}/_delta_log"


def place_of(log: str) -> int | None:
    """Return the inode of a table's log, or None where there is no table; a table made anew has another."""
    try:
        return os.stat(log).st_ino  # noqa: PTH116  # asked many times in a pass, and of every page
    except FileNotFoundError:
        return None


def _checkpoint(log: str) -> tuple[int, int] | None:
    """Return what tells the last checkpoint of a log from the one before."""
    try:
        info = os.stat(f"{log}/_last_checkpoint")  # noqa: PTH116  # as in place_of
    except FileNotFoundError:
        return None
    return info.st_ino, info.st_mtime_ns


def _check_columns(path: Path, table: str, delta: DeltaTable) -> None:
    """Refuse a table whose columns are not this version's; those it has only lacked so far are no hindrance."""
    found = {field.name: _type_name(field.type) for field in pa.schema(delta.schema().to_arrow())}
    ours = {field.name: _type_name(field.type) for field in TABLES[table]}
    forgiven = growth.columns_added(table)
    if found == {name: kind for name, kind in ours.items() if name in found or name not in forgiven}:
        return
    raise not_ours(
        path,
        missing=[name for name in ours if name not in found and name not in forgiven],
        extra=[name for name in found if name not in ours],
        other=[f"{n} ({found[n]}, not {ours[n]})" for n in ours if n in found and found[n] != ours[n]],
    )


def _type_name(kind: pa.DataType) -> str:
    text = pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    return "string" if text else str(kind)
