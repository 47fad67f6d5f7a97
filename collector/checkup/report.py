"""The last checkup, kept beside the tables, so that the dashboard can show what the command line found."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from collector.checkup.check import Check
from core.settings import Settings

_FILE = ".checkup.json"


def remember(settings: Settings, checks: Sequence[Check], *, now: datetime | None = None) -> bool:
    """Keep the checks where the tables are; False where nothing can be written, which is no reason to fail."""
    place = Path(settings.lake_path)
    told = {"at": (now or datetime.now(UTC)).isoformat(), "checks": [check.kept() for check in checks]}
    part = place / f"{_FILE}.{os.getpid()}"
    try:
        if not place.is_dir():
            return False  # looking must not create the folder
        part.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
        part.replace(place / _FILE)
    except OSError:
        return False
    return True


def latest(settings: Settings) -> tuple[datetime, list[dict[str, Any]]] | None:
    """Return when the last checkup was and what it found; None where there is none that can be read."""
    try:
        told = json.loads((Path(settings.lake_path) / _FILE).read_text(encoding="utf-8"))
        return datetime.fromisoformat(told["at"]), [dict(check) for check in told["checks"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
