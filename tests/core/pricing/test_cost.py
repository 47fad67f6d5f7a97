"""What one call costs: golden values, modifiers, refusals, steps."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from core.errors import BadInput
from core.pricing import PricedCall, default_book, price_usage
from core.usage import Iteration, Usage, from_any

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MIXED = Usage(
    input_tokens=1_000,
    cache_read_tokens=10_000,
    cache_write_5m_tokens=200,
    cache_write_1h_tokens=500,
    output_tokens=100,
)


def price(usage: Usage, model: str = "claude-opus-4-5", at: datetime = NOW, provider: str | None = "anthropic", **more):
    return price_usage(default_book(), usage, provider=provider, model=model, at=at, **more)


def cost(usage: Usage, **more) -> Decimal | None:
    return price(usage, **more).cost_usd


def test_a_mixed_call_on_opus_4_5():
    """5 / 6.25 / 10 / 0.50 / 25 USD per million, part by part."""
    assert price(MIXED) == PricedCall(
        status="priced",
        reason=None,
        price_row="anthropic/claude-opus-4-5/2025-11-24",
        model_id="claude-opus-4-5",
        cost_usd=Decimal("0.01875"),
        input_cost_usd=Decimal("0.005"),
        cache_read_cost_usd=Decimal("0.005"),
        cache_write_5m_cost_usd=Decimal("0.00125"),
        cache_write_1h_cost_usd=Decimal("0.005"),
        output_cost_usd=Decimal("0.0025"),
        tools_cost_usd=Decimal("0"),
        no_cache_cost_usd=Decimal("0.061"),
        gross_savings_usd=Decimal("0.045"),
        write_premium_usd=Decimal("0.00275"),
        net_savings_usd=Decimal("0.04225"),
    )


def test_a_1h_write_that_is_read_saves_nine_tenths():
    """The cached tokens of a repeat cost a tenth on Opus 4.5: at least 90 % saved."""
    prefix = 8_000
    read = price(Usage(cache_read_tokens=prefix))
    assert read.net_savings_usd is not None and read.no_cache_cost_usd is not None
    assert read.net_savings_usd / read.no_cache_cost_usd >= Decimal("0.9")
    write = price(Usage(cache_write_1h_tokens=prefix))
    assert write.net_savings_usd is not None
    assert write.net_savings_usd + read.net_savings_usd < 0 < write.net_savings_usd + 2 * read.net_savings_usd


@pytest.mark.parametrize(("field", "loss"), [("cache_write_5m_tokens", "-0.01"), ("cache_write_1h_tokens", "-0.04")])
def test_a_write_that_is_never_read_loses_money(field: str, loss: str):
    """8,000 tokens written and never read cost 0.25 or 1 times their input price on top."""
    assert price(Usage(**{field: 8_000})).net_savings_usd == Decimal(loss)


@pytest.mark.parametrize(("size", "expected"), [(100_000, "0.01005"), (100_001, "0.0502505")])
@pytest.mark.parametrize("field", ["input_tokens", "cache_read_tokens"])
def test_haiku_5_5_steps_up_beyond_100k_of_prompt(field: str, size: int, expected: str):
    """Cached tokens count towards the step, and beyond it every token costs five times, output too."""
    usage = Usage(output_tokens=100, **{field: size})
    expected_cost = Decimal(expected)
    if field == "cache_read_tokens":
        rates = ("0.01", "0.5") if size == 100_000 else ("0.05", "2.5")
        expected_cost = (size * Decimal(rates[0]) + 100 * Decimal(rates[1])) / 1_000_000
    assert cost(usage, model="claude-haiku-5-5") == expected_cost


@pytest.mark.parametrize(
    ("at", "read_price"),
    [
        (datetime(2026, 10, 6, 23, 59, 59, 999999, tzinfo=UTC), "0.2"),
        (datetime(2026, 10, 7, tzinfo=UTC), "0.1"),
        (datetime(2026, 10, 7, 8, 59, tzinfo=timezone(timedelta(hours=9))), "0.2"),
        (datetime(2026, 10, 7, 9, 0, tzinfo=timezone(timedelta(hours=9))), "0.1"),
    ],
)
def test_a_price_changes_at_utc_midnight(at: datetime, read_price: str):
    """Sonnet 5.5 cache reads were halved on 2026-10-07 UTC, whatever zone the call was told in."""
    assert cost(Usage(cache_read_tokens=1_000_000), model="claude-sonnet-5-5", at=at) == Decimal(read_price)


def test_a_time_without_a_zone_is_refused():
    """A naive time could fall on either side of a price change."""
    with pytest.raises(BadInput, match="PRC-006"):
        price(MIXED, at=datetime(2026, 11, 20))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("model", "more", "factor"),
    [
        ("claude-opus-5", {"service_tier": "batch"}, "0.5"),
        ("claude-opus-5", {"inference_geo": "us"}, "1.1"),
        ("claude-opus-5", {"inference_geo": "global"}, "1"),
        ("claude-opus-5", {"inference_geo": "not_available"}, "1"),
        ("claude-opus-5", {"service_tier": "batch", "inference_geo": "us"}, "0.55"),
        ("claude-opus-5", {"speed": "fast"}, "2"),
        ("claude-opus-5", {"speed": "fast", "inference_geo": "us"}, "2.2"),
        ("claude-opus-5", {"speed": "standard", "service_tier": "standard"}, "1"),
        ("claude-opus-4-5", {"inference_geo": "us"}, "1"),
        ("claude-haiku-5-5", {"service_tier": "batch"}, "0.5"),
    ],
)
def test_multipliers_apply_to_every_token(model: str, more: dict[str, str], factor: str):
    """Batch, geography and fast multiply all token costs and savings, and stack."""
    plain, changed = price(MIXED, model=model), price(Usage(**_counts(MIXED), **more), model=model)
    for name in [item.name for item in fields(PricedCall) if item.name.endswith("_usd")]:
        assert getattr(changed, name) == getattr(plain, name) * Decimal(factor), name


def test_searches_are_not_multiplied():
    """A web search costs a cent on the Claude API, batch or not, and nothing on Bedrock."""
    usage = Usage(web_search_requests=3, service_tier="batch", inference_geo="us")
    assert price(usage, model="claude-opus-5").tools_cost_usd == Decimal("0.03")
    on_bedrock = price(Usage(web_search_requests=3), model="us.anthropic.claude-opus-5", provider="bedrock")
    assert on_bedrock.tools_cost_usd == 0


@pytest.mark.parametrize(
    ("model", "day", "factor"),
    [
        ("claude-opus-4-6", "2026-02-06", None),
        ("claude-opus-4-6", "2026-02-07", "6"),
        ("claude-opus-4-6", "2026-06-28", "6"),
        ("claude-opus-4-6", "2026-06-29", "1"),
        ("claude-opus-4-7", "2026-05-11", None),
        ("claude-opus-4-7", "2026-05-12", "6"),
        ("claude-opus-4-7", "2026-07-23", "6"),
        ("claude-opus-4-7", "2026-07-24", None),
        ("claude-opus-4-8", "2026-11-29", "2"),
        ("claude-opus-4-8", "2026-11-30", None),
        ("claude-opus-5-5", "2026-11-20", "2"),
        ("claude-fable-5-2", "2026-11-09", "2"),
        ("claude-sonnet-5", "2026-11-20", None),
    ],
)
def test_fast_mode_has_a_history(model: str, day: str, factor: str | None):
    """Fast mode was six times, then twice the price; 4.6 later served it as standard; others never had it."""
    at = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    plain, fast = price(MIXED, model=model, at=at), price(Usage(**_counts(MIXED), speed="fast"), model=model, at=at)
    if factor is None:
        assert (fast.status, fast.cost_usd) == ("unpriced", None)
        assert fast.reason == f"{model} had no fast mode at the time of the call"
    else:
        assert plain.cost_usd is not None and fast.cost_usd == plain.cost_usd * Decimal(factor)


@pytest.mark.parametrize(
    ("more", "provider", "model", "reason"),
    [
        ({"service_tier": "batch", "speed": "fast"}, "anthropic", "claude-opus-5", "cannot be combined"),
        ({"service_tier": "priority"}, "anthropic", "claude-opus-5", "prepaid"),
        ({"service_tier": "gold"}, "anthropic", "claude-opus-5", "service tier gold"),
        ({"speed": "ludicrous"}, "anthropic", "claude-opus-5", "speed ludicrous"),
        ({"speed": "fast"}, "bedrock", "us.anthropic.claude-opus-5", "Bedrock has no fast mode"),
        ({"service_tier": "reserved"}, "bedrock", "us.anthropic.claude-opus-5", "prepaid"),
        ({"inference_geo": "mars"}, "anthropic", "claude-opus-5", "inference_geo mars"),
    ],
)
def test_what_has_no_price_is_unpriced(more: dict[str, str], provider: str, model: str, reason: str):
    """An unknown or impossible modifier gives no number at all, and says why."""
    priced = price(Usage(**_counts(MIXED), **more), model=model, provider=provider)
    assert (priced.status, priced.cost_usd, priced.price_row) == ("unpriced", None, None)
    assert priced.reason is not None and reason in priced.reason


@pytest.mark.parametrize("tier", ["flex", "priority"])
def test_bedrock_tiers_without_a_published_price_are_flagged(tier: str):
    """They are priced as default, and the price says so."""
    model = "us.anthropic.claude-opus-5"
    priced = price(Usage(**_counts(MIXED), service_tier=tier), model=model, provider="bedrock")
    assert priced.cost_usd == cost(MIXED, model=model, provider="bedrock")
    assert priced.reason is not None and f"Bedrock {tier} tier" in priced.reason


def test_bedrock_ignores_inference_geo():
    """On Bedrock the profile says where a call runs."""
    model = "us.anthropic.claude-opus-5"
    geo = Usage(**_counts(MIXED), inference_geo="us")
    assert cost(geo, model=model, provider="bedrock") == cost(MIXED, model=model, provider="bedrock")


def test_a_missing_1h_price_matters_only_to_1h_writes():
    """Older models on Bedrock have no 1h write price: such tokens leave the call unpriced, others do not."""
    model = "us.anthropic.claude-opus-4-1-20250805-v1:0"
    assert price(Usage(input_tokens=1, cache_write_5m_tokens=1), model=model).status == "priced"
    missing = price(Usage(cache_write_1h_tokens=1), model=model)
    assert missing.reason == "claude-opus-4-1 has no bedrock-regional price for 1h cache writes"


@pytest.mark.parametrize(
    ("day", "category", "billed"),
    [
        ("2026-06-01", None, True),
        ("2026-06-02", None, False),
        ("2026-09-23", "bio", False),
        ("2026-09-24", "bio", True),
        ("2026-09-24", "frontier_llm", True),
        ("2026-09-24", "reasoning_extraction", True),
        ("2026-09-24", "cyber", False),
        ("2026-09-24", "general_harms", False),
        ("2026-09-24", None, False),
    ],
)
def test_refusals_without_output(day: str, category: str | None, billed: bool):
    """Free since 2026-06-02; billed again since 2026-09-24 for three categories."""
    usage = Usage(input_tokens=1_000, cache_read_tokens=1_000)
    at = datetime.fromisoformat(f"{day}T00:00:00+00:00")
    priced = price(usage, model="claude-opus-4-8", at=at, stop_reason="refusal", stop_category=category)
    assert priced.status == "priced"
    assert priced.cost_usd == (Decimal("0.0055") if billed else 0)
    assert priced.reason == (None if billed else "refusal without output: not billed")
    assert priced.net_savings_usd == (Decimal("0.0045") if billed else 0)


def test_a_refusal_in_mid_stream_is_billed():
    """Output before the refusal makes it an ordinary call, whoever knows of the output."""
    usage = Usage(input_tokens=1_000, output_tokens=7)
    assert cost(usage, stop_reason="refusal") == cost(usage)
    assert cost(Usage(input_tokens=1_000), stop_reason="refusal", has_output=True) == Decimal("0.005")
    assert cost(usage, stop_reason="refusal", has_output=False) == 0


def test_a_refusal_on_bedrock_is_priced_and_flagged():
    """The free refusals are a rule of the Claude API; Bedrock's is not confirmed."""
    priced = price(Usage(input_tokens=1_000), model="us.anthropic.claude-opus-5", stop_reason="refusal")
    assert priced.cost_usd == Decimal("0.0055") and priced.reason is not None and "Bedrock" in priced.reason


