"""The structured record of one call (event "llm_usage"), as core.telemetry writes it or as a log shipper dressed it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from collector.parsers.facts import CallRecord, Parsed, skipped
from collector.parsers.plain_record import call_of, plain_row, prefix_blocks
from collector.parsers.values import (
    dollars,
    flag,
    inner,
    milliseconds,
    moment_ms,
    one,
    tenant,
    text,
    tokens,
    usage_in,
    written_ttl,
)
from core.errors import BadInput
from core.settings import CACHE_TTLS
from core.telemetry import RECORD_EVENT, RECORD_VERSION
from core.usage import Usage

LOOKS_LIKE_RECORD = re.compile(rf"""[\\"']event[\\"']{{1,9}}\s*:\s*\[?\s*[\\"']{{1,9}}{RECORD_EVENT}""")
"""However its quotes were escaped, doubled or changed on the way."""

_REASONS = frozenset(
    {
        "model_changed", "system_changed", "tools_changed", "messages_changed", "previous_message_not_found",
        "unavailable", "pending", "none",
    }
)  # fmt: skip
"""What the API answers (https://platform.claude.com/docs/en/build-with-claude/prompt-caching), and our own "none"."""


def is_call_record(body: Mapping[str, Any]) -> bool:
    """Say whether a JSON object is a call record."""
    return one(body.get("event")) == RECORD_EVENT


def parse_call_record(body: Mapping[str, Any], *, request_id: str | None = None) -> Parsed:
    """Read a record: counts, ids and fingerprints. `request_id` is what the wrapper said; the record's own wins."""
    row = plain_row(body, request_id)
    if row is not None:
        return Parsed("recognised", "record", (call_of(row),))
    version = one(body.get("v"))
    if version is not None and version != RECORD_VERSION:
        return skipped("unknown_version")
    status = text(body, "status") or "ok"
    try:
        usage = _usage(body, failed=status == "error")
    except BadInput:
        return skipped("bad_count")
    if usage is None and status != "error":
        return skipped("no_usage")
    started = _started_ms(body)
    if started is None and body.get("ts") is not None:
        return skipped("bad_time")
    return Parsed("recognised", "record", (_record(body, usage, started, status, request_id),))


def _record(
    body: Mapping[str, Any], usage: Usage | None, started: int | None, status: str, request_id: str | None
) -> CallRecord:
    caching, prefix = inner(body, "caching"), inner(body, "prefix")
    ttl = text(caching, "ttl")
    return CallRecord(
        call_id=text(body, "id"),
        started_ms=started,
        provider=text(body, "provider"),
        model=text(body, "model"),
        engine=text(body, "engine"),
        usage=usage,
        request_id=text(body, "request_id") or text(body, "requestId") or request_id,
        caching_enabled=flag(caching, "enabled"),
        cache_ttl=ttl if ttl in CACHE_TTLS else written_ttl(usage),
        prefix_tokens=tokens(prefix, "tokens"),
        prefix_fingerprint=text(prefix, "fingerprint"),
        latency_ms=milliseconds(body, "latency_ms"),
        ttft_ms=milliseconds(body, "ttft_ms"),
        stop_reason=text(body, "stop_reason"),
        status=status if status in ("ok", "error") else "error",
        error_type=text(body, "error_type"),
        complete=flag(body, "complete") is not False,
        reported_cost_usd=dollars(one(body.get("cost_usd"))),
        stop_category=text(body, "stop_category"),
        other_id=text(body, "api_request_id"),
        prefix_blocks=prefix_blocks(prefix),
        cache_miss_reason=_reason(body),
        has_output=flag(body, "has_output"),
        tenant=tenant(body),
        prompt_store_bytes=tokens(body, "prompt_store_bytes"),
        workspace=text(body, "workspace"),
    )


def _usage(body: Mapping[str, Any], *, failed: bool) -> Usage | None:
    told = one(body.get("usage"))
    if told is None:
        return None
    if not isinstance(told, Mapping):
        raise BadInput("usage is not an object.", code="USG-001")
    return usage_in(_flat(told))


def _flat(value: Mapping[str, Any]) -> dict[str, Any]:
    """Take metric values out of the one-element lists that EMF libraries put them in; real lists stay."""
    return {key: _number_in(item) for key, item in value.items()}


def _number_in(item: Any) -> Any:
    if isinstance(item, Mapping):
        return _flat(item)
    found = one(item)
    if isinstance(item, list) and isinstance(found, float) and found.is_integer():
        return int(found)
    return found if not isinstance(found, Mapping) else item


def _started_ms(body: Mapping[str, Any]) -> int | None:
    return moment_ms(body.get("ts"))


def _reason(body: Mapping[str, Any]) -> str | None:
    """Return the API's diagnosis of a miss, if it gave one."""
    reason = text(inner(body, "diagnosis"), "type")
    return reason if reason in _REASONS else None
