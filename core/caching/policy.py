"""The service's caching switches, read from its environment variables and checked once at start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from core.caching.cache_model import Ttl
from core.errors import FixSettings

DEFAULT_SECRET_NAME = "bodo-v1"  # noqa: S105 - the name of a secret, not a secret


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """What the service was told to do: cache or not, for how long, by which door."""

    caching_enabled: bool = True
    cache_ttl: Ttl = "1h"
    use_anthropic_api: bool = True
    secret_name: str = DEFAULT_SECRET_NAME

    @property
    def provider(self) -> Literal["anthropic", "bedrock"]:
        """The provider called first."""
        return "anthropic" if self.use_anthropic_api else "bedrock"


def policy_from(environ: Mapping[str, str]) -> CachePolicy:
    """Read ENABLE_PROMPT_CACHING, CACHE_TTL, USE_ANTHROPIC_API and ANTHROPIC_SECRET_NAME.

    A variable that is absent or empty keeps its default. Raises FixSettings naming the variable and what it accepts.
    """
    return CachePolicy(
        caching_enabled=switch(environ, "ENABLE_PROMPT_CACHING"),
        cache_ttl=_ttl(environ.get("CACHE_TTL", "")),
        use_anthropic_api=switch(environ, "USE_ANTHROPIC_API"),
        secret_name=environ.get("ANTHROPIC_SECRET_NAME", "").strip() or DEFAULT_SECRET_NAME,
    )


def switch(environ: Mapping[str, str], name: str, *, default: bool = True) -> bool:
    """Read a switch; absent or empty keeps the default. Raises FixSettings naming the variable and its value."""
    value = environ.get(name, "")
    match value.strip().lower():
        case "":
            return default
        case "true" | "1" | "yes" | "on":
            return True
        case "false" | "0" | "no" | "off":
            return False
    raise FixSettings(f"{name} = {value!r} is not a switch.", code="CFG-012", mend="Accepted: true or false.")


def _ttl(value: str) -> Ttl:
    match value.strip().lower():
        case "" | "1h":
            return "1h"
        case "5m":
            return "5m"
    raise FixSettings(f"CACHE_TTL = {value!r} is not offered by Claude.", code="CFG-009", mend="Accepted: 5m or 1h.")
