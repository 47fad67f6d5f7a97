"""Asking the tables: exact types, one snapshot, many threads, clear faults."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest

from core.errors import FixSettings
from core.store import query
from core.store.lake import Lake
from core.store.query import Reader
from core.store.schema import TABLES
from tests.support.rows import NOON, make_call, make_invocation, make_store_event, table_of


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What grows by one whenever an expression is put into SQL."""
    times: list[str] = []
    to_sql = query.ibis.to_sql
    monkeypatch.setattr(query.ibis, "to_sql", lambda *args, **more: times.append("once") or to_sql(*args, **more))
    return times


@pytest.fixture
def reader(lake: Lake) -> Iterator[Reader]:
    with Reader(lake, threads=2) as opened:
        yield opened


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_does_not_exist_reads_as_empty(reader: Reader, name: str) -> None:
    """Pages work before the first pass: the same columns and types, no row."""
    assert reader.run(reader.table(name)).schema.equals(TABLES[name])
    assert reader.span(name) is None


def test_a_read_row_equals_the_written_one(lake: Lake, reader: Reader) -> None:
    """DECIMAL stays DECIMAL(18,12), times stay UTC, the date comes back from the folder's name."""
    rows = table_of("calls", [make_call(cost_usd=Decimal("123456.000000000001"))])
    lake.commit("calls", rows)

    assert reader.run(reader.table("calls")).equals(rows)


def test_the_range_includes_its_start_and_not_its_end(lake: Lake, reader: Reader) -> None:
    """[start, end) to the microsecond, in whatever zone it is given."""
    moments = [NOON - timedelta(microseconds=1), NOON, NOON + timedelta(hours=1)]
    lake.commit("calls", table_of("calls", [make_call(ts=ts) for ts in moments]))
    seoul = datetime.fromisoformat("2026-11-20T21:00:00+09:00")

    found = reader.run(reader.table("calls", seoul, NOON + timedelta(hours=1)))

    assert found["ts"].to_pylist() == [NOON]


def test_sums_of_money_are_exact(lake: Lake, reader: Reader) -> None:
    """A tenth added ten times is one; floats would say otherwise."""
    lake.commit("calls", table_of("calls", [make_call(cost_usd=Decimal("0.1")) for _ in range(10)]))
    rows = reader.table("calls")

    found = reader.run(rows.aggregate(total=rows.cost_usd.sum()))

    assert found.schema.field("total").type == pa.decimal128(38, 12)
    assert found["total"].to_pylist() == [Decimal("1.000000000000")]


def test_a_new_commit_is_seen_by_the_next_question(lake: Lake, reader: Reader) -> None:
    """The snapshot follows the table's version."""
    for expected in (1, 2, 3):
        lake.commit("calls", table_of("calls", [make_call()]))
        assert reader.run(reader.table("calls")).num_rows == expected


def test_an_expression_keeps_its_snapshot(lake: Lake, reader: Reader) -> None:
    """What was asked before a commit and a compaction is answered as of then."""
    for _ in range(2):
        lake.commit("calls", table_of("calls", [make_call()]))
    question = reader.table("calls").count().as_table()
    lake.commit("calls", table_of("calls", [make_call()]))
    lake.compact("calls")

    assert reader.run(question).to_pylist()[0].popitem()[1] == 2


def test_many_threads_may_ask_at_once(lake: Lake, reader: Reader) -> None:
    """Each question runs on a cursor of its own; answers never mix."""
    for number in range(20):
        lake.commit("calls", table_of("calls", [make_call(engine=f"e{number}")]))
    wrong: list[object] = []

    def ask(number: int) -> None:
        for _ in range(10):
            rows = reader.table("calls")
            found = reader.rows(rows.filter(rows.engine == f"e{number}").select("engine"))
            if found != [{"engine": f"e{number}"}]:
                wrong.append(found)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_old_views_are_forgotten(lake: Lake, reader: Reader) -> None:
    """A reader that lives for weeks does not gather views."""
    for minute in range(5):
        lake.commit("invocations", table_of("invocations", [make_invocation()]))
        for _ in range(20):
            reader.table("invocations", NOON - timedelta(days=minute))

    views = reader.sql("SELECT count(*) AS n FROM duckdb_views() WHERE NOT internal").to_pylist()[0]["n"]
    assert views == 5


def test_the_clock_of_queries_is_utc(reader: Reader) -> None:
    """Whatever zone the machine is in, and in every thread."""
    assert reader.sql("SELECT current_setting('TimeZone') AS zone").to_pylist() == [{"zone": "UTC"}]
    assert reader.sql("SELECT TIMESTAMPTZ '2026-11-20' AS t")["t"].to_pylist() == [datetime(2026, 11, 20, tzinfo=UTC)]


