from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from core import regressions
from core.metrics.scope import Scope
from core.regressions import Regression
from core.store.query import Reader
from tests.support.lakes import fill
from tests.support.rows import Row, make_store_event
from tests.support.steady import CHANGE, END, MONDAY, broken, since, traffic

HOUR = timedelta(hours=1)
Find = Callable[..., list[Regression]]


@pytest.fixture
def find(tmp_path: Path) -> Find:
    """Fill a lake and find its regressions."""

    def run(calls: list[Row], *, scope: Scope | None = None, now: datetime = END, **tables: Any) -> list[Regression]:
        with Reader(fill(tmp_path, calls=calls, **tables), threads=1) as reader:
            return regressions.find(reader, scope or Scope(), now=now)

    return run


def only(found: list[Regression]) -> Regression:
    """The one regression there is."""
    assert len(found) == 1, [item.sentence() for item in found]
    return found[0]


def test_nothing_is_found_where_there_is_nothing(find: Find) -> None:
    """An empty lake has no regressions."""
    assert find([]) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_quiet_nights_and_weekends_are_no_regressions(find: Find, seed: int) -> None:
    """Calls that expire because traffic is thin are what thin traffic always showed."""
    assert find(traffic(seed=seed)) == []


def test_a_holiday_is_no_regression(find: Find) -> None:
    """A Wednesday with a tenth of its traffic writes anew more often, and raises no alarm."""
    rows = traffic()
    holiday = CHANGE.date() - timedelta(days=1)
    kept = [row for n, row in enumerate(rows) if row["ts"].date() != holiday or n % 10 == 0]
    assert find(kept) == []


def test_slow_afternoons_are_a_season(find: Find) -> None:
    """What is half as slow again every working day from 13 to 17 h is no regression on the tenth such day."""

    def mutate(ts: datetime, call: dict[str, Any], rng: Random) -> None:
        if ts.weekday() < 5 and 13 <= ts.hour < 17:
            call["ttft_ms"] *= 1.5

    found = find(traffic(mutate, days=19))
    assert [item for item in found if item.started_at > MONDAY + timedelta(days=5)] == []


def test_a_broken_prefix_is_found_within_the_hour_and_laid_to_its_deploy(find: Find) -> None:
    """Read share, misses, cost and latency tell one story, told once."""
    item = only(find(traffic(since(CHANGE, lambda call, rng: (broken(call, rng), call.update(function_version="2"))))))
    assert (item.engine, item.model, item.function_version) == ("sales", "claude-opus-4-5", "2")
    assert item.metric == "read_share"
    assert item.before > 0.9
    assert item.after == 0
    assert CHANGE <= item.started_at < CHANGE + timedelta(minutes=30)
    assert item.found_at - item.started_at <= HOUR
    assert (item.likely_cause.kind, item.likely_cause.label) == ("deploy", "bodo-ws 2")
    assert (item.likely_cause.mechanism, item.confidence) == ("prefix_renewed", "measured")
    assert {change.metric for change in item.changes} == {"miss_share", "cost_per_request", "latency"}
    assert item.open


def test_what_it_lost_is_what_reads_would_have_saved(find: Find) -> None:
    """Each broken call paid 5,000 tokens at the 1h write price in place of the read price: $0.0475."""
    rows = traffic(since(CHANGE, broken))
    item = only(find(rows))
    hurt = [row for row in rows if row["ts"] >= CHANGE]
    healthy = traffic()
    expected = sum((row["cost_usd"] for row in hurt), Decimal(0)) - sum(
        (row["cost_usd"] for row in healthy if row["ts"] >= CHANGE), Decimal(0)
    )
    assert item.lost_usd is not None
    assert item.lost_usd == pytest.approx(expected, rel=Decimal("0.03"))
    assert item.calls == pytest.approx(len(hurt), abs=5)


