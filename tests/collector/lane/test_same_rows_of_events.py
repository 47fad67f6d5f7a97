"""Events with ids, as columns and one by one: the same rows, counters and cursors, pass after pass."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from collector.event import LogEvent, Origin
from collector.lane import keyed
from collector.lane.requests import Requests
from collector.pipeline import Collector
from collector.result import PassResult
from collector.sources import cloudwatch
from collector.sources.cloudwatch import CloudWatchSource
from collector.sources.pace import Pace
from core.pricing import default_book
from core.settings import SourceSettings
from core.store.lake import Lake
from simulator.cloudwatch.answers import DEFAULT_ACCOUNT, Cloud
from simulator.cloudwatch.traffic import FUNCTION, Lateness, Life, live
from tests.support.hostile import DEFAULTS, HOUR_MS, REGION, START, START_MS, cloud_of, group_of
from tests.support.log_lines import cost, dressed, event_id, record, report, rid, start

TABLES = {"calls": "call_id", "invocations": "invocation_id", "prompt_store_events": "event_key"}
ORIGIN = Origin("1", "r", FUNCTION.log_group, "2026/11/20/[7]0123")
Rows = dict[str, list[dict[str, Any]]]


class NoWire:
    """A client that asks the simulated CloudWatch without a socket in between."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.meta = type("Meta", (), {"endpoint_url": "http://simulated"})()

    def filter_log_events(self, **asked: Any) -> dict[str, Any]:
        answer = self._cloud.logs("FilterLogEvents", asked, account=DEFAULT_ACCOUNT, region=REGION)
        assert answer.status == 200
        return {**json.loads(answer.body), "ResponseMetadata": {}}


def collect(cloud: Cloud, tables: Path, moments: list[datetime]) -> tuple[list[PassResult], Rows, int]:
    """Return what passes at these moments counted, what is stored, and how many requests were taken as columns."""
    settings = SourceSettings(
        name="bodo", kind="cloudwatch", log_group=FUNCTION.log_group, region=REGION, since_days=0.5, defaults=DEFAULTS
    )
    source, lake, taken = CloudWatchSource(settings, client=NoWire(cloud), pace=Pace(1e9)), Lake(tables), 0  # type: ignore[arg-type]

    def read(*asked: Any) -> Any:
        nonlocal taken
        for batch in CloudWatchSource.read(source, *asked):
            taken += batch.lane.count
            yield batch

    source.read = read  # type: ignore[method-assign]
    now = moments[0]
    collector = Collector(source, lake, default_book(), defaults=DEFAULTS, clock=lambda: now)
    passes = []
    for now in moments:  # the collector's clock
        cloud.clock.advance((now - cloud.clock.now()).total_seconds())
        passes.append(collector.run_pass(final=now == moments[-1]))
    return (
        passes,
        {name: sorted(lake.read(name).to_pylist(), key=lambda r: r[key]) for name, key in TABLES.items()},
        taken,
    )


def both_ways(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moments: list[datetime]
) -> tuple[int, list[PassResult], Rows]:
    monkeypatch.setattr(keyed, "LEAST", 1)
    quick, quick_rows, taken = collect(make(), tmp_path / "quick", moments)
    monkeypatch.setattr(cloudwatch, "take_requests", lambda events, found, **more: events)
    monkeypatch.setattr(CloudWatchSource, "_fresh", lambda *page: False)  # nor are pages taken at once
    slow, slow_rows, none = collect(make(), tmp_path / "slow", moments)
    assert none == 0
    assert {one.status for one in quick} == {"done"}
    assert [one.to_json() for one in quick] == [one.to_json() for one in slow]
    for name in TABLES:
        assert quick_rows[name] == slow_rows[name]
    return taken, quick, quick_rows


@pytest.mark.parametrize("seed", range(3))
def test_a_hostile_group_is_told_as_it_is_event_by_event(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late events, copies, clocks that are off, both log formats, passes in between, batches of any size."""
    monkeypatch.setattr(cloudwatch, "BATCH_EVENTS", (50_000, 150, 700)[seed % 3])

    def make() -> Cloud:
        cloud = cloud_of(seed)
        few = Lateness(((0.97, 4_000), (0.03, 20 * 60_000)))
        life = Life(seed, START_MS, hours=1, requests=160, environments=4, lateness=few, copy_share=0.03)
        live(group_of(cloud), life)
        return cloud

    moments = [START + timedelta(minutes=minutes) for minutes in (25, 50, 58, 200)]
    taken, _, _ = both_ways(make, tmp_path, monkeypatch, moments)

    assert taken > 20


def test_odd_events_among_requests_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries in another stream, lines naming another request, copies, messages of several lines or of strange ones."""
    draw = Random(3)

    def requests(number: int, ms: int) -> list[tuple[int, str]]:
        name, other = rid(number), rid(number + draw.choice((-3, 1, 2)))
        tokens = {"given": number + 1, "read": 0}
        odd = draw.choice(
            (
                [], [], [], [(ms + 3, dressed(cost(), ms, other))], [(ms + 5, cost()), (ms + 5, cost())],
                [(ms + 3, "a\n" + cost())], [(ms + 3, "Cost of RequestId")], [(ms + 4, record(None, ms=ms))],
                [(ms + 3, f"{name} Task timed out after 3.00 seconds")], [(ms + 3, "Cost\x85 of\u2028it")],
                [(ms + 3, record("msg_1", ms=ms))], [(ms - 2, cost())], [(ms + 60, cost(**tokens))],
            )
        )  # fmt: skip
        told = draw.choice(([cost(**tokens)], [record(f"msg_{number}", ms=ms, **tokens)],
                            [record(f"msg_{number}", ms=ms, **tokens), dressed(cost(**tokens), ms, name)]))  # fmt: skip
        lines = [(ms, start(name)), *((ms + 6 + place, line) for place, line in enumerate(told)), *odd]
        lines += [(ms + 40, f"END RequestId: {name}"), (ms + 40, report(name, ms=draw.choice((40.0, 500.0))))]
        return sorted(lines, key=lambda line: line[0])

    told = [
        (f"2026/11/20/[7]{draw.randrange(3):032x}", requests(draw.choice((at, at, at - 1)), START_MS + 50 * at))
        for at in range(10, 310)
    ]

    def make() -> Cloud:
        cloud = cloud_of()
        group = group_of(cloud)
        for stream, lines in told:
            some = [(ms, f"{line}\n") for ms, line in lines]
            group.put(stream, some, ingested_ms=some[-1][0] + 500, visible_ms=[some[-1][0] + 500] * len(some))
        return cloud

    moments = [START + timedelta(hours=1), START + timedelta(milliseconds=2 * HOUR_MS)]
    taken, _, _ = both_ways(make, tmp_path, monkeypatch, moments)

    assert taken > 50


def test_half_a_letter_leaves_one_request_and_no_more() -> None:
    """JSON can hold half of a surrogate pair, which is no text: that event is told by itself, not its neighbours."""
    events = []
    for number in range(200):
        ms, name = START_MS + 100 * number, rid(number)
        said = "Cost \ud800" if number == 50 else cost()
        for place, line in enumerate((start(name), said, f"END RequestId: {name}", report(name))):
            told = event_id(ms + place, place)
            events.append(LogEvent(ORIGIN, told, ms + place, "logged", f"{line}\n", int(told)))
    found = Requests()

    left = keyed.take_requests(events, found, now_ms=START_MS + HOUR_MS, context_ms=None)

    assert found.count == 197  # the first and the last may go on in another batch
    assert [event.message for event in left if "\ud800" in event.message] == ["Cost \ud800\n"]
    assert len(left) == 12
