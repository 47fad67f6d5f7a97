"""Our prices against the genai-prices package: every model both know, every dimension, several ids, dates and sizes.

A disagreement must be on the list below with its reason. A new one fails, and so does an entry nothing needs any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices import calc_price

from core.pricing import ModelRef, default_book, price_usage
from core.usage import Usage

DIMENSIONS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
WHEN = {
    "spring": datetime(2026, 3, 5, 12, tzinfo=UTC),  # the >200k premiums were in force
    "autumn": datetime(2026, 10, 1, 12, tzinfo=UTC),  # before the cut of Sonnet 5.5 reads
    "now": datetime(2026, 11, 22, 12, tzinfo=UTC),
}
SIZES = (1_000, 150_000, 250_000)  # below 100k, above 100k, above 200k
BEDROCK_PREFIXES = ("global.", "us.", "eu.", "apac.", "jp.", "au.", "in.", "ca.", "")
INPUTS = ("input", "cache_read", "cache_write_5m", "cache_write_1h")
Case = tuple[str, str, str, int, str]  # model, price list, when, size, dimension


def _cases(model: str, lists: str, when: str, sizes: tuple[int, ...], dimensions: tuple[str, ...]) -> set[Case]:
    return {
        (model, scope, moment, size, dimension)
        for scope in lists.split()
        for moment in when.split()
        for size in sizes
        for dimension in dimensions
    }


KNOWN_DISAGREEMENTS: dict[str, set[Case]] = {
    "Sonnet 5.5 cache reads were halved on 2026-10-07; they carry the new price for all dates": _cases(
        "claude-sonnet-5-5", "anthropic bedrock-global bedrock-regional", "autumn", SIZES, ("cache_read",)
    ),
    "the >200k premium of Sonnet 4.5 ended with its beta on 2026-04-30; they still carry it on the Claude API": _cases(
        "claude-sonnet-4-5", "anthropic", "autumn now", (250_000,), INPUTS
    ),
    "until 2026-04-30 Bedrock had the >200k premium for Sonnet 4.5 too; they never had it": _cases(
        "claude-sonnet-4-5", "bedrock-global bedrock-regional", "spring", (250_000,), INPUTS
    ),
    "until 2026-04-30 Sonnet 4 had a >200k premium; they do not have it": _cases(
        "claude-sonnet-4", "anthropic", "spring", (250_000,), INPUTS
    )
    | _cases("claude-sonnet-4", "bedrock-global bedrock-regional", "spring", (250_000,), INPUTS[:3]),
    "Haiku 3 on Bedrock: they have no cache prices and fall back to the input price": _cases(
        "claude-3-haiku", "bedrock-regional", "spring autumn now", SIZES, ("cache_read", "cache_write_5m")
    ),
}
NO_1H_PRICE = {  # they charge the 5m price, we say that there is none
    ("claude-opus-4-1", "bedrock-regional"),
    ("claude-opus-4", "bedrock-regional"),
    ("claude-sonnet-4", "bedrock-global"),
    ("claude-sonnet-4", "bedrock-regional"),
    ("claude-3-5-haiku", "bedrock-regional"),
    ("claude-3-7-sonnet", "bedrock-regional"),
    ("claude-3-haiku", "bedrock-regional"),
}
ABSENT_THERE = {"claude-mythos-5", "claude-mythos-5-1"}  # genai-prices has no such model


def _ids() -> Iterator[tuple[str, str]]:
    book = default_book()
    for known in book.models.values():
        names = (known.id, *known.aliases)
        yield from (("anthropic", name) for name in names)
        yield from (
            ("bedrock", f"{prefix}anthropic.{name}{suffix}")
            for prefix in BEDROCK_PREFIXES
            for name in names
            for suffix in ("", "-v1", "-v1:0")
        )


def _theirs(provider: str, name: str, dimension: str, size: int, at: datetime) -> Decimal | None:
    counts = {"output_tokens": size} if dimension == "output" else {"input_tokens": size}
    if dimension == "cache_read":
        counts["cache_read_tokens"] = size
    elif dimension.startswith("cache_write"):
        counts |= {"cache_write_tokens": size, f"{dimension}_tokens": size}
    try:
        where = "anthropic" if provider == "anthropic" else "aws"
        priced = calc_price(TheirUsage(**counts), name, provider_id=where, genai_request_timestamp=at)
    except LookupError:
        return None
    return priced.total_price


@pytest.fixture(scope="module")
def compared() -> tuple[set[Case], set[Case], set[tuple[str, str]], set[str]]:
    """Compare everything once: (agreed, disagreed, lists without a 1h price here, models they know)."""
    agreed, disagreed = set(), set()
    unpriced_1h, known_there = set(), set()
    book = default_book()
    for provider, name in _ids():
        ref = book.resolve(name, provider)
        if not isinstance(ref, ModelRef) or _theirs(provider, name, "input", 1, WHEN["now"]) is None:
            continue
        known_there.add(ref.model_id)
        for moment, at in WHEN.items():
            for size in SIZES:
                for dimension in DIMENSIONS:
                    usage = Usage(**{f"{dimension}_tokens": size})
                    ours = price_usage(book, usage, provider=provider, model=name, at=at)
                    if ours.cost_usd is None:
                        if ours.reason is not None and "1h cache writes" in ours.reason:
                            unpriced_1h.add((ref.model_id, ref.scope))
                        else:
                            assert ours.reason is not None and " before " in ours.reason
                        continue
                    same = ours.cost_usd == _theirs(provider, name, dimension, size, at)
                    (agreed if same else disagreed).add((ref.model_id, ref.scope, moment, size, dimension))
    return agreed, disagreed, unpriced_1h, known_there


def test_every_disagreement_is_known_and_explained(compared):
    """Any other difference in any price is drift, here or there."""
    listed = set().union(*KNOWN_DISAGREEMENTS.values())
    assert compared[1] - listed == set()


@pytest.mark.parametrize("reason", KNOWN_DISAGREEMENTS)
def test_no_explanation_is_stale(compared, reason: str):
    """An entry that the packages no longer need must go."""
    assert KNOWN_DISAGREEMENTS[reason] - compared[1] == set()


def test_ids_of_one_price_list_never_disagree_among_themselves(compared):
    """What is on the list differs for every id of that list, not for some."""
    assert compared[0] & compared[1] == set()


def test_the_comparison_covers_every_model_both_know(compared):
    """Only the models that genai-prices lacks, and the one without a price, are left out."""
    book = default_book()
    priced = {name for name, known in book.models.items() if not known.unpriced}
    assert priced - compared[3] == ABSENT_THERE
    assert compared[2] == NO_1H_PRICE
    assert len(compared[0]) > 1_000


@pytest.mark.parametrize("model", ["claude-fable-5-2", "claude-opus-5-5", "claude-opus-5", "claude-opus-4-8"])
def test_fast_and_batch_agree_today(model: str):
    """Fast and batch cards of today are the same in both."""
    counts = {"input_tokens": 1_000, "output_tokens": 1_000}
    for ours, theirs in (({"speed": "fast"}, {"speed": "fast"}), ({"service_tier": "batch"}, {"processing": "batch"})):
        priced = price_usage(default_book(), Usage(**counts, **ours), provider="anthropic", model=model, at=WHEN["now"])
        other = calc_price(
            TheirUsage(**counts),
            model,
            provider_id="anthropic",
            genai_request_timestamp=WHEN["now"],
            price_context=theirs,
        )
        assert priced.cost_usd == other.total_price