def test_every_step_is_priced_by_its_own_model_and_length():
    """Compaction and advisor steps come on top, a declined attempt is free, the size step is per step."""
    usage = Usage(
        input_tokens=60_000,
        output_tokens=10,
        iterations=(
            Iteration("message", "claude-opus-5-5", input_tokens=99_000, declined=True),
            Iteration("message", None, input_tokens=60_000, output_tokens=10),
            Iteration("message", None, cache_read_tokens=60_000, output_tokens=10),
            Iteration("compaction", None, input_tokens=100_001, output_tokens=100),
            Iteration("advisor_message", "claude-opus-5", input_tokens=1_000, output_tokens=100),
        ),
    )
    expected = sum(
        [
            Decimal("0.006") + Decimal("0.000005"),
            Decimal("0.0006") + Decimal("0.000005"),
            Decimal("0.0500005") + Decimal("0.00025"),
            Decimal("0.005") + Decimal("0.0025"),
        ]
    )
    priced = price(usage, model="claude-haiku-5-5")
    assert priced.cost_usd == expected
    assert priced.price_row == (
        "anthropic/claude-haiku-5-5/2026-10-07 + anthropic/claude-haiku-5-5/2026-10-07/over-100000"
        " + anthropic/claude-opus-5/2026-07-24"
    )


