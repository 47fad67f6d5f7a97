"""Bedrock's model invocation log: one JSON object per call, with or without the bodies.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html
Bodies hold what users wrote: they are walked for their counts and ids, and nothing else of them is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from collector.parsers.facts import CallRecord, Parsed, skipped
from collector.parsers.values import (
    caching_seen,
    inner,
    may_be_claude,
    moment_ms,
    possible,
    tenant,
    text,
    usage_in,
    written_ttl,
)
from core.usage import Usage, UsageStream

SCHEMA = "ModelInvocationLog"
_OTHER_MODEL = Parsed("ignored", "other_model")
_METRICS = "amazon-bedrock-invocationMetrics"
_COUNTS = {
    "input": ("inputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount", "cacheReadInputTokens",
              "cacheWriteInputTokens"),
    "output": ("outputTokenCount",),
}  # fmt: skip


_READ = ("id", "type", "role", "model", "stop_reason", "stopReason", "stop_details", "usage", "metrics", "serviceTier")


@dataclass(slots=True)
class _Body:
    """What a response body tells beside its text."""

    usage: Usage | None = None
    message_id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    stop_category: str | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None


def is_invocation_log(body: Mapping[str, Any]) -> bool:
    """Say whether a JSON object is a record of the model invocation log."""
    return body.get("schemaType") == SCHEMA


def parse_invocation_log(body: Mapping[str, Any]) -> Parsed:
    """Read one record. Raises BadInput on a bad count."""
    model, request_id = text(body, "modelId"), text(body, "requestId")
    told = _read_body(inner(body, "output").get("outputBodyJson"))
    if not may_be_claude(model, told.model):
        return _OTHER_MODEL
    logged = moment_ms(body.get("timestamp"))
    if logged is None:
        return skipped("bad_time")
    error = text(body, "errorCode")
    usage = _usage(body, told.usage)
    if usage is None and error is None:
        return skipped("no_usage")
    meta = inner(body, "requestMetadata")
    fact = CallRecord(
        call_id=told.message_id or request_id,
        started_ms=None,
        provider="bedrock",
        model=model,
        engine=text(meta, "engine"),
        usage=usage,
        request_id=text(meta, "lambdaRequestId", "lambda_request_id"),
        caching_enabled=caching_seen(usage),
        cache_ttl=written_ttl(usage),
        latency_ms=told.latency_ms,
        ttft_ms=told.ttft_ms,
        stop_reason=told.stop_reason,
        status="error" if error else "ok",
        error_type=error,
        complete=usage is None or usage.complete,
        stop_category=told.stop_category,
        told_by="bedrock_log",
        other_id=request_id if told.message_id else None,
        logged_ms=logged,
        tenant=tenant(meta),
    )
    return Parsed("recognised", "bedrock_log", (fact,))


def counts_of(body: Mapping[str, Any] | list[Any]) -> dict[str, Any] | list[Any]:
    """Return what of an answer is read here: no text, and of a stream no event that holds any."""
    if isinstance(body, list):
        return [event for event in body if isinstance(event, Mapping) and not _holds_text(event)]
    return {name: body[name] for name in _READ if name in body}


def _holds_text(event: Mapping[str, Any]) -> bool:
    return str(event.get("type", "")).startswith("content_block") or any(
        str(key).startswith("content") for key in event
    )


def _usage(body: Mapping[str, Any], told: Usage | None) -> Usage | None:
    """Join body and envelope: the body knows the TTL of writes, the envelope is there when the body is not.

    Their counts are the same counts, told twice: one of them is taken, they are never added up.
    """
    counts: dict[str, Any] = {}
    for side, names in _COUNTS.items():
        part = inner(body, side)
        counts |= {name: part[name] for name in names if part.get(name) is not None}
    envelope = possible(usage_in({_METRICS: counts})) if "inputTokenCount" in counts else None
    if told is None or envelope is None:
        return told or envelope
    if not told.cache_read_tokens and not told.cache_write_tokens and told.prompt_tokens < envelope.prompt_tokens:
        return replace(envelope, thinking_tokens=told.thinking_tokens, service_tier=told.service_tier)
    if not told.complete and envelope.complete:
        return replace(told, output_tokens=envelope.output_tokens, complete=True)
    return told


def _read_body(body: Any) -> _Body:
    """Read what InvokeModel (an object), Converse (an object) or a stream (a list of events) left in the log.

    A pipeline on the way may have made a string of it.
    """
    if isinstance(body, str) and body[:1] in ("{", "["):
        try:
            body = orjson.loads(body)
        except orjson.JSONDecodeError:
            return _Body()
    if isinstance(body, list):
        return _stream(body)
    if not isinstance(body, Mapping):
        return _Body()
    told = _Body(
        message_id=text(body, "id"),
        model=text(body, "model"),
        stop_reason=text(body, "stop_reason", "stopReason"),
        stop_category=text(inner(body, "stop_details"), "category"),
        latency_ms=_number(inner(body, "metrics"), "latencyMs"),
    )
    if isinstance(body.get("usage"), Mapping) and body["usage"]:
        told.usage = possible(usage_in(body))
    return told


def _stream(events: list[Any]) -> _Body:
    stream, told = UsageStream(), _Body()
    for event in events:
        if isinstance(event, Mapping):
            stream.feed(event)
            metrics = inner(event, _METRICS)
            said = inner(inner(event, "metadata"), "metrics") or inner(event, "metrics")  # ConverseStream's last event
            found = _number(metrics, "invocationLatency") or _number(said, "latencyMs")
            told.latency_ms = found or told.latency_ms
            told.ttft_ms = _number(metrics, "firstByteLatency") or told.ttft_ms
    told.message_id, told.model = stream.message_id, stream.model
    told.stop_reason, told.stop_category = stream.stop_reason, stream.stop_category
    usage = stream.usage()
    if usage.prompt_tokens or usage.output_tokens:
        told.usage = possible(usage)
    return told


def _number(values: Mapping[str, Any], key: str) -> float | None:
    value = values.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None
