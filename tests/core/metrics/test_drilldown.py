"""The calls behind a number add up to it; the latest calls and the pulse read only recent days."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from core import misses
from core.metrics import Which, calls_page, calls_total, latest_calls, pulse, summary
from core.metrics.scope import Scope
from core.pricing import default_book
from core.store.query import Reader
from core.traffic import load
from tests.support.lakes import fill
from tests.support.rows import NOON, make_call, make_failed_call, make_unpriced_call

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Two calls that read, one that did not, one without a price and one that failed."""
    calls = [
        make_call(call_id="r1", cache_read_tokens=900),
        make_call(call_id="r2", cache_read_tokens=500, ts=NOON + HOUR),
        make_call(call_id="w", cache_write_1h_tokens=700),
        make_unpriced_call(call_id="u", cache_read_tokens=None),
        make_failed_call(call_id="f"),
    ]
    return Reader(fill(tmp_path, calls=calls))


@pytest.mark.parametrize(
    ("which", "ids"),
    [
        (Which(), ["f", "r1", "r2", "u", "w"]),
        (Which(returned=True), ["r1", "r2", "u", "w"]),
        (Which(returned=False), ["f"]),
        (Which(priced=True), ["r1", "r2", "w"]),
        (Which(priced=False), ["u"]),
        (Which(read=True), ["r1", "r2"]),
        (Which(read=False), ["u", "w"]),
        (Which(priced=True, read=False), ["w"]),
        (Which(call_ids=("w", "f", "no such")), ["f", "w"]),
        (Which(call_ids=()), []),
    ],
)
def test_calls_are_narrowed(reader: Reader, which: Which, ids: list[str]) -> None:
    """By whether they returned, have a price or read the cache; a failed call is neither priced nor unpriced."""
    with reader:
        assert sorted(calls_page(reader, Scope(), which=which)["call_id"].to_pylist()) == ids


def test_totals_are_those_of_the_figure(reader: Reader) -> None:
    """All calls add up to the summary to the last digit, and priced calls alone to the same dollars."""
    with reader:
        whole, everything = summary(reader, Scope()), calls_total(reader, Scope())
        priced, unpriced = (calls_total(reader, Scope(), Which(priced=told)) for told in (True, False))

    assert {name: whole[name] for name in everything} == everything
    assert priced["cost_usd"] == whole["cost_usd"] != Decimal(0)
    assert (unpriced["calls"], unpriced["cost_usd"]) == (whole["unpriced_calls"], None)


def test_the_latest_calls_read_as_few_days_as_they_can(tmp_path: Path) -> None:
    """The newest first; an hour is read while it is enough, and never more than eight days."""
    calls = [make_call(call_id=f"m{n}", ts=NOON - n * DAY) for n in range(12)]
    with Reader(fill(tmp_path, calls=calls)) as reader:
        two = latest_calls(reader, Scope(), 2, NOON)
        many = latest_calls(reader, Scope(), 100, NOON)

    assert two["call_id"].to_pylist() == ["m0", "m1"]
    assert many["call_id"].to_pylist() == [f"m{n}" for n in range(9)]


def test_the_pulse_counts_today_in_the_viewers_zone(tmp_path: Path) -> None:
    """Calls a minute over the last five known minutes; dollars since local midnight, unknown where none has a price."""
    now = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)  # half past midnight of the 21st in Seoul
    calls = [make_call(ts=now - timedelta(minutes=n)) for n in range(1, 6)] + [make_call(ts=NOON)]
    calls += [make_failed_call(ts=now - timedelta(minutes=1), model_known_by="defaults")]
    calls[0] |= {"model_known_by": "defaults"}
    with Reader(fill(tmp_path, calls=calls)) as reader:
        seoul, utc = (pulse(reader, now, now, zone) for zone in ("Asia/Seoul", "UTC"))
        early = pulse(reader, now - 2 * DAY, now - 2 * DAY, "UTC")

    assert seoul["calls_per_minute"] == 6 / 5
    assert (seoul["calls"], utc["calls"], seoul["since"]) == (5, 6, datetime(2026, 11, 20, 15, tzinfo=UTC))
    assert utc["cost_usd"] / 6 == seoul["cost_usd"] / 5
    assert (seoul["calls_by_defaults"], seoul["cost_by_defaults_usd"]) == (1, calls[0]["cost_usd"])
    assert (early["calls"], early["calls_per_minute"], early["cost_usd"]) == (0, 0, None)


def test_each_call_is_told_its_cause(tmp_path: Path) -> None:
    """A call that read its prefix has no cause, one that wrote has its own, and what is out of scope is not judged."""
    told = {"input_tokens": 50, "latency_ms": 900.0, "ttft_ms": 400.0, "prefix_fingerprint": "aaaa"}
    calls = [
        make_call(call_id="old", ts=NOON - 3 * HOUR, cache_write_1h_tokens=5000, cache_read_tokens=0, **told),
        make_call(call_id="gap", ts=NOON, cache_write_1h_tokens=5000, cache_read_tokens=0, **told),
        make_call(call_id="hit", ts=NOON + HOUR / 2, cache_read_tokens=5000, **told),
    ]
    with Reader(fill(tmp_path, calls=calls)) as reader:
        traffic = load(reader, Scope(start=NOON - HOUR), default_book())
    found = misses.by_call(traffic, misses.of_traffic(traffic))

    assert {call_id: row["cause"] for call_id, row in found.items()} == {"gap": "expired_1h", "hit": None}
    assert found["gap"]["gap_ms"] == 3 * 3_600_000
