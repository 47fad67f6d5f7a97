"""How many requests a log group of CloudWatch takes to read, and how much time beyond the bare requests.

Run: `python benchmarks/cloudwatch.py [--events 100000] [--hours 2]`. A simulated CloudWatch without faults stands in a
process of its own, with pages of 10,000 events or 1 MB as AWS's. Compared with the least there can be: the same pages
read by a bare boto3 loop that does nothing with them, in the same run. The tables are real. Both first ask as fast as
they can, then at the pace that a source keeps to by default, which they share with nobody.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import boto3
from botocore.config import Config

from benchmarks.ingest import DEFAULTS, requests
from collector import memory
from collector.pipeline import Collector
from collector.sources.cloudwatch import CloudWatchSource
from collector.sources.pace import Pace
from core.pricing import default_book
from core.settings import SourceSettings
from core.store.lake import Lake
from simulator.cloudwatch.answers import DEFAULT_ACCOUNT, Cloud
from simulator.cloudwatch.server import running_cloud
from simulator.messages.clock import SimulatedClock

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
GROUP, REGION = "/aws/lambda/bodo-ws", "ap-northeast-2"
KEYS = {"aws_access_key_id": "simulated", "aws_secret_access_key": "simulated"}


def serve(door: Connection, events: int, hours: float) -> None:
    """Be the CloudWatch until told to stop."""
    cloud = Cloud(clock=SimulatedClock(NOW))
    group = cloud.groups.make(GROUP, account=DEFAULT_ACCOUNT, region=REGION, now_ms=cloud.now_ms)
    count = events // 8
    step = timedelta(hours=hours) / (count + 2)
    start = NOW - timedelta(hours=hours)
    for number, told in zip(range(count), requests(random.Random(3), start, step), strict=False):
        at_ms = round((start + (number + 1) * step).timestamp() * 1000)
        lines = [(at_ms, f"{line}\n") for line in told.splitlines()]
        group.put(f"2026/11/20/[12]{number % 40:032x}", lines, ingested_ms=at_ms + 500, visible_ms=[at_ms + 500] * 8)
    with running_cloud(cloud) as url:
        door.send(url)
        door.recv()


def bare(client: Any, hours: float, pace: Pace) -> tuple[int, int, float, float]:
    """Read every page and do nothing with it; return requests, events, seconds, and seconds of processor time."""
    asked: dict[str, Any] = {"logGroupName": GROUP, "limit": 10_000, "endTime": round(NOW.timestamp() * 1000),
                             "startTime": round((NOW - timedelta(hours=hours)).timestamp() * 1000)}  # fmt: skip
    started, cpu, pages, events = time.perf_counter(), time.process_time(), 0, 0
    while True:
        pace.wait()
        page = client.filter_log_events(**asked)
        pages, events = pages + 1, events + len(page["events"])
        if "nextToken" not in page:
            return pages, events, time.perf_counter() - started, time.process_time() - cpu
        asked["nextToken"] = page["nextToken"]


def main() -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--hours", type=float, default=2.0)
    chosen = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    door, far = context.Pipe()
    server = context.Process(target=serve, args=(far, chosen.events, chosen.hours), daemon=True)
    server.start()
    url = door.recv()
    client = boto3.client("logs", region_name=REGION, endpoint_url=url, config=Config(read_timeout=60), **KEYS)
    settings = SourceSettings(
        name="bodo", kind="cloudwatch", log_group=GROUP, region=REGION, since_days=chosen.hours / 24, defaults=DEFAULTS
    )
    memory.lean()
    memory.spare()
    told = []
    for per_s in (1e6, settings.requests_per_s):
        pages, events, bare_s, bare_cpu_s = bare(client, chosen.hours, Pace(per_s))
        with tempfile.TemporaryDirectory() as folder:
            own = boto3.client("logs", region_name=REGION, endpoint_url=url, config=Config(read_timeout=60), **KEYS)
            source = CloudWatchSource(settings, client=own, pace=Pace(per_s))
            collector = Collector(source, Lake(Path(folder)), default_book(), defaults=DEFAULTS, clock=lambda: NOW)
            started, cpu = time.perf_counter(), time.process_time()
            result = collector.run_pass()
            took_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
        paced = f"at {per_s:g} requests/s" if per_s < 1e6 else "as fast as it can"
        told.append(
            f"{paced}: bare {bare_s:.2f} s, collector {took_s:.2f} s, {took_s / bare_s - 1:+.0%} beyond the bare "
            f"requests; processor time {bare_cpu_s:.2f} s and {cpu_s:.2f} s, server's not included"
        )
    door.send("stop")
    server.join(10)
    least = pages * 100_000 / events
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores; {events:,} events over {chosen.hours:g} h")
    print(f"bare boto3 loop: {pages} requests ({least:.1f} per 100,000 events)")
    print(f"collector: {result.requests} requests, {result.requests / pages - 1:+.0%}; {result.lines_read:,} lines, "
          f"{result.new_calls:,} calls")  # fmt: skip
    print("\n".join(told))


if __name__ == "__main__":
    main()
