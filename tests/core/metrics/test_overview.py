"""Summary and breakdown against figures calculated by hand, and the laws between them."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import FixSettings
from core.metrics import breakdown, series, summary
from core.metrics.aggregate import GROUPS
from core.metrics.catalog import MEASURES, METRICS
from core.metrics.scope import Scope
from core.store.query import Reader
from tests.support.lakes import fill
from tests.support.rows import (
    NOON,
    make_call,
    make_failed_call,
    make_invocation,
    make_open_invocation,
    make_store_event,
    make_unpriced_call,
)

DESIGN_KEYS = {
    "from",
    "to",
    "calls",
    "invocations",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "cost_usd",
    "no_cache_cost_usd",
    "gross_savings_usd",
    "write_premium_usd",
    "net_savings_usd",
    "cost_per_request_usd",
    "token_hit_rate",
    "request_hit_rate",
    "prompt_store_hits",
    "prompt_store_misses",
    "prompt_store_hit_rate",
    "write_amortization",
    "price_coverage",
    "response_time_ms",
}


def summarise(path: Path, scope: Scope | None = None, **tables: Any) -> dict[str, Any]:
    with Reader(fill(path, **tables), threads=2) as reader:
        return summary(reader, scope or Scope())


def test_every_metric_by_hand(tmp_path: Path) -> None:
    """One 1h write of 10,000 tokens, two reads of it, one plain call that could not be cached."""
    calls = [
        make_call(input_tokens=100, cache_write_1h_tokens=10_000, output_tokens=200),
        make_call(input_tokens=100, cache_read_tokens=10_000, output_tokens=200),
        make_call(input_tokens=100, cache_read_tokens=10_000, output_tokens=200),
        make_call(input_tokens=700, output_tokens=400, cacheable=False),
    ]

    found = summarise(tmp_path, calls=calls, invocations=[make_invocation(calls=2), make_invocation(calls=2)])

    assert set(found) >= DESIGN_KEYS
    expected = {
        "calls": 4,
        "invocations": 2,
        "input_tokens": 1_000,
        "cache_read_tokens": 20_000,
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 10_000,
        "output_tokens": 1_000,
        "prompt_tokens": 31_000,
        "input_cost_usd": Decimal("0.005"),  # 1,000 × $5 / million
        "cache_read_cost_usd": Decimal("0.010"),  # 20,000 × $0.50 / million
        "cache_write_1h_cost_usd": Decimal("0.100"),  # 10,000 × $10 / million
        "output_cost_usd": Decimal("0.025"),  # 1,000 × $25 / million
        "cost_usd": Decimal("0.140"),
        "no_cache_cost_usd": Decimal("0.180"),  # 31,000 × $5 / million + output
        "gross_savings_usd": Decimal("0.090"),  # 20,000 × ($5 − $0.50) / million
        "write_premium_usd": Decimal("0.050"),  # 10,000 × ($10 − $5) / million
        "net_savings_usd": Decimal("0.040"),
        "cost_per_request_usd": Decimal("0.035"),
        "cost_per_invocation_usd": Decimal("0.070"),
        "cacheable_calls": 3,
        "claude_cache_read_calls": 2,
        "write_amortization": 2.0,
        "price_coverage": 1.0,
        "unpriced_models": [],
    }
    assert {name: found[name] for name in expected} == expected
    assert found["token_hit_rate"] == pytest.approx(20_000 / 31_000)
    assert found["request_hit_rate"] == pytest.approx(2 / 3)
    assert found["net_savings_share"] == pytest.approx(0.04 / 0.18)


def test_a_write_that_is_never_read_loses_money(tmp_path: Path) -> None:
    """Net savings are signed."""
    found = summarise(tmp_path, calls=[make_call(cache_write_1h_tokens=10_000)])

    assert found["net_savings_usd"] == Decimal("-0.05")
    assert found["write_amortization"] == 0


def test_nothing_is_zero_counts_and_unknown_dollars(tmp_path: Path) -> None:
    """No call is 0 calls; its cost and its ratios are not known, and not 0."""
    found = summarise(tmp_path)

    assert (found["calls"], found["invocations"], found["prompt_store_hits"], found["input_tokens"]) == (0, 0, 0, 0)
    unknown = [
        "cost_usd",
        "net_savings_usd",
        "cost_per_request_usd",
        "token_hit_rate",
        "request_hit_rate",
        "prompt_store_hit_rate",
        "write_amortization",
        "price_coverage",
        "db_time_saved_ms",
    ]
    assert {name: found[name] for name in unknown} == dict.fromkeys(unknown)
    assert found["response_time_ms"] == {"p50": None, "p95": None, "p99": None}


def test_what_defaults_told_is_counted_and_priced_apart(tmp_path: Path) -> None:
    """A figure of text lines says how it is known: by the model and the TTL of its source's settings."""
    calls = [
        make_call(cost_usd=Decimal("0.3")),
        make_call(cost_usd=Decimal("0.2"), model_known_by="defaults", ttl_known_by="defaults"),
        make_call(cost_usd=Decimal("0.1"), ttl_known_by="defaults"),
        make_unpriced_call(model_known_by="defaults", ttl_known_by=None),
        make_failed_call(model_known_by="defaults"),
    ]
    names = ("calls_by_defaults", "model_by_defaults", "ttl_by_defaults", "cost_by_defaults_usd")

    found, by = summarise(tmp_path, calls=calls), summarise(tmp_path / "all_told", calls=calls[:1])

    assert [found[name] for name in names] == [3, 2, 2, Decimal("0.3")]
    assert [by[name] for name in names] == [0, 0, 0, Decimal(0)]
    assert summarise(tmp_path / "empty")["cost_by_defaults_usd"] is None
    unpriced = summarise(tmp_path / "unpriced", calls=[calls[0], calls[3]])
    assert (unpriced["calls_by_defaults"], unpriced["cost_by_defaults_usd"]) == (1, None)


