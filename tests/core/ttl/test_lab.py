"""The TTL Lab: policies priced, the advice, the gaps, the crossover and bursts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import ttl
from core.ttl.lab import Rows
from tests.support.rows import Row, make_call
from tests.support.traffic import at, idle, reads, text, traffic_of, writes


def row_of(rows: Rows, engine: str = "tutor", **other: Any) -> dict[str, Any]:
    return next(row for row in rows if row["engine"] == engine and all(row[k] == v for k, v in other.items()))


def every(minutes: float, count: int, **other: Any) -> list[Row]:
    return [writes(at(minutes=minutes * n), **other) for n in range(count)]


def test_calls_twenty_minutes_apart_want_an_hour() -> None:
    """Under 5m each writes (6,000 × $6.25 a million); under 1h the first does, and the others read."""
    lab = ttl.of_traffic(traffic_of(every(20, 10, ttl="5m")))

    short, long = (row_of(ttl.compare(lab), policy=policy) for policy in ("5m", "1h"))
    advice = row_of(ttl.advise(lab))

    tail = Decimal("0.0005") + Decimal("0.00025")
    assert short["cost_usd"] == 10 * (Decimal("0.0375") + tail)
    assert long["cost_usd"] == Decimal("0.06") + 9 * Decimal("0.003") + 10 * tail
    assert (short["writes"], long["reads"]) == (10, 9)
    assert (advice["configured"], advice["best"]) == ("5m", "1h")
    assert advice["policy_saving_usd"] == short["cost_usd"] - long["cost_usd"]


def test_calls_hours_apart_want_no_caching() -> None:
    """Every write is lost: without caching the prompt costs its input price."""
    lab = ttl.of_traffic(traffic_of(every(150, 12)))
    advice = row_of(ttl.advise(lab))

    assert (advice["best"], advice["off_is_best"]) == ("off", True)
    assert advice["policy_saving_usd"] == 12 * 6_000 * Decimal("0.000005")


def test_the_policy_in_force_is_held_against_what_was_paid() -> None:
    """A replay of what was observed gives what was observed."""
    rows = [writes(at(minutes=0)), reads(at(minutes=10)), reads(at(minutes=65)), writes(at(minutes=130))]
    advice = row_of(ttl.advise(ttl.of_traffic(traffic_of(rows))))

    assert advice["model_error"] == 0
    assert advice["observed_usd"] == advice["replayed_usd"]


def test_a_conversation_that_grows_writes_its_new_end_under_every_lifetime() -> None:
    """Each turn reads what the one before left and writes 500 tokens more: to read those too, nobody could have."""
    told = {"prefix_tokens": None, "prefix_fingerprint": None}
    rows = [writes(at(minutes=0), **told, cache_write_1h_tokens=6_000)]
    for turn in range(1, 8):
        grown = {"cache_read_tokens": 5_500 + 500 * turn, "cache_write_1h_tokens": 500}
        rows.append(make_call(ts=at(minutes=10 * turn), cache_ttl="1h", ttft_ms=900.0, latency_ms=2_000.0, **grown))
    lab = ttl.of_traffic(traffic_of(rows))

    short, long = (row_of(ttl.compare(lab), policy=policy) for policy in ("5m", "1h"))
    advice = row_of(ttl.advise(lab))

    tails, read = Decimal("0"), sum(6_000 + 500 * turn for turn in range(7))
    tails += sum(row["input_cost_usd"] + row["output_cost_usd"] for row in rows)
    assert advice["model_error"] == 0
    assert long["cost_usd"] == tails + Decimal("0.00001") * (6_000 + 7 * 500) + Decimal("0.0000005") * read
    assert short["cost_usd"] == tails + Decimal("0.00000625") * (6_000 + read + 7 * 500)


def test_keep_alive_pays_for_its_pings() -> None:
    """Gaps of 20 minutes: four pings each, priced as reads; after the last call none, as the range ends."""
    lab = ttl.of_traffic(traffic_of(every(20, 3, ttl="5m")))
    row = row_of(ttl.compare(lab), policy="5m_keep_alive")

    assert (row["pings"], row["reads"], row["writes"]) == (8, 2, 1)


def test_a_prefix_below_the_minimum_costs_the_same_under_every_policy() -> None:
    """Opus 4.5 caches from 4,096 tokens on."""
    rows = [idle(at(minutes=n), input_tokens=2_100, prefix_tokens=2_000) for n in range(5)]
    lab = ttl.of_traffic(traffic_of(rows))

    assert len({row["cost_usd"] for row in ttl.compare(lab)}) == 1
    assert row_of(ttl.advise(lab))["cacheable_share"] == 0


def test_gaps_are_counted_between_the_rules() -> None:
    """Exactly five minutes is still within the 5m rule; a second more is not."""
    starts = [0, 300, 601, 4_201, 7_802]
    bins = ttl.gaps(ttl.of_traffic(traffic_of([reads(at(seconds=s)) for s in starts])), "tutor")
    counted = {(row["from_ms"], row["to_ms"]): row["gaps"] for row in bins if row["gaps"]}

    assert counted == {
        (240_000, 300_000): 1,
        (300_000, 600_000): 1,
        (2_700_000, 3_600_000): 1,
        (3_600_000, 7_200_000): 1,
    }


def test_crossover_is_where_both_lifetimes_cost_the_same() -> None:
    """At the share q* of medium gaps the curves of 5m and 1h meet."""
    starts = [0, 20, 40, 60, 80, 100, 300, 301, 302, 303]
    found = ttl.crossover(ttl.of_traffic(traffic_of([reads(at(minutes=m)) for m in starts])), "tutor")
    share, long = found["crossover_share"], found["long_share"]

    assert share == pytest.approx(long * (10 - 6.25) / (6.25 - 0.5))
    five = (1 - long - share) * 0.5 + (long + share) * 6.25
    hour = (1 - long) * 0.5 + long * 10
    assert five == pytest.approx(hour)
    assert set(found["curve"][0]) == {"pause_share", *ttl.POLICIES}


def test_bursts_that_pre_warming_would_save() -> None:
    """Three writes side by side: a ping before them writes once, and three calls read."""
    rows = [writes(at(minutes=200 * n, milliseconds=200 * k)) for n in range(4) for k in range(3)]
    found = row_of(ttl.bursts(ttl.of_traffic(traffic_of(rows))))

    write, read = 6_000 * Decimal("0.00001"), 6_000 * Decimal("0.0000005")
    assert (found["bursts"], found["writes_beside"], found["pays"]) == (4, 8, True)
    assert found["saving_usd"] == 4 * (2 * (write - read) - read)


def test_a_changed_prefix_is_not_one_prefix_though_no_fingerprint_says_so() -> None:
    """Text lines that write though an entry was warm: no lifetime would have helped."""
    lab = ttl.of_traffic(traffic_of([text(row) for row in every(2, 30)]))

    assert row_of(ttl.compare(lab), policy="1h")["reads"] == 0


@given(st.lists(st.tuples(st.integers(0, 9_000), st.sampled_from("ab"), st.booleans()), min_size=1, max_size=40))
def test_policies_add_up(calls: list[tuple[int, str, bool]]) -> None:
    """Every engine's calls are all read or written, and the mix is never dearer than any one policy for all."""
    rows = [
        (reads if warm else writes)(at(seconds=s), engine=engine, prefix_fingerprint=engine)
        for s, engine, warm in calls
    ]
    lab = ttl.of_traffic(traffic_of(rows))
    whole = ttl.mix(lab)

    assert all(row["reads"] + row["writes"] == row["calls"] for row in ttl.compare(lab) if row["policy"] != "off")
    assert whole["best_mix_month_usd"] <= min(whole[f"all_{policy}_month_usd"] for policy in ttl.POLICIES)
    assert sum(row["gaps"] for row in ttl.gaps(lab, every=True)) == len(calls) - len({engine for _, engine, _ in calls})


def test_no_calls_give_no_rows() -> None:
    """An empty range is not an error."""
    lab = ttl.of_traffic(traffic_of([]))

    assert (ttl.compare(lab), ttl.advise(lab), ttl.bursts(lab)) == ([], [], [])
    assert ttl.mix(lab)["best_mix"] == {}


def test_without_a_price_there_is_no_month() -> None:
    """Unknown is not zero: calls that have no price are counted, and no dollars are told."""
    lab = ttl.of_traffic(traffic_of([writes(at(minutes=n), model="claude-nobody") for n in range(3)]))
    whole = ttl.mix(lab)

    assert ttl.advise(lab) == []
    assert whole["unpriced_calls"] == 3
    assert {whole[name] for name in whole if name.endswith("_usd")} == {None}
