"""The tables on disk: Delta Lake tables in one folder, partitioned by UTC date, one row per event.

One object per process is enough; it may be used from several threads. Readers never block and never see half a
write; writers of one table wait for each other. See docs/decisions/020-delta-tables.md.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
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
from core.store.commit import DATE, KEY, CommitResult, Sorted, conform, in_order, sort_out
from core.store.faults import explained, make_folder
from core.store.hashes import Hashes, hashes_of, sorted_once
from core.store.opened import Opened, create, log_of, place_of
from core.store.schema import KEYS, TABLES
from core.store.snapshot import Snapshot, date_of, passes_of
from core.store.stored_keys import StoredKeys

WRITER = WriterProperties(compression="ZSTD", compression_level=3, max_row_group_size=131_072)
"""A row group is held in memory until it is full: a million rows, the library's own, are half a gigabyte of calls."""
_TABLE_WAIT_S = 60.0
_GONE = -1  # the rank of a row that says: remove what is stored under this key


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
        self._open: dict[str, Opened] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._keys = StoredKeys()

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
        for uris in snapshot.newest_dates_first() if snapshot else ():
            files: dict[str, pa.Table] = {}
            places = [place for uri in uris for place in passes_of(uri, source)]
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
            stored = self._keys.stored(table, self.pinned(table), batch, own, gone)
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
        folder = self.path / table
        log = log_of(folder)
        place = place_of(log)
        known = self._open.get(table)
        if known and known.place == place:
            known.move_on(log)
            return known.delta
        self._forget(table)
        if place is None or not self.has(table):
            return None
        self._open[table] = Opened.of(folder, table, place)
        return self._open[table].delta

    def _forget(self, table: str) -> None:
        self._open.pop(table, None)
        self._snapshots.pop(table, None)
        self._keys.forget(table)

    def _existing(self, table: str) -> DeltaTable:
        """Return a handle of its own for a writer, so that readers of this process are not disturbed."""
        with self._guard:
            delta = self._delta(table)
        if delta is None:
            return create(self.path / table, table)
        return growth.grow(table, DeltaTable(self.path / table))

    def _file(self, table: str, uri: str) -> tuple[date, str]:
        """Return a file's date and plain path: Delta escapes blanks in the folder's name, readers do not expect it."""
        return date_of(uri), f"{self.path}/{table}/date={uri.rsplit('/date=', 1)[1]}"

    def _append(self, table: str, rows: pa.Table, properties: CommitProperties, hashes: Hashes | None) -> None:
        with self._guard:
            known = self._delta(table)
        delta = known if known is not None and not growth.lacks(table, known) else self._existing(table)
        files = append(delta, table, self.path / table, in_order(rows), properties, self._guard)
        if hashes is not None:  # of all rows: the new files need not be read for theirs
            self._keys.added(table, rows[DATE].to_numpy(), hashes, files)

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

    def _whole_file(self, uri: str, schema: pa.Schema) -> pa.Table:
        with explained(uri, "reading"):
            rows = pq.ParquetFile(uri).read()
        day = pa.repeat(pa.scalar(date_of(uri), pa.date32()), rows.num_rows)
        return growth.filled(rows.append_column("date", day), schema)


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


def _properties(source: str | None, pass_no: int | None, metadata: Mapping[str, str] | None) -> CommitProperties:
    """Carry the source's pass number as a Delta application transaction, in the same commit as the rows."""
    transactions = [Transaction(source, pass_no)] if source is not None and pass_no is not None else None
    return CommitProperties(
        custom_metadata=dict(metadata) if metadata else None, app_transactions=transactions, max_commit_retries=15
    )
