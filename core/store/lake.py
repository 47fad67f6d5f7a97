"""The tables on disk: Delta Lake tables in one folder, partitioned by UTC date, one row per event.

One object per process is enough; it may be used from several threads. Readers never block and never see half a
write; writers of one table wait for each other. See docs/decisions/020-delta-tables.md.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import (
    CommitProperties,
    DeltaTable,
    Transaction,
    WriterProperties,
)

from core.errors import FixSettings
from core.store import care, growth, locks
from core.store.append import append
from core.store.arrow import without_pandas
from core.store.commit import DATE, KEY, RANK, CommitResult, Sorted, conform, in_order, keys_of, sort_out
from core.store.faults import explained, make_folder, not_ours
from core.store.hashes import Hashes, any_within, hashes_of, sorted_hashes, sorted_once
from core.store.schema import KEYS, TABLES

WRITER = WriterProperties(compression="ZSTD", compression_level=3)
_TABLE_WAIT_S = 60.0
_DAY = timedelta(days=1)
_GONE = -1  # the rank of a row that says: remove what is stored under this key
_CONFIGURATION = {
    "delta.logRetentionDuration": "interval 1 hours",
    "delta.deletedFileRetentionDuration": "interval 1 hours",
    "delta.checkpointInterval": "10",  # each commit reads again what came since: with 50 it takes twice as long
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of a table: its Parquet files, each with the UTC date it holds."""

    table: str
    version: int
    files: tuple[tuple[date, str], ...]
    grown: bool = False  # some of the files may lack a column that was added later

    def between(self, start: datetime | None, end: datetime | None) -> list[str]:
        """Return the files that can hold rows of [start, end)."""
        return [uri for _, uri in self._of(start, end)]

    def days(self, start: datetime | None, end: datetime | None) -> list[date]:
        """Return the UTC dates in [start, end) that hold rows, in order."""
        return sorted({day for day, _ in self._of(start, end)})

    def _of(self, start: datetime | None, end: datetime | None) -> list[tuple[date, str]]:
        first = start.astimezone(UTC).date() if start else date.min
        last = (end - timedelta(microseconds=1)).astimezone(UTC).date() if end else date.max
        return [held for held in self.files if first <= held[0] <= last]


@dataclass(slots=True)
class _Handle:
    """An open table, the inode of its log, and which checkpoint the log had."""

    place: int
    delta: DeltaTable
    checkpoint: tuple[int, int] | None

    def move_on(self, log: str) -> None:
        """Go to the newest version. Where no entry follows, it is this one; only a checkpoint may clean one away."""
        checkpoint, following = _checkpoint(log), f"{log}/{self.delta.version() + 1:020}.json"
        if checkpoint != self.checkpoint or os.path.exists(following):  # noqa: PTH110  # as in _delta
            self.delta.update_incremental()
            self.checkpoint = checkpoint