def test_an_unpriced_call_has_tokens_but_no_dollars(tmp_path: Path) -> None:
    """It is counted, named, shown as coverage, and in no dollar figure, above or below the line."""
    calls = [
        make_call(cost_usd=Decimal("0.3")),
        make_unpriced_call(),
        make_unpriced_call(),
        make_unpriced_call(model="x"),
    ]

    found = summarise(tmp_path, calls=calls)

    assert (found["calls"], found["priced_calls"], found["unpriced_calls"]) == (4, 1, 3)
    assert found["price_coverage"] == 0.25
    assert found["cost_usd"] == found["cost_per_request_usd"] == Decimal("0.3")
    assert found["prompt_tokens"] == 400
    assert found["unpriced_models"] == [
        {"provider": "anthropic", "model": "claude-unheard-of", "reason": "unknown model", "calls": 2},
        {"provider": "anthropic", "model": "x", "reason": "unknown model", "calls": 1},
    ]


def test_only_unpriced_calls_cost_an_unknown_sum(tmp_path: Path) -> None:
    """Not $0."""
    assert summarise(tmp_path, calls=[make_unpriced_call()])["cost_usd"] is None


def test_a_failed_call_is_in_no_denominator(tmp_path: Path) -> None:
    """It returned no usage: neither a miss nor a free request."""
    found = summarise(tmp_path, calls=[make_call(cache_read_tokens=100), make_failed_call(cacheable=True)])

    assert (found["calls"], found["failed_calls"]) == (1, 1)
    assert (found["request_hit_rate"], found["token_hit_rate"], found["price_coverage"]) == (1.0, 0.5, 1.0)


def test_a_stream_that_failed_half_way_is_a_call(tmp_path: Path) -> None:
    """It told its usage before it broke: its tokens and dollars are in the sums, as on its cost line."""
    broken = make_call(complete=False, input_tokens=700) | {"status": "error", "error_type": "overloaded_error"}
    found = summarise(tmp_path, calls=[broken, make_failed_call()])

    assert (found["calls"], found["failed_calls"], found["input_tokens"]) == (1, 1, 700)
    assert found["priced_calls"] == 1 and found["cost_usd"] > 0


def test_writes_of_unknown_lifetime_are_writes(tmp_path: Path) -> None:
    """A text line tells how much was written and not for how long: the sum of writes knows it all the same."""
    unknown = make_call(cache_read_tokens=400, cache_write_1h_tokens=100)
    unknown |= {"cache_write_5m_tokens": None, "cache_write_1h_tokens": None}
    found = summarise(tmp_path, calls=[unknown])

    assert (found["cache_write_tokens"], found["write_amortization"]) == (100, 4.0)
    assert found["cache_write_1h_tokens"] == 0


def test_calls_of_unknown_cacheability_are_counted_apart(tmp_path: Path) -> None:
    """A text line without a cached token does not say whether caching was possible."""
    found = summarise(tmp_path, calls=[make_call(cacheable=None), make_call(cacheable=True)])

    assert (found["cacheable_calls"], found["unknown_cacheable_calls"]) == (1, 1)


