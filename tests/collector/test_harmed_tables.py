"""Tables on a disk that is full, read-only or taken away: a clear message, no corruption, nothing lost in the end."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from collector.pipeline import Collector
from collector.result import PassResult
from core.errors import FixSettings, TryAgain
from core.store.lake import Lake
from core.store.schema import TABLES
from simulator.cloudwatch.answers import Cloud
from simulator.cloudwatch.server import running_cloud
from simulator.cloudwatch.traffic import PROMPT, Life, live
from simulator.cloudwatch.truth import Truth
from tests.support.hostile import START_MS, cloud_of, collector_of, differences, group_of, logs_client

Make = Callable[[Lake], Collector]


@pytest.fixture
def life() -> Iterator[tuple[Cloud, Truth, Make]]:
    """An hour of the service, over; and what makes a collector of it."""
    cloud = cloud_of()
    truth = live(group_of(cloud), Life(1, START_MS, hours=1, requests=25, lateness=PROMPT))
    cloud.clock.advance(2 * 3600)
    with running_cloud(cloud) as url:
        client = logs_client(url)
        yield cloud, truth, lambda lake: collector_of(lake, cloud, client)
        client.close()


def mounted(path: Path, options: str) -> None:
    """Mount a file system in memory, or change how it is mounted; skip where that is not allowed."""
    path.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], capture_output=True)
    if done.returncode:
        pytest.skip("file systems cannot be mounted here")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 300 KB."""
    path = tmp_path / "disk"
    mounted(path, "size=300k")
    yield path
    subprocess.run(["umount", str(path)], check=True)


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size`: the nearest to a full disk that needs no rights."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def codes(result: PassResult) -> list[tuple[type[Any], str]]:
    return [(type(problem), problem.code) for problem in result.problems]


def test_a_full_disk_is_told_and_nothing_is_half_written(disk: Path, life: tuple[Cloud, Truth, Make]) -> None:
    """Collecting goes on once there is room; what was stored before can be read all the while."""
    _, truth, make = life
    lake = Lake(disk / "tables")
    (disk / "ballast").write_bytes(bytes(240_000))
    collector = make(lake)

    full = collector.run_pass()
    for table in TABLES:
        lake.read(table)
    (disk / "ballast").unlink()
    again = [make(Lake(disk / "tables")), collector][0].run_pass()

    assert codes(full) == [(TryAgain, "STO-003")]
    assert f"The disk of {disk / 'tables'}" in full.problems[0].message
    assert "Free some space" in full.problems[0].mend
    assert again.status == "done"
    assert differences(Lake(disk / "tables"), truth) == []


@pytest.mark.parametrize("size", [0, 1_000, 9_000])
def test_a_file_that_may_not_grow_is_told_like_a_full_disk(
    tmp_path: Path, life: tuple[Cloud, Truth, Make], size: int
) -> None:
    """Wherever the write stops, at the log or in a data file: the same collector goes on afterwards."""
    _, truth, make = life
    lake = Lake(tmp_path / "tables")
    collector = make(lake)

    with files_no_larger_than(size):
        full = collector.run_pass()
    again = collector.run_pass()

    assert codes(full) == [(TryAgain, "STO-003")]
    assert again.status == "done"
    assert differences(lake, truth) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a disk read-only; see the next test")
def test_a_read_only_disk_is_told_and_can_still_be_read(disk: Path, life: tuple[Cloud, Truth, Make]) -> None:
    """The dashboard goes on showing what is there; the collector says what to change."""
    cloud, truth, make = life
    mounted(disk, "remount,size=20m")
    lake = Lake(disk / "tables")
    collector = make(lake)
    collector.run_pass()
    cloud.clock.advance(120)
    collector._written_at = float("-inf")  # a quiet pass is written down once a minute
    mounted(disk, "remount,ro")

    refused = collector.run_pass()
    while_read_only = differences(lake, truth)
    mounted(disk, "remount,rw")
    again = collector.run_pass()

    assert codes(refused) == [(FixSettings, "STO-004")]
    assert "Read-only file system" in refused.problems[0].message
    assert (while_read_only, again.status) == ([], "done")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere; see the test before")
def test_a_folder_without_permission_is_told(tmp_path: Path, life: tuple[Cloud, Truth, Make]) -> None:
    """What was stored stays; with the permission back it goes on."""
    _, truth, make = life
    folder = tmp_path / "tables"
    folder.mkdir(mode=0o500)

    refused = make(Lake(folder)).run_pass()
    folder.chmod(0o700)

    assert codes(refused) == [(FixSettings, "STO-004")]
    assert make(Lake(folder)).run_pass().status == "done"
    assert differences(Lake(folder), truth) == []


@pytest.mark.parametrize("what", ["tables", "tables/calls", "tables/ingest_passes"])
def test_tables_deleted_under_a_running_collector_are_read_again(
    tmp_path: Path, life: tuple[Cloud, Truth, Make], what: str
) -> None:
    """It says that they are gone instead of writing on into a void, and the next pass begins at the beginning."""
    cloud, truth, make = life
    lake = Lake(tmp_path / "tables")
    collector = make(lake)
    collector.run_pass()
    shutil.rmtree(tmp_path / what)
    cloud.clock.advance(1)
    noticed = []
    for _ in range(3):
        cloud.clock.advance(70)
        collector._written_at = float("-inf")  # a quiet pass is written down once a minute
        noticed.append(collector.run_pass())

    assert codes(noticed[0]) == [(TryAgain, "STO-014")]
    assert "were deleted" in noticed[0].problems[0].message
    assert noticed[-1].status == "done"
    assert differences(lake, truth) == []


class VanishingLake(Lake):
    """A lake whose folder is deleted in the middle of a pass."""

    there = True

    def commit(self, table: str, rows: Any, **named: Any) -> Any:
        """Commit; before the first prompt-store events, everything is deleted."""
        if self.there and table == "prompt_store_events" and rows.num_rows:
            self.there = False
            shutil.rmtree(self.path)
        return super().commit(table, rows, **named)


def test_a_folder_deleted_in_the_middle_of_a_pass(tmp_path: Path, life: tuple[Cloud, Truth, Make]) -> None:
    """Between two tables of one step: noticed by the next pass, mended by the one after."""
    cloud, truth, make = life
    lake = VanishingLake(tmp_path / "tables")
    collector = make(lake)
    results = []
    for _ in range(4):
        results.append(collector.run_pass())
        collector._written_at = float("-inf")
        cloud.clock.advance(70)

    assert results[-1].status == "done"
    assert any(problem.code.startswith("STO-") for result in results for problem in result.problems)
    assert differences(Lake(tmp_path / "tables"), truth) == []