def test_a_step_of_an_unknown_model_leaves_the_call_unpriced():
    """A sum with an unknown part is unknown."""
    steps = (Iteration("message", None, input_tokens=1), Iteration("advisor_message", "claude-zeta", input_tokens=1))
    assert price(Usage(iterations=steps)).reason == "unknown model claude-zeta"


def test_a_step_on_bedrock_takes_the_requests_price_list():
    """Bedrock responses name bare models: the profile that was requested decides."""
    usage = Usage(iterations=(Iteration("message", "claude-opus-5", input_tokens=1_000_000),))
    assert cost(usage, model="us.anthropic.claude-opus-5", provider="bedrock") == Decimal("5.5")


def test_doubts_are_told_beside_the_price():
    """A broken stream's cost is a lower bound; writes of unknown TTL were priced as 5m."""
    usage = from_any({"input_tokens": 1, "cache_creation_input_tokens": 8})
    assert price(usage).reason == "stream broke off: output is a lower bound; cache-write TTL not told: priced as 5m"


def test_negative_counts_are_never_priced():
    """A Usage built by hand with a negative count gets no price."""
    assert price(Usage(input_tokens=-1)).reason == "negative token count"


def test_a_single_call_of_a_million_dollars_is_not_believed():
    """The tables hold less than a million dollars per amount; nothing overflows in silence."""
    assert price(Usage(input_tokens=2 * 10**11)).reason == "a single call above 1,000,000 USD: check the token counts"


def _counts(usage: Usage) -> dict[str, int]:
    names = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens")
    return {name: getattr(usage, name) for name in names}
