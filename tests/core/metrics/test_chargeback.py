"""Chargeback: shared cache writes move by a stated rule, and nothing is lost on the way."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import FixSettings
from core.metrics import summary
from core.metrics.chargeback import COLUMNS, RULES, allocate, chargeback, move, total
from core.metrics.scope import Scope
from core.store.query import Reader
from tests.support.lakes import fill
from tests.support.rows import make_call, make_unpriced_call

MONEY = [
    name for name, unit in COLUMNS.items() if unit == "usd" and not name.startswith(("direct", "written", "alloc"))
]
uses = st.lists(
    st.fixed_dictionaries(
        {
            "prefix": st.sampled_from("pqr"),
            "group": st.tuples(st.sampled_from("abcd")),
            "read_tokens": st.integers(0, 10**7),
            "written": st.integers(0, 10**16),
            "premium": st.integers(-(10**6), 10**16),
        }
    ),
    max_size=20,
    unique_by=lambda use: (use["prefix"], use["group"]),
)


@given(st.integers(-(10**18), 10**18), st.lists(st.integers(0, 10**9), min_size=1, max_size=30))
def test_an_allocation_loses_nothing(amount: int, weights: list[int]) -> None:
    """The parts sum to the whole; each is within one of its fair share; who weighs nothing gets nothing."""
    parts = allocate(amount, weights)

    assert sum(parts) == amount
    if any(weights):
        for part, weight in zip(parts, weights, strict=True):
            assert abs(part * sum(weights) - amount * weight) < sum(weights)
            assert part == 0 or weight > 0


@given(uses, st.sampled_from(RULES))
def test_moving_writes_changes_no_total(found: list[dict[str, Any]], rule: str) -> None:
    """What one group gains others lose: cost and premium each change by zero in all, and nobody writes less than 0."""
    moved = move(found, rule)

    assert [sum(change[at] for change in moved.values()) for at in (0, 1)] == [0, 0]
    for group, (cost, _) in moved.items():
        assert sum(use["written"] for use in found if use["group"] == group) + cost >= 0


@given(uses)
def test_by_first_toucher_nothing_moves(found: list[dict[str, Any]]) -> None:
    """Whoever wrote pays."""
    assert all(cost == 0 for cost, _ in move(found, "first-toucher").values())


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """`web` writes a prefix once; `batch` reads it three times, `app` once; another prefix is nobody else's."""
    shared = {"prefix_fingerprint": "p1", "engine": "tutor"}
    calls = [
        make_call(**shared, function_name="web", tenant="acme", cache_write_1h_tokens=10_000),
        *(make_call(**shared, function_name="batch", tenant="zen", cache_read_tokens=10_000) for _ in range(3)),
        make_call(**shared, function_name="app", cache_read_tokens=10_000, ttl_known_by="defaults"),
        make_call(function_name="web", prefix_fingerprint="own", cache_write_5m_tokens=5_000),
        make_unpriced_call(function_name="app", cache_write_5m_tokens=77),
        make_unpriced_call(function_name="new"),
    ]
    with Reader(fill(tmp_path_factory.mktemp("chargeback"), calls=calls)) as opened:
        yield opened


def by_function(reader: Reader, rule: str) -> dict[str, dict[str, Any]]:
    return {row["function_name"]: row for row in chargeback(reader, Scope(), ["function_name"], rule)}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("by", [["function_name"], ["engine"], ["function_name", "function_version"], ["account"],
                                ["tenant"]])  # fmt: skip
def test_groups_sum_to_the_totals_under_every_rule(reader: Reader, rule: str, by: list[str]) -> None:
    """To the last digit; and no-cache − cost = net = gross − premium holds in every row."""
    rows = chargeback(reader, Scope(), by, rule)
    metrics = summary(reader, Scope())
    whole = total(rows)

    assert whole["calls_by_defaults"] == 1
    for name in (*MONEY, "calls", "cache_read_tokens", "cache_write_tokens", "unpriced_calls", "calls_by_defaults"):
        assert whole[name] == metrics[name], name
    for row in rows:
        if row["cost_usd"] is not None:
            assert row["no_cache_cost_usd"] - row["cost_usd"] == row["net_savings_usd"]
            assert row["gross_savings_usd"] - row["write_premium_usd"] == row["net_savings_usd"]
            assert row["direct_cost_usd"] + row["allocated_writes_usd"] == row["cost_usd"]


