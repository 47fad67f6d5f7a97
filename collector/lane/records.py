"""A call record in the form that nearly all have, read without an object for each: plain values, in one tuple.

`read_record` answers None for anything else, a record or not: it is for the parser to say what that is.
"""

from __future__ import annotations

from typing import Any

import orjson

from collector.parsers.call_record import prefix_blocks
from collector.parsers.service_lines import MAX_TOKENS
from collector.parsers.values import LATEST_MS, MAX_TEXT, TENANT, dollars, tenant
from core.settings import CACHE_TTLS
from core.telemetry import RECORD_EVENT, RECORD_VERSION

RecordRow = tuple[Any, ...]
"""The values named by FIELDS."""
FIELDS = (
    "call_id", "started_ms", "provider", "model", "engine", "input", "read", "write_5m", "write_1h", "written",
    "split_known", "output", "service_tier", "speed", "inference_geo", "enabled", "ttl", "prefix_tokens", "fingerprint",
    "blocks", "latency_ms", "ttft_ms", "stop_reason", "stop_category", "other_id", "has_output", "reported", "tenant",
    "explicit",
)  # fmt: skip
_COUNTS = frozenset({"input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"})
_WORDS = ("service_tier", "speed", "inference_geo")
_USAGE = _COUNTS | {"cache_creation", "server_tool_use", *_WORDS}
_SPLIT_5M, _SPLIT_1H = "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"
_SPLIT = frozenset({_SPLIT_5M, _SPLIT_1H})
_SAID_ELSEWHERE = frozenset({"type", "requestId", "function_request_id", "aws_request_id", "error_type", "diagnosis"})
_TENANTS = frozenset(TENANT)
_NOTHING: dict[str, Any] = {}


def read_record(line: bytes, request_id: str) -> RecordRow | None:
    """Return the values of a record of a call that went well, of the request with that id; None: not in that form."""
    try:
        body = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record_row(body, request_id, None) if type(body) is dict else None


def record_row(body: dict[str, Any], request_id: str, around: str | None) -> RecordRow | None:
    """Return the same of a record that is decoded already; `around` is the request that the line around it names."""
    if not _SAID_ELSEWHERE.isdisjoint(body):
        return None
    get = body.get
    started, usage, named = get("ts"), get("usage"), get("request_id")
    named = around if named is None else named
    if (
        get("event") != RECORD_EVENT
        or get("v") != RECORD_VERSION
        or type(get("v")) is not int
        or get("status") != "ok"
        or get("complete", True) is not True
        or type(started) is not int
        or not 0 <= started < LATEST_MS
        or type(usage) is not dict
        or (named is not None and named != request_id)
    ):
        return None
    counts = _counts(usage)
    call_id, provider, model, engine = get("id"), get("provider"), get("model"), get("engine")
    reason, category, other_id = get("stop_reason"), get("stop_category"), get("api_request_id")
    caching, prefix, has_output = get("caching", _NOTHING), get("prefix", _NOTHING), get("has_output")
    if (
        counts is None
        or call_id is None
        or not _texts(call_id, provider, model, engine, reason, category, other_id)
        or type(caching) is not dict
        or type(prefix) is not dict
        or (has_output is not None and type(has_output) is not bool)
    ):
        return None
    enabled, ttl = caching.get("enabled"), caching.get("ttl")
    tokens, fingerprint = prefix.get("tokens"), prefix.get("fingerprint")
    latency, first = get("latency_ms"), get("ttft_ms")
    cost = get("cost_usd")
    if (
        (enabled is not None and type(enabled) is not bool)
        or (ttl is not None and ttl not in CACHE_TTLS)
        or not _texts(fingerprint)
        or not (tokens is None or (type(tokens) is int and 0 <= tokens <= MAX_TOKENS))
        or not _durations(latency, first)
        or not (cost is None or type(cost) is str)
    ):
        return None
    return (
        call_id, started, provider, model, engine, *counts, enabled, ttl, tokens, fingerprint,
        prefix_blocks(prefix) if "blocks" in prefix else None, latency, first, reason, category, other_id, has_output,
        None if cost is None else dollars(cost), None if _TENANTS.isdisjoint(body) else tenant(body), named is not None,
    )  # fmt: skip


def _counts(usage: dict[str, Any]) -> tuple[Any, ...] | None:
    """Return input, read, writes of 5m and 1h, writes, whether the split is known, output, and the three words."""
    if not usage.keys() <= _USAGE or usage.get("server_tool_use") is not None:
        return None
    get = usage.get
    given, output = get("input_tokens"), get("output_tokens")
    read, written = get("cache_read_input_tokens", 0), get("cache_creation_input_tokens", 0)
    split = get("cache_creation")
    tier, speed, geo = get("service_tier"), get("speed"), get("inference_geo")
    if (
        not (type(given) is type(output) is type(read) is type(written) is int)
        or min(given, output, read, written) < 0
        or max(given + read + written, output) > MAX_TOKENS
        or not _texts(tier, speed, geo)
    ):
        return None
    if split is None:
        return given, read, written, 0, written, not written, output, tier, speed, geo
    if type(split) is not dict or split.keys() != _SPLIT:
        return None
    short, long = split[_SPLIT_5M], split[_SPLIT_1H]
    if not (type(short) is type(long) is int) or short < 0 or long < 0 or short + long != written:
        return None
    return given, read, short, long, written, True, output, tier, speed, geo


def _texts(*values: Any) -> bool:
    """Say whether all are short strings, or not told."""
    for value in values:  # asked of every record: a generator takes twice as long
        if value is not None and (type(value) is not str or not 0 < len(value) <= MAX_TEXT):
            return False
    return True


def _durations(*values: Any) -> bool:
    for value in values:
        if value is not None and ((type(value) is not float and type(value) is not int) or not 0 <= value < 10**10):
            return False
    return True
