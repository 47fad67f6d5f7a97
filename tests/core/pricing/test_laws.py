"""Laws that hold for every call that has a price."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.pricing import PricedCall, default_book, price_usage
from core.usage import Usage
from tests.support.pricing import CATEGORIES, COUNTS, MODELS, STOPS, TIMES, ordinary_usages, usages

AMOUNTS = [item.name for item in fields(PricedCall) if item.name.endswith("_usd")]
PRICED = (
    ("anthropic", "claude-opus-4-5"),
    ("anthropic", "claude-haiku-5-5"),
    ("anthropic", "claude-sonnet-4-5"),
    ("bedrock", "us.anthropic.claude-haiku-5-5"),
    ("bedrock", "global.anthropic.claude-opus-5"),
)
ONE_SIZE = datetime(2026, 11, 20, tzinfo=UTC)


@given(st.sampled_from(MODELS), usages(), TIMES, STOPS, CATEGORIES)
def test_the_parts_add_up(model, usage: Usage, at: datetime, stop: str | None, category: str | None):
    """cost = Σ parts; net = gross − premium = no-cache − cost; everything fits DECIMAL(18,12); unpriced = no number."""
    call = price_usage(
        default_book(), usage, provider=model[0], model=model[1], at=at, stop_reason=stop, stop_category=category
    )
    if call.status == "unpriced":
        assert call.reason
        assert {getattr(call, name) for name in AMOUNTS} == {None}
        return
    parts = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "tools")
    assert call.cost_usd == sum(getattr(call, f"{part}_cost_usd") for part in parts)
    assert call.net_savings_usd == call.gross_savings_usd - call.write_premium_usd
    assert call.net_savings_usd == call.no_cache_cost_usd - call.cost_usd
    assert call.price_row
    for name in AMOUNTS:
        amount = getattr(call, name)
        assert amount.as_tuple().exponent == -12
        assert abs(amount) < 1_000_000


@given(st.sampled_from(PRICED), ordinary_usages(), st.sampled_from(COUNTS), st.integers(1, 300_000), st.booleans())
def test_more_tokens_never_cost_less(model, usage: Usage, field: str, more: int, early: bool):
    """Adding tokens of any kind never lowers the cost, not even over a prompt-size step."""
    larger = replace(usage, **{field: getattr(usage, field) + more})
    at = datetime(2026, 3, 1, tzinfo=UTC) if early and model[1] == "claude-sonnet-4-5" else ONE_SIZE
    small, large = (
        price_usage(default_book(), item, provider=model[0], model=model[1], at=at) for item in (usage, larger)
    )
    assert small.cost_usd is not None and large.cost_usd is not None
    assert large.cost_usd >= small.cost_usd


@given(ordinary_usages(st.integers(0, 12_000)), ordinary_usages(st.integers(0, 12_000)))
def test_costs_add_over_calls(one: Usage, other: Usage):
    """Two calls below any size step cost together what one call with their sums costs, in every part."""
    plain = {"service_tier": None, "speed": None, "inference_geo": "us"}
    one, other = replace(one, **plain), replace(other, **plain)
    both = replace(
        one, **{name: getattr(one, name) + getattr(other, name) for name in (*COUNTS, "web_search_requests")}
    )
    first, second, whole = (
        price_usage(default_book(), item, provider="anthropic", model="claude-haiku-5-5", at=ONE_SIZE)
        for item in (one, other, both)
    )
    for name in AMOUNTS:
        assert getattr(first, name) + getattr(second, name) == getattr(whole, name)


@pytest.mark.parametrize("model", [name for name, known in default_book().models.items() if not known.unpriced])
def test_every_model_is_priced_today_in_every_dimension(model: str):
    """No published model has a gap on the Claude API."""
    for field in COUNTS:
        call = price_usage(default_book(), Usage(**{field: 1_000_000}), provider="anthropic", model=model, at=ONE_SIZE)
        assert call.cost_usd is not None and call.cost_usd > Decimal(0)
