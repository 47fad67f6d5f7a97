"""Single values out of JSON that others wrote: the right type within sensible bounds, or None."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from collector.parsers.clock import EARLIEST_MS, iso_ms
from collector.parsers.service_lines import MAX_TOKENS
from core.errors import BadInput
from core.telemetry import tenant_tag
from core.usage import Usage, from_any
from core.usage.shapes import from_messages

MAX_TEXT = 300
TENANT = ("tenant", "tenant_id", "tenantId", "tenant.id")
"""Names of the member that says whom a call is charged to."""
_UNNAMED = ("application-inference-profile/", "provisioned-model/")  # ARNs of Bedrock that do not say whose model it is
_MICRO = Decimal(1).scaleb(-12)
LATEST_MS = 4_102_444_800_000
"""2100: beyond it a number is no time in milliseconds."""


def one(value: Any) -> Any:
    """Take a value out of the one-element list that EMF libraries put it in."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def inner(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the object under a key; anything else is an empty one."""
    value = one(body.get(key))
    return value if type(value) is dict or isinstance(value, Mapping) else {}  # the look at the type is for speed


def text(body: Mapping[str, Any], *keys: str) -> str | None:
    """Return the first short, non-empty string under the keys."""
    for key in keys:
        value = one(body.get(key))
        if isinstance(value, str) and 0 < len(value) <= MAX_TEXT:
            return value
    return None


def tenant(*places: Mapping[str, Any]) -> str | None:
    """Return the tenant's tag that the first of the objects names; what is too long or not printable is none."""
    for place in places:
        for key in TENANT:
            tag = tenant_tag(one(place[key])) if key in place else None
            if tag is not None:
                return tag
    return None


def flag(body: Mapping[str, Any], key: str) -> bool | None:
    """Return a true or false."""
    value = one(body.get(key))
    return value if isinstance(value, bool) else None


def milliseconds(body: Mapping[str, Any], key: str) -> float | None:
    """Return a duration."""
    value = one(body.get(key))
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 10**10:
        return None
    return float(value)


def tokens(body: Mapping[str, Any], key: str) -> int | None:
    """Return a count of tokens."""
    value = one(body.get(key))
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_TOKENS:
        return None
    return value


def dollars(value: Any) -> Decimal | None:
    """Read what a line claims to have cost: a decimal string, or a number as JSON writes it."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount.quantize(_MICRO) if amount.is_finite() and 0 <= amount < 10**6 else None


def whole(value: Any) -> Any:
    """Return figures that were written as a text as the number they are; anything else as it is."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20 else value


def moment_ms(value: Any) -> int | None:
    """Read a time: ISO 8601, or Unix time in seconds to nanoseconds. None when it is none, or before 2015."""
    value = one(value)
    if isinstance(value, str):
        ms = iso_ms(value)
    elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        ms = round(value * 1000 if value < EARLIEST_MS // 100 else value)
        while ms >= LATEST_MS and ms // 1000 >= EARLIEST_MS:  # microseconds, or nanoseconds
            ms //= 1000
    else:
        return None
    return ms if ms is not None and EARLIEST_MS <= ms < LATEST_MS else None


def usage_in(told: Any) -> Usage:
    """Read a usage object of any known shape. Raises BadInput when it is none, or holds impossible counts."""
    return possible(from_any(told))


def messages_usage_in(told: Mapping[str, Any]) -> Usage:
    """Read what is known to be Anthropic's own usage. Raises BadInput on impossible counts."""
    return possible(from_messages(told))


def possible(usage: Usage) -> Usage:
    """Return the usage. Raises BadInput when it holds a count no request can have."""
    if max(usage.prompt_tokens, usage.output_tokens) > MAX_TOKENS:
        raise BadInput("usage holds a count no request can have.", code="USG-001")
    return usage


def written_ttl(usage: Usage | None) -> str | None:
    """Return the TTL that the call's own cache writes prove; None: it wrote nothing, or nobody says for how long."""
    if usage is None or not usage.ttl_split_known:
        return None
    if usage.cache_write_1h_tokens:
        return "1h"
    return "5m" if usage.cache_write_5m_tokens else None


def caching_seen(usage: Usage | None) -> bool | None:
    """Say that caching is on where the counts prove it; that there are none proves nothing."""
    return True if usage is not None and usage.cache_read_tokens + usage.cache_write_tokens else None


def is_claude(model: str | None) -> bool:
    """Say whether a model's name is one of Claude's. Gateways and clouds log other vendors' calls beside."""
    return model is not None and ("claude" in model.lower() or "anthropic" in model.lower())


def may_be_claude(*names: str | None) -> bool:
    """Say whether any of a call's names is one of Claude's, or does not say whose model it is."""
    return any(is_claude(name) or (name is not None and any(part in name for part in _UNNAMED)) for name in names)
