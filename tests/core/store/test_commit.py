"""Which rows of a batch are new, which replace a stored row, which say nothing new."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import OurBug
from core.store.commit import CommitResult, conform, in_order, keys_of, sort_out
from core.store.lake import Lake
from tests.support.rows import NOON, make_call, make_invocation, make_pass, make_store_event, table_of


def commit(lake: Lake, *rows: dict[str, Any], **options: Any) -> CommitResult:
    return lake.commit("calls", table_of("calls", rows), **options)


def test_the_same_batch_twice_adds_nothing(tmp_path: Path) -> None:
    """Re-reading changes nothing: not a row, and not even the version."""
    lake, rows = Lake(tmp_path), [make_call(), make_call()]

    assert commit(lake, *rows) == CommitResult(added=2)
    before = lake.version("calls")
    assert commit(lake, *rows) == CommitResult(duplicates=2)
    assert lake.version("calls") == before


def test_a_key_told_twice_in_one_batch_is_one_row_and_the_higher_rank_wins(tmp_path: Path) -> None:
    """The record beats the text line of the same call, whichever came first."""
    lake = Lake(tmp_path)
    text, record = make_call(call_id="m", row_rank=1, told_by="text"), make_call(call_id="m", row_rank=3)

    assert commit(lake, text, record, text) == CommitResult(added=1, duplicates=2)
    assert lake.read("calls")["told_by"].to_pylist() == ["record"]


def test_of_equal_rank_the_first_told_stays(tmp_path: Path) -> None:
    """A re-told row of no higher rank changes nothing."""
    lake = Lake(tmp_path)
    commit(lake, make_call(call_id="m", engine="first"))

    assert commit(lake, make_call(call_id="m", engine="second")) == CommitResult(duplicates=1)
    assert lake.read("calls")["engine"].to_pylist() == ["first"]


def test_a_higher_rank_replaces_once_in_one_commit(tmp_path: Path) -> None:
    """An upgrade and the new rows beside it are one version; the second telling is a duplicate."""
    lake = Lake(tmp_path)
    commit(lake, make_call(call_id="m", row_rank=1, cost_usd=Decimal("0.1")), make_call(call_id="other"))
    before = lake.version("calls")
    better, fresh = make_call(call_id="m", row_rank=2, cost_usd=Decimal("0.2")), make_call(call_id="fresh")

    assert commit(lake, better, fresh) == CommitResult(added=1, replaced=1)
    assert lake.version("calls") == (before or 0) + 1
    assert commit(lake, better, fresh) == CommitResult(duplicates=2)
    costs = {row["call_id"]: row["cost_usd"] for row in lake.read("calls").to_pylist()}
    assert costs["m"] == Decimal("0.2")
    assert len(costs) == 3


def test_a_replacement_across_midnight_leaves_one_row(tmp_path: Path) -> None:
    """A text line logged after midnight and the record that began before it are one call, on the record's date."""
    lake, midnight = Lake(tmp_path), datetime(2026, 11, 21, tzinfo=UTC)
    commit(lake, make_call(call_id="m", row_rank=1, ts=midnight + timedelta(seconds=1)))

    assert commit(lake, make_call(call_id="m", row_rank=3, ts=midnight - timedelta(seconds=1))).replaced == 1
    assert lake.read("calls")["date"].to_pylist() == [date(2026, 11, 20)]


def test_ranks_and_keys_belong_to_each_table(tmp_path: Path) -> None:
    """An open invocation is replaced by the closed one; passes have no rank and are never replaced."""
    lake = Lake(tmp_path)
    lake.commit("invocations", table_of("invocations", [make_invocation(invocation_id="i", row_rank=0)]))
    closed = table_of("invocations", [make_invocation(invocation_id="i", row_rank=1)])
    assert lake.commit("invocations", closed) == CommitResult(replaced=1)

    passes = table_of("ingest_passes", [make_pass(pass_id="p")])
    assert lake.commit("ingest_passes", passes) == CommitResult(added=1)
    assert lake.commit("ingest_passes", passes) == CommitResult(duplicates=1)

    events = table_of("prompt_store_events", [make_store_event(event_key="e"), make_store_event("miss")])
    assert lake.commit("prompt_store_events", events) == CommitResult(added=2)


