"""Changing what is stored: the rows of one day through a function, and dropping days that are too old.

Each is one Delta transaction; readers see all of it or nothing. Everything else only appends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, write_deltalake

from core.errors import OurBug
from core.store.faults import explained
from core.store.growth import filled, present
from core.store.lake import WRITER, Lake
from core.store.schema import KEYS, TABLES

BATCH_ROWS = 65_536
Change = Callable[[pa.Table], pa.Table]


@dataclass(frozen=True, slots=True)
class Dropped:
    """What an expiry takes away, or would take away."""

    table: str
    days: int
    rows: int
    first_day: date | None = None
    last_day: date | None = None


def batches(lake: Lake, table: str, day: date, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the rows of one UTC date in pieces that fit into memory, in the table's own columns and types."""
    for uri in _files(lake, table, day):
        yield from _pieces(uri, table, day, columns)


def rewrite_day(
    lake: Lake,
    table: str,
    day: date,
    change: Change,
    *,
    note: str = "",
    before_commit: Callable[[], None] = lambda: None,
) -> int:
    """Replace the rows of one UTC date by what `change` makes of them, piece by piece; return how many rows there are.

    `change` may alter values, never which rows there are nor their order. `note` is kept in the Delta log. What
    `change` or `before_commit` raises leaves the table as it was.
    """
    rows = 0
    failed: list[Exception] = []

    def changed(files: Sequence[str]) -> Iterator[pa.RecordBatch]:
        nonlocal rows
        try:
            for piece in (piece for uri in files for piece in _pieces(uri, table, day, None)):
                after = change(piece)
                if not after[KEYS[table]].equals(piece[KEYS[table]]) or after.schema != TABLES[table]:
                    raise OurBug(
                        f"Rewriting {table} of {day} changed more than values.", code="STO-010", about=(table, day)
                    )
                rows += after.num_rows
                yield from after.to_batches()
            before_commit()
        except Exception as error:  # the Delta library would pass it on as text
            failed.append(error)
            raise

    with lake.writing(table) as delta:
        files = _files(lake, table, day)  # listed here: inside the library's own threads its log cannot be read
        try:
            write_deltalake(
                delta,
                pa.RecordBatchReader.from_batches(TABLES[table], changed(files)),
                mode="overwrite",
                predicate=f"date = '{day.isoformat()}'",
                writer_properties=WRITER,
                commit_properties=_noted(note),
            )
        except Exception as error:
            raise (failed[0] if failed else error) from error
    return rows


def older_than(lake: Lake, table: str, first_kept: date) -> Dropped:
    """Say what dropping everything before a UTC date would take away."""
    snapshot = lake.pinned(table)
    old = [(day, uri) for day, uri in (snapshot.files if snapshot else ()) if day < first_kept]
    days = sorted({day for day, _ in old})
    if not days:
        return Dropped(table, 0, 0)
    return Dropped(table, len(days), sum(pq.read_metadata(uri).num_rows for _, uri in old), days[0], days[-1])


def drop_before(lake: Lake, table: str, first_kept: date, *, keep: Sequence[str] = (), note: str = "") -> None:
    """Drop every row before a UTC date but those with the keys `keep`; whole days cost no rewriting."""
    if lake.version(table) is None:
        return
    predicate = f"date < '{first_kept.isoformat()}'"
    if keep:
        listed = ", ".join("'" + key.replace("'", "''") + "'" for key in keep)
        predicate += f" AND {KEYS[table]} NOT IN ({listed})"
    with lake.writing(table) as delta:
        delta.delete(
            predicate,
            writer_properties=WRITER,
            commit_properties=_noted(note),
        )


def bytes_of(lake: Lake, table: str) -> int:
    """Return the size on disk of a table's newest version."""
    snapshot = lake.pinned(table)
    return sum(_size(Path(uri)) for _, uri in snapshot.files) if snapshot else 0


def _files(lake: Lake, table: str, day: date) -> list[str]:
    snapshot = lake.pinned(table)
    return [uri for held, uri in snapshot.files if held == day] if snapshot else []


def _noted(note: str) -> CommitProperties:
    return CommitProperties(custom_metadata={"cachewise": note} if note else None)


def _pieces(uri: str, table: str, day: date, columns: Sequence[str] | None) -> Iterator[pa.Table]:
    schema = TABLES[table]
    wanted = [name for name in (columns or schema.names) if name != "date"]
    fields = pa.schema([schema.field(name) for name in (columns or schema.names)])
    with explained(uri, "reading"), pq.ParquetFile(uri) as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=present(wanted, file.schema_arrow)):
            rows = pa.Table.from_batches([batch])
            if "date" in fields.names:
                rows = rows.append_column("date", pa.repeat(pa.scalar(day, pa.date32()), rows.num_rows))
            yield filled(rows, fields)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0  # vacuumed under our eyes; a table that lacks a file is told by whoever reads it
