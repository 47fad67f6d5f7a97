"""Which of the formats that others write is a JSON object in? The one list of them, most frequent first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from collector.parsers import anthropic_json, bedrock_batch, bedrock_log, claude_code, emf, litellm, otel
from collector.parsers.call_record import LOOKS_LIKE_RECORD
from collector.parsers.emf import MetricNames
from collector.parsers.facts import Parsed, skipped
from collector.parsers.service_lines import LOOKS_LIKE_COST
from core.errors import BadInput

_OURS = re.compile(
    r'"schemaType"\s*:\s*"ModelInvocationLog"|"resourceSpans"\s*:|"CloudWatchMetrics"\s*:|'
    r'"(?:input|output|prompt|completion)_tokens"\s*:|"gen_ai\.|"custom_id"\s*:|"modelInput"\s*:'
)
_COUNTS = re.compile(r'\\*"(?:input_tokens|inputTokenCount|inputTokens|gen_ai\.usage\.input_tokens)\\*"\s*:\s*\\*"?\d')
_CLAUDE = re.compile(r"claude|anthropic", re.IGNORECASE)


def parse_format(body: Mapping[str, Any], request_id: str | None, names: MetricNames) -> Parsed | None:
    """Read an object in a format that others write; None when it is in none of them."""
    try:
        return _parse(body, request_id, names)
    except BadInput:
        return skipped("bad_count")


def looks_like_one(text: str) -> bool:
    """Say whether damaged JSON was a line of ours, for the counter it ends in."""
    return _OURS.search(text) is not None


def tells_a_call(text: str) -> bool:
    """Say whether an object that no format knows holds what only a call of Claude has, however deep inside."""
    return (
        LOOKS_LIKE_RECORD.search(text) is not None
        or LOOKS_LIKE_COST.search(text) is not None
        or ((_COUNTS.search(text) is not None or '"gen_ai.usage.' in text) and _CLAUDE.search(text) is not None)
    )


def _parse(body: Mapping[str, Any], request_id: str | None, names: MetricNames) -> Parsed | None:
    if claude_code.is_session_line(body):
        return claude_code.parse_session_line(body)
    if bedrock_log.is_invocation_log(body):
        return bedrock_log.parse_invocation_log(body)
    if anthropic_json.is_response(body):
        return anthropic_json.parse_response(body, request_id)
    if anthropic_json.is_start(body):
        return anthropic_json.parse_events([body], request_id)  # the rest of the stream is not beside it
    if emf.is_emf(body):
        return emf.parse_emf(body, request_id, names)
    if litellm.is_spend_log(body):
        return litellm.parse_spend_log(body)
    if otel.is_span(body):
        return otel.parse_span(body)
    if otel.is_trace(body):
        return otel.parse_trace(body)
    if anthropic_json.is_batch_result(body):
        return anthropic_json.parse_batch_result(body)
    if bedrock_batch.is_result(body):
        return bedrock_batch.parse_result(body)
    for key in ("response", "message"):
        held = body.get(key)
        if isinstance(held, Mapping) and anthropic_json.is_response(held):
            return anthropic_json.parse_response(held, request_id, around=body)
    return None
