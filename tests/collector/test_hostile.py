"""Against a CloudWatch that does whatever it may: nothing lost, nothing doubled, suspects flagged.

The same at length: `make soak`. What is asked of the collector and what was measured: docs/reliability.md.
"""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from collector.behind import Behind
from core.store.lake import Lake
from core.store.schema import TABLES
from simulator.cloudwatch.faults import REQUEST_FAULTS, FaultPlan
from simulator.cloudwatch.server import running_cloud
from simulator.cloudwatch.traffic import PROMPT, Life, live
from tests.support.hostile import (
    KEYS,
    MINUTE_MS,
    START_MS,
    Schedule,
    cloud_of,
    collector_of,
    collector_process,
    differences,
    group_of,
    kill_again_and_again,
    logs_client,
)

SEEDS = 6


@pytest.fixture(autouse=True)
def simulated_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS["aws_access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS["aws_secret_access_key"])


@pytest.mark.parametrize("seed", range(SEEDS))
def test_after_the_last_re_scan_the_tables_are_the_truth(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late, partial, repeated, re-delivered, throttled, cut off, died in between: calls, invocations and
    prompt-store events are there once, with their tokens, engine and owner; copies without an id are flagged.
    Every other schedule has each batch stored while the next is read.
    """
    if seed % 2:
        monkeypatch.setattr(Behind, "is_worth", lambda self, step: True)
    schedule = Schedule(seed, tmp_path / "tables", hours=1.0, requests=40)
    with running_cloud(schedule.cloud) as url:
        client = logs_client(url)

        found = schedule.run(lambda lake: collector_of(lake, schedule.cloud, client))

        client.close()
    assert found == []
    assert len(schedule.truth.calls) > 30
    happened = schedule.cloud.faults.happened
    assert sum(happened.values()) > 5, f"the schedule was too kind: {happened}"


def test_every_fault_of_the_plan_is_survived(tmp_path: Path) -> None:
    """Each request fault alone, as often as it can happen."""
    for number, fault in enumerate(REQUEST_FAULTS):
        cloud = cloud_of(number)
        truth = live(group_of(cloud), Life(number, START_MS, hours=0.5, requests=15, lateness=PROMPT))
        cloud.clock.advance(2 * 3600)
        cloud.faults = FaultPlan(number, {fault: 0.4}, page_sizes=(2,), largest_page=9)
        lake = Lake(tmp_path / fault)
        with running_cloud(cloud) as url:
            client = logs_client(url)
            while collector_of(lake, cloud, client).run_pass().status != "done":
                pass
            client.close()
        assert cloud.faults.happened[fault] > 0, fault
        assert differences(lake, truth) == [], fault


def test_a_log_group_deleted_and_made_again_is_read_on(tmp_path: Path) -> None:
    """What was read stays; the gap is an error with the cursor kept; what the new group holds is added."""
    cloud, lake = cloud_of(), Lake(tmp_path)
    old = group_of(cloud)
    truth = live(old, Life(1, START_MS, hours=0.5, requests=15, lateness=PROMPT))
    cloud.clock.advance(3600)
    with running_cloud(cloud) as url:
        client = logs_client(url)
        collector = collector_of(lake, cloud, client)
        collector.run_pass()
        cloud.groups.delete(old)
        gone = collector.run_pass()
        cloud.clock.advance(60)
        more = live(group_of(cloud), Life(2, cloud.now_ms, hours=0.5, requests=15, lateness=PROMPT))
        cloud.clock.advance(3600)
        back = collector.run_pass()
        client.close()

    assert [problem.code for problem in gone.problems] == ["COL-404"]
    assert back.status == "done"
    truth.calls += more.calls
    truth.invocations += more.invocations
    for name in ("call_lines", "store_lines", "copied_calls", "copied_stores"):
        getattr(truth, name).update(getattr(more, name))
    assert differences(lake, truth) == []


def test_kill_9_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """A real collector process killed at random moments, and another started each time."""
    killed, found = kill_again_and_again(5, tmp_path / "tables", 3, requests=40)

    assert (killed, found) == (3, [])


@pytest.mark.parametrize("commits", [1, 3])
def test_kill_9_between_two_commits_loses_nothing_that_no_re_scan_would_bring_back(
    tmp_path: Path, commits: int
) -> None:
    """Rows come before the cursor that passes them: the next pass reads on from there, and no re-scan is due yet."""
    cloud = cloud_of()
    truth = live(group_of(cloud), Life(4, START_MS, hours=3, requests=40, lateness=PROMPT))
    cloud.clock.advance(4 * 3600)
    with running_cloud(cloud) as url:
        with collector_process(url, tmp_path / "tables", cloud.now_ms + 1, commits) as process:
            process.communicate(timeout=60)
        client = logs_client(url)
        lake = Lake(tmp_path / "tables")
        before = sum(lake.read(name).num_rows for name in TABLES)
        back = collector_of(lake, cloud, client).run_pass()
        client.close()

    assert process.returncode == -signal.SIGKILL
    assert before > 0
    assert back.status == "done"
    assert differences(lake, truth) == []


def test_two_collectors_by_mistake_do_no_harm(tmp_path: Path) -> None:
    """Two processes read the same source into the same tables: they take turns, and the tables are the truth."""
    schedule = Schedule(3, tmp_path / "tables", hours=1.0, requests=40, deaths=0.0)
    end_ms = START_MS + 160 * MINUTE_MS
    with running_cloud(schedule.cloud) as url:
        both = [collector_process(url, tmp_path / "tables", end_ms) for _ in range(2)]
        told = [process.communicate(timeout=60)[0] for process in both]
        client = logs_client(url)
        schedule.last_scan(lambda lake: collector_of(lake, schedule.cloud, client))
        client.close()

    assert [process.returncode for process in both] == [0, 0]
    assert all(" STO-" not in line and " COL-9" not in line for output in told for line in output.splitlines())
    assert differences(Lake(tmp_path / "tables"), schedule.truth) == []


def test_a_second_collector_that_waits_too_long_is_told_who_holds_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the process; nothing is lost, for the next pass reads the same again."""
    monkeypatch.setattr("collector.pipeline._LOCK_WAIT_S", 0.05)
    cloud, lake = cloud_of(), Lake(tmp_path)
    truth = live(group_of(cloud), Life(1, START_MS, hours=0.5, requests=10, lateness=PROMPT))
    cloud.clock.advance(3600)
    with running_cloud(cloud) as url:
        client = logs_client(url)
        collector = collector_of(Lake(tmp_path), cloud, client)
        with lake.writer_lock():
            worker: list[Any] = []
            thread = threading.Thread(target=lambda: worker.append(collector.run_pass()))
            thread.start()
            thread.join()
        again = collector.run_pass()
        client.close()

    assert {problem.code for problem in worker[0].problems} == {"STO-001"}
    assert "held by process" in worker[0].problems[0].message
    assert again.status == "done"
    assert differences(lake, truth) == []