def test_a_lost_file_is_said_so(lake: Lake, reader: Reader) -> None:
    """One clear line with the mend, not DuckDB's."""
    lake.commit("calls", table_of("calls", [make_call()]))
    Path(lake.snapshot("calls")[0]).unlink()

    with pytest.raises(FixSettings, match=r"STO-005.*Restore"):
        reader.run(reader.table("calls"))


def test_a_damaged_file_is_said_so(lake: Lake, reader: Reader) -> None:
    """Bytes that are no Parquet any more."""
    lake.commit("calls", table_of("calls", [make_call()]))
    Path(lake.snapshot("calls")[0]).write_bytes(b"not parquet at all, but long enough")

    with pytest.raises(FixSettings, match="STO-005"):
        reader.run(reader.table("calls"))


def test_a_shape_is_written_as_sql_once_and_asked_of_any_range(lake: Lake, reader: Reader, written: list[str]) -> None:
    """The same question of another range, or after new rows, is not put into SQL again, and its answer is right."""

    def count(start: datetime | None, end: datetime | None) -> int:
        build = lambda rows: rows.aggregate(n=rows.count())  # noqa: E731
        return reader.shaped("calls", start, end, shape="count", build=build)[0]["n"]

    lake.commit("calls", table_of("calls", [make_call(ts=NOON + n * timedelta(hours=1)) for n in range(4)]))
    found = [count(None, None), count(NOON, None), count(NOON, NOON + timedelta(hours=2))]
    lake.commit("calls", table_of("calls", [make_call(ts=NOON)]))

    assert [*found, count(NOON, NOON + timedelta(hours=2))] == [4, 4, 2, 3]
    assert written == ["once"]


def test_several_tables_are_asked_at_once_each_of_a_range_of_its_own(
    lake: Lake, reader: Reader, written: list[str]
) -> None:
    """Put into SQL once too, whatever the ranges; the same table may be asked twice."""
    hour = timedelta(hours=1)
    lake.commit("calls", table_of("calls", [make_call(ts=NOON + n * hour) for n in range(4)]))
    lake.commit("prompt_store_events", table_of("prompt_store_events", [make_store_event("hit", ts=NOON)]))

    def told(hours: int) -> dict[str, Any]:
        asked = {
            "early": ("calls", None, NOON + hours * hour),
            "late": ("calls", NOON + hours * hour, None),
            "events": ("prompt_store_events", None, None),
        }
        build = lambda rows: ibis.union(*(rows[name].aggregate(of=ibis.literal(name), n=rows[name].count())  # noqa: E731
                                          for name in asked))  # fmt: skip
        return {row["of"]: row["n"] for row in reader.joined(asked, shape="counts", build=build).to_pylist()}

    assert [told(1), told(3)] == [{"early": 1, "late": 3, "events": 1}, {"early": 3, "late": 1, "events": 1}]
    assert written == ["once"]


@pytest.mark.parametrize("name", ['"the_rows"', '"rows"', "'; DROP VIEW x --", "{0}"])
def test_a_name_out_of_a_log_is_a_name_and_nothing_else(lake: Lake, reader: Reader, name: str) -> None:
    """Whatever an engine is called, it is found by it, and not put in place of anything."""
    lake.commit("calls", table_of("calls", [make_call(engine=name), make_call()]))

    build = lambda rows: (kept := rows.filter(rows.engine == name)).aggregate(n=kept.count())  # noqa: E731
    found = reader.shaped("calls", NOON - timedelta(days=1), None, shape=("named", name), build=build)

    assert found == [{"n": 1}]


def test_days_whose_files_stayed_are_not_read_again(
    lake: Lake, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit to one day makes that day be asked again and no other; a compaction changes no answer."""
    asked: list[tuple[str, ...]] = []
    view = reader._view
    monkeypatch.setattr(reader, "_view", lambda table, files, **how: asked.append(files) or view(table, files, **how))

    def per_day() -> dict[str, int]:
        build = lambda rows: rows.group_by("date").aggregate(n=rows.count())  # noqa: E731
        return {str(row["date"]): row["n"] for row in reader.daily("calls", shape="count by day", build=build)}

    day = timedelta(days=1)
    lake.commit("calls", table_of("calls", [make_call(ts=NOON), make_call(ts=NOON + day)]))
    assert list(per_day().values()) == [1, 1]
    lake.commit("calls", table_of("calls", [make_call(ts=NOON + day)]))
    assert list(per_day().values()) == [1, 2]
    lake.compact("calls")
    assert list(per_day().values()) == [1, 2]
    assert list(per_day().values()) == [1, 2]

    assert [len(files) for files in asked] == [2, 2, 1]  # both days; both files of the second; its joined one
