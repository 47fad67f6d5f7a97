"""Tables that are older than a column: they are read as if it were null there, and get it with the next write.

So a new version of Cachewise needs nobody to collect again. Only the columns of `core.store.schema.ADDED` are
forgiven; a table that lacks any other was not written by us.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.schema import Field, PrimitiveType

from core.store.schema import ADDED, TABLES

_GROWN = "cachewise.grown"  # a property of tables that hold files from before a column was added
_DELTA_TYPES = {pa.string(): "string", pa.int64(): "long", pa.float64(): "double", pa.bool_(): "boolean"}


def columns_added(table: str) -> tuple[str, ...]:
    """Return the columns that older tables of that name may lack."""
    return ADDED.get(table, ())


def is_grown(table: str, delta: DeltaTable) -> bool:
    """Say whether some of a table's files may lack a column."""
    return bool(_lacking(table, delta)) or _GROWN in delta.metadata().configuration


def lacks(table: str, delta: DeltaTable) -> bool:
    """Say whether a table must be given columns before it is written."""
    return bool(_lacking(table, delta))


def grow(table: str, delta: DeltaTable) -> DeltaTable:
    """Give an older table the columns it lacks, and return it; the caller is its only writer."""
    lacking = _lacking(table, delta)
    if not lacking:
        return delta
    # Marked first: a process that stops between the two leaves a table that is read with care for nothing.
    delta.alter.set_table_properties({_GROWN: "true"}, raise_if_not_exists=False)
    kinds = [(name, _DELTA_TYPES[TABLES[table].field(name).type]) for name in lacking]
    delta.alter.add_columns([Field(name, PrimitiveType(kind), nullable=True) for name, kind in kinds])
    return delta


def filled(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows of a file in a schema's columns, order and types; what an older file lacks is null."""
    for name in schema.names:
        if name not in rows.column_names:
            rows = rows.append_column(schema.field(name), pa.nulls(rows.num_rows, schema.field(name).type))
    return rows.select(schema.names).cast(schema)


def present(names: Sequence[str], file: pa.Schema) -> list[str]:
    """Return those of the names that a file has."""
    held = set(file.names)
    return [name for name in names if name in held]


def _lacking(table: str, delta: DeltaTable) -> list[str]:
    added = columns_added(table)
    if not added:
        return []
    held = {field.name for field in delta.schema().fields}
    return [name for name in added if name not in held]
