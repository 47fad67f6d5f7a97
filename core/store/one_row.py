"""One row appended to a table without Arrow for Python, by the Delta library alone: half as long as to load the other.

For the row that says that nothing was read; whatever holds rows of a log is written by `Lake.commit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from arro3.core import Array, DataType, Table  # what the Delta library itself takes rows in
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError

from core.store import care

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN = WriterProperties(compression="UNCOMPRESSED")  # as core.store.append leaves few rows


def append_row(folder: Path, table: str, row: Mapping[str, Any], *, source: str, pass_no: int) -> bool:
    """Append a row in a transaction that records (source, pass_no); the caller is the table's only writer.

    False where that is more than this can do, or fails: the table has other columns, or too many files.
    """
    day = row["ts"].astimezone(UTC).date()
    if care.crowded_days(care.on_disk(folder / table), day):
        return False
    try:
        delta = DeltaTable(folder / table)
        schema, given = delta.schema().to_arrow(), {**row, "date": day}
        if set(schema.names) != set(given):
            return False
        columns: dict[str, Any] = {field.name: _column(given[field.name], field.type) for field in schema}
        write_deltalake(
            delta,
            Table.from_pydict(columns, schema=schema),
            mode="append",
            writer_properties=_PLAIN,
            commit_properties=CommitProperties(app_transactions=[Transaction(source, pass_no)], max_commit_retries=15),
        )
    except (DeltaError, OSError, ValueError):  # `Lake.commit` meets the same, and says so
        return False
    return True


def _column(value: Any, kind: DataType) -> Array:
    """Return a column of one value; times and dates are given as the numbers that they are stored as."""
    if DataType.is_timestamp(kind):
        micros = (value - _EPOCH) // timedelta(microseconds=1) if value is not None else None
        return Array([micros], DataType.int64()).cast(kind)
    if DataType.is_date32(kind):
        assert isinstance(value, date)
        return Array([value.toordinal() - _EPOCH.toordinal()], DataType.int32()).cast(kind)
    return Array([value], kind)
