"""JSON that carries log events: subscription-filter payloads, exported events, and what the AWS CLI prints.

Formats: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

MAX_PAYLOAD = 16 * 1024 * 1024
"""A payload is one delivery of many events; a longer one is skipped as `too_long`."""

_DECODER = json.JSONDecoder()
_BLANK = " \t\r\n"
_DOCUMENT = re.compile(
    rb'\s*\{(?:\s*"(?:searchedLogStreams|nextToken|nextForwardToken|nextBackwardToken)"\s*:\s*(?:\[\s*\]|"[^"]*")\s*,)*'
    rb'\s*"events"\s*:\s*\['
)
_LIST = re.compile(rb'\s*\[\s*\{\s*"')  # rows exported as one array
_PRETTY_TRACE = re.compile(rb'\s*\{\s*\n\s*"resourceSpans"\s*:\s*\[')
_LIST_WORDS = (b'"request_id"', b'"schemaType"', b'"custom_id"', b"_tokens", b"gen_ai.")
_OPENING = re.compile(r'\A\s*\[|"(?:events|resourceSpans)"\s*:\s*\[')


def is_envelope(line: bytes) -> bool:
    """Say whether a JSON line carries events, rather than being one."""
    return b'"logEvents"' in line or b'"awslogs"' in line or b'"eventId"' in line or _leads(line)


def _leads(line: bytes) -> bool:
    head = line[:4096]
    return b'"messageType"' in head or b'"resourceSpans"' in head


def is_document(head: bytes) -> bool:
    """Say whether a file is one JSON document of many events.

    That is what `aws logs filter-log-events` or `get-log-events` prints, an array of rows, or an indented trace.
    """
    if _DOCUMENT.match(head) is not None or _PRETTY_TRACE.match(head) is not None:
        return True
    return _LIST.match(head) is not None and any(word in head for word in _LIST_WORDS)


def unwrap(body: dict[str, Any]) -> dict[str, Any] | None:
    """Open the form in which Lambda is handed a payload; other objects come back as they are. None: damaged."""
    wrapped = body.get("awslogs")
    if not isinstance(wrapped, dict):
        return body
    try:
        opened = zlib.decompressobj(31)
        data = opened.decompress(base64.b64decode(wrapped.get("data", ""), validate=True), MAX_PAYLOAD)
        inner = orjson.loads(data)
    except (binascii.Error, zlib.error, orjson.JSONDecodeError, TypeError, ValueError):
        return None
    return inner if isinstance(inner, dict) else None


def objects_of(text: str) -> tuple[list[dict[str, Any]], int]:
    """Return the whole JSON objects at the start of a text, with nothing or blanks between them, and their length."""
    found: list[dict[str, Any]] = []
    at = 0
    while True:
        while at < len(text) and text[at] in _BLANK:
            at += 1
        if at >= len(text):
            return found, at
        try:
            body, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            return found, at
        if not isinstance(body, dict):
            return found, at
        found.append(body)
        at = end


def document_events(pieces: Iterable[str]) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Yield (offset, event) of the lists in a document of any length, holding one event at a time.

    An event of None stands for a place where the document is damaged or cut off; nothing follows it.
    """
    source = iter(pieces)
    buffer, passed, inside = next(source, ""), 0, False
    more = True
    while True:
        if not inside:
            opened = _OPENING.search(buffer) if passed == 0 else re.search(r'"events"\s*:\s*\[', buffer)
            if opened:
                buffer, passed, inside = buffer[opened.end() :], passed + opened.end(), True
        if inside:
            at = 0
            while True:
                while at < len(buffer) and buffer[at] in " \t\r\n,":
                    at += 1
                if at < len(buffer) and buffer[at] == "]":
                    at, inside = at + 1, False
                    break
                try:
                    body, end = _DECODER.raw_decode(buffer, at)
                except (ValueError, RecursionError):
                    break
                yield passed + at, body if isinstance(body, dict) else {}
                at = end
            buffer, passed = buffer[at:], passed + at
            if not inside:
                continue
        if not more:
            break
        piece = next(source, None)
        more = piece is not None
        if len(buffer) > MAX_PAYLOAD:
            break
        keep = buffer if inside else buffer[-64:]
        buffer, passed = keep + (piece or ""), passed + len(buffer) - len(keep)
    if inside:
        yield passed, None
