"""How much memory `cachewise collect` holds at most, by how much there is to read.

Run: `python benchmarks/collect_memory.py [--mb 100 1000 3000] [--days 7]`. Each size is the log of `ingest.py`, its
requests spread over so many days, read by the command itself in a process of its own into empty tables: reading,
storing, and the joining of files after it. Prints the peak of all its processes together, and the ratio to the peak of
the smallest size in the same run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil

from benchmarks import ingest

ROOT = Path(__file__).resolve().parents[1]


def peak_mib(log: Path, tables: Path) -> float:
    """Collect a log in a process of its own; return the most that it and those it started held, in MiB."""
    environ = {**os.environ, "CACHEWISE_STORE_PATH": str(tables)}
    command = [sys.executable, "-m", "cli", "collect", "--json", str(log)]
    most = 0.0
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL) as doing:
        first = psutil.Process(doing.pid)
        while doing.poll() is None:
            most = max(most, ingest.held_mib(first))
            time.sleep(0.02)
    assert doing.returncode == 0, doing.returncode
    return most


def main() -> None:
    """Build, read, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, nargs="+", default=[100, 1000, 3000])
    parser.add_argument("--days", type=int, default=ingest.DAYS)
    chosen = parser.parse_args()
    ingest.DAYS = chosen.days
    least = None
    for megabytes in sorted(chosen.mb):
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "a.log"
            ingest.build(log, megabytes)
            peak = peak_mib(log, Path(folder) / "tables")
        least = least or peak
        print(f"{megabytes:,} MB over {chosen.days} days: {peak:,.0f} MiB ({peak * 2**20 / 1e6:,.0f} MB), "
              f"{peak / least:.2f} × the smallest", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
