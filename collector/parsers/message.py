"""The one door to the parsers: a message in, one outcome and its facts out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson

from collector.parsers.anthropic_json import parse_events
from collector.parsers.call_record import LOOKS_LIKE_RECORD, is_call_record, parse_call_record
from collector.parsers.emf import METRIC_NAMES, MetricNames
from collector.parsers.facts import NOT_OURS, Parsed, skipped
from collector.parsers.formats import looks_like_one, parse_format, tells_a_call
from collector.parsers.lambda_json import parse_platform_record
from collector.parsers.lambda_text import parse_platform_text
from collector.parsers.prefilter import may_be_ours, may_hold_json
from collector.parsers.service_lines import UUID, parse_text

_DECODER = json.JSONDecoder()
_MAX_DEPTH = 3  # JSON logging around a JSON string around a record
_AROUND = (
    "message", "msg", "log", "MESSAGE", "@message", "log_processed", "_raw", "line", "textPayload", "jsonPayload",
    "body", "stringValue", "_source", "fields", "record", "event", "result", "data", "payload", "attributes",
    "response", "events", "chunks",
)  # fmt: skip
"""Members that loggers, shippers and log services put a line under."""
_STRIPPED = "\ufeff"
_PLATFORM_FIRST = "SERI0123456789"  # START END REPORT INIT_REPORT, and the time in front of a timeout


def parse_message(message: str, names: MetricNames = METRIC_NAMES) -> Parsed:
    """Say what a message tells. Pure; never raises; keeps no text of the message.

    `names` says what the metrics of a service mean, for services that tell their calls by metrics alone.
    """
    if not may_be_ours(message):
        return NOT_OURS
    first = message[0]
    if first in _STRIPPED or first.isspace():
        message = message.lstrip().lstrip(_STRIPPED)
        first = message[0]  # there is a word of ours in it
    if first == "{":
        parsed = _parse_json(message, None, 0, names)
        return skipped("unknown_form") if parsed is NOT_OURS and tells_a_call(message) else parsed
    if first in _PLATFORM_FIRST:
        parsed = parse_platform_text(message)
        if parsed is not NOT_OURS:
            return parsed
    if first == "[" and '"message_start"' in message:
        return _parse_json(message, None, 0, names)
    if "{" in message and may_hold_json(message):
        return _parse_dressed(message, names)
    parsed = parse_text(message)
    if parsed is NOT_OURS and "Task timed out" in message:
        return parse_platform_text(message)
    if parsed is NOT_OURS and LOOKS_LIKE_RECORD.search(message):
        return skipped("unknown_form")  # a record spread over lines, or written as something else than JSON
    return parsed


def _parse_json(text: str, request_id: str | None, depth: int, names: MetricNames) -> Parsed:
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _joined(text, request_id, depth, names) or _broken(text)
    if not isinstance(body, dict):
        return parse_events(body, request_id)
    return _parse_body(body, request_id, depth, names)


def _joined(text: str, request_id: str | None, depth: int, names: MetricNames) -> Parsed | None:
    """Read objects that follow each other without a newline, as a delivery stream writes them; None: it is not that.

    They are one line, so they end in one counter: that of the first that tells something.
    """
    told: list[Parsed] = []
    at = 0
    while at < len(text):
        begun = at
        try:
            _, at = _DECODER.raw_decode(text, at)  # only to find its end: it lets through what is no JSON
            body = orjson.loads(text[begun:at])
        except (ValueError, RecursionError):
            return None
        if not isinstance(body, dict):
            return None
        told.append(_parse_body(body, request_id, depth, names))
        while at < len(text) and (text[at].isspace() or text[at] == ","):
            at += 1
    facts = tuple(fact for parsed in told for fact in parsed.facts)
    first = next((parsed for parsed in told if parsed.facts), told[0])
    return Parsed(first.outcome, first.kind, facts)


def _parse_body(body: Mapping[str, Any], request_id: str | None, depth: int, names: MetricNames) -> Parsed:
    kind = body.get("type")
    if isinstance(kind, str) and kind.startswith("platform."):
        return parse_platform_record(body)
    if is_call_record(body):
        return parse_call_record(body, request_id=request_id_in(body) or request_id)
    rid = request_id_in(body) or request_id
    parsed = parse_format(body, rid, names)
    if parsed is not None:
        return parsed
    return _parse_within(body, rid, depth, names)


def _parse_within(body: Mapping[str, Any], request_id: str | None, depth: int, names: MetricNames) -> Parsed:
    """Read what a logger or a shipper put its own members around."""
    for name in _AROUND:
        held = body.get(name)
        parsed = NOT_OURS
        if isinstance(held, Mapping) and depth < _MAX_DEPTH:
            parsed = _parse_body(held, request_id, depth + 1, names)
        elif isinstance(held, list):
            parsed = parse_events(held, request_id, around=body)
        elif isinstance(held, str) and may_be_ours(held):
            if held.lstrip()[:1] == "{" and depth < _MAX_DEPTH:
                parsed = _parse_json(held, request_id, depth + 1, names)
            else:
                parsed = parse_text(held, request_id=request_id)
        if parsed is not NOT_OURS:
            return parsed
    return NOT_OURS


def _parse_dressed(message: str, names: MetricNames) -> Parsed:
    """Read JSON that the text format put behind a level, a time and a request id, or that a service put a word before.

    What is no JSON after all, or tells nothing, is read as text.
    """
    start = message.find('{"')
    start = start if start >= 0 else message.index("{")
    found = UUID.search(message, 0, start)
    parsed = _parse_json(message[start:].rstrip(), found[0] if found else None, 0, names)
    return parsed if parsed is not NOT_OURS else parse_text(message)


def _broken(text: str) -> Parsed:
    """Tell a damaged line of ours from text that merely begins with a brace."""
    head = text[:400]
    if LOOKS_LIKE_RECORD.search(text) or '"platform.' in head or looks_like_one(text):
        return skipped("broken_json")
    parsed = parse_text(text)
    return skipped("broken_json") if parsed is not NOT_OURS else NOT_OURS


def request_id_in(body: Mapping[str, Any]) -> str | None:
    """Return the Lambda request that an object names."""
    for key in ("requestId", "request_id", "function_request_id", "aws_request_id"):
        value = body.get(key)
        if isinstance(value, str) and value:
            return value
    return None