def test_by_reads_the_readers_pay(reader: Reader) -> None:
    """Three reads to one: $0.10 of writes become $0.075 and $0.025; the writer keeps what only it uses."""
    found = by_function(reader, "by-reads")

    assert found["batch"]["allocated_writes_usd"] == Decimal("0.075")
    assert found["app"]["allocated_writes_usd"] == Decimal("0.025")
    assert found["web"]["allocated_writes_usd"] == Decimal("0.03125")
    assert found["web"]["written_usd"] == Decimal("0.13125")


def test_evenly_all_users_pay_the_same(reader: Reader) -> None:
    """The writer is one of three; the last picodollar goes to one of them."""
    found = by_function(reader, "even")

    third = Decimal("0.033333333333")
    parts = [found[name]["allocated_writes_usd"] for name in ("app", "batch", "web")]
    assert parts == [third + Decimal("1e-12"), third, third + Decimal("0.03125")]


def test_by_first_toucher_the_writer_pays(reader: Reader) -> None:
    """As recorded."""
    found = by_function(reader, "first-toucher")

    assert found["web"]["allocated_writes_usd"] == found["web"]["written_usd"] == Decimal("0.13125")
    assert found["batch"]["allocated_writes_usd"] == 0


def test_a_group_without_a_price_has_no_dollars(reader: Reader) -> None:
    """Unknown, not zero; its calls are counted."""
    row = by_function(reader, "by-reads")["new"]

    assert (row["cost_usd"], row["net_savings_usd"], row["unpriced_calls"]) == (None, None, 1)


def test_without_fingerprints_the_engine_is_what_is_shared(tmp_path: Path) -> None:
    """Text lines do not tell the prefix; other engines, models and regions share nothing."""
    calls = [
        make_call(engine="a", function_version="1", cache_write_5m_tokens=1000),
        make_call(engine="a", function_version="2", cache_read_tokens=1000),
        make_call(engine="b", function_version="2", cache_write_5m_tokens=1000),
        make_call(engine="a", model_id="claude-opus-5", function_version="1", cache_write_5m_tokens=1000),
    ]
    with Reader(fill(tmp_path, calls=calls)) as reader:
        found = {row["function_version"]: row for row in chargeback(reader, Scope(), ["function_version"])}

    write = 1000 * Decimal("0.00000625")
    assert found["1"]["allocated_writes_usd"] == write
    assert found["2"]["allocated_writes_usd"] == 2 * write


def test_untagged_calls_are_a_group_of_their_own(reader: Reader) -> None:
    """They are charged like a tenant: 1 of 4 reads of what acme wrote and zen read three times."""
    found = {row["tenant"]: row for row in chargeback(reader, Scope(), ["tenant"], "by-reads")}

    assert list(found) == ["zen", None, "acme"]
    assert found["zen"]["allocated_writes_usd"] == Decimal("0.075")
    assert found[None]["allocated_writes_usd"] == Decimal("0.025") + Decimal("0.03125")
    assert found["acme"]["cost_usd"] + found["acme"]["net_savings_usd"] == found["acme"]["no_cache_cost_usd"]


def test_rules_and_groups_that_do_not_exist_are_refused(reader: Reader) -> None:
    """In one line that names the accepted ones; time is no one to be charged."""
    with pytest.raises(FixSettings, match=r"MET-007.*by-reads, first-toucher, even"):
        chargeback(reader, Scope(), ["engine"], "by-luck")
    with pytest.raises(FixSettings, match="MET-004"):
        chargeback(reader, Scope(), ["day"])
