"""What the client is told once, at start: which model through which door, how patient, and the caching policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.caching.fingerprint import fingerprint_key
from core.caching.policy import CachePolicy, policy_from, switch
from core.errors import FixSettings
from core.telemetry import METRIC_NAMESPACE

DEFAULT_MODEL = "claude-opus-4-5"
DEFAULT_TIMEOUT_S = 120.0
DEFAULT_RETRIES = 2


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Everything the client needs to know. `bedrock_model` is the Bedrock id or profile of the same model."""

    model: str = DEFAULT_MODEL
    bedrock_model: str | None = None
    fallback_to_bedrock: bool = False
    policy: CachePolicy = field(default_factory=CachePolicy)
    region: str | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    max_retries: int = DEFAULT_RETRIES
    namespace: str = METRIC_NAMESPACE
    fingerprint_key: bytes = field(default=b"", repr=False)
    base_url: str | None = None  # of the direct API; None: what the SDK takes from ANTHROPIC_BASE_URL, else its own

    def __post_init__(self) -> None:
        if self.bedrock_model is None and (self.fallback_to_bedrock or not self.policy.use_anthropic_api):
            switch = "FALLBACK_TO_BEDROCK is true" if self.fallback_to_bedrock else "USE_ANTHROPIC_API is false"
            raise FixSettings(
                f"{switch} but BEDROCK_MODEL is not set.",
                code="SVC-437",
                mend='Name the Bedrock model, for instance "global.anthropic.claude-opus-4-5-20251101-v1:0".',
            )


def client_settings(environ: Mapping[str, str]) -> ClientSettings:
    """Read the service's variables: the caching switches, CLAUDE_MODEL, BEDROCK_MODEL, FALLBACK_TO_BEDROCK."""
    return ClientSettings(
        model=environ.get("CLAUDE_MODEL", "").strip() or DEFAULT_MODEL,
        bedrock_model=environ.get("BEDROCK_MODEL", "").strip() or None,
        fallback_to_bedrock=switch(environ, "FALLBACK_TO_BEDROCK", default=False),
        policy=policy_from(environ),
        region=environ.get("BEDROCK_REGION", "").strip() or None,
        fingerprint_key=fingerprint_key(environ),
    )
