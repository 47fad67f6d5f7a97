"""A lake with given rows in it, for tests of everything that reads one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from core.store.lake import Lake
from tests.support.rows import table_of


def fill(path: Path, **tables: Iterable[Mapping[str, Any]]) -> Lake:
    """Return a lake that holds these rows: `fill(tmp_path, calls=[…], invocations=[…])`."""
    lake = Lake(path)
    for name, rows in tables.items():
        lake.commit(name, table_of(name, rows))
    return lake


def damage(folder: Path) -> Path:
    """Make a folder a store path whose calls table is not a table."""
    log = folder / "tables" / "calls" / "_delta_log"
    log.mkdir(parents=True)
    (log / "00000000000000000000.json").write_text("not a log\n")
    return folder
