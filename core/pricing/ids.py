"""Reading a requested model id: first-party names, Bedrock ids, profiles, ARNs, and the prefixes tools add to them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.pricing.model import Provider, Unpriced
from core.pricing.reasons import reason

_PROVIDERS: dict[str, Provider] = {
    "anthropic": "anthropic",
    "claude": "anthropic",
    "claude-api": "anthropic",
    "claude-platform-aws": "claude-platform-aws",
    "claude-platform-on-aws": "claude-platform-aws",
    "anthropic-aws": "claude-platform-aws",
    "bedrock": "bedrock",
    "aws": "bedrock",
    "aws-bedrock": "bedrock",
    "aws.bedrock": "bedrock",
    "amazon-bedrock": "bedrock",
    "bedrock-runtime": "bedrock",
    "bedrock-mantle": "bedrock",
    "bedrock-converse": "bedrock",
}
_PROFILE = re.compile(r"^(?:(?P<prefix>[a-z]{2,6}(?:-[a-z]+)?)\.)?anthropic\.(?P<name>claude-.+)$")
_VERSION = re.compile(r"-v\d+(?::\d+(?::\w+)?)?$")
_ARN = re.compile(r"^arn:(?P<partition>aws[a-z-]*):bedrock:[^:]*:[^:]*:(?P<kind>[a-z-]+)/(?P<rest>.+)$")
_TOOL_PREFIX = re.compile(
    r"^bedrock(?:[_-]mantle)?/(?:(?:converse|converse_like|invoke)/)?(?:[a-z]{2}(?:-[a-z]+)+-\d/)?"
)
_REGIONAL = ("us", "eu", "apac", "jp", "au", "in", "ca", "us-gov")
_NOT_PER_TOKEN = {
    "application-inference-profile": "application_profile",
    "provisioned-model": "provisioned",
    "custom-model": "custom_model",
    "imported-model": "imported_model",
    "prompt-router": "prompt_router",
    "default-prompt-router": "prompt_router",
}
"""The reasons why a call to such an ARN has no price of the book."""


@dataclass(frozen=True, slots=True)
class ParsedId:
    """The name inside an id, and what its spelling says about where it was called."""

    name: str
    provider: Provider | None  # None: a bare first-party name, which says nothing
    profile: str | None = None  # global, us, eu …; None on Bedrock: a bare id, which is regional
    gov: bool = False


def known_provider(name: str | None) -> Provider | Unpriced | None:
    """Return the provider in the book's words; None stays None."""
    if name is None or not name.strip():
        return None
    found = _PROVIDERS.get(name.strip().lower().replace("_", "-"))
    return found or Unpriced(reason("unknown_provider", provider=name.strip()))


def parse_id(model: str) -> ParsedId | Unpriced:
    """Split a model id into name and profile. The name is not looked up here."""
    written = model.strip().lower().removesuffix("[1m]")
    rest = _TOOL_PREFIX.sub("", written, count=1)
    on_bedrock = rest != written
    rest = rest.removeprefix("anthropic/")
    arn = _ARN.match(rest)
    if arn:
        kind = arn["kind"]
        if kind in _NOT_PER_TOKEN:
            return Unpriced(reason(_NOT_PER_TOKEN[kind]))
        if kind not in ("inference-profile", "foundation-model"):
            return Unpriced(reason("unknown_arn_kind", kind=kind))
        rest, on_bedrock = arn["rest"], True
    elif rest.startswith("arn:"):
        return Unpriced(reason("foreign_arn"))
    gov = "us-gov" in written.removesuffix(rest) or bool(arn and "gov" in arn["partition"])
    profile = _PROFILE.match(rest)
    if profile is None:
        name = _VERSION.sub("", rest)
        on_bedrock = on_bedrock or name != rest  # only Bedrock puts -v1:0 behind a name
        return ParsedId(name, "bedrock" if on_bedrock else None, gov=gov)
    prefix = profile["prefix"]
    if prefix is not None and prefix != "global" and prefix not in _REGIONAL:
        return Unpriced(reason("unknown_profile", prefix=prefix))
    return ParsedId(_VERSION.sub("", profile["name"]), "bedrock", prefix or "bare", gov=gov or prefix == "us-gov")
