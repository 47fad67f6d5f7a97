"""Holding a reported cost against the book."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core.pricing import default_book
from core.pricing.check import explain_reported

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def explain(reported: str | None, **more):
    line = {
        "at": NOW,
        "provider": "anthropic",
        "model": "claude-opus-4-5",
        "cache_ttl": "1h",
        "input_tokens": 100,
        "output_tokens": 200,
        "cache_read": 0,
        "cache_write": 5_000,
    }
    return explain_reported(default_book(), reported=None if reported is None else Decimal(reported), **(line | more))


def test_the_assumed_model_and_ttl_agree():
    """100 × 5 + 200 × 25 + 5,000 × 10 USD per million = 0.0555."""
    assert explain("0.055500") == "agrees"


def test_another_ttl_is_named_first():
    """5,000 tokens written for 5 minutes cost 0.03125; the same model comes first, its price twins follow."""
    assert explain("0.036750") == (
        "other:claude-opus-4-5/5m,claude-opus-5/5m,claude-opus-4-8/5m,claude-opus-4-7/5m,claude-opus-4-6/5m"
    )


def test_another_model_is_named():
    """The Sonnet price reproduces the figure, the assumed Opus price does not."""
    assert explain("0.022200") == "other:claude-sonnet-5-5/1h,claude-sonnet-5/1h"


def test_nothing_reproduces_it():
    """A figure that no current model gives differs."""
    assert explain("0.5") == "differs"


@pytest.mark.parametrize(("read", "reported"), [(1, "0.000001"), (1, "0.000000"), (3, "0.000002"), (3, "0.000001")])
def test_a_tie_in_the_last_digit_agrees_either_way(read: int, reported: str):
    """Half a microdollar may have been rounded up or to even by the writer of the line."""
    line = {"input_tokens": 0, "output_tokens": 0, "cache_read": read, "cache_write": 0}
    assert explain(reported, **line) == "agrees"


def test_without_writes_the_ttl_is_not_in_question():
    """A line without cache writes is compared once per model, under the assumed TTL."""
    assert (
        explain("0.0018", cache_write=0, input_tokens=400, output_tokens=100)
        == "other:claude-sonnet-5-5/1h,claude-sonnet-5/1h"
    )


def test_models_of_another_time_are_not_offered():
    """On 2026-08-01 neither Opus 5.5 nor Sonnet 5.5 existed, and 4.1 was still served."""
    at = datetime(2026, 8, 1, tzinfo=UTC)
    assert explain("0.016500", at=at, cache_write=0, input_tokens=100) == "other:claude-opus-4-1/1h"
    assert explain("0.016500", cache_write=0, input_tokens=100) == "differs"


def test_bedrock_lines_are_compared_on_their_own_price_list():
    """A regional line is explained by regional prices."""
    assert explain("0.061050", provider="bedrock", model="us.anthropic.claude-opus-4-5-20251101-v1:0") == "agrees"
    other = explain("0.024420", provider="bedrock", model="us.anthropic.claude-opus-4-5-20251101-v1:0")
    assert other == "other:claude-sonnet-5-5/1h,claude-sonnet-5/1h"


def test_nothing_to_compare_is_none():
    """No figure, or an unknown model that nothing else explains, cannot be checked."""
    assert explain(None) is None
    assert explain("0.5", model="claude-zeta") is None
    assert explain("0.5", model=None) is None
    assert explain("0.022200", model=None) == "other:claude-sonnet-5-5/1h,claude-sonnet-5/1h"
