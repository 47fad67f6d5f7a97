"""How long reports of a year take and how much memory they need, each format in a process of its own.

Run by hand: `python -m benchmarks.report_export [--calls 10000000] [--days 365] [--lake FOLDER] [--formats csv,focus]`.
The calls are spread over 365 days, of which the first `--days` are written: as dense, and sooner done. Peak memory is
that of the exporting process alone.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.page_queries import calls_of_day, invocations_of_day
from collector import memory
from core.pricing import default_book
from core.reports import files
from core.reports.request import Desk, Request
from core.store.lake import Lake
from core.store.query import Reader

START, DAYS = datetime(2025, 11, 1, tzinfo=UTC), 365
CASES = {
    "csv": ("day",),
    "csv by hour, engine, model": ("hour", "engine", "model"),
    "parquet by hour, engine, model": ("hour", "engine", "model"),
    "focus": ("day",),
    "focus-parquet by hour": ("hour",),
    "xlsx": ("day",),
    "html": ("day",),
    "pdf": ("day",),
}
"""Format and grouping of each case; documents (xlsx, html, pdf) also judge every call's miss cause."""


def main() -> None:
    """Generate, export, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=DAYS, help="write only the first days of the year")
    parser.add_argument("--lake", type=Path, help="where the tables are, or are to be kept")
    parser.add_argument("--formats", help="only these, comma between")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        export(given.lake, given.one)
        return
    with tempfile.TemporaryDirectory() as folder:
        place = given.lake or Path(folder)
        if Lake(place).version("calls") is None:
            began = time.perf_counter()
            print(
                f"wrote {generate(Lake(place), given.calls, given.days):,} rows in {time.perf_counter() - began:.0f} s",
                flush=True,
            )
        libraries = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "pyarrow", "xlsxwriter", "reportlab"))
        print(f"Python {platform.python_version()}, {libraries}; {os.cpu_count()} cores, shared", flush=True)
        wanted = given.formats.split(",") if given.formats else None
        for case in CASES:
            if wanted is None or case.split()[0] in wanted:
                asked = [sys.executable, "-m", "benchmarks.report_export", "--lake", str(place), "--one", case]
                told = json.loads(subprocess.run(asked, capture_output=True, check=True, text=True).stdout)
                print(
                    f"{case:34} {told['rows']:>9,} rows {told['mib']:>8.1f} MiB {told['seconds']:>7.1f} s"
                    f"   peak {told['peak_mib']:>6.0f} MiB (imports {told['base_mib']:.0f})",
                    flush=True,
                )


def generate(lake: Lake, calls: int, days: int) -> int:
    """Write the first days of a year of so many calls, with an invocation for every fifth; return how many rows."""
    rng, rows = np.random.default_rng(20261101), 0
    for day in range(days):
        began = START + timedelta(days=day)
        rows += lake.commit("calls", calls_of_day(rng, began, calls // DAYS)).added
        rows += lake.commit("invocations", invocations_of_day(rng, began, calls // DAYS // 5)).added
    return rows


def export(place: Path, case: str) -> None:
    """Write one report to a file and print what it took."""
    memory.lean()  # as the command does
    base = _peak_mib()
    began = time.perf_counter()
    with Reader(Lake(place)) as reader, tempfile.TemporaryDirectory() as folder:
        form = case.split()[0]
        path = Path(folder) / f"report{files.FORMS[form].suffix}"
        rows = files.write(Desk(reader, default_book()), Request(by=CASES[case]), form, path)
        told = {"rows": rows, "mib": path.stat().st_size / 2**20, "seconds": time.perf_counter() - began}
    print(json.dumps(told | {"peak_mib": _peak_mib(), "base_mib": base}))


def _peak_mib() -> float:
    """Return the peak of this process alone: ru_maxrss would also tell that of the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


if __name__ == "__main__":
    main()
