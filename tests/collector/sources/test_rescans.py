"""Reading the past again: when, how far back, in what slices, and what it finds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from collector.sources.cloudwatch import SLICE_MS
from collector.sources.pace import Paces
from collector.sources.rescans import HOUR_MS, begun, done, due, spans_ms
from core.settings import SourceSettings
from core.store.lake import Lake
from simulator.cloudwatch.answers import Cloud
from simulator.cloudwatch.faults import FaultPlan, RequestFault
from simulator.cloudwatch.log_groups import LogGroup
from simulator.cloudwatch.server import running_cloud
from tests.support.collecting import rows
from tests.support.hostile import KEYS, REGION, START_MS, cloud_of, collector_of, group_of, logs_client
from tests.support.log_lines import cost, record, report, rid, start

MINUTE_MS = 60_000
SETTINGS = SourceSettings(name="bodo", kind="cloudwatch", log_group="/x", region=REGION)
SPANS = spans_ms(SETTINGS)
_HALF_AN_HOUR = timedelta(minutes=30)
STREAM = "2026/11/20/[7]" + "a" * 32


def window(scans: dict[str, int], now_h: float, since_h: float = -1e6) -> tuple[float, float, list[str]] | None:
    """Return (from, to, kinds) of the re-scan due at an hour, in hours."""
    found = due(
        scans, SPANS, now_ms=round(now_h * HOUR_MS), until_ms=round(now_h * HOUR_MS), since_ms=round(since_h * HOUR_MS)
    )
    return found and (found["from"] / HOUR_MS, found["to"] / HOUR_MS, found["kinds"])


def test_every_hour_the_last_three_and_every_day_the_last_two_days() -> None:
    """One re-scan covers both kinds when both are due."""
    assert SPANS == {"hourly": 3 * HOUR_MS, "daily": 48 * HOUR_MS}
    assert window(begun(0), 0.9) is None
    assert window(begun(0), 1) == (-3, 1, ["hourly"])
    assert window({"hourly": 23 * HOUR_MS, "daily": 0}, 24) == (-48, 24, ["hourly", "daily"])


def test_a_collector_that_stood_still_leaves_no_hole() -> None:
    """Counted from the re-scan before, not from now: events late for it are in the window however long it was."""
    assert window(begun(0), 240) == (-48, 240, ["hourly", "daily"])


def test_what_was_never_asked_for_is_not_read_again() -> None:
    """since_days bounds the past."""
    assert window(begun(0), 1, since_h=-1.5) == (-1.5, 1, ["hourly"])


def test_a_re_scan_that_ends_is_dated_by_its_beginning() -> None:
    """What became visible while it ran belongs to the next."""
    rescan = {"from": 5, "to": 9, "at": 7, "kinds": ["hourly"]}
    assert done(begun(0), rescan) == {"hourly": 7, "daily": 0}


def test_sources_of_one_account_and_region_share_a_pace() -> None:
    """The quota is theirs together; the most careful setting counts."""
    paces = Paces()
    one = paces.of(SETTINGS)
    there = SourceSettings("c", "cloudwatch", "/y", REGION, role_arn="arn:aws:iam::210987654321:role/r")

    shared = f"arn:aws:logs:{REGION}:210987654321:log-group:/z:*"  # asked of the same monitoring account
    assert paces.of(SourceSettings("b", "cloudwatch", "/y", REGION, requests_per_s=0.5)) is one
    assert paces.of(SourceSettings("e", "cloudwatch", shared)) is one
    assert paces.of(there) is not one
    assert paces.of(SourceSettings("d", "cloudwatch", "/y", "us-east-1")) is not one


@pytest.fixture
def cloud() -> Cloud:
    return cloud_of()


@pytest.fixture
def group(cloud: Cloud) -> LogGroup:
    return group_of(cloud)


@pytest.fixture
def logs(cloud: Cloud, group: LogGroup) -> Iterator[Any]:
    with running_cloud(cloud) as url:
        client = logs_client(url)
        yield client
        client.close()


def put(group: LogGroup, *lines: tuple[int, str], late_ms: int = 500) -> None:
    """Deliver lines (milliseconds after START, text); they become visible `late_ms` after the last."""
    told = [(START_MS + after, f"{text}\n") for after, text in lines]
    taken_in = told[-1][0] + 400
    group.put(STREAM, told, ingested_ms=taken_in, visible_ms=[told[-1][0] + late_ms] * len(told))


class Throttling(FaultPlan):
    """Lets some requests through, then none."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def draw(self) -> RequestFault | None:
        self.left -= 1
        return "throttle" if self.left < 0 else None


