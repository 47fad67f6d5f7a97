"""FOCUS files, written a month at a time: CSV with all digits, Parquet with exact `x_` columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from core.metrics import summary
from core.reports import table
from core.reports.csv import cell, text
from core.reports.focus.columns import SCHEMA
from core.reports.focus.rows import Row, rows
from core.reports.request import Desk, Progress, Request

_BATCH = 20_000
_FLOATS = {field.name for field in SCHEMA if pa.types.is_floating(field.type)}


def write_csv(desk: Desk, request: Request, out: BinaryIO, progress: Progress) -> int:
    """Write the charges as CSV and return how many there are."""
    count = 0
    out.write(text([SCHEMA.names]))
    for batch in _batches(desk, request, progress):
        out.write(text([_cell(name, row.get(name)) for name in SCHEMA.names] for row in batch))
        count += len(batch)
    return count


def write_parquet(desk: Desk, request: Request, cover: Mapping[str, str], out: BinaryIO, progress: Progress) -> int:
    """Write the charges as Parquet and return how many there are."""
    count = 0
    columns = SCHEMA.with_metadata(dict(cover))
    with pq.ParquetWriter(out, columns, compression="zstd") as writer:
        for batch in _batches(desk, request, progress):
            arrays = [_column(field, [row.get(field.name) for row in batch]) for field in columns]
            writer.write_table(pa.Table.from_arrays(arrays, schema=columns))
            count += len(batch)
    return count


def left_out(desk: Desk, request: Request) -> int:
    """Return how many calls are in no row, because they have no price: an unknown cost cannot be billed as zero."""
    return int(summary(desk.reader, request.scope)["unpriced_calls"] or 0)


def _batches(desk: Desk, request: Request, progress: Progress) -> Iterator[list[Row]]:
    parts = table.months(desk.reader, request.scope, zone="UTC")
    for number, part in enumerate(parts):
        progress("progress.groups", number, len(parts))
        found = rows(desk, replace(request, scope=part))
        while batch := list(islice(found, _BATCH)):
            yield batch


def _column(field: pa.Field, values: Iterable[Any]) -> pa.Array:
    if field.name in _FLOATS:
        return pa.array([None if value is None else float(value) for value in values], field.type)
    return pa.array(values, field.type)


def _cell(name: str, value: Any) -> str:
    """Write metrics with a decimal point, so that no reader takes a column of them for whole numbers."""
    if name in _FLOATS and isinstance(value, Decimal):
        plain = format(value, "f")
        return plain if "." in plain else f"{plain}.0"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return cell(value)
