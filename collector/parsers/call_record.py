"""The structured record of one call (event "llm_usage"), as core.telemetry writes it or as a log shipper dressed it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from collector.parsers.clock import iso_ms
from collector.parsers.facts import CallRecord, Parsed, skipped
from collector.parsers.service_lines import MAX_TOKENS
from core.errors import BadInput
from core.settings import CACHE_TTLS
from core.telemetry import RECORD_EVENT, RECORD_VERSION
from core.usage import Usage, from_any

LOOKS_LIKE_RECORD = re.compile(rf'\\*"event\\*"\s*:\s*\[?\s*\\*"{RECORD_EVENT}')
_MAX_TEXT = 300
_MICRO = Decimal(1).scaleb(-12)


def is_call_record(body: Mapping[str, Any]) -> bool:
    """Say whether a JSON object is a call record."""
    return _one(body.get("event")) == RECORD_EVENT


def parse_call_record(body: Mapping[str, Any], *, request_id: str | None = None) -> Parsed:
    """Read a record: counts, ids and fingerprints. `request_id` is what the wrapper said; the record's own wins."""
    version = _one(body.get("v"))
    if version is not None and version != RECORD_VERSION:
        return skipped("unknown_version")
    status = _text(body, "status") or "ok"
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
    caching, prefix = _object(body, "caching"), _object(body, "prefix")
    ttl = _text(caching, "ttl")
    return CallRecord(
        call_id=_text(body, "id"),
        started_ms=started,
        provider=_text(body, "provider"),
        model=_text(body, "model"),
        engine=_text(body, "engine"),
        usage=usage,
        request_id=_text(body, "request_id") or _text(body, "requestId") or request_id,
        caching_enabled=_flag(caching, "enabled"),
        cache_ttl=ttl if ttl in CACHE_TTLS else None,
        prefix_tokens=_count(prefix, "tokens"),
        prefix_fingerprint=_text(prefix, "fingerprint"),
        latency_ms=_ms(body, "latency_ms"),
        ttft_ms=_ms(body, "ttft_ms"),
        stop_reason=_text(body, "stop_reason"),
        status=status if status in ("ok", "error") else "error",
        error_type=_text(body, "error_type"),
        complete=_flag(body, "complete") is not False,
        reported_cost_usd=_dollars(_one(body.get("cost_usd"))),
        stop_category=_text(body, "stop_category"),
        other_id=_text(body, "api_request_id"),
    )


def _usage(body: Mapping[str, Any], *, failed: bool) -> Usage | None:
    told = _one(body.get("usage"))
    if told is None:
        return None
    if not isinstance(told, Mapping):
        raise BadInput("usage is not an object.", code="USG-001")
    usage = from_any(_flat(told))
    if max(usage.prompt_tokens, usage.output_tokens) > MAX_TOKENS:
        raise BadInput("usage holds a count no request can have.", code="USG-001")
    return usage


def _flat(value: Mapping[str, Any]) -> dict[str, Any]:
    """Take metric values out of the one-element lists that EMF libraries put them in; real lists stay."""
    return {key: _number_in(item) for key, item in value.items()}


def _number_in(item: Any) -> Any:
    if isinstance(item, Mapping):
        return _flat(item)
    found = _one(item)
    if isinstance(item, list) and isinstance(found, float) and found.is_integer():
        return int(found)
    return found if not isinstance(found, Mapping) else item


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _started_ms(body: Mapping[str, Any]) -> int | None:
    value = _one(body.get("ts"))
    if isinstance(value, str):
        return iso_ms(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _object(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = _one(body.get(key))
    return value if isinstance(value, Mapping) else {}


def _text(body: Mapping[str, Any], key: str) -> str | None:
    value = _one(body.get(key))
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_TEXT else None


def _flag(body: Mapping[str, Any], key: str) -> bool | None:
    value = _one(body.get(key))
    return value if isinstance(value, bool) else None


def _ms(body: Mapping[str, Any], key: str) -> float | None:
    value = _one(body.get(key))
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 10**10:
        return None
    return float(value)


def _count(body: Mapping[str, Any], key: str) -> int | None:
    value = _one(body.get(key))
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_TOKENS:
        return None
    return value


def _dollars(value: Any) -> Decimal | None:
    """Read what the record claims to have cost: a decimal string, or a number as JSON writes it."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    try:
        dollars = Decimal(str(value))
    except InvalidOperation:
        return None
    return dollars.quantize(_MICRO) if dollars.is_finite() and 0 <= dollars < 10**6 else None
