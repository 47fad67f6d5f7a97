"""The comparison itself: which differences count, which days settle, and what is unknown rather than zero."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.reconcile import compare
from core.reconcile.history import from_json, to_json
from core.reconcile.model import Bill, BilledLine, Own, OwnFigure

MONDAY, TUESDAY = date(2026, 11, 16), date(2026, 11, 17)
LATER = datetime(2026, 11, 25, tzinfo=UTC)
OPUS = "claude-opus-4-5"


def bill(*lines: BilledLine, **more: Any) -> Bill:
    """A bill of Monday and Tuesday that tells both amounts."""
    told = {"tells_list": True, "tells_amount": True, "requests": {}, **more}
    return Bill("anthropic", "analytics", MONDAY, TUESDAY + timedelta(days=1), lines, **told)


def line(day: date, token_type: str, tokens: int | None, dollars: str | None = None, **more: Any) -> BilledLine:
    """What is billed of the Opus model, a tenth below list."""
    listed = None if dollars is None else Decimal(dollars)
    amount = None if listed is None else listed * Decimal("0.9")
    return BilledLine(day, more.get("model", OPUS), token_type, tokens, listed, amount)


def own(cells: dict[tuple[date, str], tuple[int | None, str | None]], **more: Any) -> Own:
    """Own figures of the Opus model by day and token type."""
    figures = {
        (day, OPUS, token_type): OwnFigure(tokens, None if usd is None else Decimal(usd))
        for (day, token_type), (tokens, usd) in cells.items()
    }
    return Own(figures, more.pop("requests", {}), **more)


def test_both_sides_are_set_against_each_other() -> None:
    """Variance is own − billed over billed; dollars are held against list prices; the discount is what remains."""
    found = compare(
        own({(MONDAY, "input"): (900, "0.90"), (MONDAY, "output"): (50, "0.25")}, requests={(MONDAY, OPUS): 9}),
        bill(line(MONDAY, "input", 1000, "1.00"), line(MONDAY, "output", 50, "0.25"), requests={(MONDAY, OPUS): 10}),
        now=LATER,
    )
    total = found.total

    assert (total.own_tokens, total.billed_tokens, total.difference_tokens) == (950, 1050, -100)
    assert total.variance_tokens == pytest.approx(-100 / 1050)
    assert (total.unlogged_tokens, total.overlogged_tokens) == (100, 0)
    assert total.unlogged_share == pytest.approx(100 / 1050)
    assert (total.own_usd, total.list_usd, total.amount_usd) == (Decimal("1.15"), Decimal("1.25"), Decimal("1.125"))
    assert total.variance_usd == pytest.approx(-0.08)
    assert total.implied_discount == pytest.approx(0.1)
    assert (total.own_requests, total.billed_requests) == (9, 10)
    assert [name for name, _ in found.by_type] == [(OPUS, "input"), (OPUS, "output")]


def test_a_model_that_the_logs_never_saw_is_wholly_unlogged() -> None:
    """The logs were read and have none: that is zero, not unknown."""
    found = compare(own({}), bill(line(MONDAY, "input", 400, "0.4", model="claude-haiku-4-5")), now=LATER)

    assert found.lines[0].own_tokens == 0
    assert found.lines[0].own_usd == 0
    assert found.total.unlogged_share == 1


def test_midnight_and_the_kind_of_write_are_no_unlogged_traffic() -> None:
    """A call of one day here and of the next there is netted, and so are 5m and 1h writes; types are not."""
    found = compare(
        own({(MONDAY, "input"): (100, "1"), (MONDAY, "cache_write_1h"): (700, "1"), (MONDAY, "output"): (10, "1")}),
        bill(
            line(TUESDAY, "input", 100, "1"),
            line(MONDAY, "cache_write_5m", 700, "1"),
            line(MONDAY, "cache_read", 10, "1"),
        ),
        now=LATER,
    )

    assert found.total.unlogged_tokens == 10
    assert found.total.overlogged_tokens == 10
    assert dict(found.by_type)[OPUS, "cache_write_5m"].variance_tokens == -1


def test_unknown_dollars_stay_unknown() -> None:
    """Tokens without a price have no variance in dollars, and a bill without dollars tells none."""
    unpriced = compare(own({(MONDAY, "input"): (10, None)}), bill(line(MONDAY, "input", 10, "1")), now=LATER)
    untold = compare(
        own({(MONDAY, "input"): (10, "1")}), bill(line(MONDAY, "input", 10), tells_list=False, tells_amount=False),
        now=LATER,
    )  # fmt: skip

    assert (unpriced.total.own_usd, unpriced.total.variance_usd) == (None, None)
    assert (untold.total.billed_usd, untold.total.variance_usd, untold.total.implied_discount) == (None, None, None)


def test_nothing_billed_is_no_ratio() -> None:
    """A variance over zero is unknown."""
    found = compare(own({(MONDAY, "input"): (10, "1")}), bill(), now=LATER)

    assert found.total.variance_tokens is None
    assert found.total.overlogged_tokens == 10


@pytest.mark.parametrize(
    ("side", "reached"),
    [
        ("provider", datetime(2026, 11, 17, 20, tzinfo=UTC)),
        ("logs", datetime(2026, 11, 17, 20, tzinfo=UTC)),
        ("clock", datetime(2026, 11, 18, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_day_that_may_still_grow_is_provisional(side: str, reached: datetime) -> None:
    """By what the provider says, by how far the logs are read, else by an hour after its end; totals leave it out."""
    told = {
        (MONDAY, "input"): (10, "1"),
        (TUESDAY, "input"): (3, "1"),
    }
    found = compare(
        own(told, complete_until=reached if side == "logs" else LATER),
        bill(
            line(MONDAY, "input", 10, "1"),
            line(TUESDAY, "input", 9, "1"),
            refreshed_at={"provider": reached, "logs": LATER, "clock": None}[side],
        ),
        now=reached if side == "clock" else LATER,
    )

    assert found.provisional_days == (TUESDAY,)
    assert (found.total.own_tokens, found.total.unlogged_tokens) == (10, 0)
    assert [day for day, _ in found.by_day] == [MONDAY, TUESDAY]
    assert [item.provisional for item in found.lines] == [False, True]


def test_a_bill_that_is_an_estimate_is_provisional() -> None:
    """Cost Explorer says so of recent days."""
    found = compare(own({}), bill(line(MONDAY, "input", 1, "1"), estimated_days=frozenset({MONDAY})), now=LATER)

    assert found.provisional_days == (MONDAY,)
    assert found.total.billed_tokens is None


def test_writes_are_one_where_the_provider_does_not_split_them() -> None:
    """As CloudWatch does not."""
    found = compare(
        own({(MONDAY, "cache_write_5m"): (30, "0.3"), (MONDAY, "cache_write_1h"): (70, "1.1")}),
        bill(line(MONDAY, "cache_write", 100), tells_list=False, tells_amount=False, gaps=("writes_not_split",)),
        now=LATER,
    )

    assert [(item.token_type, item.own_tokens, item.own_usd) for item in found.lines] == [
        ("cache_write", 100, Decimal("1.4"))
    ]
    assert found.total.unlogged_tokens == 0


def test_costs_without_tokens_have_lines_of_their_own() -> None:
    """A web search or a container hour is dollars only, and no part of any share of tokens."""
    found = compare(own({}), bill(line(MONDAY, "code_execution", None, "0.05", model="")), now=LATER)

    assert (found.lines[0].own_tokens, found.lines[0].billed_tokens) == (None, None)
    assert found.total.unlogged_share is None
    assert found.total.difference_usd == Decimal("-0.05")


def test_what_cannot_be_told_is_named() -> None:
    """From the bill, from the logs, and from what is compared."""
    found = compare(
        own({}, unpriced_calls=2, calls_by_defaults=1, incomplete_calls=1, own_prices=True),
        bill(line(MONDAY, "input", 1, "1", model="claude-haiku-5-5"), requests=None, gaps=("whole_organization",)),
        now=LATER,
    )

    assert set(found.gaps) == {
        "whole_organization", "context_window", "own_unpriced", "own_by_defaults", "own_incomplete", "own_prices",
        "no_requests",
    }  # fmt: skip
    assert found.basis == "amount"


_tokens = st.integers(0, 10**9)
_cells = st.dictionaries(
    st.tuples(st.sampled_from([MONDAY, TUESDAY]), st.sampled_from(["input", "cache_read", "output"])), _tokens
)


@given(_cells, _cells)
def test_the_difference_is_what_is_over_less_what_is_missing(
    logged: dict[tuple[date, str], int], billed: dict[tuple[date, str], int]
) -> None:
    """For any figures: own − billed = overlogged − unlogged, and what is kept is read back as it was."""
    found = compare(
        own({key: (tokens, "1") for key, tokens in logged.items()}),
        bill(*(line(day, kind, tokens, "0.123456789") for (day, kind), tokens in billed.items())),
        now=LATER,
    )
    total = found.total

    if found.lines:
        assert total.difference_tokens == (total.overlogged_tokens or 0) - (total.unlogged_tokens or 0)
    assert from_json(to_json(found)) == found
