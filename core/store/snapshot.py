"""One version of a table: its files, and what of them a question needs to read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq

from core.store.faults import explained


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

    def newest_dates_first(self) -> Iterator[list[str]]:
        """Yield the files of each date, the newest date first."""
        for day in sorted({day for day, _ in self.files}, reverse=True):
            yield [uri for held, uri in self.files if held == day]


def date_of(uri: str) -> date:
    """Return the UTC date whose rows a file holds."""
    return date.fromisoformat(uri.rsplit("/date=", 1)[1][:10])


def passes_of(uri: str, source: str) -> Iterator[tuple[int, str, int]]:
    """Yield when each pass of a source began, in microseconds, and its place: most are not looked at any further."""
    with explained(uri, "reading"):
        told = pq.ParquetFile(uri).read(["source", "ts"])
    starts = told["ts"].cast(pa.int64()).to_pylist()
    for at, (name, start) in enumerate(zip(told["source"].to_pylist(), starts, strict=True)):
        if name == source:
            yield start, uri, at
