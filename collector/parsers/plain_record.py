"""A call record in the form that nearly all have, read without an object for each: plain values, in one tuple.

`plain_row` answers None for anything else, a record or not: it is for the parser to say what that is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from collector.parsers.clock import EARLIEST_MS
from collector.parsers.facts import CallRecord
from collector.parsers.service_lines import MAX_TOKENS
from collector.parsers.values import LATEST_MS, MAX_TEXT, TENANT, dollars, tenant
from core.settings import CACHE_TTLS
from core.telemetry import RECORD_EVENT, RECORD_VERSION
from core.usage import Usage

_PARTS = frozenset({"tools", "system", "messages"})
_FINGERPRINT = re.compile(r"[0-9A-Za-z_-]{1,64}")
_MAX_BLOCKS = 200
RecordRow = tuple[Any, ...]
"""The values named by FIELDS."""
FIELDS = (
    "call_id", "started_ms", "provider", "model", "engine", "input", "read", "write_5m", "write_1h", "written",
    "split_known", "output", "service_tier", "speed", "inference_geo", "enabled", "ttl", "prefix_tokens", "fingerprint",
    "blocks", "latency_ms", "ttft_ms", "stop_reason", "stop_category", "other_id", "has_output", "reported", "tenant",
    "prompt_store_bytes", "workspace", "request_id",
)  # fmt: skip
_COUNTS = frozenset({"input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"})
_WORDS = ("service_tier", "speed", "inference_geo")
USAGE = _COUNTS | {"cache_creation", "server_tool_use", *_WORDS}
SPLIT_5M, SPLIT_1H = "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"
_SPLIT = frozenset({SPLIT_5M, SPLIT_1H})
SAID_ELSEWHERE = frozenset({"type", "requestId", "function_request_id", "aws_request_id", "error_type", "diagnosis"})
TENANTS = frozenset(TENANT)
NOTHING: dict[str, Any] = {}


def plain_row(body: Mapping[str, Any], around: str | None) -> RecordRow | None:
    """Return the values of the record of a call that went well; None: not in that form.

    `around` is the request that what the record stands in names; the record's own wins.
    """
    if type(body) is not dict or not SAID_ELSEWHERE.isdisjoint(body):
        return None
    get = body.get
    started, usage, named = get("ts"), get("usage"), get("request_id")
    if (
        get("event") != RECORD_EVENT
        or get("v") != RECORD_VERSION
        or type(get("v")) is not int
        or get("status") != "ok"
        or get("complete", True) is not True
        or type(started) is not int
        or not EARLIEST_MS <= started < LATEST_MS
        or type(usage) is not dict
        or not _texts(named)
    ):
        return None
    counts = _counts(usage)
    named = around if named is None else named
    call_id, provider, model, engine = get("id"), get("provider"), get("model"), get("engine")
    reason, category, other_id = get("stop_reason"), get("stop_category"), get("api_request_id")
    caching, prefix, has_output = get("caching", NOTHING), get("prefix", NOTHING), get("has_output")
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
    cost, stored, workspace = get("cost_usd"), get("prompt_store_bytes"), get("workspace")
    if (
        (enabled is not None and type(enabled) is not bool)
        or (ttl is not None and ttl not in CACHE_TTLS)
        or not _texts(fingerprint, workspace)
        or not (tokens is None or (type(tokens) is int and 0 <= tokens <= MAX_TOKENS))
        or not (stored is None or (type(stored) is int and 0 <= stored <= MAX_TOKENS))
        or not _durations(latency, first)
        or not (cost is None or type(cost) is str)
    ):
        return None
    return (
        call_id, started, provider, model, engine, *counts, enabled, ttl or _written_ttl(counts), tokens, fingerprint,
        prefix_blocks(prefix) if "blocks" in prefix else None, latency, first, reason, category, other_id, has_output,
        None if cost is None else dollars(cost), None if TENANTS.isdisjoint(body) else tenant(body), stored,
        workspace, named,
    )  # fmt: skip


def call_of(row: RecordRow) -> CallRecord:
    """Return the fact that such values tell."""
    (
        call_id, started, provider, model, engine, given, read, write_5m, write_1h, _, known, output, tier, speed, geo,
        enabled, ttl, tokens, fingerprint, blocks, latency, first, reason, category, other_id, has_output, reported,
        tag, stored, workspace, named,
    ) = row  # fmt: skip
    usage = Usage(
        given, read, write_5m, write_1h, output, service_tier=tier, speed=speed, inference_geo=geo,
        ttl_split_known=known,
    )  # fmt: skip
    return CallRecord(
        call_id, started, provider, model, engine, usage, named, enabled, ttl, tokens, fingerprint,
        None if latency is None else float(latency), None if first is None else float(first), reason,
        reported_cost_usd=reported, stop_category=category, other_id=other_id, prefix_blocks=blocks,
        has_output=has_output, tenant=tag, prompt_store_bytes=stored, workspace=workspace,
    )  # fmt: skip


def prefix_blocks(prefix: Mapping[str, Any]) -> str | None:
    """Return the listed blocks as "part:fingerprint …"; None when they are not told or not as they should be."""
    listed = prefix.get("blocks")
    if not isinstance(listed, list) or not 0 < len(listed) <= _MAX_BLOCKS:
        return None
    words = []
    for block in listed:
        if not isinstance(block, Mapping):
            return None
        part, fingerprint = block.get("part"), block.get("fingerprint")
        if part not in _PARTS or not isinstance(fingerprint, str) or not _FINGERPRINT.fullmatch(fingerprint):
            return None
        words.append(f"{part}:{fingerprint}")
    return " ".join(words)


def _written_ttl(counts: tuple[Any, ...]) -> str | None:
    """Return the TTL that the call's own writes prove (values.written_ttl)."""
    _, _, write_5m, write_1h, _, known, *_ = counts
    if not known:
        return None
    return "1h" if write_1h else "5m" if write_5m else None


def _counts(usage: dict[str, Any]) -> tuple[Any, ...] | None:
    """Return input, read, writes of 5m and 1h, writes, whether the split is known, output, and the three words."""
    if not usage.keys() <= USAGE or usage.get("server_tool_use") is not None:
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
    short, long = split[SPLIT_5M], split[SPLIT_1H]
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
