"""The usage of a line of a session, read without an object where it has the form that the API writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collector.parsers.service_lines import MAX_TOKENS
from collector.parsers.values import messages_usage_in
from core.usage import Usage
from core.usage.iterations import steps_text

if TYPE_CHECKING:
    from collector.sessions.typed import PlainUsage

Counts = tuple[int, int, int, int, int, int | None, int, str | None, str | None, str | None, bool, bool, str | None]
"""input, read, 5m writes, 1h writes, output, thinking, searches, tier, speed, geography, is it complete, is the split
of the writes known, steps."""


def read_usage(told: dict[str, Any]) -> Usage:
    """Read a usage object of any form. Raises BadInput where it holds what no request can have."""
    return messages_usage_in({"usage": told})


def size_of(used: Counts | Usage) -> tuple[int, int]:
    """Return (output, prompt)."""
    if isinstance(used, Usage):
        return used.output_tokens, used.prompt_tokens
    return used[4], used[0] + used[1] + used[2] + used[3]


def told_ttl(used: Counts | Usage) -> str | None:
    """Return the TTL that the call's own writes prove."""
    if isinstance(used, Usage):
        known, write_5m, write_1h = used.ttl_split_known, used.cache_write_5m_tokens, used.cache_write_1h_tokens
    else:
        known, write_5m, write_1h = used[11], used[2], used[3]
    if not known:
        return None
    return "1h" if write_1h else "5m" if write_5m else None


def as_counts(used: Counts | Usage, ttl: str | None) -> Counts:
    """Return the counts, with writes of an object's steps of unknown lifetime booked under the TTL given."""
    if not isinstance(used, Usage):
        return used
    used = used.with_write_ttl(ttl) if ttl in ("5m", "1h") else used  # type: ignore[arg-type]  # just checked
    return (
        used.input_tokens, used.cache_read_tokens, used.cache_write_5m_tokens, used.cache_write_1h_tokens,
        used.output_tokens, used.thinking_tokens, used.web_search_requests, used.service_tier, used.speed,
        used.inference_geo, used.complete, used.ttl_split_known, steps_text(used.iterations),
    )  # fmt: skip


def plain_counts(told: PlainUsage) -> Counts | None:
    """Read what most calls use: one step, no thinking told apart. None: it holds what is to be looked at."""
    given, read, written, output = (
        told.input_tokens, told.cache_read_input_tokens, told.cache_creation_input_tokens, told.output_tokens,
    )  # fmt: skip
    if given < 0 or read < 0 or written < 0 or not 0 <= output <= MAX_TOKENS or given + read + written > MAX_TOKENS:
        return None
    write_1h = searches = 0
    split, tools = told.cache_creation, told.server_tool_use
    if split is not None:
        write_1h = split.ephemeral_1h_input_tokens
        if split.ephemeral_5m_input_tokens < 0 or not 0 <= write_1h <= written:
            return None
    if tools is not None:
        searches = tools.web_search_requests
        if not 0 <= searches <= MAX_TOKENS:
            return None
    return (
        given, read, written - write_1h, write_1h, output, None, searches, told.service_tier or None,
        told.speed or None, told.inference_geo or None, True, split is not None or not written, None,
    )  # fmt: skip