def cursor(lake: Lake) -> dict[str, Any]:
    return json.loads((lake.last_pass("bodo") or {})["cursor_json"])


def test_an_event_later_than_the_overlap_is_found_within_the_hour(
    cloud: Cloud, group: LogGroup, logs: Any, lake: Lake
) -> None:
    """Fifty minutes late: the passes miss it, the hourly re-scan finds it, counts it and measures it."""
    put(group, (0, start(rid(1))), (5, record("msg_1")), (9, report(rid(1))), late_ms=50 * MINUTE_MS)
    collector = collector_of(lake, cloud, logs)
    results = []
    for _ in range(7):
        cloud.clock.advance(10 * 60)
        results.append(collector.run_pass())

    assert [done.new_calls for done in results] == [0] * 6 + [1]
    assert results[-1].late_events == 2  # a call and its invocation
    assert results[-1].max_lateness_ms >= 10 * MINUTE_MS
    assert results[-1].complete_until_ms == START_MS + 60 * MINUTE_MS


def test_a_record_that_comes_later_than_its_line_replaces_it(
    cloud: Cloud, group: LogGroup, logs: Any, lake: Lake
) -> None:
    """Delivered apart, and the record visible an hour after the line: one call before and after."""
    put(group, (0, start(rid(1))), (5, cost()), (9, report(rid(1))))
    put(group, (6, record("msg_1")), late_ms=55 * MINUTE_MS)
    collector = collector_of(lake, cloud, logs)
    told = []
    for minutes in (40, 61):
        cloud.clock.advance(minutes * 60)
        collector.run_pass()
        told.append([(row["told_by"], row["id_kind"]) for row in rows(lake, "calls")])

    assert told == [[("text", "event")], [("record", "message")]]
    assert [row["calls"] for row in rows(lake, "invocations")] == [1]


def test_a_start_that_comes_late_gives_its_lines_an_owner(cloud: Cloud, group: LogGroup, logs: Any, lake: Lake) -> None:
    """Bare lines are nobody's until START is in sight; the same rows then say whose they are."""
    put(group, (0, start(rid(1))), late_ms=30 * MINUTE_MS)
    put(group, (5, cost()))
    collector = collector_of(lake, cloud, logs)
    owners = []
    for _ in range(2):
        cloud.clock.advance(61 * 60 if owners else 20 * 60)
        collector.run_pass()
        owners.append([row["invocation_id"] for row in rows(lake, "calls")])

    assert owners == [[None], [rid(1)]]


def test_a_copy_seen_before_its_line_is_flagged_once_the_line_is_seen(
    cloud: Cloud, group: LogGroup, logs: Any, lake: Lake
) -> None:
    """The order of sight is not the order of delivery."""
    put(group, (0, cost()), late_ms=30 * MINUTE_MS)
    put(group, (0, cost()))
    collector = collector_of(lake, cloud, logs)
    flags = []
    for minutes in (20, 61):
        cloud.clock.advance(minutes * 60)
        collector.run_pass()
        flags.append(sorted(row["suspected_redelivery"] for row in rows(lake, "calls")))

    assert flags == [[False], [False, True]]


def test_following_reads_one_slice_of_the_past_per_pass(cloud: Cloud, group: LogGroup, logs: Any, lake: Lake) -> None:
    """News does not wait for the past: each pass reads on first, then an hour of what is due."""
    collector = collector_of(lake, cloud, logs, follow=True)
    collector.run_pass(final=False)
    cloud.clock.advance(3600)
    ends = []
    for _ in range(6):
        cloud.clock.advance(5)
        result = collector.run_pass(final=False)
        assert result.complete_until_ms is not None
        ends.append((cursor(lake).get("rescan") or {"from": None})["from"])

    first = START_MS - 3 * HOUR_MS
    assert ends == [first + SLICE_MS, first + 2 * SLICE_MS, first + 3 * SLICE_MS, None, None, None]


