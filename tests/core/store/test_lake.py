"""The tables on disk: reading what is not there, pruning, cursors, compaction, locks and every clear error."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from cli.collect import CARE_EVERY_S
from core.errors import CachewiseError, FixSettings, TryAgain
from core.store.care import FILES_PAST_DAY, FILES_TODAY, crowded_days
from core.store.lake import Lake
from core.store.schema import TABLES
from tests.support.rows import NOON, make_call, make_pass, make_store_event, table_of


def days_of_calls(lake: Lake, days: int, commits_a_day: int = 1) -> None:
    for day in range(days):
        for _ in range(commits_a_day):
            lake.commit("calls", table_of("calls", [make_call(ts=NOON + timedelta(days=day))]))


def test_a_table_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    """Nothing was collected yet: no version, no file, no row, all columns; and reading creates nothing."""
    lake = Lake(tmp_path / "new")

    assert set(lake.versions().values()) == {None}
    assert lake.snapshot("calls") == []
    assert lake.read("calls").schema == TABLES["calls"]
    assert lake.last_pass("bodo") is None
    assert (lake.compact("calls"), lake.vacuum("calls")) == (0, 0)
    assert not (tmp_path / "new").exists()


def test_what_is_written_is_read_back_exactly(tmp_path: Path) -> None:
    """Money to the twelfth place, times to the microsecond, nulls as nulls."""
    lake = Lake(tmp_path / "with blank and 한글")
    row = make_call(ts=NOON + timedelta(microseconds=1), cost_usd=Decimal("0.000000000001"), ttft_ms=None)
    rows = table_of("calls", [row])

    lake.commit("calls", rows)

    assert lake.read("calls").equals(rows)


def test_a_snapshot_lists_only_the_files_of_the_dates_asked_for(tmp_path: Path) -> None:
    """The end is not included, so midnight does not open the next day."""
    lake = Lake(tmp_path)
    days_of_calls(lake, 3)

    def files(start: datetime | None, end: datetime | None) -> int:
        return len(lake.snapshot("calls", start, end))

    second = datetime(2026, 11, 21, tzinfo=UTC)
    assert files(None, None) == 3
    assert files(second, None) == 2
    assert files(None, second) == 1
    assert files(second, second + timedelta(days=1)) == 1


def test_each_commit_carries_the_pass_and_the_metadata(tmp_path: Path) -> None:
    """The source's pass number is a Delta application transaction of the same commit as the rows."""
    lake = Lake(tmp_path)
    assert lake.last_pass_no("calls", "bodo") is None

    lake.commit("calls", table_of("calls", [make_call()]), source="bodo", pass_no=7, metadata={"pass_id": "p-7"})

    log = sorted((tmp_path / "calls" / "_delta_log").glob("*.json"))[-1].read_text()
    actions = [json.loads(line) for line in log.splitlines()]
    assert [a["txn"]["version"] for a in actions if "txn" in a] == [7]
    assert [a["commitInfo"]["pass_id"] for a in actions if "commitInfo" in a] == ["p-7"]
    assert lake.last_pass_no("calls", "bodo") == 7


def test_the_last_pass_of_a_source_holds_its_cursor(tmp_path: Path) -> None:
    """A failed pass without a cursor does not hide the cursor before it."""
    lake = Lake(tmp_path)
    rows = [
        make_pass(cursor_json='{"at":1}'),
        make_pass(cursor_json='{"at":2}', ts=NOON + timedelta(hours=1)),
        make_pass(cursor_json=None, ts=NOON + timedelta(days=1), status="failed"),
        make_pass(cursor_json=None, source="never finished", status="failed"),
        make_pass(cursor_json='{"at":9}', source="other", ts=NOON + timedelta(days=2)),
    ]
    lake.commit("ingest_passes", table_of("ingest_passes", rows))

    def cursor(source: str) -> str | None:
        found = lake.last_pass(source)
        assert found is not None
        return found["cursor_json"]

    assert cursor("bodo") == '{"at":2}'
    assert cursor("never finished") is None


