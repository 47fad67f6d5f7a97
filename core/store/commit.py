"""Which rows of a batch are new, which replace a stored row, and which were told before. Pure Arrow, no disk."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from core.errors import OurBug
from core.store.hashes import Hashes
from core.store.schema import KEYS, TABLES

_SORT = ("date", "engine", "model", "ts")
KEY, RANK, DATE = "key", "rank", "date"


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What one commit did. The first three counts add up to the rows handed in."""

    added: int = 0
    duplicates: int = 0
    replaced: int = 0
    removed: int = 0  # rows that another one stands for now; not among the rows handed in
    new_keys: pa.ChunkedArray | None = field(default=None, compare=False)  # of the rows added
    hashes: Hashes | None = field(default=None, compare=False)  # of the keys handed in: core.store.hashes


@dataclass(frozen=True, slots=True)
class Sorted:
    """A batch sorted out: rows to append, rows that replace a stored one, and how many said nothing new."""

    added: pa.Table
    replacing: pa.Table
    replaced_dates: tuple[str, ...]  # partitions that hold the rows to be replaced or removed
    duplicates: int
    removed: pa.Table  # key and date of stored rows that are to go


def conform(table: str, rows: pa.Table) -> pa.Table:
    """Return the rows in the table's own columns and types, with `date` taken from `ts`."""
    schema = TABLES[table]
    if set(rows.column_names) - {DATE} != set(schema.names) - {DATE}:
        differing = sorted(set(rows.column_names) ^ set(schema.names))
        raise OurBug(
            f"Rows for {table} differ in the columns {', '.join(differing)}.",
            code="STO-007",
            about=(table, ", ".join(differing)),
        )
    for column in ("ts", KEYS[table]):
        if rows[column].null_count:
            raise OurBug(
                f"Rows for {table} without {column}: {rows[column].null_count}.",
                code="STO-007",
                about=(table, column),
            )
    dated = rows.drop_columns([DATE]) if DATE in rows.column_names else rows
    dated = dated.append_column(DATE, dated["ts"].cast(schema.field("ts").type).cast(pa.date32()))
    return dated.select(schema.names).cast(schema)


def keys_of(table: str, rows: pa.Table) -> pa.Table:
    """Return key and rank of each row; a table without ranks has rank 0 throughout."""
    rank = rows["row_rank"] if "row_rank" in rows.column_names else None
    filled = pc.fill_null(rank, 0).cast(pa.int32()) if rank is not None else _zeros(rows.num_rows)
    return pa.table({KEY: rows[KEYS[table]].cast(pa.string()), RANK: filled})


def sort_out(
    table: str, rows: pa.Table, stored: pa.Table, gone: Collection[str] = (), *, distinct: bool = False
) -> Sorted:
    """Sort a conforming batch against the stored keys (columns key, rank, date); stored rows under `gone` are to go.

    `distinct`: the batch is known to have no key twice. Of rows with one key the highest rank wins, then the first
    told; a stored row yields only to a higher rank.
    """
    best = rows if distinct else _best_of_each(rows, keys_of(table, rows))
    if not stored.num_rows:
        return Sorted(best, best.slice(0, 0), (), rows.num_rows - best.num_rows, stored)
    keys = keys_of(table, best)
    found = pc.index_in(keys[KEY], value_set=stored[KEY])
    is_new = pc.is_null(found)
    stored_rank = stored[RANK].take(found)
    wins = pc.fill_null(pc.greater(keys[RANK], stored_rank), False)
    added, replacing = best.filter(is_new), best.filter(wins)
    removed = stored.filter(pc.is_in(stored[KEY], value_set=pa.array(list(gone), pa.string())))
    touched = [*stored[DATE].take(found).filter(wins).to_pylist(), *removed[DATE].to_pylist()]
    dates = tuple(sorted({str(day) for day in touched}))
    return Sorted(added, replacing, dates, rows.num_rows - added.num_rows - replacing.num_rows, removed)


def in_order(rows: pa.Table) -> pa.Table:
    """Sort by engine, model and time inside each date: it compresses a third better and prunes more."""
    return rows.sort_by([(column, "ascending") for column in _SORT if column in rows.column_names])


def _best_of_each(rows: pa.Table, keys: pa.Table) -> pa.Table:
    if pc.count_distinct(keys[KEY]).as_py() == rows.num_rows:
        return rows
    place = pa.array(range(rows.num_rows), pa.int64())
    ordered = keys.append_column("place", place).sort_by(
        [(KEY, "ascending"), (RANK, "descending"), ("place", "ascending")]
    )
    firsts = ordered.group_by(KEY, use_threads=False).aggregate([("place", "first")])
    return rows.take(firsts["place_first"])


def _zeros(count: int) -> pa.Array:
    return pa.repeat(pa.scalar(0, pa.int32()), count)
