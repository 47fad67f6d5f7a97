"""Is there anything new? Looked at before whatever reads and stores is loaded, which takes longer than the look.

Of files only: whether something changed is seen from outside. The answer is that of a pass, or None where it takes one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from collector.by_hand import STDIN
from collector.result import PassResult
from collector.sources.file_bytes import Found, list_files
from collector.sources.file_identity import FileCursor
from core.settings import SourceSettings
from core.store import noted

QUIET_S = 60.0
"""A pass that read nothing new is written down this often, so that its freshness is known."""


def glance(
    source: SourceSettings, tables: str | Path, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> PassResult | None:
    """Return what a pass over a source says that finds nothing new and need not be written down yet; else None."""
    if source.kind != "files" or STDIN in source.paths:
        return None
    now = clock()
    last = noted.find(Path(tables).expanduser().absolute(), source.name)
    if last is None or not timedelta(0) <= now - last.finished < timedelta(seconds=QUIET_S):
        return None
    listed, problems = list_files(source.paths)
    cursor = FileCursor(json.loads(last.cursor_json))
    if problems or not all(_is_read(found, cursor) for found in listed):
        return None
    reached = round(now.timestamp() * 1000) if listed or cursor.known else None
    return PassResult(source.name, source.kind, now, complete_until_ms=reached)


def _is_read(found: Found, cursor: FileCursor) -> bool:
    return not found.stream and (not found.size or cursor.is_done(found))