class Lake:
    """All tables of one data folder."""

    def __init__(self, path: str | Path) -> None:
        """Name the folder; it is created by the first write."""
        if "://" in str(path):
            raise FixSettings(
                f'store.path = "{path}" is not a local folder.',
                code="STO-008",
                mend="Accepted: a folder of this machine (shared storage arrives later).",
                about=(path,),
            )
        without_pandas()
        self.path = Path(path).expanduser().absolute()
        self._guard = threading.Lock()
        self._open: dict[str, _Handle] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._keys: dict[str, dict[str, Hashes]] = {}

    # reading

    def version(self, table: str) -> int | None:
        """Return the table's newest version, or None while it does not exist."""
        snapshot = self.pinned(table)
        return snapshot.version if snapshot else None

    def has(self, table: str) -> bool:
        """Say whether the table exists, without reading its log."""
        try:
            return any((self.path / table / "_delta_log").iterdir())
        except FileNotFoundError:
            return False

    def versions(self) -> dict[str, int | None]:
        """Return the newest version of every table: a cheap key for what was computed from them."""
        return {table: self.version(table) for table in TABLES}

    def pinned(self, table: str) -> Snapshot | None:
        """Return the newest version with its list of files, or None while the table does not exist."""
        with self._guard, explained(self.path / table, "reading its log"):
            delta = self._delta(table)
            if delta is None:
                return None
            known = self._snapshots.get(table)
            if known is None or known.version != delta.version():
                files = tuple(sorted(self._file(table, uri) for uri in delta.file_uris()))
                grown = growth.is_grown(table, delta)
                known = self._snapshots[table] = Snapshot(table, delta.version(), files, grown)
            return known

    def snapshot(self, table: str, start: datetime | None = None, end: datetime | None = None) -> list[str]:
        """Return the Parquet files of one version that can hold rows of [start, end)."""
        snapshot = self.pinned(table)
        return snapshot.between(start, end) if snapshot else []

    def read(self, table: str, start: datetime | None = None, end: datetime | None = None) -> pa.Table:
        """Return all rows of the dates from start to end as Arrow: for the care of tables and for tests."""
        schema = TABLES[table]
        parts = [self._whole_file(uri, schema) for uri in self.snapshot(table, start, end)]
        return pa.concat_tables(parts) if parts else schema.empty_table()

    def last_pass(self, source: str) -> dict[str, Any] | None:
        """Return the newest row of `ingest_passes` of that source that carries a cursor, else its newest row."""
        snapshot = self.pinned("ingest_passes")
        newest: dict[str, Any] | None = None
        for uris in _newest_dates_first(snapshot):
            files: dict[str, pa.Table] = {}
            places = [place for uri in uris for place in _passes_of(uri, source)]
            for _, uri, at in sorted(places, reverse=True):
                if uri not in files:
                    files[uri] = self._whole_file(uri, TABLES["ingest_passes"])
                row = files[uri].slice(at, 1).to_pylist()[0]
                newest = newest or row
                if row["cursor_json"] is not None:
                    return row
        return newest

    def last_pass_no(self, table: str, source: str) -> int | None:
        """Return the pass number of the last commit of that source to the table (its Delta transaction)."""
        with self._guard, explained(self.path / table, "reading its log"):
            delta = self._delta(table)
            return delta.transaction_version(source) if delta else None

    # writing

    def commit(
        self,
        table: str,
        rows: pa.Table,
        *,
        source: str | None = None,
        pass_no: int | None = None,
        metadata: Mapping[str, str] | None = None,
        gone: Collection[str] = (),
    ) -> CommitResult:
        """Write what the rows tell anew, in one Delta transaction that also records (source, pass_no).

        A row whose key is stored within a day of it is a duplicate, unless its row_rank is higher: then it
        replaces the stored row. Nothing new means no commit at all.

        `gone` are keys that one of these rows now stands for: where they are stored, they are removed with it.
        """
        if rows.num_rows == 0:
            return CommitResult()
        batch = conform(table, rows)
        properties = _properties(source, pass_no, metadata)
        with self._writing(table):
            hashes = hashes_of(batch[KEYS[table]])
            own = sorted_once(hashes)
            stored = self._stored_keys(table, batch, own, gone)
            parts = sort_out(table, batch, stored, gone, distinct=len(own) == batch.num_rows)
            if parts.replacing.num_rows or parts.removed.num_rows:
                self._merge(table, parts, properties)
            elif parts.added.num_rows:
                self._append(table, parts.added, properties, hashes if parts.added.num_rows == batch.num_rows else None)
        return CommitResult(
            parts.added.num_rows,
            parts.duplicates,
            parts.replacing.num_rows,
            parts.removed.num_rows,
            parts.added[KEYS[table]],
            own,
        )

    @contextmanager
    def writer_lock(self, *, wait_s: float = 10.0) -> Iterator[None]:
        """Hold the folder for one collector; a second one waits, then gets TryAgain naming the first's process."""
        make_folder(self.path)
        with explained(self.path, "taking its lock"):
            lock = locks.hold(self.path / ".collector.lock", wait_s=wait_s, what="The data folder")
            lock.__enter__()
        try:
            yield
        finally:
            lock.__exit__(None, None, None)

    @contextmanager
    def writing(self, table: str) -> Iterator[DeltaTable]:
        """Hold a table as its only writer and hand it out: for core.store.rewrite, which changes what is stored."""
        with self._writing(table):
            yield self._existing(table)

    def compact(self, table: str, *, days: list[date] | None = None) -> int:
        """Join the small files of each day (all days, or those given); return how many files it saved."""
        if self.version(table) is None:
            return 0
        with self._writing(table):
            return care.compact(self._existing(table), WRITER, days)

    def vacuum(self, table: str, *, retention_hours: int = care.RETENTION_HOURS) -> int:
        """Delete files that no version of the last hours needs, then old log entries; return files deleted."""
        if self.version(table) is None:
            return 0
        with self._writing(table):
            return care.vacuum(self._existing(table), retention_hours)

    def care(self, table: str, *, now: datetime | None = None) -> care.Done:
        """Compact the days with too many files, and vacuum after it: cheap to call after every pass."""
        today = (now or datetime.now(UTC)).astimezone(UTC).date()
        if not care.crowded_days(care.on_disk(self.path / table), today):
            return care.Done()  # no version names more files than there are: the log need not be read
        snapshot = self.pinned(table)
        days = care.crowded_days(snapshot.files, today) if snapshot else []
        if not days:
            return care.Done()
        return care.Done(days=len(days), files_joined=self.compact(table, days=days), files_deleted=self.vacuum(table))

    # inside

    @contextmanager
    def _writing(self, table: str) -> Iterator[None]:
        """Let one writer at a time into a table: de-duplication reads before it writes."""
        make_folder(self.path)
        lock = locks.hold(self.path / f".{table}.lock", wait_s=_TABLE_WAIT_S, what=f"The table {table} of")
        with explained(self.path / table, "writing"), lock:
            yield

    def _delta(self, table: str) -> DeltaTable | None:
        """Return the table at its newest version; the caller holds the guard."""
        log = f"{self.path}/{table}/_delta_log"
        try:
            place = os.stat(log).st_ino  # noqa: PTH116  # asked many times in a pass, and of every page
        except FileNotFoundError:
            self._forget(table)
            return None
        known = self._open.get(table)
        if known and known.place == place:  # a folder deleted and made anew has another inode
            known.move_on(log)
            return known.delta
        self._forget(table)
        if not self.has(table):
            return None
        checkpoint = _checkpoint(log)
        delta = DeltaTable(self.path / table)
        _check_columns(self.path / table, table, delta)
        self._open[table] = _Handle(place, delta, checkpoint)
        return delta

    def _forget(self, table: str) -> None:
        self._open.pop(table, None)
        self._snapshots.pop(table, None)
        self._keys.pop(table, None)

    def _existing(self, table: str) -> DeltaTable:
        """Return a handle of its own for a writer, so that readers of this process are not disturbed."""
        with self._guard:
            delta = self._delta(table)
        if delta is None:
            return DeltaTable.create(
                self.path / table, schema=TABLES[table], partition_by=["date"], configuration=_configuration(table)
            )
        return growth.grow(table, DeltaTable(self.path / table))

    def _file(self, table: str, uri: str) -> tuple[date, str]:
        """Return a file's date and plain path: Delta escapes blanks in the folder's name, readers do not expect it."""
        return _date_of(uri), f"{self.path}/{table}/date={uri.rsplit('/date=', 1)[1]}"

    def _append(self, table: str, rows: pa.Table, properties: CommitProperties, hashes: Hashes | None) -> None:
        with self._guard:
            known = self._delta(table)
        delta = known if known is not None and not growth.lacks(table, known) else self._existing(table)
        files = append(delta, table, self.path / table, in_order(rows), properties, self._guard)
        if hashes is not None:  # of all rows: the new files need not be read for theirs
            days, held = rows[DATE].to_numpy(), self._keys.setdefault(table, {})
            held.update({uri: sorted_once(hashes[days == np.datetime64(day)]) for day, uri in files})

    def _merge(self, table: str, parts: Sorted, properties: CommitProperties) -> None:
        """Replace, append and remove in one transaction; a replaced row may move to another date."""
        key = KEYS[table]
        dates = ", ".join(f"'{day}'" for day in parts.replaced_dates)
        told = pa.concat_tables([parts.replacing, parts.added, _to_go(table, parts.removed)])
        (
            self._existing(table)
            .merge(
                in_order(told),
                predicate=f"stored.{key} = told.{key} AND stored.date IN ({dates})",
                source_alias="told",
                target_alias="stored",
                writer_properties=WRITER,
                commit_properties=properties,
            )
            .when_matched_delete(f"told.row_rank = {_GONE}")
            .when_matched_update_all(f"told.row_rank <> {_GONE}")
            .when_not_matched_insert_all(f"told.row_rank <> {_GONE}")
            .execute()
        )

    def _stored_keys(self, table: str, batch: pa.Table, own: Hashes, gone: Collection[str]) -> pa.Table:
        """Return what is stored under the batch's keys on its dates and the days beside them; `own` are their hashes.

        Of every file only hashes are held in memory: files never change. Those that may hold one of the keys are read.
        """
        days = {day + step for day in pc.unique(batch[DATE]).to_pylist() for step in (-_DAY, 0 * _DAY, _DAY)}
        keys = pa.concat_arrays([batch[KEYS[table]].combine_chunks().cast(pa.string()), pa.array(gone, pa.string())])
        wanted = sorted_hashes(keys) if gone else own
        snapshot = self.pinned(table)
        cached, held, found = self._keys.get(table, {}), {}, [_no_keys()]
        for day, uri in snapshot.files if snapshot else ():
            if day in days:
                held[uri] = cached[uri] if uri in cached else sorted_hashes(_column(uri, KEYS[table]))
                if any_within(wanted, held[uri]):
                    found.append(self._keys_in(table, uri, day, keys))
        self._keys[table] = held
        return pa.concat_tables(found).combine_chunks()

    def _keys_in(self, table: str, uri: str, day: date, wanted: pa.Array) -> pa.Table:
        columns = [name for name in (KEYS[table], "row_rank") if name in TABLES[table].names]
        stored = keys_of(table, pq.ParquetFile(uri).read(columns))
        keys = stored.filter(pc.is_in(stored[KEY], value_set=wanted))
        return keys.append_column(DATE, pa.repeat(pa.scalar(day, pa.date32()), keys.num_rows))

    def _whole_file(self, uri: str, schema: pa.Schema) -> pa.Table:
        with explained(uri, "reading"):
            rows = pq.ParquetFile(uri).read()
        day = pa.repeat(pa.scalar(_date_of(uri), pa.date32()), rows.num_rows)
        return growth.filled(rows.append_column("date", day), schema)