def test_the_date_is_always_that_of_the_time() -> None:
    """A wrong or missing date in a batch cannot put a row into another partition."""
    rows = table_of("calls", [make_call(date=date(1999, 1, 1))])

    assert conform("calls", rows)["date"].to_pylist() == [NOON.date()]
    assert conform("calls", rows.drop_columns(["date"])).schema == rows.schema


@pytest.mark.parametrize("column", ["ts", "call_id"])
def test_a_row_without_time_or_key_is_our_bug(column: str) -> None:
    """Nothing can be identified or placed without them."""
    broken = table_of("calls", [{**make_call(), column: None}])

    with pytest.raises(OurBug, match=f"STO-007.*{column}"):
        conform("calls", broken)


def test_other_columns_are_our_bug() -> None:
    """A batch that lacks a column is refused by name."""
    with pytest.raises(OurBug, match="cost_usd"):
        conform("calls", table_of("calls", [make_call()]).drop_columns(["cost_usd"]))


def test_rows_are_sorted_for_compression() -> None:
    """By engine, model and time inside each date."""
    rows = table_of(
        "calls", [make_call(engine="b"), make_call(engine="a", ts=NOON + timedelta(1)), make_call(engine="a")]
    )

    sorted_rows = in_order(rows)

    assert list(zip(sorted_rows["date"].to_pylist(), sorted_rows["engine"].to_pylist(), strict=True)) == [
        (date(2026, 11, 20), "a"),
        (date(2026, 11, 20), "b"),
        (date(2026, 11, 21), "a"),
    ]


tellings = st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 3)), max_size=12)


@settings(max_examples=60, deadline=None)
@given(tellings, tellings)
def test_sorting_out_keeps_the_best_telling_of_each_key(
    stored: list[tuple[str, int]], told: list[tuple[str, int]]
) -> None:
    """However often and in whatever order rows are told, each key ends once, with the highest rank ever told."""
    held: dict[str, int] = {}
    for batch in (stored, told):
        if not batch:
            continue
        keys = pa.table(
            {
                "key": pa.array(list(held), pa.string()),
                "rank": pa.array(list(held.values()), pa.int8()),
                "date": pa.array([NOON.date()] * len(held), pa.date32()),
            }
        )
        rows = table_of("calls", [make_call(call_id=key, row_rank=rank) for key, rank in batch])
        parts = sort_out("calls", rows, keys)
        assert parts.added.num_rows + parts.replacing.num_rows + parts.duplicates == len(batch)
        for part in (parts.added, parts.replacing):
            held |= dict(zip(*(column.to_pylist() for column in keys_of("calls", part).columns), strict=True))

    best = {key: max(rank for name, rank in stored + told if name == key) for key, _ in stored + told}
    assert held == best


def test_a_row_that_another_stands_for_goes_in_the_same_commit(tmp_path: Path) -> None:
    """A record joins the text line told before it: one version holds both, the next only the record."""
    lake = Lake(tmp_path)
    commit(lake, make_call(call_id="line", row_rank=1), make_call(call_id="other"))
    told = table_of("calls", [make_call(call_id="m", row_rank=3)])
    before = lake.version("calls")

    done = lake.commit("calls", told, gone=["line", "never stored"])

    assert (done.added, done.removed, lake.version("calls")) == (1, 1, (before or 0) + 1)
    assert sorted(lake.read("calls")["call_id"].to_pylist()) == ["m", "other"]


def test_naming_rows_that_are_not_stored_costs_no_merge(tmp_path: Path) -> None:
    """The usual case: record and line are told together, and there is nothing to remove."""
    lake = Lake(tmp_path)

    done = lake.commit("calls", table_of("calls", [make_call(call_id="m")]), gone=["line"])

    assert (done.added, done.removed) == (1, 0)
