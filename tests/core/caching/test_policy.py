"""The service's switches, as its environment variables set them."""

from __future__ import annotations

import pytest

from core.caching.policy import CachePolicy, policy_from
from core.errors import FixSettings


def test_defaults() -> None:
    """With nothing set: caching on, 1h, the Anthropic API, the secret bodo-v1."""
    assert policy_from({}) == CachePolicy(True, "1h", True, "bodo-v1")
    assert policy_from({"CACHE_TTL": "", "ENABLE_PROMPT_CACHING": " "}) == CachePolicy()


def test_every_switch() -> None:
    """Each variable changes its own member; without the Anthropic API the provider is Bedrock."""
    policy = policy_from(
        {
            "ENABLE_PROMPT_CACHING": "False",
            "CACHE_TTL": "5M",
            "USE_ANTHROPIC_API": "0",
            "ANTHROPIC_SECRET_NAME": "bodo-v2",
        }
    )

    assert policy == CachePolicy(False, "5m", False, "bodo-v2")
    assert policy.provider == "bedrock"


@pytest.mark.parametrize("ttl", ["30m", "300", "1 h", "24h"])
def test_another_ttl_names_the_two(ttl: str) -> None:
    """Any TTL that Claude does not offer is refused, naming the value and the two it does."""
    with pytest.raises(FixSettings, match=r"CFG-009: CACHE_TTL = '.*' is not offered by Claude. Accepted: 5m or 1h."):
        policy_from({"CACHE_TTL": ttl})


@pytest.mark.parametrize("name", ["ENABLE_PROMPT_CACHING", "USE_ANTHROPIC_API"])
def test_a_switch_is_true_or_false(name: str) -> None:
    """Anything else is refused with the variable's name."""
    with pytest.raises(FixSettings, match=f"CFG-012: {name} = 'maybe'"):
        policy_from({name: "maybe"})
