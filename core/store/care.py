"""Keeping tables small and quick: joining the many small files that following a log leaves behind."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from deltalake import DeltaTable, WriterProperties

RETENTION_HOURS = 1
"""How long a replaced file stays for readers of an older version; must outlive the longest query."""

FILES_TODAY = 32
FILES_PAST_DAY = 6


@dataclass(frozen=True, slots=True)
class Done:
    """What one round of care did."""

    days: int = 0
    files_joined: int = 0
    files_deleted: int = 0


def crowded_days(files: Iterable[tuple[date, str]], today: date) -> list[date]:
    """Return the days with too many files: today may hold more, as it grows with every pass."""
    counts = Counter(day for day, _ in files)
    return sorted(day for day, count in counts.items() if count > (FILES_TODAY if day >= today else FILES_PAST_DAY))


def on_disk(folder: Path) -> Iterator[tuple[date, str]]:
    """Yield the files of a table that lie on disk, named by its newest version or not, each with its day."""
    for place in folder.glob("date=*"):
        with suppress(OSError, ValueError):  # a day that was deleted meanwhile, a folder that is none of ours
            day = date.fromisoformat(place.name.removeprefix("date="))
            yield from [(day, name) for name in os.listdir(place)]  # noqa: PTH208  # a Path for each would take longer


def compact(delta: DeltaTable, writer: WriterProperties, days: list[date] | None) -> int:
    """Join the files of each day, one after another to save memory; return how many fewer there are."""
    before = len(delta.file_uris())
    for day in days if days is not None else [None]:
        filters = [("date", "=", day.isoformat())] if day else None
        delta.optimize.compact(partition_filters=filters, max_concurrent_tasks=1, writer_properties=writer)
    return before - len(delta.file_uris())


def vacuum(delta: DeltaTable, retention_hours: int) -> int:
    """Delete files older than the retention that the newest version does not need; shorten the log."""
    gone = delta.vacuum(retention_hours=retention_hours, dry_run=False, enforce_retention_duration=False)
    delta.create_checkpoint()
    delta.cleanup_metadata()
    return len(gone)
