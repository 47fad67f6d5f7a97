"""What the newest pass of a source said, noted beside the tables, to be known without opening them.

A note is a copy and never the truth: it is believed only while the log of `ingest_passes` says nothing newer of the
source, and where anything about it is strange the table is read. Loads with the standard library alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

_FOLDER = ".noted"
_FORM = 1
_MOST = 64  # entries of the log that are looked through: above it, reading the table is quicker
_DIGITS = 20  # of a version in the name of its entry


@dataclass(frozen=True, slots=True)
class Noted:
    """The newest pass of a source, which read everything there was."""

    source: str
    pass_no: int
    ts: str  # ISO 8601
    finished_at: str
    cursor_json: str

    @classmethod
    def of(cls, row: Mapping[str, Any], pass_no: int) -> Noted:
        """Note a row of `ingest_passes` that has a cursor."""
        times = row["ts"].isoformat(), row["finished_at"].isoformat()
        return cls(row["source"], pass_no, *times, row["cursor_json"])

    @property
    def finished(self) -> datetime:
        """When the pass had ended."""
        return datetime.fromisoformat(self.finished_at)

    def row(self) -> dict[str, Any]:
        """Return it as `Lake.last_pass` does, as far as a collector reads on by it."""
        told = {"ts": datetime.fromisoformat(self.ts), "cursor_json": self.cursor_json}
        return {"pass_id": f"{self.source}/{self.pass_no}", **told}


def leave(folder: Path, noted: Noted) -> None:
    """Write a note. It makes the next start quicker and nothing else, so it may fail."""
    place = _place(folder, noted.source)
    draft = place.with_suffix(f".{os.getpid()}")
    with suppress(OSError, ValueError):
        entry = _entry_of(folder, noted)
        if entry is None:
            return
        place.parent.mkdir(exist_ok=True)
        draft.write_text(json.dumps({"form": _FORM, "entry": entry, "pass": asdict(noted)}), encoding="utf-8")
        draft.replace(place)


def find(folder: Path, source: str) -> Noted | None:
    """Return what the newest pass of a source said; None where only the table can tell."""
    try:
        told = json.loads(_place(folder, source).read_bytes())
        noted = Noted(**told["pass"]) if told["form"] == _FORM else None
        if noted is None or noted.source != source or told["entry"] != _entry_of(folder, noted):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return noted


def _place(folder: Path, source: str) -> Path:
    return folder / _FOLDER / f"{blake2b(source.encode(errors='surrogateescape'), digest_size=12).hexdigest()}.json"


def _entry_of(folder: Path, noted: Noted) -> list[int] | None:
    """Return what tells the entry of a pass in the table's log from any other; None where it is not the newest pass.

    Each commit of a pass names its source and number as a transaction; what others commit since names neither.
    """
    for entry in _newest_first(folder / "ingest_passes" / "_delta_log"):
        for line in entry.read_text(encoding="utf-8").splitlines():
            told = json.loads(line).get("txn", {}) if '"txn"' in line else {}
            if told.get("appId") == noted.source:
                info = entry.stat()
                same = told.get("version") == noted.pass_no
                return [int(entry.stem), info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns] if same else None
    return None


def _newest_first(log: Path) -> Iterator[Path]:
    """Yield the newest entries of a table's log, as long as none is missing between them."""
    names = {name for name in os.listdir(log) if name.endswith(".json") and name[:_DIGITS].isdigit()}  # noqa: PTH208
    newest = max((int(name[:_DIGITS]) for name in names), default=-1)
    for version in range(newest, max(newest - _MOST, -1), -1):
        name = f"{version:0{_DIGITS}}.json"
        if name not in names:
            return
        yield log / name
