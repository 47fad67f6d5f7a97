"""A fleet with whatever can be wrong: sources that fail in their own ways, and calls that leave questions open.

Sources are read from the simulated CloudWatch, so that their errors are the collector's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.pricing.reasons import REASONS, reason
from core.store.check_notes import Difference, written
from core.store.lake import Lake
from simulator.cloudwatch.answers import DEFAULT_ACCOUNT, Cloud
from simulator.cloudwatch.faults import FaultPlan, Outage
from simulator.cloudwatch.server import running_cloud
from simulator.messages.clock import SimulatedClock
from tests.support import fleet_lake, moto_logs
from tests.support.rows import Row, make_call, make_pass, make_unpriced_call, table_of

GROUP = "/aws/lambda/bodo-ws"
_HEAD = """
[store]
path = "{store}"
"""
_SOURCE = """
[[sources]]
name = "{name}"
kind = "cloudwatch"
log_group = "{group}"
region = "{region}"
endpoint_url = "{url}"
"""
_FILES = """
[[sources]]
name = "gone"
kind = "files"
paths = ["{folder}/*.log"]
"""
ILL = ("expired", "throttled", "biased", "elsewhere", "silent", "bodo")
FIELDS = {
    "model": "claude-next", "scope": "anthropic", "day": "2026-11-01", "provider": "vertex", "kind": "agent",
    "prefix": "xy", "tier": "flex", "speed": "slow", "geo": "eu", "why": "see the contract",
    "example": "global.anthropic.claude-next",
}  # fmt: skip


@contextmanager
def running(folder: Path) -> Iterator[Path]:
    """Fill a folder's store, keep its sources answering ill, and yield the settings file that names both."""
    store = folder / "store"
    fill(store)
    with _clouds() as urls:
        text = _HEAD.format(store=store) + _FILES.format(folder=folder / "logs")
        for name, url in urls.items():
            group = "/aws/lambda/else" if name == "elsewhere" else GROUP
            text += _SOURCE.format(name=name, group=group, region=moto_logs.REGION, url=url)
        settings = folder / "cachewise.toml"
        settings.write_text(text, encoding="utf-8")
        yield settings


def fill(store: Path, *, now: datetime | None = None) -> None:
    """Write the small fleet, and beside it calls and passes that need an explanation."""
    now = now or datetime.now(UTC)
    lake = fleet_lake.fill(store, now=now)
    lake.commit("calls", table_of("calls", list(_calls(now))))
    lake.commit("ingest_passes", table_of("ingest_passes", list(_passes(now))))
    Lake(store / "tables")


def _calls(now: datetime) -> Iterator[Row]:
    """Yield a call without a price for each reason there is, and some that are told twice or fit another price."""
    for n, key in enumerate(REASONS):
        yield make_unpriced_call(ts=now - timedelta(minutes=n + 5), price_reason=reason(key, **FIELDS), model=f"m-{n}")
    ts = now - timedelta(minutes=3)
    found = [Difference("cache_read_tokens", 5000, "record", 4000, "bedrock_log")]
    yield make_call(ts=ts, checked_by="bedrock_log", check_note=written([], found))
    yield make_call(ts=ts, told_by="text", price_check="other:claude-haiku-4-5/5m", model_known_by="defaults")
    yield make_call(ts=ts, told_by="emf", price_check="differs", suspected_redelivery=True)


def _passes(now: datetime) -> Iterator[Row]:
    """Yield passes that failed, skipped lines, lost records, met late events, or stopped long ago."""
    examples = {"bad_count": {"length": 212, "at": "2026/11/27/[1]abc 42", "ts_ms": now.timestamp() * 1000}}
    skipped = {"bad_count": 7, "broken_json": 3, "no_usage": 2}
    outcomes = {"skipped": skipped, "examples": examples, "dropped_records": 5}
    yield _pass(
        "bodo", now, lines_skipped=12, late_events=3, max_lateness_ms=4_000_000.0, outcomes_json=_json(outcomes)
    )
    error = {"about": ["/aws/lambda/bodo-ws", moto_logs.REGION, "ExpiredTokenException"], "more": 2}
    yield _pass(
        "expired", now, status="failed", error_code="COL-402", outcomes_json=_json({"error": error}),
        error_message="The AWS credentials used to read /aws/lambda/bodo-ws have expired. Log in again. (and 2 more)",
    )  # fmt: skip
    yield _pass("throttled", now, complete_until=now - timedelta(hours=5), late_events=2, max_lateness_ms=30_000.0)
    yield _pass("silent", now - timedelta(days=2))


def _pass(source: str, ts: datetime, **more: Any) -> Row:
    return make_pass(source=source, ts=ts, kind="cloudwatch", **more)


def _json(outcomes: dict[str, Any]) -> str:
    return json.dumps({"recognised": {}, "ignored": {}, "skipped": {}, **outcomes})


@contextmanager
def _clouds() -> Iterator[dict[str, str]]:
    """Run an account for each illness."""
    with (
        running_cloud(_cloud(faults=FaultPlan(outages=(Outage("expired_credentials", 0, 2**62),)))) as expired,
        running_cloud(_cloud(faults=FaultPlan(rates={"throttle": 1.0}))) as throttled,
        running_cloud(_cloud(level="WARN", ahead_s=600)) as biased,
        running_cloud(_cloud()) as well,
    ):
        yield {"expired": expired, "throttled": throttled, "biased": biased} | dict.fromkeys(ILL[3:], well)


def _cloud(*, faults: FaultPlan | None = None, level: str = "INFO", ahead_s: float = 0) -> Cloud:
    cloud = Cloud(SimulatedClock())
    cloud.groups.make(GROUP, account=DEFAULT_ACCOUNT, region=moto_logs.REGION, now_ms=cloud.now_ms)
    logging = {"LogFormat": "JSON", "ApplicationLogLevel": level, "SystemLogLevel": level, "LogGroup": GROUP}
    cloud.functions["bodo-ws"] = {"LoggingConfig": logging}
    if faults is not None:
        cloud.faults = faults
    cloud.clock.advance(ahead_s)
    return cloud