def test_compaction_joins_files_and_keeps_every_row(tmp_path: Path) -> None:
    """Fewer files, the same rows; vacuum then deletes what nothing needs."""
    lake = Lake(tmp_path)
    days_of_calls(lake, 2, commits_a_day=4)
    before = sorted(lake.read("calls")["call_id"].to_pylist())

    assert lake.compact("calls") == 6
    assert lake.vacuum("calls", retention_hours=0) == 8
    assert len(lake.snapshot("calls")) == 2
    assert sorted(lake.read("calls")["call_id"].to_pylist()) == before


def test_joined_files_are_written_in_pieces_that_fit_into_memory(tmp_path: Path) -> None:
    """However many rows a day holds, no more than 131,072 of them wait in memory to be written."""
    lake, day = Lake(tmp_path), table_of("prompt_store_events", [make_store_event()])
    for half in ("a", "b"):
        keys = pa.array([f"{half}{number}" for number in range(70_000)])
        rows = day.take(pa.array([0] * 70_000)).set_column(day.column_names.index("event_key"), "event_key", keys)
        lake.commit("prompt_store_events", rows)

    lake.compact("prompt_store_events")

    (file,) = lake.snapshot("prompt_store_events")
    groups = pq.read_metadata(file)
    assert [groups.row_group(at).num_rows for at in range(groups.num_row_groups)] == [131_072, 8_928]


def test_care_compacts_only_crowded_days(tmp_path: Path) -> None:
    """A past day is joined beyond six files; today may hold more, as it grows with every pass."""
    lake = Lake(tmp_path)
    days_of_calls(lake, 1, commits_a_day=7)

    assert lake.care("calls", now=NOON).days == 0
    done = lake.care("calls", now=NOON + timedelta(days=1))
    assert (done.days, done.files_joined) == (1, 6)
    assert lake.care("calls", now=NOON + timedelta(days=1)).days == 0


def test_small_commits_stay_few_files_however_many_they_are(tmp_path: Path) -> None:
    """Following a log, care joins what commits leave behind: never more files than its limit and one round; the log
    of the table is cut as well, and a reader that slept through it sees every row.
    """
    lake, sleeper = Lake(tmp_path), Lake(tmp_path)
    a_round, most = 4, 0
    for number in range(FILES_PAST_DAY + 3 * a_round):
        days_of_calls(lake, 1)
        if number == 2:
            assert sleeper.read("calls").num_rows == 3
        if number % a_round == 0:
            lake.care("calls", now=NOON + timedelta(days=1))
        most = max(most, len(lake.snapshot("calls")))

    DeltaTable(tmp_path / "calls").alter.set_table_properties({"delta.logRetentionDuration": "interval 0 seconds"})
    lake.vacuum("calls", retention_hours=0)

    assert FILES_PAST_DAY <= most <= FILES_PAST_DAY + a_round
    assert len(list((tmp_path / "calls").rglob("*.parquet"))) < most
    assert sleeper.read("calls").num_rows == FILES_PAST_DAY + 3 * a_round


