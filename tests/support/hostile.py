"""A collector against the hostile CloudWatch: schedules of faults, and the comparison with what really happened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import boto3
from botocore.config import Config

from collector.pipeline import Collector
from collector.result import PassResult
from collector.sources.cloudwatch import CloudWatchSource
from core.pricing import default_book
from core.settings import LineDefaults, SourceSettings
from core.store.lake import Lake
from simulator.cloudwatch.answers import DEFAULT_ACCOUNT, Cloud
from simulator.cloudwatch.faults import FaultPlan, Outage
from simulator.cloudwatch.log_groups import LogGroup
from simulator.cloudwatch.server import running_cloud
from simulator.cloudwatch.traffic import FUNCTION, Lateness, Life, live
from simulator.cloudwatch.truth import Truth
from simulator.messages.clock import SimulatedClock

REGION = "ap-northeast-2"
START = datetime(2026, 11, 20, tzinfo=UTC)
START_MS = round(START.timestamp() * 1000)
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DEFAULTS = LineDefaults(model="claude-opus-4-5", cache_ttl="1h", caching_enabled=True)
KEYS = {"aws_access_key_id": "AKIASIMULATED", "aws_secret_access_key": "simulated"}
TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_1h_tokens", "output_tokens")
RATES: dict[Any, float] = {
    "throttle": 0.05, "server_error": 0.04, "cut": 0.04, "garbled": 0.02, "empty": 0.15, "partial": 0.30,
    "repeat_token": 0.05, "repeat_page": 0.05, "expire_token": 0.02,
}  # fmt: skip


def cloud_of(seed: int = 0, **more: Any) -> Cloud:
    """Return a cloud whose clock stands at START."""
    return Cloud(clock=SimulatedClock(START), **{"faults": FaultPlan(seed), **more})


def group_of(cloud: Cloud, *, name: str = FUNCTION.log_group, account: str = DEFAULT_ACCOUNT) -> LogGroup:
    """Make the service's log group."""
    return cloud.groups.make(name, account=account, region=REGION, now_ms=cloud.now_ms)


def logs_client(url: str, *, attempts: int = 1) -> Any:
    """Return a real boto3 client of the endpoint."""
    config = Config(retries={"mode": "standard", "total_max_attempts": attempts}, read_timeout=5, connect_timeout=5)
    return boto3.client("logs", region_name=REGION, endpoint_url=url, config=config, **KEYS)


def differences(lake: Lake, truth: Truth) -> list[str]:
    """Return every way in which the tables differ from the truth: lost, doubled, wrong, or not flagged."""
    return [
        *_calls(lake.read("calls").to_pylist(), truth),
        *_invocations(lake.read("invocations").to_pylist(), truth),
        *_stores(lake.read("prompt_store_events").to_pylist(), truth),
    ]


def _calls(rows: Sequence[dict[str, Any]], truth: Truth) -> list[str]:
    found = Counter(row["call_id"] if row["id_kind"] == "message" else row["event_id"] for row in rows)
    wanted = {call.message_id: (call, False) for call in truth.calls if call.message_id}
    wanted |= {event_id: (call, False) for event_id, call in truth.call_lines.items()}
    wanted |= {event_id: (call, True) for event_id, call in truth.copied_calls.items()}
    told = list(_counted("call", found, wanted))
    for row in rows:
        call, copy = wanted.get(row["call_id"] if row["id_kind"] == "message" else row["event_id"], (None, False))
        if call is None:
            continue
        tokens = tuple(row[name] or 0 for name in TOKENS)
        told += _unequal(
            f"call {row['call_id']} ({row['told_by']})",
            (tokens, row["invocation_id"], row["engine"], row["suspected_redelivery"], row["status"]),
            (call.tokens, call.request_id, call.engine, copy, "error" if call.failed else "ok"),
        )
    return told


def _invocations(rows: Sequence[dict[str, Any]], truth: Truth) -> list[str]:
    wanted = {one.request_id: one for one in truth.invocations}
    told = list(_counted("invocation", Counter(row["invocation_id"] for row in rows), wanted))
    for row in rows:
        one = wanted.get(row["invocation_id"])
        if one is None:
            continue
        began = datetime.fromtimestamp(one.started_ms / 1000, UTC)
        names = ("ts", "function_version", "status", "duration_ms", "calls", "engine", "cold")
        told += _unequal(
            f"invocation {one.request_id}",
            tuple(row[name] for name in names),
            (began, one.version, one.status, one.duration_ms, one.calls, one.engine, one.cold),
        )
    return told


def _stores(rows: Sequence[dict[str, Any]], truth: Truth) -> list[str]:
    wanted = {event_id: (what, False) for event_id, what in truth.store_lines.items()}
    wanted |= {event_id: (what, True) for event_id, what in truth.copied_stores.items()}
    told = list(_counted("prompt-store event", Counter(row["event_id"] for row in rows), wanted))
    for row in rows:
        what, copy = wanted.get(row["event_id"], (None, False))
        if what is None:
            continue
        told += _unequal(
            f"prompt-store event {row['event_id']}",
            (row["kind"], row["engine"], row["invocation_id"], row["suspected_redelivery"]),
            (what.kind, what.engine, what.request_id, copy),
        )
        if not copy:
            told += _unequal(f"fetch time of {row['event_id']}", row["fetch_ms"], what.fetch_ms)
    return told


def _counted(kind: str, found: Counter[str], wanted: Iterable[str]) -> Iterable[str]:
    expected = set(wanted)
    for key in expected - set(found):
        yield f"lost: {kind} {key}"
    for key, count in found.items():
        if count > 1:
            yield f"doubled: {kind} {key}"
        if key not in expected:
            yield f"invented: {kind} {key}"


