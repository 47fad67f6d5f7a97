"""Files written by Arrow and named in a Delta commit: other readers understand them, failures leave nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from core.errors import CachewiseError
from core.store.lake import Lake
from tests.support.rows import NOON, make_call, table_of


def test_a_file_a_day_with_its_counts_and_bounds(tmp_path: Path) -> None:
    """Another reader may leave files out by what the log says of them: it must be so."""
    lake = Lake(tmp_path)
    rows = [make_call(call_id=f"msg_{n}", ts=NOON + timedelta(days=n % 2, microseconds=1500 * n)) for n in range(5)]

    lake.commit("calls", table_of("calls", rows))

    told = pa.table(DeltaTable(tmp_path / "calls").get_add_actions(flatten=True)).sort_by("partition.date").to_pylist()
    assert [action["num_records"] for action in told] == [3, 2]
    assert [action["min.call_id"] for action in told] == ["msg_0", "msg_1"]
    assert told[0]["max.ts"] >= NOON + timedelta(milliseconds=6)
    assert told[0]["size_bytes"] == Path(lake.snapshot("calls")[0]).stat().st_size


def test_a_failed_append_leaves_no_file(tmp_path: Path) -> None:
    """The second day's folder cannot be made: the first day's file goes too, and the table stays as it was."""
    lake = Lake(tmp_path)
    lake.commit("calls", table_of("calls", [make_call(call_id="msg_old")]))
    (tmp_path / "calls" / f"date={NOON + timedelta(days=2):%Y-%m-%d}").write_text("in the way", encoding="utf-8")
    before = sorted((tmp_path / "calls").rglob("*.parquet"))

    with pytest.raises(CachewiseError):
        lake.commit(
            "calls", table_of("calls", [make_call(call_id=f"msg_{n}", ts=NOON + timedelta(days=n)) for n in (1, 2)])
        )

    assert sorted((tmp_path / "calls").rglob("*.parquet")) == before
    assert lake.read("calls").num_rows == 1


def test_a_commit_that_fails_after_it_was_written_keeps_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint that finds the disk full, or Ctrl-C on the way back: the log names the file, so it must stay."""
    lake = Lake(tmp_path)
    lake.commit("calls", table_of("calls", [make_call(call_id="msg_old")]))
    commit = DeltaTable.create_write_transaction

    def interrupted(self: DeltaTable, *args: Any, **options: Any) -> None:
        commit(self, *args, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(DeltaTable, "create_write_transaction", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lake.commit("calls", table_of("calls", [make_call(call_id="msg_new")]))

    assert sorted(Lake(tmp_path).read("calls")["call_id"].to_pylist()) == ["msg_new", "msg_old"]


def test_a_commit_that_was_not_written_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction is refused before anything is in the log: the file written for it goes."""
    lake = Lake(tmp_path)
    lake.commit("calls", table_of("calls", [make_call(call_id="msg_old")]))
    before = sorted((tmp_path / "calls").rglob("*.parquet"))

    def refused(self: DeltaTable, *args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(DeltaTable, "create_write_transaction", refused)
    with pytest.raises(KeyboardInterrupt):
        lake.commit("calls", table_of("calls", [make_call(call_id="msg_new")]))

    assert sorted((tmp_path / "calls").rglob("*.parquet")) == before


@pytest.mark.parametrize(("count", "told"), [(20, {"UNCOMPRESSED"}), (21, {"UNCOMPRESSED", "ZSTD"})])
def test_only_what_gets_smaller_is_compressed(count: int, told: set[str], tmp_path: Path) -> None:
    """A few rows, and columns that hold nothing, take longer to compress than they are worth."""
    lake = Lake(tmp_path)
    lake.commit("calls", table_of("calls", [make_call(call_id=f"msg_{n}") for n in range(count)]))

    (file,) = lake.snapshot("calls")
    group = pq.ParquetFile(file).metadata.row_group(0)
    columns = [group.column(place) for place in range(group.num_columns)]

    assert {column.compression for column in columns} == told
    rows = lake.read("calls")
    empty = {name for name in rows.column_names if rows[name].null_count == count}
    assert all(column.compression == "UNCOMPRESSED" for column in columns if column.path_in_schema in empty)
    assert rows.num_rows == count


def test_bounds_are_told_of_what_readers_ask_for(tmp_path: Path) -> None:
    """Time, engine and model have their bounds in the file, so that parts of it are left out; ids have none."""
    lake = Lake(tmp_path)
    lake.commit("calls", table_of("calls", [make_call(call_id=f"msg_{n}") for n in range(3)]))

    (file,) = lake.snapshot("calls")
    group = pq.ParquetFile(file).metadata.row_group(0)

    told = {group.column(at).path_in_schema for at in range(group.num_columns) if group.column(at).is_stats_set}
    assert told == {"ts", "engine", "model"}
