"""Is there anything new? Looked at before whatever reads and stores is loaded, which takes longer than the look.

Of files only: whether something changed is seen from outside. The answer is that of a pass, or None where it takes one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from collector.by_hand import STDIN
from collector.result import PassResult
from collector.sources.file_bytes import Found, list_files
from collector.sources.file_identity import FileCursor
from core.errors import CachewiseError
from core.settings import SourceSettings
from core.store import locks, noted

QUIET_S = 60.0
"""A pass that read nothing new is written down this often, so that its freshness is known."""
_PASSES = "ingest_passes"
_TICK = timedelta(microseconds=1)


def glance(
    source: SourceSettings, tables: str | Path, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> PassResult | None:
    """Return what a pass over a source says that finds nothing new, and write it down if it is due; else None."""
    if source.kind != "files" or STDIN in source.paths:
        return None
    folder, now = Path(tables).expanduser().absolute(), clock()
    last = noted.find(folder, source.name)
    if last is None or now < last.finished:
        return None
    listed, problems = list_files(source.paths)
    cursor = FileCursor(json.loads(last.cursor_json))
    if problems or not all(_is_read(found, cursor) for found in listed):
        return None
    reached = round(now.timestamp() * 1000) if listed or cursor.known else None
    result = PassResult(source.name, source.kind, now, complete_until_ms=reached)
    if now - last.finished < timedelta(seconds=QUIET_S) or _written(result, folder, last, clock):
        return result
    return None


def _is_read(found: Found, cursor: FileCursor) -> bool:
    return not found.stream and (not found.size or cursor.is_done(found))


def _written(result: PassResult, folder: Path, last: noted.Noted, clock: Callable[[], datetime]) -> bool:
    """Write a pass that read nothing; False where it takes a collector to do it, or to say why it cannot be done."""
    from core.store.one_row import append_row  # loads the Delta library

    try:
        with (
            locks.hold(folder / ".collector.lock", wait_s=0, what="The data folder"),
            locks.hold(folder / f".{_PASSES}.lock", wait_s=0, what=f"The table {_PASSES} of"),
        ):
            if noted.find(folder, last.source) != last:
                return False
            began = max(result.began, datetime.fromisoformat(last.ts) + _TICK)
            pass_no = max(last.pass_no + 1, round(clock().timestamp() * 1000))
            row = replace(result, began=began).values(pass_no=pass_no, cursor_json=last.cursor_json, finished=clock())
            if not append_row(folder, _PASSES, row, source=last.source, pass_no=pass_no):
                return False
    except (OSError, CachewiseError):
        return False
    noted.leave(folder, noted.Noted.of(row, pass_no))
    return True
