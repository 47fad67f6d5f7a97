"""What caching did, as one word from the totals: the sentence on the screen and those of reports are built on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Verdict = Literal["nothing", "not_in_use", "unknown", "saved", "lost", "even"]
_USED = ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")


def in_use(total: Mapping[str, Any]) -> bool:
    """Tell whether any prompt token was read from or written to the Claude cache."""
    return any(total.get(name) for name in _USED)


def verdict(total: Mapping[str, Any]) -> Verdict:
    """Judge the totals of a range. Without any priced call what caching saved is unknown, which is not zero."""
    net = total.get("net_savings_usd")
    if not total.get("calls"):
        return "nothing"
    if not in_use(total):
        return "not_in_use"
    if net is None or total.get("no_cache_cost_usd") is None:
        return "unknown"
    return "saved" if net > 0 else "lost" if net < 0 else "even"
