"""The demo's folder: hourly log files per source, the truth beside them, and where writing stopped.

<root>/fleet.json                                        seed and anchor day, written once
<root>/logs/<source>/2026/11/20/2026-11-20T05.json.gz    history: an hour, written whole, never again
<root>/logs/<source>/2026/11/23/2026-11-23T03.jsonl      an hour that was live: appended to
<root>/truth/2026-11-20T05.jsonl                         why each call missed; the collector never reads it
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson

from core.errors import FixSettings
from simulator.fleet.arrivals import HOUR_MS
from simulator.fleet.engines import FUNCTIONS
from simulator.fleet.plan import from_ms

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """Which fleet a folder holds."""

    seed: int
    anchor: date


class FleetFolder:
    """Reads and writes one demo folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.truth = root / "truth"

    def logs(self, source: str) -> Path:
        """Return the folder that the collector reads for `source`."""
        return self.root / "logs" / source

    def make(self) -> None:
        """Create the folders. Raises FixSettings where that is not allowed."""
        try:
            for folder in (self.truth, *(self.logs(function.source) for function in FUNCTIONS)):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FixSettings(
                f"The demo folder {self.root} cannot be written: {error.strerror}.",
                code="DEM-001",
                mend="Set CACHEWISE_STORE_PATH to a folder you may write to.",
            ) from None

    def identity(self, *, seed: int | None, today: date, default_seed: int) -> Identity:
        """Return the fleet this folder holds, or make it a new one. Raises FixSettings if it holds another seed."""
        path = self.root / "fleet.json"
        if path.exists():
            known = json.loads(path.read_text(encoding="utf-8"))
            if seed is not None and seed != known["seed"]:
                raise FixSettings(
                    f"{self.root} holds the demo fleet of seed {known['seed']}, not {seed}.",
                    code="DEM-002",
                    mend=f"Use --seed {known['seed']}, or remove {self.root} to begin anew.",
                )
            return Identity(known["seed"], date.fromisoformat(known["anchor_day"]))
        identity = Identity(default_seed if seed is None else seed, today)
        known = {"format": _FORMAT, "seed": identity.seed, "anchor_day": identity.anchor.isoformat()}
        self._replace(path, json.dumps(known).encode() + b"\n")
        return identity

    def history_path(self, source: str, hour_ms: int) -> Path:
        """Return the file of an hour of history."""
        return self.logs(source) / f"{from_ms(hour_ms):%Y/%m/%d/%Y-%m-%dT%H}.json.gz"

    def live_path(self, source: str, hour_ms: int) -> Path:
        """Return the file of an hour that is or was live."""
        return self.logs(source) / f"{from_ms(hour_ms):%Y/%m/%d/%Y-%m-%dT%H}.jsonl"

    def truth_path(self, hour_ms: int) -> Path:
        """Return the file that holds the truth of an hour."""
        return self.truth / f"{from_ms(hour_ms):%Y-%m-%dT%H}.jsonl"

    def write_hour(self, hour_ms: int, payloads: dict[str, list[bytes]], truths: Iterable[dict[str, Any]]) -> None:
        """Write a whole hour of history; the first function's file comes last and says that the hour is complete."""
        self._replace(self.truth_path(hour_ms), truth_lines(truths))
        for function in reversed(FUNCTIONS):
            path = self.history_path(function.source, hour_ms)
            if not path.exists():
                data = gzip.compress(b"".join(payloads.get(function.source, [])), compresslevel=3, mtime=0)
                self._replace(path, data)

    def append_live(self, source: str, hour_ms: int, payloads: list[bytes]) -> None:
        """Append payloads to the hour's live file, whole lines at once."""
        _append(self.live_path(source, hour_ms), b"".join(payloads))

    def append_truth(self, hour_ms: int, truths: Iterable[dict[str, Any]]) -> None:
        """Append to the truth of a live hour."""
        _append(self.truth_path(hour_ms), truth_lines(truths))

    def written_until_ms(self) -> int | None:
        """Return where writing stopped: the end of the last whole hour, or the last live event; None if nowhere."""
        last = max((path.name for path in self.logs(FUNCTIONS[0].source).glob("*/*/*/2*T*.json*")), default=None)
        if last is None:
            return None
        hour_ms = int(datetime.strptime(last[:13], "%Y-%m-%dT%H").replace(tzinfo=UTC).timestamp()) * 1000
        if last.endswith(".json.gz"):
            return hour_ms + HOUR_MS
        tails = [_mend_tail(self.live_path(function.source, hour_ms)) for function in FUNCTIONS]
        return max([hour_ms, *(tail for tail in tails if tail is not None)])

    def _replace(self, path: Path, data: bytes) -> None:
        """Write a file whole or not at all; the half-written one lies where no collector looks."""
        path.parent.mkdir(parents=True, exist_ok=True)
        half = self.root / f"{path.name}.part"
        half.write_bytes(data)
        half.replace(path)


def read_truth(root: Path) -> Iterator[dict[str, Any]]:
    """Yield the truth of every call of a demo folder, in order of time."""
    for path in sorted((root / "truth").glob("*.jsonl")):
        with path.open("rb") as lines:
            for line in lines:
                yield orjson.loads(line)


def truth_lines(truths: Iterable[dict[str, Any]]) -> bytes:
    """Return truths as JSON lines."""
    return b"".join(orjson.dumps(truth, option=orjson.OPT_APPEND_NEWLINE) for truth in truths)


def _append(path: Path, data: bytes) -> None:
    if not data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, data)
    finally:
        os.close(handle)


def _mend_tail(path: Path) -> int | None:
    """Cut off a line that a crash left half written; return the time of the last event, if there is one."""
    if not path.exists():
        return None
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.truncate(path, whole)
    last_ms = None
    for line in data[:whole].splitlines():
        for event in orjson.loads(line)["logEvents"]:
            last_ms = max(last_ms or 0, event["timestamp"])
    return last_ms
