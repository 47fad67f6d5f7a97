"""What comes out of the collector, as one digest per table: run it before and after a change that is only for speed.

Run: `python benchmarks/same_rows.py [--mb 20] [--days 1]`. Reads, each into tables of their own: a simulated fleet as
it is delivered (payloads), the same fleet as plain text of each log stream, the logs of `ingest.py`, and a folder
of sessions of `claude_code.py`; then all of it once more, which must change nothing. Everything has fixed seeds and a
fixed clock, so the same code prints the same digests on every machine, and so does code that only is faster.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import orjson
import pyarrow as pa

from benchmarks import claude_code, ingest
from collector.pipeline import Collector
from collector.sources.file_bytes import chunks
from collector.sources.files import FilesSource
from core.pricing import default_book
from core.settings import LineDefaults, SourceSettings
from core.store.lake import Lake
from core.store.schema import KEYS
from simulator.fleet.engines import FUNCTIONS
from simulator.fleet.folder import FleetFolder
from simulator.fleet.writer import FleetWriter

NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
DEFAULTS = LineDefaults(model="claude-opus-4-5", cache_ttl="1h", caching_enabled=True)
TABLES = ("calls", "invocations", "prompt_store_events")


def digest(rows: pa.Table, key: str) -> str:
    """Return a hash of every value of every row, whatever the order of the rows."""
    told = sorted(orjson.dumps({k: str(v) for k, v in row.items()}) for row in rows.sort_by(key).to_pylist())
    return hashlib.sha256(b"\n".join(told)).hexdigest()[:16]


def as_text(source: Path, target: Path) -> None:
    """Write the events of a fleet's payloads as Lambda's text log, a file for each log stream."""
    for path in sorted(source.rglob("*.json*")):
        with path.open("rb") as handle:
            data = b"".join(chunks(handle))
        for line in data.splitlines():
            body = orjson.loads(line)
            place = target / f"{body['logGroup']}/{body['logStream']}".strip("/").replace("/", "_")
            with place.with_suffix(".log").open("a", encoding="utf-8") as out:
                out.writelines(event["message"].rstrip("\n") + "\n" for event in body["logEvents"])


def tell(name: str, folder: Path, tables: Path) -> None:
    """Read a folder twice and print what its tables hold. A file whose lines tell no time has its own."""
    for path in folder.rglob("*.*"):
        os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    lake = Lake(tables)
    settings = SourceSettings(name="bench", kind="files", paths=(str(folder),), defaults=DEFAULTS)
    first, second = (
        Collector(FilesSource(settings), Lake(tables), default_book(), defaults=DEFAULTS, clock=lambda: NOW).run_pass()
        for _ in range(2)
    )
    counted = hashlib.sha256(orjson.dumps(first.to_json() | {"errors": []}, option=orjson.OPT_SORT_KEYS)).hexdigest()
    print(f"{name}: {first.lines_read:,} lines, counters {counted[:16]}; "
          f"again {second.lines_read} lines, {second.new_calls} new calls")  # fmt: skip
    for table in TABLES:
        rows = lake.read(table)
        print(f"  {table:20} {rows.num_rows:9,} rows  {digest(rows, KEYS[table])}")


def main() -> None:
    """Build, read, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=20)
    parser.add_argument("--days", type=int, default=1)
    chosen = parser.parse_args()
    root = Path(tempfile.gettempdir()) / "cachewise-same-rows"  # always the same: paths are part of what is told
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    try:
        now_ms = round(NOW.timestamp() * 1000)
        fleet = FleetFolder(root / "fleet")
        FleetWriter(fleet, book=default_book(), now_ms=now_ms, days=chosen.days, seed=5).write_history(now_ms)
        tell("fleet, payloads", root / "fleet" / "logs", root / "t1")
        (root / "text").mkdir()
        for function in FUNCTIONS:
            as_text(fleet.logs(function.source), root / "text")
        tell("fleet, text", root / "text", root / "t2")
        (root / "mixed").mkdir()
        ingest.build(root / "mixed" / "mixed.log", chosen.mb, started=NOW - timedelta(days=7))
        tell("mixed log", root / "mixed", root / "t3")
        for name, form, twice in (
            ("JSON format", ingest.as_json, False),
            ("cost line and record", ingest.as_it_is, True),
            ("cost line and record, JSON", ingest.as_json, True),
            ("cost line and record, no Lambda", ingest.as_service, True),
        ):
            folder = root / name.replace(" ", "-")
            folder.mkdir()
            megabytes = max(1, chosen.mb // 10)
            ingest.build(folder / "a.log", megabytes, NOW - timedelta(days=7), form, twice=twice)
            tell(name, folder, root / f"tables of {name}")
        claude_code.build(root / "claude", max(1, chosen.mb // 4), started=NOW - timedelta(days=14))
        tell("sessions", root / "claude", root / "t4")
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