def test_a_switch_left_off_is_named_with_its_end(find: Find) -> None:
    """Six hours without caching: found, laid to the switch, and over when it was over."""

    def mutate(ts: datetime, call: dict[str, Any], rng: Random) -> None:
        if CHANGE <= ts < CHANGE + 6 * HOUR:
            tokens = call["cache_read_tokens"] + call["cache_write_1h_tokens"]
            call |= {"caching_enabled": False, "cache_read_tokens": 0, "cache_write_1h_tokens": 0}
            call["input_tokens"] += tokens

    item = only(find(traffic(mutate)))
    assert item.likely_cause.kind == "switch"
    assert item.likely_cause.label == "caching_enabled: true → false"
    assert item.likely_cause.mechanism == "caching_off"
    assert item.ended_at is not None
    assert abs(item.ended_at - (CHANGE + 6 * HOUR)) < HOUR


def test_an_engine_that_slept_through_the_guilty_deploy_blames_it_all_the_same(find: Find) -> None:
    """Version 2 switched caching off, version 3 kept it off before the engine called again: its sister saw which."""

    def mutate(ts: datetime, call: dict[str, Any], rng: Random) -> None:
        if ts >= CHANGE - HOUR:
            call["function_version"] = "3" if ts >= CHANGE - HOUR / 2 else "2"
            call["caching_enabled"] = False
            call["input_tokens"] += call["cache_read_tokens"] + call["cache_write_1h_tokens"]
            call |= {"cache_read_tokens": 0, "cache_write_1h_tokens": 0}

    sleeper = [row for row in traffic(mutate) if not CHANGE - 2 * HOUR <= row["ts"] < CHANGE]
    found = find(sleeper + traffic(mutate, seed=6, engine="awake"))

    causes = {item.engine: item.likely_cause for item in found}
    assert {engine: cause.label for engine, cause in causes.items()} == dict.fromkeys(
        ("sales", "awake"), "bodo-ws 2; caching_enabled: true → false"
    )
    assert causes["sales"].at == causes["awake"].at


def test_a_shorter_ttl_is_named(find: Find) -> None:
    """From 1h to 5m: calls after ten quiet minutes write anew."""

    def mutate(call: dict[str, Any], rng: Random) -> None:
        call["cache_ttl"] = "5m"
        if call["cache_write_1h_tokens"] or rng.random() < 0.5:
            call |= {"cache_read_tokens": 0, "cache_write_1h_tokens": 0, "cache_write_5m_tokens": 5_000}

    item = only(find(traffic(since(CHANGE, mutate))))
    assert item.likely_cause.label == "cache_ttl: 1h → 5m"
    assert item.likely_cause.mechanism == "ttl"
    assert item.confidence == "measured"


def test_a_price_dates_what_slowness_announced(find: Find) -> None:
    """Answers slow two hours before the calls go to a dearer provider: the moment of the price is exact."""

    def mutate(ts: datetime, call: dict[str, Any], rng: Random) -> None:
        if ts >= CHANGE - 2 * HOUR:
            call["ttft_ms"] *= 2
        if ts >= CHANGE:
            call["provider"] = "bedrock"

    rows = traffic(mutate)
    for row in rows:
        if row["provider"] == "bedrock":
            dollars = [name for name in row if name.endswith("cost_usd")]
            row.update({name: row[name] * Decimal("1.1") for name in dollars if row[name] is not None})
    item = only(find(rows))
    assert CHANGE <= item.started_at < CHANGE + HOUR / 2
    assert item.likely_cause.label == "provider: anthropic → bedrock"
    assert {change.metric for change in item.changes} == {"cost_per_request", "latency"}


def test_a_dearer_price_book_is_found_by_the_price_of_a_token(find: Find) -> None:
    """Ten per cent more for the same tokens is far below the noise of calls, and still found at once."""
    dollars = [name for name in traffic(days=1)[0] if name.endswith("_usd")]
    rows = traffic(since(CHANGE, lambda call, rng: call.update(price_book="newer")))
    for row in rows:
        if row["price_book"] == "newer":
            row.update({name: row[name] * Decimal("1.1") for name in dollars if row[name] is not None})
    item = only(find(rows))
    assert item.metric == "cost_per_request"
    assert item.after / item.before == pytest.approx(1.1, rel=0.01)
    assert (item.likely_cause.kind, item.likely_cause.mechanism) == ("price_book", "price")
    assert item.found_at - item.started_at <= HOUR


