"""What calls said before they were repriced: small Parquet files beside the tables, one for each action and date."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from core.care.assume import ASSUMED
from core.pricing.ledger import PRICED
from core.store.faults import explained, make_folder
from core.store.lake import Lake
from core.store.schema import CALLS

FOLDER = ".repriced"
SCHEMA = pa.schema([CALLS.field(name) for name in ("call_id", "row_rank", *PRICED, "price_check", *ASSUMED)])


class Saved:
    """One file being written; it has its name only once it is whole and on disk, which is before the new prices are."""

    def __init__(self, path: Path, part: Path) -> None:
        self._path, self._part = path, part
        self._writer = pq.ParquetWriter(part, SCHEMA, compression="zstd")

    @classmethod
    @contextmanager
    def writing(cls, lake: Lake, action_id: str, day: date) -> Iterator[Saved]:
        """Open the file of one date. Call `finish` when all rows are written; without it nothing stays."""
        place = folder_of(lake, action_id)
        make_folder(place)
        path = place / f"{day.isoformat()}.parquet"
        part = path.with_suffix(".part")
        with explained(place, "saving the prices before"):
            saved = cls(path, part)
        try:
            yield saved
        finally:
            saved._writer.close()
            part.unlink(missing_ok=True)

    def write(self, rows: pa.Table) -> None:
        """Add rows of the calls table."""
        if rows.num_rows:
            self._writer.write_table(rows.select(SCHEMA.names).cast(SCHEMA))

    def finish(self) -> None:
        """Close the file, bring it to disk and give it its name."""
        self._writer.close()
        with self._part.open("rb") as handle:
            os.fsync(handle.fileno())
        self._part.rename(self._path)


def folder_of(lake: Lake, action_id: str) -> Path:
    """Return where an action's files are."""
    return lake.path / FOLDER / action_id


def days_of(lake: Lake, action_id: str) -> list[date]:
    """Return the dates that have a file."""
    return sorted(date.fromisoformat(path.stem) for path in folder_of(lake, action_id).glob("*.parquet"))


def read(lake: Lake, action_id: str, day: date) -> pa.Table:
    """Return what the rows of one date said before."""
    path = folder_of(lake, action_id) / f"{day.isoformat()}.parquet"
    with explained(path, "reading the prices before"):
        return pq.ParquetFile(path).read()


def drop_before(lake: Lake, first_kept: date) -> int:
    """Delete what belongs to dates that have expired; return how many files that was."""
    gone = 0
    for path in (lake.path / FOLDER).glob("*/*.parquet"):
        if date.fromisoformat(path.stem) < first_kept:
            path.unlink(missing_ok=True)
            gone += 1
    for folder in (lake.path / FOLDER).glob("*"):
        if folder.is_dir() and not any(folder.iterdir()):
            shutil.rmtree(folder, ignore_errors=True)
    return gone
