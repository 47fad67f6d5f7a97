"""The usage of a line of a session, read without an object where it has the form that the API writes."""

from __future__ import annotations

from typing import Any

from collector.parsers.service_lines import MAX_TOKENS
from collector.parsers.values import messages_usage_in
from collector.sessions.found import Counts
from core.usage import Usage
from core.usage.iterations import steps_text


def read_usage(told: dict[str, Any]) -> Counts | Usage:
    """Read a usage object. Raises BadInput where it holds what no request can have."""
    return _plain(told) or messages_usage_in({"usage": told})


def size_of(used: Counts | Usage) -> tuple[int, int]:
    """Return (output, prompt)."""
    if isinstance(used, Usage):
        return used.output_tokens, used.prompt_tokens
    return used[4], used[0] + used[1] + used[2] + used[3]


def as_counts(used: Counts | Usage, ttl: str | None) -> Counts:
    """Return the counts, with writes of unknown lifetime booked under the TTL that settings name."""
    if not isinstance(used, Usage):
        if used[11] or ttl not in ("5m", "1h"):
            return used
        written = used[2]
        split = (0, written) if ttl == "1h" else (written, 0)
        return (*used[:2], *split, *used[4:11], True, used[12])
    used = used.with_write_ttl(ttl) if ttl in ("5m", "1h") else used  # type: ignore[arg-type]  # just checked
    return (
        used.input_tokens, used.cache_read_tokens, used.cache_write_5m_tokens, used.cache_write_1h_tokens,
        used.output_tokens, used.thinking_tokens, used.web_search_requests, used.service_tier, used.speed,
        used.inference_geo, used.complete, used.ttl_split_known, steps_text(used.iterations),
    )  # fmt: skip


def _plain(told: dict[str, Any]) -> Counts | None:
    """Read what most calls use: whole counts, one step, no thinking told apart. None: it has more than that."""
    get = told.get
    given, read, written, output = (
        get("input_tokens"), get("cache_read_input_tokens"), get("cache_creation_input_tokens"), get("output_tokens"),
    )  # fmt: skip
    if not (type(given) is type(read) is type(written) is type(output) is int):
        return None
    if given < 0 or read < 0 or written < 0 or not 0 <= output <= MAX_TOKENS or given + read + written > MAX_TOKENS:
        return None
    if get("iterations") or get("output_tokens_details") is not None:
        return None
    write_1h: Any = 0
    searches: Any = 0
    known = not written
    split = get("cache_creation")
    if split is not None:
        if type(split) is not dict:
            return None
        write_5m, write_1h = split.get("ephemeral_5m_input_tokens"), split.get("ephemeral_1h_input_tokens")
        if not (type(write_5m) is type(write_1h) is int) or write_5m < 0 or not 0 <= write_1h <= written:
            return None
        known = True
    tools = get("server_tool_use")
    if tools is not None:
        if type(tools) is not dict:
            return None
        searches = tools.get("web_search_requests")
        if type(searches) is not int or not 0 <= searches <= MAX_TOKENS:
            return None
    tier, speed, place = get("service_tier"), get("speed"), get("inference_geo")
    for name in (tier, speed, place):
        if name is not None and type(name) is not str:
            return None
    return (
        given, read, written - write_1h, write_1h, output, None, searches, tier or None, speed or None, place or None,
        True, known, None,
    )  # fmt: skip
