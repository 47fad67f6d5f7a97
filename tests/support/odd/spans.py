"""Odd spans."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tests.support.odd.case import FAILED, FULL, PLAIN, T0, Odd, lines, new_id, odd, row, text


def span(attributes: dict[str, Any], *, listed: bool = True, **more: Any) -> dict[str, Any]:
    """Return a span; `listed`: its attributes as OTLP writes them, else as CloudWatch does."""
    kinds = {int: "intValue", str: "stringValue", float: "doubleValue"}
    pairs = [
        {"key": name, "value": {kinds[type(value)]: str(value) if isinstance(value, int) else value}}
        for name, value in attributes.items()
    ]
    return {
        "traceId": new_id(),
        "spanId": "ab",
        "name": "chat",
        "startTimeUnixNano": str(T0 * 1000000),
        "endTimeUnixNano": str(T0 * 1000000 + 5 * 10**8),
        "attributes": pairs if listed else attributes,
        **more,
    }


def trace(*spans: Any) -> dict[str, Any]:
    """Return a document of spans."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "svc"}}]},
                "scopeSpans": [{"spans": list(spans)}],
            }
        ]
    }


CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "anthropic",
    "gen_ai.request.model": "claude-opus-4-5",
    "gen_ai.usage.output_tokens": 20,
}


