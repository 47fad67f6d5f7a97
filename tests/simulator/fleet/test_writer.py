"""What lands in the demo's folder: whole hours, ids in order, nothing twice, nothing half."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from core.errors import FixSettings
from core.pricing import default_book
from simulator.fleet.arrivals import HOUR_MS
from simulator.fleet.events import event_id
from simulator.fleet.folder import FleetFolder, read_truth
from simulator.fleet.writer import FleetWriter
from tests.support.fleet import DAY_MS, NOON_MS, payloads


def writer(root: Path, now_ms: int = NOON_MS, days: int = 1, seed: int | None = None) -> FleetWriter:
    """A writer on a folder."""
    return FleetWriter(FleetFolder(root), book=default_book(), now_ms=now_ms, days=days, seed=seed)


def files(root: Path) -> dict[str, bytes]:
    """Every log file and its bytes."""
    logs = root / "logs"
    return {str(path.relative_to(logs)): path.read_bytes() for path in logs.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the history of a day up to noon; only read."""
    root = tmp_path_factory.mktemp("history")
    writer(root).write_history(NOON_MS)
    return root


@pytest.fixture
def begun(history: Path, tmp_path: Path) -> Path:
    """A folder of one's own with that history, as a run that ended at noon left it."""
    return shutil.copytree(history, tmp_path / "begun")


def test_event_ids_are_laid_out_like_cloudwatchs() -> None:
    """56 digits: event time, ingestion time, put, position; the first member is the time printed beside it."""
    one = event_id(1_396_035_378_988, 1_396_035_394_997, 5, 3)

    assert len(event_id(NOON_MS, NOON_MS, 0, 0)) == len(one) == 56
    assert int(one) >> 144 == 1_396_035_378_988
    assert int(one) >> 80 & (1 << 64) - 1 == 1_396_035_394_997
    assert int(one) & 0xFFFF == 3


def test_ids_sort_in_emission_order(tmp_path: Path) -> None:
    """Within a stream, ids ascend strictly in the order in which the events were written, history and live."""
    fleet = writer(tmp_path, now_ms=NOON_MS + 1_800_000)
    fleet.write_history(NOON_MS + 1_800_000)
    fleet.catch_up(NOON_MS + 1_800_000)
    fleet.finish(NOON_MS + 1_800_000)

    streams: dict[str, list[int]] = {}
    for payload in payloads(tmp_path / "logs"):
        for event in payload["logEvents"]:
            assert int(event["id"]) >> 144 == event["timestamp"]
            streams.setdefault(payload["logStream"], []).append(int(event["id"]))

    assert len(streams) > 10
    assert all(a < b for ids in streams.values() for a, b in pairwise(ids))


def test_payloads_are_subscription_payloads(history: Path) -> None:
    """Each line is one DATA_MESSAGE of the source's log group, far smaller than a megabyte."""
    for source, group in (("bodo-ws", "/aws/lambda/bodo-ws"), ("bodo-legacy", "/aws/lambda/bodo-legacy")):
        for payload in payloads(history / "logs" / source):
            assert (payload["messageType"], payload["logGroup"]) == ("DATA_MESSAGE", group)
            assert payload["logEvents"]
            assert len(json.dumps(payload)) < 500_000


def test_history_is_the_same_for_seed_and_day(history: Path, tmp_path: Path) -> None:
    """Two folders of one seed agree byte for byte on every hour both have, whatever the time of day."""
    writer(tmp_path, NOON_MS + 2 * HOUR_MS).write_history(NOON_MS + 2 * HOUR_MS)
    a, b = files(history), files(tmp_path)

    assert len(a) == 2 * (24 + 12)
    assert a == {name: b[name] for name in a}


def test_going_on_fills_the_gap_and_rewrites_nothing(begun: Path) -> None:
    """A later run writes the hours in between, leaves the old files alone and repeats no event."""
    before = files(begun)

    later = NOON_MS + 5 * HOUR_MS
    writer(begun, later).write_history(later)
    after = files(begun)

    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 10
    ids = [event["id"] for payload in payloads(begun / "logs") for event in payload["logEvents"]]
    assert len(ids) == len(set(ids))


def test_going_on_within_a_live_hour(tmp_path: Path) -> None:
    """Stopped at ten past and begun again at half past, the hour goes on: no call twice, no hole."""
    first = writer(tmp_path)
    first.write_history(NOON_MS + 600_000)
    first.catch_up(NOON_MS + 600_000)
    first.finish(NOON_MS + 600_000)
    again = writer(tmp_path, NOON_MS + 1_800_000)
    again.write_history(NOON_MS + 1_800_000)
    again.catch_up(NOON_MS + 1_800_000)

    calls = [t["ts"] for t in read_truth(tmp_path) if t["ts"] >= NOON_MS]
    ids = [t["call_id"] for t in read_truth(tmp_path) if t["call_id"]]
    assert len(ids) == len(set(ids))
    assert max(b - a for a, b in pairwise(sorted(calls))) < 180_000


