"""OpenTelemetry spans of generative AI calls, as OTLP JSON or one span per line as CloudWatch keeps them.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/ and https://opentelemetry.io/docs/specs/otlp/
`gen_ai.usage.input_tokens` includes cached tokens there; core.usage converts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from collector.parsers.facts import CallRecord, Fact, Parsed, skipped
from collector.parsers.values import (
    caching_seen,
    inner,
    may_be_claude,
    milliseconds,
    possible,
    tenant,
    text,
    usage_in,
    whole,
    written_ttl,
)
from core.errors import BadInput

_OTHER_SPAN = Parsed("ignored", "other_span")
_OTHER_MODEL = Parsed("ignored", "other_model")
_CALLS = ("chat", "text_completion", "generate_content", "messages", "completion")
"""Operations that are one request each. Spans of agents and tools repeat the sums of the calls below them."""
_PROVIDERS = {"aws.bedrock": "bedrock", "aws_bedrock": "bedrock", "bedrock": "bedrock", "anthropic": "anthropic"}
_COUNTS = ("gen_ai.usage.", "anthropic.usage.")
_FAILED = (2, "STATUS_CODE_ERROR", "ERROR")


def is_trace(body: Mapping[str, Any]) -> bool:
    """Say whether a JSON object is an OTLP document of spans."""
    return isinstance(body.get("resourceSpans"), list)


def is_span(body: Mapping[str, Any]) -> bool:
    """Say whether a JSON object is one span."""
    return "spanId" in body and "attributes" in body and ("traceId" in body or "startTimeUnixNano" in body)


def spans_of(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every span of an OTLP document with its resource beside it."""
    for group in objects(document.get("resourceSpans")):
        resource = group.get("resource")
        for scope in objects(group.get("scopeSpans", group.get("instrumentationLibrarySpans"))):
            for span in objects(scope.get("spans")):
                yield {**span, "resource": resource}


def started_ms(span: Mapping[str, Any]) -> int | None:
    """Return when a span began."""
    started = _unix_ms(span.get("startTimeUnixNano"))
    return None if started is None else round(started)


def parse_trace(body: Mapping[str, Any]) -> Parsed:
    """Read a whole document: its calls, or else why it has none."""
    facts: list[Fact] = []
    first: Parsed | None = None
    for span in spans_of(body):
        parsed = parse_span(span)
        facts.extend(parsed.facts)
        if first is None or (parsed.outcome == "skipped" and first.outcome == "ignored"):
            first = parsed
    if facts:
        return Parsed("recognised", "otel_span", tuple(facts))
    return first or _OTHER_SPAN


def parse_span(span: Mapping[str, Any]) -> Parsed:
    """Read one span."""
    attributes = attributes_of(span.get("attributes"))
    operation = attributes.get("gen_ai.operation.name")
    if not any(key.startswith("gen_ai.") for key in attributes) or (operation or "chat") not in _CALLS:
        return _OTHER_SPAN
    model = text(attributes, "gen_ai.request.model", "gen_ai.response.model")
    if not may_be_claude(model, text(attributes, "gen_ai.response.model")):
        return _OTHER_MODEL
    try:
        return _call(span, attributes, model)
    except BadInput:
        return skipped("bad_count")


def _call(span: Mapping[str, Any], attributes: Mapping[str, Any], model: str | None) -> Parsed:
    failed = inner(span, "status").get("code") in _FAILED or "error.type" in attributes
    told = any(key.startswith("gen_ai.usage.") for key in attributes)
    usage = possible(usage_in(attributes)) if told else None
    if usage is None and not failed:
        return skipped("no_usage")
    started, ended = _unix_ms(span.get("startTimeUnixNano")), _unix_ms(span.get("endTimeUnixNano"))
    if started is None:
        return skipped("bad_time")
    system = text(attributes, "gen_ai.provider.name", "gen_ai.system")
    reasons = attributes.get("gen_ai.response.finish_reasons")
    ttft = milliseconds(attributes, "gen_ai.response.time_to_first_chunk")
    resource = attributes_of(inner(span, "resource").get("attributes"))
    fact = CallRecord(
        call_id=text(attributes, "gen_ai.response.id") or f"{span.get('traceId')}/{span.get('spanId')}",
        started_ms=round(started),
        provider=_PROVIDERS.get(system, system) if system else None,
        model=model,
        engine=text(attributes, "engine") or text(resource, "service.name"),
        usage=usage,
        request_id=text(attributes, "faas.invocation_id"),
        caching_enabled=caching_seen(usage),
        cache_ttl=written_ttl(usage),
        latency_ms=ended - started if ended is not None and ended >= started else None,
        ttft_ms=ttft * 1000 if ttft is not None else None,
        stop_reason=reasons[0] if isinstance(reasons, list) and reasons and isinstance(reasons[0], str) else None,
        status="error" if failed else "ok",
        error_type=(text(attributes, "error.type") or "error") if failed else None,
        complete=usage is None or usage.complete,
        told_by="otel",
        other_id=text(attributes, "anthropic.request.id", "aws.request_id"),
        tenant=tenant(attributes, resource),
        workspace=text(attributes, "anthropic.workspace.id"),
    )  # fmt: skip
    return Parsed("recognised", "otel_span", (fact,))


def attributes_of(value: Any) -> dict[str, Any]:
    """Return attributes as a plain mapping: OTLP writes a list of typed pairs, CloudWatch an object."""
    if isinstance(value, Mapping):
        return {str(key): _counted(str(key), item) for key, item in value.items()}
    pairs = (
        (item["key"], plain_value(item.get("value"))) for item in objects(value) if isinstance(item.get("key"), str)
    )
    return {key: _counted(key, held) for key, held in pairs}


def _counted(key: str, held: Any) -> Any:
    """Take a count for one, whatever an exporter on the way made of its number: 12.0, or "12"."""
    if not key.startswith(_COUNTS):
        return held
    if isinstance(held, float) and held.is_integer():
        return int(held)
    return whole(held)


def plain_value(value: Any) -> Any:
    """Return what an OTLP value of any type holds."""
    if not isinstance(value, Mapping):
        return value
    for kind, held in value.items():
        if kind == "intValue":  # OTLP JSON writes 64-bit integers as strings
            return int(held) if isinstance(held, str) and held.lstrip("-").isdecimal() else held
        if kind == "arrayValue":
            return [plain_value(item) for item in objects(held.get("values"))] if isinstance(held, Mapping) else []
        if kind == "kvlistValue" and isinstance(held, Mapping):
            return {str(item.get("key")): plain_value(item.get("value")) for item in objects(held.get("values"))}
        return held
    return None


def _unix_ms(value: Any) -> float | None:
    nanoseconds = int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 30 else value
    if not isinstance(nanoseconds, int) or isinstance(nanoseconds, bool) or not 10**18 < nanoseconds < 5 * 10**18:
        return None
    return nanoseconds / 1_000_000


def objects(value: Any) -> list[Any]:
    """Return the objects of a list."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
