"""Which model and price list a requested id means."""

import pytest

from core.pricing import ModelRef, Unpriced, default_book

ACCOUNT = "arn:aws:bedrock:ap-northeast-2:123456789012"


@pytest.mark.parametrize(
    ("requested", "provider", "model", "scope"),
    [
        ("claude-opus-4-5", "anthropic", "claude-opus-4-5", "anthropic"),
        ("claude-opus-4-5", None, "claude-opus-4-5", "anthropic"),
        ("claude-opus-4-5-20251101", "anthropic", "claude-opus-4-5", "anthropic"),
        ("claude-opus-5-5[1m]", "anthropic", "claude-opus-5-5", "anthropic"),
        ("anthropic/claude-opus-5", "anthropic", "claude-opus-5", "anthropic"),
        ("claude-opus-5", "claude-platform-aws", "claude-opus-5", "anthropic"),
        ("global.anthropic.claude-opus-4-6-v1", "bedrock", "claude-opus-4-6", "bedrock-global"),
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", None, "claude-opus-4-5", "bedrock-regional"),
        ("anthropic.claude-opus-5-5", "bedrock", "claude-opus-5-5", "bedrock-regional"),
        ("anthropic.claude-haiku-4-5", "bedrock", "claude-haiku-4-5", "bedrock-regional"),
        ("in.anthropic.claude-sonnet-4-6", "bedrock", "claude-sonnet-4-6", "bedrock-regional"),
        ("ca.anthropic.claude-fable-5-2", "aws.bedrock", "claude-fable-5-2", "bedrock-regional"),
        ("bedrock/global.anthropic.claude-opus-5", None, "claude-opus-5", "bedrock-global"),
        ("bedrock/us-east-1/anthropic.claude-opus-5", None, "claude-opus-5", "bedrock-regional"),
        ("bedrock/converse/eu.anthropic.claude-opus-5[1m]", None, "claude-opus-5", "bedrock-regional"),
        (f"{ACCOUNT}:inference-profile/us.anthropic.claude-opus-5", None, "claude-opus-5", "bedrock-regional"),
        (f"{ACCOUNT}:inference-profile/global.anthropic.claude-opus-5", "bedrock", "claude-opus-5", "bedrock-global"),
        (
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0",
            "bedrock",
            "claude-sonnet-4-5",
            "bedrock-regional",
        ),
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", "anthropic", "claude-opus-4-5", "bedrock-regional"),
        ("claude-opus-4-1", "bedrock", "claude-opus-4-1", "bedrock-regional"),  # one Bedrock price: nothing to guess
    ],
)
def test_known_ids(requested: str, provider: str | None, model: str, scope: str):
    """Every spelling of an id leads to its model and price list; the id beats the provider."""
    found = default_book().resolve(requested, provider)
    assert isinstance(found, ModelRef)
    assert (found.model_id, found.scope) == (model, scope)


@pytest.mark.parametrize(
    ("requested", "provider", "reason"),
    [
        ("gpt-4o", "anthropic", "unknown model gpt-4o"),
        ("claude-opus-9", "anthropic", "unknown model claude-opus-9"),
        ("", "anthropic", "unknown model"),
        ("claude-opus-4-5-20251101-v1:0", None, "a global and a regional price"),
        ("claude-opus-5", "vertex", "provider vertex is not in the price book"),
        ("claude-opus-5", "bedrock", "a global and a regional price"),
        ("sa.anthropic.claude-opus-5", "bedrock", "prefix sa."),
        ("global.anthropic.claude-opus-4-1-20250805-v1:0", "bedrock", "has no bedrock-global price"),
        ("claude-opus-4-1", "claude-platform-aws", "not sold on Claude Platform on AWS"),
        ("claude-mythos-preview", "anthropic", "contradict"),
        (f"{ACCOUNT}:application-inference-profile/abc123", "bedrock", "map its ARN to the model under [aliases]"),
        (f"{ACCOUNT}:provisioned-model/abc123", "bedrock", "billed by the hour"),
        ("arn:aws:sagemaker:us-east-1:1:endpoint/x", "bedrock", "not one of a Bedrock model"),
    ],
)
def test_unknown_ids_have_a_reason(requested: str, provider: str, reason: str):
    """What the book does not know is unpriced, and the reason tells the mend where there is one."""
    found = default_book().resolve(requested, provider)
    assert isinstance(found, Unpriced)
    assert reason in found.reason


@pytest.mark.parametrize(
    "requested",
    [
        "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "bedrock/us-gov-west-1/anthropic.claude-sonnet-4-5-20250929-v1:0",
        "arn:aws-us-gov:bedrock:us-gov-west-1:1:inference-profile/us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ],
)
def test_govcloud_is_flagged(requested: str):
    """Sources disagree on GovCloud prices, so such a price carries a flag."""
    found = default_book().resolve(requested, "bedrock")
    assert isinstance(found, ModelRef) and "us-gov" in found.flags[0]


def test_a_profile_that_aws_lists_no_price_for_is_flagged():
    """Fable 5.1 has a listed regional price in the US only."""
    book = default_book()
    us, eu = (book.resolve(f"{prefix}.anthropic.claude-fable-5-1", "bedrock") for prefix in ("us", "eu"))
    assert isinstance(us, ModelRef) and isinstance(eu, ModelRef)
    assert us.flags == () and "eu." in eu.flags[0]


@pytest.mark.parametrize(
    ("model", "provider", "minimum"),
    [
        ("claude-opus-4-5", "anthropic", 4096),
        ("claude-opus-4-7", "anthropic", 2048),
        ("global.anthropic.claude-opus-4-7", "bedrock", 4096),
        ("claude-opus-4-7", "bedrock", 4096),  # no one price, but one minimum
        ("claude-opus-5-5[1m]", None, 512),
        ("claude-fable-5-2", "bedrock", None),
        ("gpt-4o", "anthropic", None),
    ],
)
def test_cache_minimum(model: str, provider: str | None, minimum: int | None):
    """The smallest cacheable prefix depends on the model and on who serves it; unknown is None."""
    assert default_book().cache_minimum_tokens(model, provider) == minimum
