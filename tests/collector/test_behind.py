"""Storing a batch while the next is read: the same rows, counters and passes, whatever fails and whenever it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from benchmarks import ingest
from collector import behind
from collector.behind import Behind
from collector.result import PassResult
from collector.sources import file_bytes, gathering, sessions_ahead
from collector.sources.base import Batch
from core.errors import TryAgain
from core.store.lake import Lake
from tests.support.collecting import adds_up, collector, files_source, rows

TABLES = ("calls", "invocations", "prompt_store_events")
SMALL = {(behind, "MUCH"): 1, (gathering, "_BATCH_REQUESTS"): 40, (file_bytes, "CHUNK"): 20_000}


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a log of 250 requests, and have little of it stored behind, as if it were much."""
    for (module, name), value in SMALL.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(sessions_ahead, "cores", lambda: 2)
    path = tmp_path / "logs" / "a.log"
    path.parent.mkdir()
    some = ingest.requests(Random(1), datetime(2026, 11, 19, tzinfo=UTC), timedelta(minutes=1))
    path.write_text("".join(next(some) for _ in range(250)), encoding="utf-8")
    return path


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Count what is stored behind."""
    counted: list[Any] = []
    begin = Behind.begin

    def counting(self: Behind, work: Any) -> None:
        counted.append(work)
        begin(self, work)

    monkeypatch.setattr(Behind, "begin", counting)
    return counted


def told(lake: Lake) -> dict[str, list[dict[str, Any]]]:
    return {name: rows(lake, name) for name in TABLES}


def alone(log: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[PassResult, Lake]:
    """Read a log on one core."""
    with monkeypatch.context() as patch:
        patch.setattr(sessions_ahead, "cores", lambda: 1)
        lake = Lake(tables)
        return collector(files_source(log), lake).run_pass(), lake


def no_thread_is_left() -> bool:
    return not [one for one in threading.enumerate() if one.name.startswith("storing")]


def test_what_is_stored_behind_is_what_is_stored_at_once(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: list[Any]
) -> None:
    """Rows, counters and passes are those of one core, where no thread is begun."""
    at_once, here = alone(log, tmp_path / "here", monkeypatch)
    assert not begun

    lake = Lake(tmp_path / "there")
    result = collector(files_source(log), lake).run_pass()

    assert len(begun) > 4
    assert adds_up(result)
    assert result.to_json() == at_once.to_json()
    assert told(lake) == told(here)
    steps = [[row["lines_read"] for row in rows(where, "ingest_passes")] for where in (here, lake)]
    assert steps[0] == steps[1]
    assert no_thread_is_left()


def test_a_batch_that_cannot_be_stored_ends_the_pass_where_it_stands(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: list[Any]
) -> None:
    """What was stored before counts; the batch read meanwhile is read again by the next pass."""
    at_once, here = alone(log, tmp_path / "here", monkeypatch)
    lake, commit = Lake(tmp_path / "there"), Lake.commit

    def failing(self: Lake, table: str, *args: Any, **more: Any) -> Any:
        if table == "invocations" and len(begun) == 3:
            raise TryAgain("The disk is full.", code="STO-005")
        return commit(self, table, *args, **more)

    reader = collector(files_source(log), lake)
    with monkeypatch.context() as patch:
        patch.setattr(Lake, "commit", failing)
        first = reader.run_pass()

    assert (first.status, [problem.code for problem in first.problems]) == ("failed", ["STO-005"])
    assert 0 < first.new_invocations == lake.read("invocations").num_rows < at_once.new_invocations
    assert no_thread_is_left()
    second = reader.run_pass()
    assert first.lines_read + second.lines_read == at_once.lines_read
    assert told(lake) == told(here)


def test_what_was_read_before_its_source_failed_is_stored_and_counts(
    log: Path, tmp_path: Path, begun: list[Any]
) -> None:
    """The failure of the third batch does not take the second away, which is being stored meanwhile."""
    source, lake = files_source(log), Lake(tmp_path / "there")
    read = source.read

    def failing(*args: Any) -> Iterator[Batch]:
        for number, batch in enumerate(read(*args)):
            if number == 2:
                raise TryAgain("The network is gone.", code="COL-101")
            yield batch

    source.read = failing  # type: ignore[method-assign]
    result = collector(source, lake).run_pass()

    assert len(begun) == 2
    assert (result.status, [problem.code for problem in result.problems]) == ("failed", ["COL-101"])
    assert 0 < result.new_calls == lake.read("calls").num_rows
    assert no_thread_is_left()


def test_a_pass_that_is_stopped_is_read_on(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each batch, until nothing is left: every line once."""
    at_once, here = alone(log, tmp_path / "here", monkeypatch)
    lake = Lake(tmp_path / "there")
    reader = collector(files_source(log), lake)

    results = [reader.run_pass(stop=lambda: True)]
    while results[-1].stopped and len(results) < 100:
        results.append(reader.run_pass(stop=lambda: True))

    assert len(results) > 4
    assert sum(result.lines_read for result in results) == at_once.lines_read
    assert told(lake) == told(here)


KILLED = """
import sys
from pathlib import Path
from tests.collector.test_behind import SMALL
from tests.support.collecting import collector, files_source
from core.store.lake import Lake
for (module, name), value in SMALL.items():
    setattr(module, name, value)
collector(files_source(Path(sys.argv[1])), Lake(sys.argv[2])).run_pass(progress=lambda total: print(flush=True))
"""


@pytest.mark.skipif(sessions_ahead.cores() < 2, reason="nothing is stored behind on one core")
def test_a_collector_that_is_killed_loses_and_doubles_nothing(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed again and again while one batch is stored and the next is read."""
    _, here = alone(log, tmp_path / "here", monkeypatch)
    lake = Lake(tmp_path / "there")
    for steps in (1, 2):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(log), str(lake.path)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert process.stdout
        for _ in range(steps):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL

    left = collector(files_source(log), lake).run_pass()

    assert left.lines_read
    assert told(lake) == told(here)
