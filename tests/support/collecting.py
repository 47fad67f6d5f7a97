"""Collecting in tests: a collector over files or CloudWatch with small tables of its own."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from collector.pipeline import Collector
from collector.result import PassResult
from collector.sources.files import FilesSource
from core.pricing import default_book
from core.settings import LineDefaults, SourceSettings
from core.store.lake import Lake
from tests.support.log_lines import NOW

DEFAULTS = LineDefaults(model="claude-opus-4-5", cache_ttl="1h", caching_enabled=True)


def files_source(*paths: Path | str, final: bool = True, **more: Any) -> FilesSource:
    """Return a source over paths."""
    values = {"name": "logs", "kind": "files", "paths": tuple(str(path) for path in paths), **more}
    settings = SourceSettings(**values)
    return FilesSource(settings, final=final)


def collector(source: Any, lake: Lake, *, defaults: LineDefaults = DEFAULTS, now: datetime = NOW) -> Collector:
    """Return a collector whose clock stands still."""
    return Collector(source, lake, default_book(), defaults=defaults, clock=lambda: now)


def collect(lake: Lake, *paths: Path | str, final: bool = True, now: datetime = NOW, **more: Any) -> PassResult:
    """Read paths once, as a fresh process would."""
    return collector(files_source(*paths, final=final, **more), lake, now=now).run_pass(final=final)


def rows(lake: Lake, table: str) -> list[dict[str, Any]]:
    """Return a table's rows in order of time."""
    return sorted(lake.read(table).to_pylist(), key=lambda row: (row["ts"], row.get("call_id") or ""))


def adds_up(result: PassResult) -> bool:
    """Say whether every line ended in exactly one counter."""
    return result.lines_read == result.lines_recognised + result.lines_ignored + result.lines_skipped