def _configuration(table: str) -> dict[str, str]:
    """Return a new table's properties. Bounds of other columns are not written; looking for them is half a commit."""
    return {**_CONFIGURATION, "delta.dataSkippingStatsColumns": f"ts,{KEYS[table]}"}


def _checkpoint(log: str) -> tuple[int, int] | None:
    """Return what tells the last checkpoint of a log from the one before."""
    try:
        info = os.stat(f"{log}/_last_checkpoint")  # noqa: PTH116  # as in _delta
    except FileNotFoundError:
        return None
    return info.st_ino, info.st_mtime_ns


def _passes_of(uri: str, source: str) -> Iterator[tuple[int, str, int]]:
    """Yield when each pass of a source began, in microseconds, and its place: most are not looked at any further."""
    with explained(uri, "reading"):
        told = pq.ParquetFile(uri).read(["source", "ts"])
    starts = told["ts"].cast(pa.int64()).to_pylist()
    for at, (name, start) in enumerate(zip(told["source"].to_pylist(), starts, strict=True)):
        if name == source:
            yield start, uri, at


def _to_go(table: str, removed: pa.Table) -> pa.Table:
    """Return rows that say of a stored key that it is to go."""
    schema, count = TABLES[table], removed.num_rows
    given = {
        KEYS[table]: removed[KEY],
        "date": removed[DATE],
        "row_rank": pa.repeat(pa.scalar(_GONE, pa.int32()), count),
    }
    columns = [given.get(field.name, pa.nulls(count, field.type)) for field in schema]
    return pa.table(columns, schema=schema)


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


def _newest_dates_first(snapshot: Snapshot | None) -> Iterator[list[str]]:
    days = sorted({day for day, _ in snapshot.files}, reverse=True) if snapshot else []
    for day in days:
        assert snapshot
        yield [uri for held, uri in snapshot.files if held == day]


def _properties(source: str | None, pass_no: int | None, metadata: Mapping[str, str] | None) -> CommitProperties:
    """Carry the source's pass number as a Delta application transaction, in the same commit as the rows."""
    transactions = [Transaction(source, pass_no)] if source is not None and pass_no is not None else None
    return CommitProperties(
        custom_metadata=dict(metadata) if metadata else None, app_transactions=transactions, max_commit_retries=15
    )


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


def _date_of(uri: str) -> date:
    return date.fromisoformat(uri.rsplit("/date=", 1)[1][:10])
