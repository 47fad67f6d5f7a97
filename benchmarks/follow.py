"""What following costs while nothing happens, and how soon an event is on a chart.

Run: `python benchmarks/follow.py [--seconds 60] [--events 5]`. Starts `cachewise collect --follow` on a log file in a
process of its own, measures its processor time over a quiet stretch, then appends a request now and again and asks
`core.metrics` for the number of calls until it is there.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil

from benchmarks.ingest import requests
from core.metrics import summary
from core.metrics.scope import Scope
from core.store.lake import Lake
from core.store.query import Reader

ROOT = Path(__file__).resolve().parents[1]


def calls(lake: Lake) -> int:
    """Return how many calls the pages would show."""
    now = datetime.now(UTC)
    with Reader(lake) as reader:
        return int(summary(reader, Scope(now - timedelta(days=2), now + timedelta(hours=1)))["calls"])


def main() -> None:
    """Start, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--events", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        path, store = Path(place) / "lambda.log", Path(place) / "store"
        tables = store / "tables"
        draw = random.Random(5)
        told = requests(draw, datetime.now(UTC) - timedelta(minutes=30), timedelta(milliseconds=20))
        path.write_text("".join(next(told) for _ in range(2_000)), encoding="utf-8")
        command = [sys.executable, "-m", "cli", "collect", "--follow", "--json", str(path)]
        environ = {**os.environ, "CACHEWISE_STORE_PATH": str(store)}
        with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL) as process:
            lake = Lake(tables)
            try:
                while not (tables / "calls").exists() or calls(lake) < 2_000:
                    time.sleep(0.5)
                time.sleep(10)
                spent = psutil.Process(process.pid)
                before = spent.cpu_times()
                time.sleep(chosen.seconds)
                after = spent.cpu_times()
                cpu_s = after.user + after.system - before.user - before.system
                waits = []
                for number in range(chosen.events):
                    one = requests(draw, datetime.now(UTC), timedelta(0))
                    time.sleep(draw.uniform(0, 5))
                    with path.open("a", encoding="utf-8") as out:
                        out.write(next(one))
                    written = time.monotonic()
                    while calls(lake) < 2_001 + number:
                        time.sleep(0.1)
                    waits.append(time.monotonic() - written)
            finally:
                process.terminate()
    print(f"idle: {cpu_s:.2f} s of processor time in {chosen.seconds:g} s, {cpu_s / chosen.seconds:.2%} of a core")
    print(f"written → counted by core.metrics: median {statistics.median(waits):.1f} s, most {max(waits):.1f} s")


if __name__ == "__main__":
    main()