def _unequal(what: str, found: Any, expected: Any) -> list[str]:
    return [] if found == expected else [f"wrong: {what}: {found} is not {expected}"]


class Killed(BaseException):
    """The process died here."""


class DyingLake(Lake):
    """A lake whose process dies at some commits: before the write, or after it and before anybody knows."""

    def __init__(self, path: Path, rng: Random, share: float) -> None:
        super().__init__(path)
        self._rng, self._share = rng, share

    def commit(self, *given: Any, **named: Any) -> Any:
        """Commit, or die first, or die thereafter."""
        drawn = self._rng.random()
        if drawn < self._share / 2:
            raise Killed
        done = super().commit(*given, **named)
        if drawn < self._share:
            raise Killed
        return done


@dataclass(slots=True)
class Schedule:
    """One seeded run: a life, its faults, polls at uneven times, deaths, and what came of it."""

    seed: int
    folder: Path
    hours: float = 2.0
    requests: int = 70
    deaths: float = 0.04
    passes: list[PassResult] = field(default_factory=list)
    killed: int = 0
    cloud: Cloud = field(init=False)
    truth: Truth = field(init=False)

    def __post_init__(self) -> None:
        self.cloud = cloud_of(self.seed, seconds_per_request=0.25)
        largest = Random(f"{self.seed}:pages").choice((25, 100, 10_000))
        self.cloud.faults = FaultPlan(self.seed, RATES, outages=self._outages(), largest_page=largest)
        life = Life(self.seed, START_MS, hours=self.hours, requests=self.requests, lateness=Lateness())
        self.truth = live(group_of(self.cloud), life)

    def _outages(self) -> tuple[Outage, ...]:
        rng = Random(f"{self.seed}:outages")
        return tuple(
            Outage(kind, at, at + rng.randint(5, 25) * MINUTE_MS)
            for kind in ("no_group", "expired_credentials")
            for at in (START_MS + rng.randint(0, round(self.hours * 60)) * MINUTE_MS,)
        )

    def run(self, make: Callable[[Lake], Collector]) -> list[str]:
        """Poll until the last re-scan has gone by everything; return the differences from the truth."""
        rng = Random(f"{self.seed}:polls")
        end_ms = START_MS + round(self.hours * HOUR_MS) + 100 * MINUTE_MS
        collector = make(DyingLake(self.folder, rng, self.deaths))
        while self.cloud.now_ms < end_ms:
            self.cloud.clock.advance(rng.choice((20, 60, 300, 900, 1_500)))
            try:
                self.passes.append(collector.run_pass(final=rng.random() < 0.3))
            except Killed:
                self.killed += 1
                collector = make(DyingLake(self.folder, rng, self.deaths))
        self.last_scan(make)
        return differences(Lake(self.folder), self.truth)

    def last_scan(self, make: Callable[[Lake], Collector]) -> None:
        """Let the weather clear and the next day come, on which every re-scan is due."""
        self.cloud.faults.rates, self.cloud.faults.outages = {}, ()
        self.cloud.clock.advance(25 * 3600)
        day_ms, lake = self.cloud.now_ms, Lake(self.folder)
        collector = make(lake)
        for _ in range(60):  # while following, each pass re-reads one slice of the past
            self.passes.append(collector.run_pass())
            cursor = json.loads((lake.last_pass("bodo") or {})["cursor_json"])
            if not cursor.get("rescan") and cursor["scans"]["daily"] >= day_ms:
                return
        raise AssertionError(f"the re-scans do not come to an end: {cursor}")


def collector_of(lake: Lake, cloud: Cloud, client: Any, *, follow: bool = False, **more: Any) -> Collector:
    """Return a collector of the simulated service with the cloud's clock, which waits for nothing."""
    values: dict[str, Any] = {"name": "bodo", "kind": "cloudwatch", "log_group": FUNCTION.log_group, "region": REGION,
                              "since_days": 1.0}  # fmt: skip
    settings = SourceSettings(**{**values, **more})
    source = CloudWatchSource(settings, client=client, follow=follow, sleep=lambda seconds: None)
    return Collector(source, lake, default_book(), defaults=DEFAULTS, clock=cloud.clock.now)


def collector_process(url: str, folder: Path, until_ms: int, *commits: int) -> subprocess.Popen[str]:
    """Start a real collector of its own process; where `commits` is told, it is killed before it commits more."""
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": KEYS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": KEYS["aws_secret_access_key"],
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    arguments = [url, str(folder), *map(str, (until_ms, *commits))]
    command = [sys.executable, "-m", "tests.support.hostile_collector", *arguments]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], env=environment, stdout=subprocess.PIPE, text=True)


def kill_again_and_again(seed: int, folder: Path, kills: int, *, requests: int = 70) -> tuple[int, list[str]]:
    """Kill a collector process at random moments, start another each time; return (kills, differences)."""
    rng = Random(f"{seed}:kills")
    schedule = Schedule(seed, folder, requests=requests, deaths=0.0)
    end_ms = START_MS + round(schedule.hours * HOUR_MS) + 100 * MINUTE_MS
    killed = 0
    with running_cloud(schedule.cloud) as url:
        while killed < kills and schedule.cloud.now_ms < end_ms:
            with collector_process(url, folder, end_ms) as process:
                assert process.stdout is not None
                process.stdout.readline()
                time.sleep(rng.uniform(0, 0.25))
                killed += process.poll() is None
                process.kill()
        client = logs_client(url)
        schedule.last_scan(lambda lake: collector_of(lake, schedule.cloud, client))
        client.close()
    return killed, differences(Lake(folder), schedule.truth)