def test_a_day_of_commits_every_five_seconds_stays_below_200_files() -> None:
    """As often as following looks, today is joined early enough: counted by the rule, for 17,280 commits take long."""
    today, files, most = NOON.date(), 0, 0
    for number in range(24 * 3600 // 5):
        files += 1
        most = max(most, files)
        if number * 5 % CARE_EVERY_S == 0 and crowded_days([(today, "a file")] * files, today):
            files = 1  # what is joined of so few rows is one file

    assert FILES_TODAY < most < 200


def test_a_commit_reads_again_no_more_than_ten(tmp_path: Path) -> None:
    """What came since the last checkpoint is read with each commit: small ones would take longer and longer."""
    lake = Lake(tmp_path)
    assert not lake.has("ingest_passes")

    for number in range(12):
        lake.commit("ingest_passes", table_of("ingest_passes", [make_pass(pass_id=f"bodo/{number}")]))

    assert lake.has("ingest_passes")
    assert list((tmp_path / "ingest_passes" / "_delta_log").glob("*.checkpoint.parquet"))


def test_a_commit_looks_for_bounds_of_two_columns_only(tmp_path: Path) -> None:
    """Those that are written; with all seventy it takes twice as long to read what came since the last checkpoint."""
    Lake(tmp_path).commit("calls", table_of("calls", [make_call()]))

    told = DeltaTable(tmp_path / "calls").metadata().configuration

    assert told["delta.dataSkippingStatsColumns"] == "ts,call_id"


def test_a_table_at_rest_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While no entry follows, the version that is open is the newest; another process's commit is seen at once."""
    lake, other, read = Lake(tmp_path), Lake(tmp_path), []
    days_of_calls(other, 1)
    lake.version("calls")
    again = DeltaTable.update_incremental
    monkeypatch.setattr(DeltaTable, "update_incremental", lambda self: (read.append(self), again(self)))

    versions = [lake.version("calls"), lake.version("calls")]
    rested = len(read)
    days_of_calls(other, 1)

    assert (versions, rested) == ([1, 1], 0)
    assert lake.version("calls") == 2
    assert read


def test_a_folder_deleted_and_made_anew_is_noticed(tmp_path: Path) -> None:
    """A dashboard that runs on sees the new table, not the files of the old one."""
    reader, writer = Lake(tmp_path), Lake(tmp_path)
    days_of_calls(writer, 3)
    assert reader.read("calls").num_rows == 3

    shutil.rmtree(tmp_path / "calls")
    assert reader.version("calls") is None
    days_of_calls(Lake(tmp_path), 1)
    assert reader.read("calls").num_rows == 1


def test_two_writers_of_one_table_never_double_a_row(tmp_path: Path) -> None:
    """Both tell the same rows at once; each row is stored once."""
    rows = [table_of("calls", [make_call() for _ in range(20)]) for _ in range(5)]

    def write() -> None:
        lake = Lake(tmp_path)
        for batch in rows:
            lake.commit("calls", batch)

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(Lake(tmp_path).read("calls")["call_id"].to_pylist()) == sorted(
        key for batch in rows for key in batch["call_id"].to_pylist()
    )


APPENDER = """
import sys
from core.store.care import FILES_PAST_DAY, FILES_TODAY, crowded_days
from core.store.lake import Lake
from tests.support.rows import make_call, table_of
lake = Lake(sys.argv[1])
for batch in range(12):
    lake.commit("calls", table_of("calls", [make_call(call_id=f"{batch}-{i}") for i in range(10)]))
    if batch % 4 == 3:
        lake.compact("calls")
"""


def test_a_reader_always_sees_whole_commits(tmp_path: Path) -> None:
    """While another process appends tens and compacts, every count is a multiple of ten and never goes back."""
    lake, counts = Lake(tmp_path), [0]
    writer = subprocess.Popen([sys.executable, "-c", APPENDER, str(tmp_path)], cwd=Path(__file__).parents[3])

    while writer.poll() is None or counts[-1] < 120:
        counts.append(lake.read("calls").num_rows)
        assert writer.returncode in (None, 0)

    assert writer.wait() == 0
    assert [count for count in counts if count % 10] == []
    assert counts == sorted(counts)
    assert counts[-1] == 120


HOLDER = """
import sys, time
from core.store.care import FILES_PAST_DAY, FILES_TODAY, crowded_days
from core.store.lake import Lake
with Lake(sys.argv[1]).writer_lock():
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_collector_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    """The process id is in the message; the lock is free as soon as its holder dies."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], cwd=Path(__file__).parents[3], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"

    with pytest.raises(TryAgain, match=f"STO-001.* {holder.pid} "), Lake(tmp_path).writer_lock(wait_s=0.05):
        pass

    holder.kill()
    holder.wait()
    holder.stdout.close()
    with Lake(tmp_path).writer_lock(wait_s=1):
        assert (tmp_path / ".collector.lock").read_text() == str(os.getpid())


def test_a_waiting_writer_gets_the_lock_when_it_is_free(tmp_path: Path) -> None:
    """Waiting is worth it within the limit."""
    first = Lake(tmp_path).writer_lock()
    first.__enter__()
    threading.Timer(0.1, lambda: first.__exit__(None, None, None)).start()

    began = time.monotonic()
    with Lake(tmp_path).writer_lock(wait_s=5):
        assert time.monotonic() - began >= 0.05


def test_a_path_that_is_a_file_is_said_so(tmp_path: Path) -> None:
    """Writing and locking both name the path and the setting."""
    path = tmp_path / "data"
    path.write_text("")

    with pytest.raises(FixSettings, match=r"STO-004.*data.*store\.path"):
        Lake(path).commit("calls", table_of("calls", [make_call()]))
    with pytest.raises(FixSettings, match="STO-004"), Lake(path).writer_lock():
        pass
    with pytest.raises(FixSettings, match="STO-004"):
        Lake(path / "below").version("calls")


def test_a_folder_that_cannot_be_written_is_said_so() -> None:
    """A place where not even root may create files."""
    with pytest.raises(FixSettings, match="STO-004"):
        Lake("/proc/cachewise").commit("calls", table_of("calls", [make_call()]))


def test_a_full_disk_is_said_so() -> None:
    """Nothing was half-written, and it can be tried again."""
    from core.store.faults import explained

    for fault in (
        OSError(28, "No space left on device"),
        OSError("Generic error: No space left on device (os error 28)"),
    ):
        with pytest.raises(TryAgain, match=r"STO-003.*full"), explained("/data", "writing"):
            raise fault


def test_shared_storage_is_refused_for_now() -> None:
    """An s3 address is not taken for a folder's name."""
    with pytest.raises(FixSettings, match="STO-008"):
        Lake("s3://bucket/prefix")


def test_a_table_of_another_version_names_its_columns(tmp_path: Path) -> None:
    """Missing, additional and retyped columns are all named, for reading and for writing."""
    schema = TABLES["calls"]
    other = pa.schema(
        [pa.field(f.name, pa.int64() if f.name == "ttft_ms" else f.type) for f in schema if f.name != "engine"]
        + [pa.field("colour", pa.string())]
    )
    write_deltalake(tmp_path / "calls", other.empty_table())

    expected = r"STO-006.*lacks engine; it has also colour; of another type: ttft_ms \(int64, not double\)"
    with pytest.raises(FixSettings, match=expected):
        Lake(tmp_path).version("calls")
    with pytest.raises(FixSettings, match=expected):
        Lake(tmp_path).commit("calls", table_of("calls", [make_call()]))


@pytest.mark.parametrize("damage", ["garbage", "empty", "hole"])
def test_a_broken_log_is_one_clear_line(tmp_path: Path, damage: str) -> None:
    """Whatever is wrong inside _delta_log, the operator reads which folder and what to do."""
    days_of_calls(Lake(tmp_path), 3)
    log = sorted((tmp_path / "calls" / "_delta_log").glob("*.json"))
    if damage == "hole":
        log[1].unlink()
    else:
        log[0].write_text("{not json" if damage == "garbage" else "")

    with pytest.raises(CachewiseError, match=r"STO-005.*calls.*Restore") as caught:
        Lake(tmp_path).read("calls")
    assert "\n" not in str(caught.value)


def test_a_lost_data_file_is_said_so(tmp_path: Path) -> None:
    """The log names a file that someone deleted."""
    lake = Lake(tmp_path)
    days_of_calls(lake, 1)
    Path(lake.snapshot("calls")[0]).unlink()

    with pytest.raises(FixSettings, match=r"STO-005.*lacks a file"):
        lake.read("calls")


def test_an_empty_batch_creates_no_table(tmp_path: Path) -> None:
    """A pass that found nothing leaves no trace in the table."""
    Lake(tmp_path).commit("calls", TABLES["calls"].empty_table())

    assert not (tmp_path / "calls").exists()


def test_tables_are_small_files_by_date(tmp_path: Path) -> None:
    """Any Delta reader finds the partition column and the files it expects."""
    days_of_calls(Lake(tmp_path), 1)

    delta = DeltaTable(tmp_path / "calls")

    assert delta.metadata().partition_columns == ["date"]
    assert delta.file_uris()[0].endswith("-c000.parquet")
    assert Lake(tmp_path).read("calls")["date"].to_pylist() == [date(2026, 11, 20)]
