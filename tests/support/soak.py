"""The hostile CloudWatch at length: `python -m tests.support.soak` (make soak). What it proved: docs/reliability.md.

Every schedule is a seed, so that one that fails can be played again: `--first SEED --schedules 1`.
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
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulator.cloudwatch.server import running_cloud
from tests.support.hostile import KEYS, Schedule, collector_of, kill_again_and_again, logs_client

KILLS_PER_LIFE = 6


def one_schedule(seed: int, folder: Path) -> tuple[Schedule, list[str]]:
    """Play one schedule; every third follows, which reads the past again slice by slice."""
    schedule = Schedule(seed, folder, deaths=(0.0, 0.04, 0.12)[seed % 3], requests=40 + seed % 60)
    with running_cloud(schedule.cloud) as url:
        client = logs_client(url)
        found = schedule.run(lambda lake: collector_of(lake, schedule.cloud, client, follow=seed % 3 == 0))
        client.close()
    return schedule, found


def machine() -> dict[str, Any]:
    """Say what it ran on."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {"cores": os.cpu_count(), "memory_gib": round(pages / 2**30, 1), "python": platform.python_version()}


def commit() -> str:
    """Say which code ran."""
    told = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return told.stdout.strip() or os.environ.get("CACHEWISE_COMMIT", "unknown")


def main() -> int:
    """Run the schedules, then the kills; print what happened as JSON; 1 if anything was lost, doubled or wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=500)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--first", type=int, default=0, help="seed of the first schedule")
    asked = parser.parse_args()
    os.environ |= {name.upper(): value for name, value in KEYS.items()}
    began, seeds = time.monotonic(), range(asked.first, asked.first + asked.schedules)
    totals: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    failed: dict[str, list[str]] = {}
    greatest_ms = 0.0
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            schedule, found = one_schedule(seed, Path(folder) / "tables")
        faults += schedule.cloud.faults.happened
        truth = schedule.truth
        totals += Counter(
            schedules=1, deaths=schedule.killed, passes=len(schedule.passes), requests=len(schedule.cloud.requests),
            calls=len(truth.calls), invocations=len(truth.invocations), prompt_store_events=len(truth.store_lines),
            suspected=len(truth.copied_calls) + len(truth.copied_stores),
            late_events=sum(done.late_events for done in schedule.passes),
        )  # fmt: skip
        greatest_ms = max([greatest_ms, *(done.max_lateness_ms for done in schedule.passes)])
        if found:
            failed[f"schedule {seed}"] = found
        if sys.stderr.isatty() or found or seed % 25 == 0:
            print(f"schedule {seed}: {'; '.join(found[:3]) or 'the truth'}", file=sys.stderr, flush=True)
    kills = 0
    while kills < asked.kills:
        with tempfile.TemporaryDirectory() as folder:
            killed, found = kill_again_and_again(1_000 + kills, Path(folder) / "tables", KILLS_PER_LIFE)
        kills += killed
        if found:
            failed[f"kills of life {1_000 + kills - killed}"] = found
        print(f"kills {kills}: {'; '.join(found[:3]) or 'the truth'}", file=sys.stderr, flush=True)
    told = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"), "commit": commit(), **machine(),
        "minutes": round((time.monotonic() - began) / 60, 1), **totals, "kills": kills,
        "greatest_lateness_min": round(greatest_ms / 60_000, 1), "faults": dict(sorted(faults.items())),
        "failed": failed,
    }  # fmt: skip
    print(json.dumps(told, indent=2, ensure_ascii=False))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