def cases() -> Iterator[Odd]:
    """Yield what is odd, with what it should give."""
    yield odd(
        "otel creation scheme",
        lines(
            trace(
                span(
                    {
                        **CHAT,
                        "gen_ai.usage.input_tokens": 130,
                        "gen_ai.usage.cache_read.input_tokens": 30,
                        "gen_ai.usage.cache_creation.input_tokens": 90,
                    }
                )
            )
        ),
        [row(10, 30, 0, 90, 20)],
    )
    yield odd(
        "otel write scheme",
        lines(
            trace(
                span(
                    {
                        **CHAT,
                        "gen_ai.usage.input_tokens": 130,
                        "gen_ai.usage.cache_read.input_tokens": 30,
                        "gen_ai.usage.cache_write.input_tokens": 90,
                    }
                )
            )
        ),
        [row(10, 30, 0, 90, 20)],
    )
    yield odd(
        "otel both schemes",
        lines(
            trace(
                span(
                    {
                        **CHAT,
                        "gen_ai.usage.input_tokens": 130,
                        "gen_ai.usage.cache_read.input_tokens": 30,
                        "gen_ai.usage.cache_write.input_tokens": 90,
                        "gen_ai.usage.cache_creation.input_tokens": 90,
                    }
                )
            )
        ),
        [row(10, 30, 0, 90, 20)],
    )
    yield odd(
        "otel split",
        lines(
            trace(
                span(
                    {
                        **CHAT,
                        "gen_ai.usage.input_tokens": 130,
                        "gen_ai.usage.cache_read.input_tokens": 30,
                        "gen_ai.usage.cache_write.input_tokens": 90,
                        "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 40,
                        "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 50,
                    }
                )
            )
        ),
        [FULL],
    )
    yield odd(
        "otel exclusive",
        lines(trace(span({**CHAT, "gen_ai.usage.input_tokens": 10, "gen_ai.usage.cache_read.input_tokens": 30}))),
        [PLAIN],
    )
    yield odd(
        "otel traceloop",
        lines(
            trace(
                span(
                    {
                        "gen_ai.system": "anthropic",
                        "gen_ai.request.model": "claude-opus-4-5",
                        "gen_ai.usage.prompt_tokens": 130,
                        "gen_ai.usage.completion_tokens": 20,
                        "gen_ai.usage.cache_read_input_tokens": 30,
                        "gen_ai.usage.cache_creation_input_tokens": 90,
                    }
                )
            )
        ),
        [row(10, 30, 0, 90, 20)],
    )
    yield odd("otel double", lines(trace(span({**CHAT, "gen_ai.usage.input_tokens": 10.0}))), [row(10, 0, 0, 0, 20)])
    yield odd("otel fraction", lines(trace(span({**CHAT, "gen_ai.usage.input_tokens": 10.5}))), [], {"bad_count": 1})
    yield odd("otel negative", lines(trace(span({**CHAT, "gen_ai.usage.input_tokens": -10}))), [], {"bad_count": 1})
    yield odd(
        "otel agent",
        lines(
            trace(
                span({**CHAT, "gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 10}),
                span({**CHAT, "gen_ai.usage.input_tokens": 10}),
            )
        ),
        [row(10, 0, 0, 0, 20)],
    )
    yield odd(
        "otel openai",
        lines(
            trace(
                span(
                    {
                        **CHAT,
                        "gen_ai.request.model": "gpt-5",
                        "gen_ai.system": "openai",
                        "gen_ai.usage.input_tokens": 10,
                    }
                )
            )
        ),
    )
    yield odd(
        "otel failed",
        lines(
            trace(
                span(
                    {
                        "gen_ai.operation.name": "chat",
                        "gen_ai.request.model": "claude-opus-4-5",
                        "error.type": "overloaded",
                    },
                    status={"code": 2},
                )
            )
        ),
        [FAILED],
    )
    yield odd(
        "otel no start",
        lines(
            trace(
                {k: v for k, v in span({**CHAT, "gen_ai.usage.input_tokens": 10}).items() if k != "startTimeUnixNano"}
            )
        ),
        [],
        {"bad_time": 1},
    )
    yield odd(
        "otel int nano",
        lines(trace(span({**CHAT, "gen_ai.usage.input_tokens": 10}, startTimeUnixNano=T0 * 1000000))),
        [row(10, 0, 0, 0, 20)],
    )
    yield odd(
        "otel no usage",
        lines(trace(span({"gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-opus-4-5"}))),
        [],
        {"no_usage": 1},
    )
    half = text(trace(span({**CHAT, "gen_ai.usage.input_tokens": 10, "engine": "@@"})), indent=1).replace(
        "@@", "\\ud800"
    )
    yield odd("otel half a letter in a document", half, [row(10, 0, 0, 0, 20)])
    vast = trace({**span({**CHAT, "gen_ai.usage.input_tokens": 10}), "flags": 10**30, "x": float("inf")})
    yield odd("otel numbers beyond all in a document", text(vast, indent=1), [row(10, 0, 0, 0, 20)])
    yield odd("otel empty", lines({"resourceSpans": []}))
    yield odd(
        "otel flat span", lines(span({**CHAT, "gen_ai.usage.input_tokens": 10}, listed=False)), [row(10, 0, 0, 0, 20)]
    )
    yield odd(
        "otel old scope",
        lines(
            {
                "resourceSpans": [
                    {"instrumentationLibrarySpans": [{"spans": [span({**CHAT, "gen_ai.usage.input_tokens": 10})]}]}
                ]
            }
        ),
        [row(10, 0, 0, 0, 20)],
    )
    yield odd(
        "otel pretty",
        text(
            trace(span({**CHAT, "gen_ai.usage.input_tokens": 10}), span({**CHAT, "gen_ai.usage.input_tokens": 11})),
            indent=1,
        ),
        [row(10, 0, 0, 0, 20), row(11, 0, 0, 0, 20)],
    )
    yield odd(
        "otel snake",
        lines(
            {
                "resource_spans": [
                    {
                        "scope_spans": [
                            {
                                "spans": [
                                    {
                                        "trace_id": new_id(),
                                        "span_id": "a",
                                        "start_time_unix_nano": str(T0 * 1000000),
                                        "attributes": [
                                            {
                                                "key": k,
                                                "value": {"intValue": v} if isinstance(v, int) else {"stringValue": v},
                                            }
                                            for k, v in {**CHAT, "gen_ai.usage.input_tokens": 10}.items()
                                        ],
                                    }
                                ]
                            }
                        ]
                    }
                ]
            }
        ),
        [],
        {"unknown_form": 1},
    )
    yield odd(
        "otel bedrock region",
        lines(
            trace(
                span(
                    {
                        **CHAT,
                        "gen_ai.system": "aws.bedrock",
                        "gen_ai.request.model": "us.anthropic.claude-opus-4-5-20251101-v1:0",
                        "gen_ai.usage.input_tokens": 10,
                    }
                )
            )
        ),
        [row(10, 0, 0, 0, 20, x=Decimal("1.1"))],
    )