def test_a_re_scan_that_fails_goes_on_where_it_was(
    cloud: Cloud, group: LogGroup, logs: Any, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Throttled in the middle: what was read is stored, and the next pass takes up the re-scan at its last page."""
    monkeypatch.setattr("collector.sources.log_pages.ATTEMPTS", 1)
    put(group, (-2 * HOUR_MS, cost()))
    put(group, (-HOUR_MS, cost()))
    collector = collector_of(lake, cloud, logs)
    collector.run_pass()
    cloud.clock.advance(3700)
    put(group, (3_650_000, cost()))
    monkeypatch.setattr("collector.sources.cloudwatch.COMMIT_PAGES", 1)
    monkeypatch.setattr("collector.sources.log_pages.PAGE_LIMIT", 1)
    cloud.faults = Throttling(after=2)  # reading on takes one page, and one is left for the re-scan
    broken = collector.run_pass()
    where = cursor(lake)["rescan"]["from"]
    cloud.faults = FaultPlan()
    cloud.requests.clear()
    mended = collector.run_pass()

    assert ([problem.code for problem in broken.problems], broken.new_calls) == (["COL-429"], 1)
    assert where == START_MS - 2 * HOUR_MS
    assert where - 2_000 in [asked[2]["startTime"] for asked in cloud.requests]
    assert (mended.status, cursor(lake)["rescan"]) == ("done", None)


def test_a_cut_off_answer_is_asked_for_again(cloud: Cloud, group: LogGroup, logs: Any, lake: Lake) -> None:
    """boto3 takes half an answer for an empty last page; were it believed, its events would be lost."""
    put(group, (0, start(rid(1))), (5, record("msg_1")), (9, report(rid(1))))
    cloud.clock.advance(60)
    cloud.faults = FaultPlan(0, {"cut": 1.0})  # three in a row, then none
    result = collector_of(lake, cloud, logs).run_pass()

    assert (result.status, result.new_calls, result.retries) == ("done", 1, cloud.faults.happened["cut"])
    assert cloud.faults.happened["cut"] > 0


def test_an_answer_that_is_always_cut_off_is_told(
    cloud: Cloud, group: LogGroup, logs: Any, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cursor stays, and the message names what stands in between."""
    monkeypatch.setattr("collector.sources.log_pages.ATTEMPTS", 2)
    cloud.faults = FaultPlan(0, {"garbled": 1.0})
    result = collector_of(lake, cloud, logs).run_pass()

    assert [problem.code for problem in result.problems] == ["COL-510"]
    assert "proxy" in result.problems[0].mend


def test_a_clock_that_runs_ahead_does_not_make_the_cursor_pass_events(
    cloud: Cloud, group: LogGroup, logs: Any, lake: Lake
) -> None:
    """Our clock is half an hour ahead of AWS's: the next pass still begins before now."""
    collector = collector_of(lake, cloud, logs)
    true = collector._clock
    collector._clock = lambda: true() + (cloud.clock.now() - true()) + _HALF_AN_HOUR  # type: ignore[method-assign]
    collector.run_pass()

    assert cursor(lake)["hw"] <= START_MS + 2_000
    put(group, (60_000, cost()))
    cloud.clock.advance(120)
    assert collector.run_pass().new_calls == 1


def test_another_account_is_read_by_role_or_by_arn(cloud: Cloud, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A role with its external id, or the ARN of a group in a monitored account: both become the rows' account."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name.upper(), value)
    role = "arn:aws:iam::210987654321:role/reader"
    cloud.roles[role] = "ours"
    there = group_of(cloud, account="210987654321")
    put(there, (0, record("msg_1")))
    cloud.clock.advance(60)
    with running_cloud(cloud) as url:
        common: dict[str, Any] = {"endpoint_url": url, "requests_per_s": 1e6}
        refused = collector_of(lake, cloud, None, role_arn=role, external_id="not ours", **common).run_pass()
        by_role = collector_of(lake, cloud, None, role_arn=role, external_id="ours", **common).run_pass()
        told = rows(lake, "calls")
        by_arn = collector_of(
            Lake(lake.path / "arn"), cloud, None, log_group=f"{there.arn}:*", name="arn", **common
        ).run_pass()
        told += rows(Lake(lake.path / "arn"), "calls")

    assert [problem.code for problem in refused.problems] == ["COL-415"]
    assert "external_id" in refused.problems[0].mend
    assert (by_role.new_calls, by_arn.new_calls) == (1, 1)
    assert [(row["account"], row["log_group"]) for row in told] == [("210987654321", there.name)] * 2
