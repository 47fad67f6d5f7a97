"""Answers of the Anthropic API kept as JSON lines: whole responses, and the results file of a message batch.

https://platform.claude.com/docs/en/api/messages and https://platform.claude.com/docs/en/api/retrieving-message-batch-results
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from collector.parsers.claude_ids import provider_of
from collector.parsers.facts import NOT_OURS, CallRecord, Parsed, Teller, skipped
from collector.parsers.values import (
    caching_seen,
    inner,
    messages_usage_in,
    moment_ms,
    possible,
    tenant,
    text,
    written_ttl,
)
from core.errors import BadInput
from core.usage import UsageStream

_NO_COUNTS = {"input_tokens": 0, "output_tokens": 0}
_TIMES = ("timestamp", "created_at", "ts", "time")


def is_response(body: Mapping[str, Any]) -> bool:
    """Say whether a JSON object is a response of the Messages API."""
    return body.get("type") == "message" and body.get("role") == "assistant"


def is_batch_result(body: Mapping[str, Any]) -> bool:
    """Say whether a JSON object is one result of a message batch."""
    return "custom_id" in body and isinstance(body.get("result"), Mapping)


def parse_response(
    message: Mapping[str, Any],
    request_id: str | None = None,
    *,
    around: Mapping[str, Any] | None = None,
    told_by: Teller = "anthropic_response",
) -> Parsed:
    """Read a response; `around` is the object it lay in, which may say when and for whom. Raises BadInput."""
    if not isinstance(message.get("usage"), Mapping):
        return skipped("no_usage")
    usage = messages_usage_in(message)
    if told_by == "batch_result":
        usage = replace(usage, service_tier="batch")
    call_id, model = text(message, "id"), text(message, "model")
    wrapper = around or message
    fact = CallRecord(
        call_id=call_id,
        started_ms=None,
        provider=provider_of(call_id, model),
        model=model,
        engine=text(wrapper, "engine") or text(inner(wrapper, "metadata"), "engine"),
        usage=usage,
        request_id=request_id,
        caching_enabled=caching_seen(usage),
        cache_ttl=written_ttl(usage),
        stop_reason=text(message, "stop_reason"),
        complete=usage.complete,
        stop_category=text(inner(message, "stop_details"), "category"),
        has_output=bool(message["content"]) if isinstance(message.get("content"), list) else None,
        told_by=told_by,
        other_id=text(message, "_request_id"),
        tenant=tenant(wrapper, inner(wrapper, "metadata")),
        logged_ms=next((ms for key in _TIMES if (ms := moment_ms(wrapper.get(key))) is not None), None),
    )
    return Parsed("recognised", told_by, (fact,))


def parse_events(events: Any, request_id: str | None = None, *, around: Mapping[str, Any] | None = None) -> Parsed:
    """Read the events of a streamed answer; a stream that broke off is not complete."""
    if not isinstance(events, list) or not any(is_start(event) for event in events[:3]):
        return NOT_OURS
    stream = UsageStream()
    try:
        for event in events:
            if isinstance(event, Mapping):
                stream.feed(event)
        usage = possible(stream.usage())
    except BadInput:
        return skipped("bad_count")
    start = next(event["message"] for event in events if is_start(event))
    parsed = parse_response({**start, "usage": _NO_COUNTS}, request_id, around=around)
    fact = replace(
        cast("CallRecord", parsed.facts[0]),
        usage=usage,
        caching_enabled=caching_seen(usage),
        cache_ttl=written_ttl(usage),
        complete=usage.complete,
        stop_reason=stream.stop_reason,
        stop_category=stream.stop_category,
        has_output=stream.has_output,
    )
    return Parsed("recognised", "anthropic_response", (fact,))


def is_start(event: Any) -> bool:
    """Say whether an object is the event that a streamed answer begins with."""
    return (
        isinstance(event, Mapping)
        and event.get("type") == "message_start"
        and isinstance(event.get("message"), Mapping)
    )


def parse_batch_result(body: Mapping[str, Any]) -> Parsed:
    """Read one result: an answer at the batch price, a failed request, or one that never reached the model."""
    result = body["result"]
    kind = result.get("type")
    if kind == "succeeded":
        return parse_response(inner(result, "message"), told_by="batch_result")
    if kind in ("canceled", "expired"):
        return Parsed("ignored", f"batch_{kind}")
    if kind != "errored":
        return skipped("unknown_result")
    error = inner(result, "error")
    error_type = text(inner(error, "error"), "type") or text(error, "type") or "error"
    fact = CallRecord(None, None, "anthropic", None, None, None, status="error", error_type=error_type,
                      told_by="batch_result")  # fmt: skip
    return Parsed("recognised", "batch_result", (fact,))
