"""What the Data health and Prices pages ask: passes over time, what each price row priced, tables, provenance."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from core.metrics import disagreements, freshness, ingest_series, price_rows, tables, tellings
from core.metrics.scope import Scope
from core.pricing import default_book, load_book
from core.pricing.provenance import newest_check, price_list, provenance, row_id
from core.store.query import Reader
from tests.support.lakes import fill
from tests.support.rows import NOON, make_call, make_pass, make_unpriced_call

HOUR = timedelta(hours=1)


def test_lines_and_lag_by_hour(tmp_path: Path) -> None:
    """Lines add up, of lag and lateness the greatest counts, and a pass without an end has no lag."""
    lake = fill(
        tmp_path,
        ingest_passes=[
            make_pass(ts=NOON, complete_until=NOON - timedelta(minutes=10), late_events=1, max_lateness_ms=500.0),
            make_pass(ts=NOON + timedelta(minutes=5), complete_until=NOON, lines_skipped=3, max_lateness_ms=900.0),
            make_pass(ts=NOON + HOUR, complete_until=None, status="reading"),
        ],
    )

    with Reader(lake) as reader:
        first, second = ingest_series(reader, Scope(), "hour")

    assert (first["bucket"], first["passes"], first["lines_recognised"], first["lines_skipped"]) == (NOON, 2, 20, 3)
    assert (first["lag_ms"], first["max_lateness_ms"], first["late_events"]) == (600_000.0, 900.0, 1)
    assert (second["bucket"], second["lag_ms"]) == (NOON + HOUR, None)


@pytest.mark.parametrize(
    ("row", "after", "reading", "catching_up"),
    [
        ({"status": "reading", "complete_until": None}, timedelta(minutes=1), True, True),
        ({"status": "reading", "complete_until": None}, timedelta(minutes=30), False, False),
        ({"complete_until": NOON - 5 * HOUR}, timedelta(seconds=20), False, True),
        ({"complete_until": NOON - 5 * HOUR, "lines_read": 0}, timedelta(seconds=20), False, False),
        ({"complete_until": NOON - 5 * HOUR}, timedelta(minutes=5), False, False),
        ({"complete_until": NOON}, timedelta(seconds=20), False, False),
        ({"status": "failed", "complete_until": None}, timedelta(seconds=20), False, False),
    ],
)
def test_who_is_reading_older_logs(
    tmp_path: Path, row: dict[str, object], after: timedelta, reading: bool, catching_up: bool
) -> None:
    """A long pass under way is reading; one that just ended far behind is catching up; a dead collector is neither."""
    lake = fill(tmp_path, ingest_passes=[make_pass(ts=NOON, **row)])

    with Reader(lake) as reader:
        (told,) = freshness(reader, now=NOON + after)

    assert (told["reading"], told["catching_up"]) == (reading, catching_up)


def test_what_each_price_row_priced(tmp_path: Path) -> None:
    """Calls and dollars by row, the dearest first; a call without a price is in none."""
    lake = fill(
        tmp_path,
        calls=[
            make_call(price_row="a", ts=NOON),
            make_call(price_row="b", ts=NOON, input_tokens=1_000_000),
            make_call(price_row="a", ts=NOON + HOUR),
            make_unpriced_call(),
        ],
    )

    with Reader(lake) as reader:
        dear, cheap = price_rows(reader, Scope())

    assert (dear["price_row"], dear["calls"]) == ("b", 1)
    assert (cheap["price_row"], cheap["calls"], cheap["cost_usd"]) == ("a", 2, Decimal("0.0015"))
    assert (cheap["first_ts"], cheap["last_ts"]) == (NOON, NOON + HOUR)


def test_the_state_of_every_table(tmp_path: Path) -> None:
    """Rows, files, bytes and days; a table that does not exist yet has no version."""
    lake = fill(tmp_path, calls=[make_call(ts=NOON), make_call(ts=NOON + 24 * HOUR)])

    with Reader(lake) as reader:
        found = {row["table"]: row for row in tables(reader)}

    calls = found["calls"]
    assert (calls["rows"], calls["files"], calls["crowded_days"]) == (2, 2, 0)
    assert (calls["first_day"], calls["last_day"]) == (date(2026, 11, 20), date(2026, 11, 21))
    assert calls["bytes"] == sum(file.stat().st_size for file in (lake.path / "calls").rglob("*.parquet"))
    assert (found["actions"]["version"], found["actions"]["bytes"]) == (None, 0)


def test_every_published_row_says_where_it_comes_from() -> None:
    """Each row has sources that are addresses and the day on which it was checked."""
    known = provenance()
    rows = price_list(default_book())

    assert {row["price_row"] for row in rows} <= set(known)
    assert all(row["source"] and row["checked"] for row in rows)
    assert all(source.startswith("https://") for item in known.values() for source in item.sources)
    assert newest_check() == max(item.checked for item in known.values() if item.checked)


def test_the_prices_in_force_on_a_day() -> None:
    """Each row listed, and each step for long prompts, is the one that prices a call of that day."""
    book, day = default_book(), date(2026, 11, 20)

    for row in price_list(book, day=day):
        size = (row["over_prompt_tokens"] or 0) + 1
        assert book.row_at(row["model"], row["scope"], day=day, prompt_tokens=size).id == row["price_row"]  # type: ignore[union-attr]


def test_an_own_row_goes_before_a_published_one(tmp_path: Path) -> None:
    """It is marked as own, with the source its file names, and ends where its file says."""
    file = tmp_path / "own.toml"
    file.write_text(
        '[[rows]]\nid = "mine"\nmodel = "claude-opus-4-5"\nscope = "anthropic"\nfrom = 2026-01-01\nto = 2027-01-01\n'
        'input = 4\ncache_write_5m = 5\ncache_read = 0.4\noutput = 20\nsource = "contract 7"\n'
    )

    rows = price_list(load_book([file]), [file], day=date(2026, 11, 20))

    (own,) = [row for row in rows if (row["model"], row["scope"]) == ("claude-opus-4-5", "anthropic")]
    assert (own["price_row"], own["custom"], own["source"], own["until"]) == (
        "mine",
        True,
        "contract 7",
        date(2027, 1, 1),
    )
    file.write_text(file.read_text().replace('id = "mine"', ""))
    rows = price_list(load_book([file]), [file], day=date(2026, 11, 20))
    assert [row["source"] for row in rows if row["custom"]] == ["contract 7"]  # a row that has no name of its own
    assert row_id("mine -12.5%") == "mine"


def test_who_told_the_calls_and_what_their_lines_left_open(tmp_path: Path) -> None:
    """Of each format: what defaults added, what a second log says, and the latest disagreements by themselves."""
    note = "differs: cache_read_tokens 10 in record, 0 in otel"
    lake = fill(
        tmp_path,
        calls=[
            make_call(checked_by="otel", check_note="confirmed", suspected_redelivery=True),
            make_call(call_id="msg_x", ts=NOON + HOUR, checked_by="otel", check_note=note),
            make_call(told_by="text", model_known_by="defaults", ttl_known_by="defaults", price_check="differs"),
            make_call(told_by="text", model_known_by=None, model=None, model_id=None, ttl_known_by=None),
        ],
    )

    with Reader(lake) as reader:
        first, second = tellings(reader, Scope())
        (differing,) = disagreements(reader, Scope())
        early = disagreements(reader, Scope(end=NOON + HOUR))

    assert (first["told_by"], first["calls"], first["told_twice"], first["disagreeing"]) == ("record", 2, 2, 1)
    assert (first["model_by_defaults"], first["ttl_by_defaults"]) == (0, 0)
    assert (second["model_by_defaults"], second["ttl_by_defaults"], second["price_check_differs"]) == (1, 1, 1)
    assert (second["told_twice"], second["disagreeing"]) == (0, 0)
    assert (first["suspected_redeliveries"], second["suspected_redeliveries"]) == (1, 0)
    assert (differing["call_id"], differing["check_note"], early) == ("msg_x", note, [])
