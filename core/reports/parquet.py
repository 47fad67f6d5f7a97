"""Parquet: the groups with exact decimals, a month of them in memory at a time; the cover in the file's metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from core.reports.table import Stream, schema


def write(report: Stream, cover: Mapping[str, str], out: BinaryIO) -> int:
    """Write the groups and return how many there are; a report without groups is its total in one row."""
    told = {key.removeprefix("cover."): text for key, text in cover.items()}
    columns = schema(report.by, report.units).with_metadata(told)
    rows = 0
    with pq.ParquetWriter(out, columns, compression="zstd") as writer:
        for groups in report.chunks if report.by else [[report.total]]:
            writer.write_table(pa.Table.from_pylist(groups, schema=columns))
            rows += len(groups)
    return rows
