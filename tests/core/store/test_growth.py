"""A table older than a column: read as null there, written to without ado, never half changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from collector.ledger import Ledger
from core.store import rewrite
from core.store.lake import Lake
from core.store.query import Reader
from core.store.schema import ADDED, KEYS, TABLES
from tests.support.rows import NOON, make_call, table_of

DAYS = [NOON - timedelta(days=1), NOON]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A table of calls as a version without `tenant` left it: two calls on each of two days."""
    for day in DAYS:
        rows = table_of("calls", [make_call(call_id=f"old-{day.day}-{n}", ts=day, row_rank=1) for n in range(2)])
        old = rows.drop_columns(list(ADDED["calls"]))
        write_deltalake(tmp_path / "calls", old, mode="append", partition_by=["date"])
    return Lake(tmp_path)


@pytest.fixture
def reader(lake: Lake) -> Iterator[Reader]:
    with Reader(lake, threads=1) as opened:
        yield opened


def tenants(reader: Reader, start: datetime | None = None) -> dict[str, str | None]:
    rows = reader.rows(reader.table("calls", start)[["call_id", "tenant"]])
    return {row["call_id"]: row["tenant"] for row in rows}


def test_columns_that_came_later_may_be_null_and_are_no_key() -> None:
    """What a table can be read without: text or numbers, never what makes a row the same row."""
    for table, names in ADDED.items():
        for name in names:
            assert TABLES[table].field(name).nullable
            assert name not in (KEYS[table], "ts", "date", "row_rank")


def test_an_old_table_is_read_as_untagged(lake: Lake, reader: Reader) -> None:
    """By queries, by day and whole; nothing is written for it."""
    before = lake.version("calls")

    assert tenants(reader) == {f"old-{day.day}-{n}": None for day in DAYS for n in range(2)}
    assert lake.read("calls").schema == TABLES["calls"]
    assert {row["tenant"] for row in reader.daily("calls", shape="t", build=lambda t: t[["date", "tenant"]])} == {None}
    assert lake.version("calls") == before


def test_new_rows_stand_beside_old_ones(lake: Lake, reader: Reader) -> None:
    """Added, replacing an old one, and in a range whose files are all old."""
    known = tenants(reader)
    rows = [make_call(call_id="new", tenant="acme"), make_call(call_id=f"old-{NOON.day}-0", tenant="zen", row_rank=2)]
    result = lake.commit("calls", table_of("calls", rows))

    assert (result.added, result.replaced) == (1, 1)
    assert tenants(reader) == known | {"new": "acme", f"old-{NOON.day}-0": "zen"}
    yesterday = reader.table("calls", end=NOON - timedelta(hours=12))
    assert [row["tenant"] for row in reader.rows(yesterday)] == [None, None]
    assert {row["tenant"] for row in lake.read("calls").to_pylist()} == {None, "acme", "zen"}
    with Reader(Lake(lake.path), threads=1) as another:
        assert tenants(another) == tenants(reader)


def test_an_old_table_is_joined_compacted_and_rewritten(lake: Lake, reader: Reader) -> None:
    """Every way to touch stored rows takes files of both kinds."""
    lake.commit("calls", table_of("calls", [make_call(call_id="new", tenant="acme")]))
    told = table_of("calls", [make_call(call_id=f"old-{NOON.day}-1", told_by="bedrock_log", tenant="zen")])
    joined = Ledger(lake).join(told.drop_columns(["date"]))
    assert joined.rows["tenant"].to_pylist() == ["zen"]

    assert lake.compact("calls") > 0
    assert tenants(reader)["new"] == "acme"

    def lend(piece: pa.Table) -> pa.Table:
        place = TABLES["calls"].get_field_index("engine")
        return piece.set_column(place, TABLES["calls"].field("engine"), pa.array(["x"] * piece.num_rows))

    assert rewrite.rewrite_day(lake, "calls", DAYS[0].astimezone(UTC).date(), lend) == 2
    assert tenants(reader)[f"old-{DAYS[0].day}-0"] is None
    pieces = rewrite.batches(lake, "calls", NOON.date(), ["call_id", "tenant"])
    assert {row["tenant"] for piece in pieces for row in piece.to_pylist()} == {None, "acme"}


def test_a_new_table_is_not_read_with_the_care_of_old_ones(tmp_path: Path) -> None:
    """Looking into every file for its columns is for tables that have grown."""
    lake = Lake(tmp_path)
    lake.commit("calls", table_of("calls", [make_call()]))

    assert lake.pinned("calls").grown is False  # type: ignore[union-attr]
    assert "cachewise.grown" not in DeltaTable(tmp_path / "calls").metadata().configuration
