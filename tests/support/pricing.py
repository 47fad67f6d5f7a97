"""Strategies for calls of every kind: known and unknown models, dates, tiers, modifiers, refusals."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from core.usage import Iteration, Usage
from core.usage.iterations import mark_declined

COUNTS = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens")
MODELS = (
    ("anthropic", "claude-opus-4-5"),
    ("anthropic", "claude-opus-4-6"),
    ("anthropic", "claude-opus-4-8"),
    ("anthropic", "claude-sonnet-5-5"),
    ("anthropic", "claude-sonnet-4-5-20250929"),
    ("anthropic", "claude-haiku-5-5"),
    ("anthropic", "claude-3-5-haiku-latest"),
    ("claude-platform-aws", "claude-opus-5"),
    ("claude-platform-aws", "claude-opus-4-1"),
    (None, "claude-opus-5-5[1m]"),
    (None, "us.anthropic.claude-opus-4-5-20251101-v1:0"),
    ("bedrock", "global.anthropic.claude-haiku-5-5"),
    ("bedrock", "anthropic.claude-opus-4-1-20250805-v1:0"),
    ("bedrock", "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("bedrock", "claude-opus-5"),
    ("bedrock", "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"),
    ("anthropic", "claude-mythos-preview"),
    ("anthropic", "gpt-4o"),
    ("vertex", "claude-opus-5"),
)
# around price changes, to the microsecond, and anywhere between
_EDGES = ("2026-03-13", "2026-06-02", "2026-06-29", "2026-09-24", "2026-10-07", "2026-11-09", "2025-11-24")
TIMES = st.one_of(
    st.integers(1_748_736_000, 1_798_675_200).map(
        lambda second: datetime.fromtimestamp(second, UTC)
    ),  # June 2025 – 2026
    st.sampled_from([datetime.fromisoformat(f"{day}T00:00:00+00:00") for day in _EDGES]),
    st.sampled_from([datetime.fromisoformat(f"{day}T23:59:59.999999+00:00") for day in _EDGES]),
)
TOKENS = st.one_of(
    st.integers(0, 5_000),
    st.sampled_from([0, 1, 99_999, 100_000, 100_001, 199_999, 200_000, 200_001, 1_000_000]),
)
WILD_TOKENS = st.one_of(TOKENS, st.sampled_from([-1, 10**9, 10**11, 2 * 10**11, 2**53, 2**62]))
TIERS = st.sampled_from([None, "", "standard", "batch", "priority", "flex", "default", "gold"])
SPEEDS = st.sampled_from([None, "standard", "fast", "warp"])
GEOS = st.sampled_from([None, "us", "global", "not_available", "eu"])
STOPS = st.sampled_from([None, "end_turn", "refusal"])
CATEGORIES = st.sampled_from([None, "bio", "cyber"])
ANSWERED = st.sampled_from([None, None, True, False])
STEPS = st.lists(
    st.builds(
        Iteration,
        kind=st.sampled_from(["message", "fallback_message", "compaction", "advisor_message"]),
        model=st.sampled_from([None, "claude-opus-5", "claude-haiku-5-5", "claude-zeta"]),
        **dict.fromkeys(COUNTS, TOKENS),
    ),
    min_size=1,
    max_size=4,
).map(mark_declined)


def usages(tokens: st.SearchStrategy[int] = TOKENS) -> st.SearchStrategy[Usage]:
    """Draw a usage with any modifiers."""
    return st.builds(
        Usage,
        **dict.fromkeys(COUNTS, tokens),
        web_search_requests=st.integers(0, 5),
        service_tier=TIERS,
        speed=SPEEDS,
        inference_geo=GEOS,
        iterations=st.one_of(st.just(()), st.just(()), STEPS),
        complete=st.booleans(),
        ttl_split_known=st.booleans(),
    )


def ordinary_usages(tokens: st.SearchStrategy[int] = TOKENS) -> st.SearchStrategy[Usage]:
    """Draw a usage whose modifiers all have a price on the Claude API."""
    return st.builds(
        Usage,
        **dict.fromkeys(COUNTS, tokens),
        web_search_requests=st.integers(0, 5),
        service_tier=st.sampled_from([None, "standard", "batch"]),
        inference_geo=st.sampled_from([None, "us", "global"]),
    )