def test_response_time_has_no_billed_duration_and_no_open_invocation(tmp_path: Path) -> None:
    """p50 of 1,000 and 2,000 + 500 is 1,750; an invocation without REPORT is counted but has no time."""
    rows = [
        make_invocation(duration_ms=1000.0, billed_duration_ms=9000.0),
        make_invocation(duration_ms=2000.0, init_ms=500.0, cold=True, status="timeout"),
        make_open_invocation(),
    ]

    found = summarise(tmp_path, invocations=rows)

    assert found["response_time_ms"]["p50"] == 1750
    counts = [
        found[n] for n in ("invocations", "open_invocations", "response_times", "cold_starts", "failed_invocations")
    ]
    assert counts == [3, 1, 2, 1, 1]


def test_the_prompt_store_by_hand(tmp_path: Path) -> None:
    """Three hits and two misses of 100 and 200 ms: 60 %, and 3 × 150 ms of database time saved."""
    events = [make_store_event() for _ in range(3)]
    events += [make_store_event("miss", fetch_ms=100.0), make_store_event("miss", fetch_ms=200.0)]
    events += [make_store_event("stored"), make_store_event("clear")]

    found = summarise(tmp_path, prompt_store_events=events)

    assert (found["prompt_store_hits"], found["prompt_store_misses"], found["prompt_store_lookups"]) == (3, 2, 5)
    assert (found["prompt_store_hit_rate"], found["db_time_saved_ms"]) == (0.6, 450)
    assert found["token_hit_rate"] is None


def test_calls_outside_lambda_cost_no_invocation_anything(tmp_path: Path) -> None:
    """What session files or a service elsewhere spent is in no average of Lambda's requests."""
    inside, outside = make_call(), make_call(invocation_id=None, attribution="none")
    found = summarise(tmp_path, calls=[inside, outside], invocations=[make_invocation(), make_invocation()])

    assert found["cost_usd"] == inside["cost_usd"] + outside["cost_usd"]
    assert found["invocation_cost_usd"] == inside["cost_usd"]
    assert found["cost_per_invocation_usd"] == inside["cost_usd"] / 2


def test_a_model_filter_makes_invocation_metrics_unknown(tmp_path: Path) -> None:
    """An invocation has no model, so its numbers under that filter would be wrong; they are None."""
    tables = {"calls": [make_call()], "invocations": [make_invocation()], "prompt_store_events": [make_store_event()]}

    found = summarise(tmp_path, Scope(models=("claude-opus-4-5",)), **tables)

    assert found["calls"] == 1
    blind = ("invocations", "cold_starts", "cost_per_invocation_usd", "prompt_store_hits", "prompt_store_hit_rate")
    assert {name: found[name] for name in blind} == dict.fromkeys(blind)


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(engines=("a",)), (2, 1, 1)),
        (Scope(engines=("a", "b")), (3, 1, 1)),
        (Scope(function_versions=("2",)), (1, 0, 0)),
        (Scope(sources=("elsewhere",)), (1, 0, 0)),
        (Scope(start=NOON + timedelta(hours=1)), (1, 0, 0)),
        (Scope(end=NOON), (0, 0, 0)),
        (Scope(providers=("bedrock",)), (1, None, None)),
    ],
)
def test_filters_reach_every_table(tmp_path: Path, scope: Scope, expected: tuple[int | None, ...]) -> None:
    """Calls, invocations and store events are narrowed alike wherever they have the column."""
    calls = [
        make_call(engine="a", provider="bedrock"),
        make_call(engine="a", function_version="2", ts=NOON + timedelta(hours=1)),
        make_call(engine="b", source="elsewhere"),
    ]
    tables = {"invocations": [make_invocation(engine="a")], "prompt_store_events": [make_store_event(engine="a")]}

    found = summarise(tmp_path, scope, calls=calls, **tables)

    assert tuple(found[name] for name in ("calls", "invocations", "prompt_store_hits")) == expected


def test_groups_of_all_tables_stand_side_by_side(tmp_path: Path) -> None:
    """An engine seen only by the prompt store has 0 calls; the dearest comes first; no engine is a group too."""
    calls = [make_call(engine="dear", output_tokens=9_000), make_call(engine=None), make_unpriced_call(engine="new")]
    lake = fill(tmp_path, calls=calls, prompt_store_events=[make_store_event(engine="idle")])

    with Reader(lake) as reader:
        rows = breakdown(reader, Scope(), ["engine"])

    assert [(row["engine"], row["calls"], row["prompt_store_hits"]) for row in rows] == [
        ("dear", 1, 0),
        (None, 1, 0),
        ("new", 1, 0),
        ("idle", 0, 1),
    ]
    assert [len(row["unpriced_models"]) for row in rows] == [0, 0, 1, 0]
    assert rows[2]["cost_usd"] is None