def test_slower_calls_without_an_event_have_an_unknown_cause(find: Find) -> None:
    """Latency alone: nothing was changed here, and that is said."""
    item = only(find(traffic(since(CHANGE, lambda call, rng: call.update(ttft_ms=call["ttft_ms"] * 1.8)))))
    assert item.metric == "latency"
    assert item.after / item.before == pytest.approx(1.8, rel=0.1)
    assert (item.likely_cause.kind, item.likely_cause.mechanism) == ("unknown", "slower")
    assert item.confidence == "inferred"


def test_longer_answers_show_in_cost(find: Find) -> None:
    """Three times the output, after a deploy."""

    def mutate(call: dict[str, Any], rng: Random) -> None:
        call |= {"output_tokens": call["output_tokens"] * 3, "function_version": "2"}

    item = only(find(traffic(since(CHANGE, mutate))))
    assert item.metric == "cost_per_request"
    assert (item.likely_cause.label, item.likely_cause.mechanism) == ("bodo-ws 2", "longer_answers")


def test_a_bad_canary_is_heard(find: Find) -> None:
    """A version that serves a fifth of the calls and never reads is found, though the whole reads still."""

    def mutate(call: dict[str, Any], rng: Random) -> None:
        if rng.random() < 0.2:
            broken(call, rng)
            call["function_version"] = "2-canary"

    item = only(find(traffic(since(CHANGE, mutate))))
    assert item.function_version == "2-canary"
    assert item.likely_cause.label == "bodo-ws 2-canary"


def test_a_clear_is_a_candidate(find: Find) -> None:
    """What begins at a clear of the prompt store is laid to it."""
    clear = make_store_event("clear", ts=CHANGE, engine="sales")
    item = only(find(traffic(since(CHANGE, broken)), prompt_store_events=[clear]))
    assert (item.likely_cause.kind, item.likely_cause.label) == ("clear", "prompt store cleared: sales")


def test_a_harmless_deploy_elsewhere_is_not_blamed(find: Find) -> None:
    """A deploy two hours and many good calls before the change did not do it."""

    def mutate(ts: datetime, call: dict[str, Any], rng: Random) -> None:
        if ts >= CHANGE - 2 * HOUR:
            call["function_version"] = "2"
        if ts >= CHANGE:
            broken(call, rng)

    item = only(find(traffic(mutate)))
    assert item.likely_cause.kind == "unknown"
    assert item.likely_cause.mechanism == "prefix_renewed"


def test_a_short_burst_of_misses_is_no_regression(find: Find) -> None:
    """Four calls in a row that write, then all is well."""
    left = [4]

    def mutate(call: dict[str, Any], rng: Random) -> None:
        if left[0] > 0:
            left[0] -= 1
            broken(call, rng)

    assert find(traffic(since(CHANGE, mutate))) == []


def test_only_what_was_known_is_used(find: Find) -> None:
    """An hour after the change, without anything later, it is already there."""
    rows = traffic(since(CHANGE, broken))
    item = only(find(rows, now=CHANGE + HOUR))
    assert CHANGE <= item.started_at < CHANGE + HOUR


def test_filters_choose_engines_and_time(find: Find) -> None:
    """Another engine's regressions are not shown; the baseline is read from before the range."""
    rows = traffic(since(CHANGE, broken))
    scope = Scope(start=CHANGE + HOUR, engines=("sales",))
    assert only(find(rows, scope=scope)).engine == "sales"
    assert find(rows, scope=Scope(engines=("memo",))) == []


def test_a_regression_as_plain_values(find: Find) -> None:
    """What pages and --json show holds the sentence and the unit."""
    told = only(find(traffic(since(CHANGE, broken)))).to_json()
    assert told["unit"] == "ratio"
    assert told["sentence"].startswith("sales (claude-opus-4-5): read share 9")
    assert told["lost_usd_per_day"] > 0
