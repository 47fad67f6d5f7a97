"""What every source must do, whatever it reads from."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector.pipeline import Collector
from collector.sources.base import Source
from collector.sources.cloudwatch import CloudWatchSource
from collector.sources.files import FilesSource
from collector.sources.s3 import S3Source
from core.pricing import default_book
from core.settings import SourceSettings
from core.store.lake import Lake
from core.store.schema import TABLES
from tests.support import moto_logs, moto_s3
from tests.support.collecting import DEFAULTS, adds_up, rows
from tests.support.formats import CALLS, PLANTED, lines, names
from tests.support.log_lines import invocation, payload, rid, start

STREAM = "2026/11/20/[12]" + "a" * 32


@dataclass
class World:
    """A place that log events are written to, and a source that reads it."""

    kind: str
    folder: Path
    endpoint: str
    group: str = field(default_factory=lambda: f"/aws/lambda/bodo-{uuid.uuid4().hex[:8]}")
    writes: int = 0

    @property
    def bucket(self) -> str:
        return self.group.rpartition("/")[2]

    def write(self, events: list[tuple[int, str]], stream: str = STREAM) -> None:
        self.writes += 1
        if self.kind == "cloudwatch":
            moto_logs.put(self.endpoint, self.group, stream, events)
            return
        told = json.dumps(payload(events, stream=stream, put=self.writes, group=self.group))
        if self.kind == "s3":
            key = f"{datetime.now(UTC):logs/%Y/%m/%d/%H}/delivery-{self.writes:04d}.gz"
            moto_s3.put(self.endpoint, key, told.encode(), name=self.bucket)
        else:
            with (self.folder / "events.jsonl").open("a") as handle:
                handle.write(told + "\n")

    def source(self) -> Source:
        settings = SourceSettings(
            name="it", kind=self.kind, log_group=self.group, region=moto_logs.REGION, account="123456789012",
            paths=(str(self.folder),), endpoint_url=self.endpoint, since_days=1, overlap_s=600,
            bucket=self.bucket, prefix="logs/",
        )  # fmt: skip
        if self.kind == "s3":
            return S3Source(settings, client=moto_s3.client(self.endpoint))
        if self.kind == "cloudwatch":
            return CloudWatchSource(settings, client=moto_logs.client(self.endpoint))
        return FilesSource(settings)

    def collector(self, lake: Lake, now_ms: int) -> Collector:
        moment = datetime.fromtimestamp(now_ms / 1000, UTC)
        return Collector(self.source(), lake, default_book(), defaults=DEFAULTS, clock=lambda: moment)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_logs.running() as url:
        yield url


@pytest.fixture(params=["files", "cloudwatch", "s3"])
def world(request: pytest.FixtureRequest, tmp_path: Path, endpoint: str) -> World:
    folder = tmp_path / "logs"
    folder.mkdir()
    made = World(request.param, folder, endpoint)
    made.write([]) if made.kind == "cloudwatch" else None
    moto_s3.bucket(endpoint, made.bucket) if made.kind == "s3" else None
    return made


@pytest.fixture
def now_ms() -> int:
    return time.time_ns() // 1_000_000


def requests(now_ms: int, *numbers: int, ago_s: float = 300) -> list[tuple[int, str]]:
    return [line for n in numbers for line in invocation(n, ms=now_ms - round(ago_s * 1000) + n * 2_000)]


def test_it_reads_what_was_written(world: World, lake: Lake, now_ms: int) -> None:
    """Every event becomes one line read, and every request its rows."""
    world.write(requests(now_ms, 1, 2, 3))

    result = world.collector(lake, now_ms).run_pass()

    assert (result.status, result.lines_read, result.new_calls, result.new_invocations) == ("done", 18, 3, 3)
    assert adds_up(result)
    assert {row["log_stream"] for row in rows(lake, "calls")} == {STREAM}


def test_reading_again_adds_nothing(world: World, lake: Lake, now_ms: int) -> None:
    """A second pass, by a process that starts anew from the stored cursor, finds nothing new."""
    world.write(requests(now_ms, 1, 2, 3))
    world.collector(lake, now_ms).run_pass()
    before = rows(lake, "calls")

    again = world.collector(lake, now_ms + 1_000).run_pass()

    assert (again.new_calls, again.new_invocations, again.new_prompt_store_events, again.replaced) == (0, 0, 0, 0)
    assert rows(lake, "calls") == before


def test_it_goes_on_where_it_stopped(world: World, lake: Lake, now_ms: int) -> None:
    """What is written after a pass is read by the next one."""
    world.write(requests(now_ms, 1, 2))
    world.collector(lake, now_ms).run_pass()

    world.write(requests(now_ms, 3, 4, 5))
    second = world.collector(lake, now_ms + 1_000).run_pass()

    assert (second.new_calls, len(rows(lake, "calls"))) == (3, 5)
    assert adds_up(second)


def test_one_source_kept_between_passes_counts_a_line_once(world: World, lake: Lake, now_ms: int) -> None:
    """Following re-reads what it must, and counts only what is new."""
    collector = world.collector(lake, now_ms)
    world.write(requests(now_ms, 1, 2))
    first = collector.run_pass(final=False)
    world.write(requests(now_ms, 3))
    second = collector.run_pass(final=False)
    third = collector.run_pass(final=False)

    assert [one.lines_read for one in (first, second, third)] == [12, 6, 0]
    assert [one.new_calls for one in (first, second, third)] == [2, 1, 0]


def test_nothing_to_read_is_no_error(world: World, lake: Lake, now_ms: int) -> None:
    """An empty folder or group gives an empty pass that is done, and a cursor."""
    result = world.collector(lake, now_ms).run_pass()

    assert (result.status, result.lines_read) == ("done", 0)
    assert rows(lake, "ingest_passes")[0]["cursor_json"] is not None


def test_a_bad_line_stops_nothing(world: World, lake: Lake, now_ms: int) -> None:
    """Broken, negative and foreign lines are counted; the lines around them are read."""
    at = now_ms - 200_000
    bad = [
        (at, '{"event":"llm_usage","v":1,"usage":{'),
        (at + 1, "💰 API Cost: $1 | input: -1, output: 1, cache_read: 1, cache_write: 1"),
        (at + 2, "{{{{ not ours"),
    ]
    world.write([*requests(now_ms, 1), *bad])

    result = world.collector(lake, now_ms).run_pass()

    assert (result.new_calls, result.new_invocations) == (1, 1)
    assert dict(result.skipped) == {"broken_json": 1, "bad_count": 1}
    assert adds_up(result)


def test_an_open_request_is_read_again(world: World, lake: Lake, now_ms: int) -> None:
    """The cursor does not pass a START without REPORT: its rows are written when it ends."""
    events = invocation(1, ms=now_ms - 20_000)
    collector = world.collector(lake, now_ms)
    world.write(events[:4])
    first = collector.run_pass(final=False)
    world.write(events[4:])
    second = world.collector(lake, now_ms + 1_000).run_pass(final=False)

    assert (first.new_calls, first.new_invocations) == (0, 0)
    assert (second.new_calls, second.new_invocations) == (1, 1)
    assert rows(lake, "calls")[0]["invocation_id"] == rid(1)


def test_every_format_is_read_from_every_source(world: World, lake: Lake, now_ms: int) -> None:
    """Good lines and bad ones of each fixture, a log stream for each: the same calls wherever they are kept.

    Every line ends in one counter, reading again adds nothing, and nothing of what a user wrote is stored.
    """
    told = {name: lines(name) for name in names() if name != "otel_many_spans"}  # whose spans are those of otel
    for name, written in told.items():
        world.write([(now_ms - 300_000 + n, line) for n, line in enumerate(written)], stream=name)

    first = world.collector(lake, now_ms).run_pass()
    before = rows(lake, "calls")
    again = world.collector(lake, now_ms + 1_000).run_pass()

    assert {problem.code for problem in first.problems} <= {"COL-416"}  # the body of one answer is not on this S3
    assert first.lines_read == sum(map(len, told.values()))
    assert adds_up(first) and first.lines_skipped > len(told)
    assert Counter(row["log_stream"] for row in before) == {name: CALLS[name] for name in told}
    assert (again.new_calls, again.replaced, rows(lake, "calls")) == (0, 0, before)
    assert PLANTED not in repr({table: rows(lake, table) for table in TABLES})


def test_a_stop_between_batches_loses_nothing(world: World, lake: Lake, now_ms: int) -> None:
    """Asked to stop after its first batch, a pass ends; the next one reads the rest."""
    world.write([*requests(now_ms, 1), (now_ms - 100_000, start(rid(9)))])

    stopped = world.collector(lake, now_ms).run_pass(stop=lambda: True)
    world.collector(lake, now_ms + 1_000).run_pass()

    assert stopped.stopped
    assert len(rows(lake, "calls")) == 1