def test_a_live_hour_left_open_is_finished_later(tmp_path: Path) -> None:
    """Stopped at ten past noon, begun again at three: noon's file gets its rest, the hours after it are history."""
    first = writer(tmp_path)
    first.write_history(NOON_MS + 600_000)
    first.catch_up(NOON_MS + 600_000)
    first.finish(NOON_MS + 600_000)
    later = NOON_MS + 3 * HOUR_MS
    writer(tmp_path, later).write_history(later)

    names = [name.rsplit("/", 1)[1] for name in files(tmp_path) if name.startswith("bodo-ws/")]
    assert sorted(names)[-3:] == ["2026-11-23T03.jsonl", "2026-11-23T04.json.gz", "2026-11-23T05.json.gz"]
    noon = [t for t in read_truth(tmp_path) if NOON_MS <= t["ts"] < NOON_MS + HOUR_MS]
    assert max(t["ts"] for t in noon) > NOON_MS + 3_000_000


def test_live_files_are_few_and_grow(begun: Path) -> None:
    """Live traffic is appended to one file per source and hour, in whole lines."""
    fleet = writer(begun)
    fleet.write_history(NOON_MS)
    sizes = []
    for second in range(0, 600, 20):
        fleet.catch_up(NOON_MS + second * 1000)
        sizes.append(len(files(begun).get("bodo-ws/2026/11/23/2026-11-23T03.jsonl", b"")))

    live = [name for name in files(begun) if name.endswith(".jsonl")]
    assert len(live) == 2
    assert sizes == sorted(sizes) and sizes[-1] > sizes[5] > 0
    for name in live:
        assert files(begun)[name].endswith(b"\n")


def test_live_events_never_come_before_their_time(tmp_path: Path) -> None:
    """Nothing in the folder is later than now, until the end lets begun invocations finish."""
    fleet = writer(tmp_path)
    fleet.write_history(NOON_MS)
    now_ms = NOON_MS + 300_000
    fleet.catch_up(now_ms)

    assert max(e["timestamp"] for p in payloads(tmp_path / "logs") for e in p["logEvents"]) <= now_ms


def test_a_crash_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dying between writing and renaming leaves whole hours only, and the next run goes on from there."""
    count, replace = 0, Path.replace

    def die_at_ten(self: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count == 10:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", die_at_ten)
    with pytest.raises(KeyboardInterrupt):
        writer(tmp_path).write_history(NOON_MS)
    monkeypatch.undo()
    assert list(payloads(tmp_path / "logs"))

    writer(tmp_path).write_history(NOON_MS)

    assert len(files(tmp_path)) == 2 * (24 + 12)


def test_a_half_written_live_line_is_cut_off(tmp_path: Path) -> None:
    """What a crash left of a line is removed before writing goes on."""
    fleet = writer(tmp_path)
    fleet.write_history(NOON_MS)
    fleet.catch_up(NOON_MS + 600_000)
    path = tmp_path / "logs/bodo-ws/2026/11/23/2026-11-23T03.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"messageType":"DATA_M')

    writer(tmp_path, NOON_MS + 660_000).write_history(NOON_MS + 660_000)

    assert path.read_bytes() == whole


def test_a_long_absence_is_filled_for_thirty_days_at_most(begun: Path) -> None:
    """After longer than the days asked for, writing begins anew that many days back; nothing before it is filled."""
    later = NOON_MS + 9 * DAY_MS
    writer(begun, later).write_history(later)

    days = sorted({name.split("T")[0][-10:] for name in files(begun) if name.startswith("bodo-ws/")})
    assert days == ["2026-11-21", "2026-11-22", "2026-11-23", "2026-11-30", "2026-12-01", "2026-12-02"]


def test_another_seed_is_refused(tmp_path: Path) -> None:
    """A folder holds one fleet: another seed is an error that says what to do."""
    writer(tmp_path, seed=3)

    with pytest.raises(FixSettings, match=r"DEM-002: .* seed 3, not 4. Use --seed 3, or remove"):
        writer(tmp_path, seed=4)


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    """A folder that cannot be made is one clear error."""
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(FixSettings, match=r"DEM-001: The demo folder .* cannot be written"):
        writer(tmp_path / "file" / "demo")


def test_a_week_is_a_week_of_thirty_days_with_sixty_thousand_calls(tmp_path: Path) -> None:
    """Every weekday once, in the proportion of the whole history."""
    progress = writer(tmp_path, days=7).write_history(NOON_MS)

    assert progress.calls >= 60_000 * 7 / 30
    assert progress.hours == 7 * 24 + 12
