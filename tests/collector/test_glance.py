"""A glance: whether anything is new is seen without opening the tables, and never believed when it might not be so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from collector.glance import QUIET_S, glance
from collector.result import PassResult
from core.settings import SourceSettings
from core.store import noted
from core.store.care import FILES_TODAY
from core.store.lake import Lake
from tests.support.collecting import collector, files_source
from tests.support.log_lines import NOW

LINE = "💰 API Cost: $0.001000 | input: 1, output: 1, cache_read: 0, cache_write: 0\n"


def _read(tmp_path: Path, *, leave: bool = True) -> Lake:
    """Read logs/ as a process does that ends afterwards."""
    lake = Lake(tmp_path / "tables")
    reading = collector(files_source(tmp_path / "logs"), lake)
    assert reading.run_pass(final=True).status == "done"
    if leave:
        reading.leave()
    return lake


def _glance(tmp_path: Path, *, after_s: float = 1.0) -> PassResult | None:
    source = SourceSettings(name="logs", kind="files", paths=(str(tmp_path / "logs"),))
    return glance(source, tmp_path / "tables", clock=lambda: NOW + timedelta(seconds=after_s))


@pytest.fixture(autouse=True)
def logs(tmp_path: Path) -> Path:
    """Return a folder of two logs, one of them empty."""
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "a.log").write_text(LINE)
    (folder / "empty.log").touch()
    return folder


def test_nothing_new_is_told_as_a_pass_tells_it(tmp_path: Path) -> None:
    """The answer is that of a pass that read nothing, complete up to now, and nothing is written."""
    lake = _read(tmp_path)
    before = lake.versions()

    told = _glance(tmp_path)

    assert told is not None
    assert told.to_json() == collector(files_source(tmp_path / "logs"), lake).run_pass().to_json() | {
        "complete_until": (NOW + timedelta(seconds=1)).isoformat(timespec="milliseconds")
    }
    assert before["ingest_passes"] is not None
    assert before != lake.versions(), "the pass that it is held against is written, as every first one of a process"


def _grow(logs: Path) -> None:
    (logs / "a.log").write_text(LINE * 2)


def _touch(logs: Path) -> None:
    (logs / "a.log").touch()


def _add(logs: Path) -> None:
    (logs / "b.log").write_text(LINE)


def _break(logs: Path) -> None:
    (logs / "link").symlink_to(logs / "nowhere")


@pytest.mark.parametrize("change", [_grow, _touch, _add, _break])
def test_a_change_takes_a_pass(change: Callable[[Path], None], tmp_path: Path, logs: Path) -> None:
    """Lines added, a file written again, a new one, and one that cannot be looked at are no business of a glance."""
    _read(tmp_path)
    change(logs)

    assert _glance(tmp_path) is None


def test_a_clock_that_went_back_takes_a_pass(tmp_path: Path) -> None:
    """A note of later is no measure of what is due."""
    _read(tmp_path)

    assert _glance(tmp_path, after_s=-1.0) is None


def test_freshness_is_written_down_every_minute(tmp_path: Path) -> None:
    """The row is that of a pass that read nothing; the next glance goes by it, and a collector reads on by it."""
    lake = _read(tmp_path)
    before, written = lake.last_pass("logs"), lake.version("ingest_passes")
    assert before is not None
    assert written is not None

    told = [_glance(tmp_path, after_s=QUIET_S), _glance(tmp_path, after_s=QUIET_S + 1)]

    row = lake.last_pass("logs")
    assert all(one is not None for one in told)
    assert lake.version("ingest_passes") == written + 1
    assert row is not None
    moment, number = NOW + timedelta(seconds=QUIET_S), int(row["pass_id"].rpartition("/")[2])
    assert row["cursor_json"] == before["cursor_json"]
    assert (row["ts"], row["complete_until"], row["status"], row["lines_read"]) == (moment, moment, "done", 0)
    assert lake.last_pass_no("ingest_passes", "logs") == number > int(before["pass_id"].rpartition("/")[2])
    assert collector(files_source(tmp_path / "logs"), lake).run_pass().lines_read == 0


def test_what_is_due_and_cannot_be_written_at_once_takes_a_pass(tmp_path: Path) -> None:
    """Another process holds the folder, or there are so many files that they are to be joined."""
    lake = _read(tmp_path)
    with lake.writer_lock():
        held = _glance(tmp_path, after_s=QUIET_S)
    day = tmp_path / "tables" / "ingest_passes" / f"date={NOW:%Y-%m-%d}"
    for number in range(FILES_TODAY):
        (day / f"part-{number}.parquet").touch()

    assert held is None
    assert _glance(tmp_path, after_s=QUIET_S) is None
    assert lake.version("ingest_passes") == 1


def test_an_unfinished_line_takes_a_pass(tmp_path: Path, logs: Path) -> None:
    """What a pass did not take is looked at again."""
    (logs / "a.log").write_text(LINE + "💰 API Cost: $0.0")
    _read(tmp_path)

    assert _glance(tmp_path) is None


def test_a_note_is_not_believed_once_another_pass_was_written(tmp_path: Path) -> None:
    """A process that was killed leaves none, and the note before it says less than the table."""
    _read(tmp_path)
    _read(tmp_path, leave=False)

    assert _glance(tmp_path) is None


def test_what_others_write_leaves_a_note_as_it_is(tmp_path: Path) -> None:
    """Passes of another source and compaction say nothing of this one."""
    lake = _read(tmp_path)
    collector(files_source(tmp_path / "logs", name="other"), lake).run_pass()
    lake.compact("ingest_passes")

    assert _glance(tmp_path) is not None


def test_a_table_that_is_gone_or_another_has_no_note(tmp_path: Path) -> None:
    """Deleted tables are read anew, also where new ones have come to the same version."""
    _read(tmp_path)
    shutil.rmtree(tmp_path / "tables" / "ingest_passes")
    gone = _glance(tmp_path)
    _read(tmp_path, leave=False)

    assert gone is None
    assert _glance(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"form": 0}', '{"form": 1, "pass": {}, "entry": []}'])
def test_a_damaged_note_is_no_note(text: str, tmp_path: Path) -> None:
    """Whatever stands there, the table is read instead."""
    _read(tmp_path)
    (note,) = (tmp_path / "tables" / ".noted").iterdir()
    note.write_text(text)

    assert noted.find(tmp_path / "tables", "logs") is None
    assert _glance(tmp_path) is None


def test_a_collector_reads_on_by_the_note_as_by_the_table(tmp_path: Path, logs: Path) -> None:
    """Cursor, time and number of the newest pass are those that the table tells."""
    lake = _read(tmp_path)
    note, row = noted.find(lake.path, "logs"), lake.last_pass("logs")
    _grow(logs)

    assert note is not None
    assert row is not None
    assert note.row().items() <= row.items()
    assert json.loads(note.cursor_json)["files"]
    assert collector(files_source(logs), lake).run_pass().lines_read == 1


def test_a_failed_pass_leaves_no_note(tmp_path: Path, logs: Path) -> None:
    """Only a pass that read everything is worth a glance the next time."""
    _read(tmp_path)
    _break(logs)
    reading = collector(files_source(logs), Lake(tmp_path / "tables"))
    reading.run_pass()
    reading.leave()

    assert noted.find(tmp_path / "tables", "logs") is None