def test_days_are_those_of_the_zone(tmp_path: Path) -> None:
    """16:00 UTC is already tomorrow in Seoul."""
    lake = fill(tmp_path, calls=[make_call(), make_call(ts=NOON + timedelta(hours=4))])

    with Reader(lake) as reader:
        utc = [(row["day"], row["calls"]) for row in breakdown(reader, Scope(), ["day"])]
        seoul = [(row["day"], row["calls"]) for row in breakdown(reader, Scope(), ["day"], zone="Asia/Seoul")]

    assert utc == [(date(2026, 11, 20), 2)]
    assert seoul == [(date(2026, 11, 20), 1), (date(2026, 11, 21), 1)]


@pytest.mark.parametrize("by", [["colour"], ["engine", "engine"]])
def test_an_unknown_group_names_what_is_accepted(tmp_path: Path, by: list[str]) -> None:
    """One line, with the dimensions."""
    with (
        Reader(fill(tmp_path)) as reader,
        pytest.raises(FixSettings, match=r"MET-004.*engine, tenant, model, provider"),
    ):
        breakdown(reader, Scope(), by)


def test_a_scope_is_checked() -> None:
    """Times have zones and stand in order."""
    with pytest.raises(FixSettings, match="MET-001"):
        Scope(start=NOON, end=NOON - timedelta(seconds=1))
    with pytest.raises(FixSettings, match="MET-001"):
        Scope(start=datetime(2026, 11, 20))  # noqa: DTZ001


def test_ratios_name_their_parts() -> None:
    """Every ratio on screen shows numerator and denominator, and both are metrics."""
    for metric in METRICS.values():
        if metric.unit == "ratio":
            assert metric.numerator in METRICS
            assert metric.denominator in METRICS


ADDITIVE = [name for name, item in MEASURES.items() if item.metric.unit in ("count", "tokens", "usd")]

some_calls = st.lists(
    st.builds(
        lambda kind, engine, model, hours, read, write: kind(
            engine=engine,
            model=model,
            ts=datetime(2026, 3, 8, tzinfo=UTC) + timedelta(hours=hours, minutes=17),
            **({} if kind is make_failed_call else {"cache_read_tokens": read, "cache_write_5m_tokens": write}),
        ),
        st.sampled_from([make_call, make_call, make_unpriced_call, make_failed_call]),
        st.sampled_from(["a", "b", None]),
        st.sampled_from(["claude-opus-4-5", "claude-haiku-4-5"]),
        st.integers(0, 72),
        st.integers(0, 9_999),
        st.integers(0, 9_999),
    ),
    min_size=1,
    max_size=12,
)


def added(rows: list[dict[str, Any]], name: str) -> Any:
    known = [row[name] for row in rows if row[name] is not None]
    return sum(known) if known else MEASURES[name].empty


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some_calls, st.lists(st.sampled_from(GROUPS), min_size=1, max_size=3, unique=True))
def test_groups_and_buckets_add_up_to_the_totals(calls: list[dict[str, Any]], by: list[str]) -> None:
    """Whatever the dimension, bucket or zone, counts, tokens and dollars add up to the totals to the last digit."""
    with tempfile.TemporaryDirectory() as folder, Reader(fill(Path(folder), calls=calls)) as reader:
        total = summary(reader, Scope())
        groups = breakdown(reader, Scope(), by)
        of_calls = [name for name in ADDITIVE if MEASURES[name].table == "calls"]
        assert {name: added(groups, name) for name in of_calls} == {name: total[name] for name in of_calls}
        for bucket, zone in (("5m", "UTC"), ("hour", "Asia/Kolkata"), ("day", "America/New_York")):
            rows = series(reader, Scope(), bucket, zone=zone).to_pylist()
            shown = [name for name in of_calls if name in rows[0]]
            assert {name: added(rows, name) for name in shown} == {name: total[name] for name in shown}
        assert total["cost_usd"] is None or (
            total["net_savings_usd"]
            == total["no_cache_cost_usd"] - total["cost_usd"]
            == total["gross_savings_usd"] - total["write_premium_usd"]
        )
