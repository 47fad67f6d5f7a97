"""JSON that carries log events: subscription-filter payloads, exported events, and what the AWS CLI prints.

Formats: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
"""

from __future__ import annotations

import base64
import binascii
import csv
import json
import math
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from collector.parsers.otel import objects, plain_value
from collector.parsers.values import moment_ms

MAX_PAYLOAD = 16 * 1024 * 1024
"""A payload is one delivery of many events; a longer one is skipped as `too_long`."""


def _float(told: str) -> float | str:
    """Return a float; what is beyond all floats stays a text, which is no count anywhere."""
    number = float(told)
    return number if math.isfinite(number) else told


def _int(told: str) -> int | str:
    """Return a whole number; what is beyond 64 bits stays a text."""
    return int(told) if len(told) < _LONGEST_INT else told


_LONGEST_INT = 20
_DECODER = json.JSONDecoder(parse_float=_float, parse_int=_int, parse_constant=str)
_HALF = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")
"""Half of a letter, or bytes that were none: orjson and Arrow refuse what json lets through."""
_BLANK = " \t\r\n"
_DOCUMENT = re.compile(
    rb'\s*\{(?:\s*"(?:searchedLogStreams|nextToken|nextForwardToken|nextBackwardToken)"\s*:\s*(?:\[\s*\]|"[^"]*")\s*,)*'
    rb'\s*"events"\s*:\s*\['
)
_ANSWER = re.compile(  # of an API that lists rows: LiteLLM's spend logs, a query of Logs Insights
    rb'\s*\{(?:\s*"[^"\\]{1,80}"\s*:\s*(?:"[^"\\]{0,200}"|-?[\d.]{1,30}|true|false|null|\[\s*\])\s*,)*'
    rb'\s*"(?:data|results)"\s*:\s*\['
)
_LIST = re.compile(rb'\s*\[\s*\{\s*"')  # rows exported as one array
_TABLE = re.compile(rb'(?:\xef\xbb\xbf)?"?@?[\w.]+"?(?:,"?@?[\w.]+"?)*\r?\n')
_TABLE_OF_EVENTS = re.compile(rb'"?timestamp"?,"?message"?\s')
_LISTS = ("events", "resourceSpans", "resourceLogs", "data", "results")
_MEMBER = re.compile(rf'"(?:{"|".join(_LISTS)})"\s*:\s*\[')
_ARRAY = re.compile(r"\s*\[")
_PRETTY_TRACE = re.compile(rb'\s*\{\s*\n\s*"resource(?:Spans|Logs)"\s*:\s*\[')


def is_envelope(line: bytes) -> bool:
    """Say whether a JSON line carries events, rather than being one."""
    return _holds_log_events(line) or _leads(line)


def names_events(line: bytes) -> bool:
    """Say whether an envelope may hold what is ours unseen, as packed payloads do; a list shows its words."""
    return _holds_log_events(line) or b'"messageType"' in line or b'"resourceSpans"' in line


def _holds_log_events(line: bytes) -> bool:
    """Say whether a line names what CloudWatch puts around its events, plain or packed."""
    return b'"logEvents"' in line or b'"awslogs"' in line or b'"eventId"' in line


def _leads(line: bytes) -> bool:
    head = line[:4096]
    if b'"messageType"' in head:
        return True
    return b"[" in head and (b'"resourceSpans"' in head or b'"resourceLogs"' in head or _is_answer(head))


def _is_answer(head: bytes) -> bool:
    return (b'"data"' in head or b'"results"' in head) and _ANSWER.match(head) is not None


def is_document(head: bytes) -> bool:
    """Say whether a file is one document of many events, rather than lines.

    That is what `aws logs filter-log-events` or `get-log-events` prints, an array of rows, an answer of an API that
    lists them (unless each answer is a line), an indented trace, or a table.
    """
    if _DOCUMENT.match(head) is not None or _PRETTY_TRACE.match(head) is not None or is_table(head):
        return True
    return (_LIST.match(head) is not None or _is_answer(head)) and _goes_on(head.lstrip())


def is_table(head: bytes) -> bool:
    """Say whether a file is a table that the console exported as CSV: of Logs Insights, or of a stream's events."""
    named = _TABLE.match(head)
    return named is not None and (b"@message" in named[0] or _TABLE_OF_EVENTS.search(named[0]) is not None)


def _goes_on(head: bytes) -> bool:
    """Say whether a document goes on behind the line it begins on."""
    line, newline, _ = head.partition(b"\n")
    return not newline or line.rstrip()[-1:] in (b"[", b"{", b",")


def rows_in(body: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return the rows of an API's answer; None: it lists none."""
    for name in ("data", "results"):
        listed = body.get(name)
        if isinstance(listed, list) and listed:
            rows = [row_of(item) for item in listed]
            return rows if all(rows) else None
    return None


def records_in(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the log records of an OTLP document as objects with a message, or one of their own, and a timestamp."""
    for group in objects(body.get("resourceLogs")):
        for scope in objects(group.get("scopeLogs")):
            for record in objects(scope.get("logRecords")):
                said = plain_value(record.get("body"))
                told = record.get("timeUnixNano") or record.get("observedTimeUnixNano")
                at_ns = int(told) if isinstance(told, str) and told.isdecimal() and len(told) < 20 else told
                message = said if isinstance(said, str) else orjson.dumps(said).decode()
                yield {"message": message, "timestamp": moment_ms(at_ns)}


def row_of(item: Any) -> dict[str, Any]:
    """Return an element of a list as an object; a query of Logs Insights gives each as a list of fields."""
    if isinstance(item, list):
        return {
            str(field["field"]): field.get("value") for field in item if isinstance(field, dict) and "field" in field
        }
    return item if isinstance(item, dict) else {}


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
        found.append(_clean(body, text[at:end]))
        at = end


def _clean(body: Any, written: str) -> Any:
    """Return decoded JSON without halves of letters, whatever was written."""
    if _HALF.search(written) is None:
        return body
    return orjson.loads(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))


def document_events(pieces: Iterable[str]) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Yield (offset, event) of the lists in a document of any length, holding one event at a time.

    An event of None stands for a place where the document is damaged or cut off; nothing follows it.
    """
    source = iter(pieces)
    buffer, passed, inside = next(source, "").removeprefix("\ufeff"), 0, False
    opening = _ARRAY if _ARRAY.match(buffer) else _MEMBER
    more = True
    while True:
        if not inside:
            opened = opening.search(buffer) if opening is _MEMBER else opening.match(buffer)
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
                yield passed + at, row_of(_clean(body, buffer[at:end]))
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
        keep = buffer[-64:] if opening is _MEMBER and not inside else buffer
        buffer, passed = keep + (piece or ""), passed + len(buffer) - len(keep)
    if inside or (opening is _ARRAY and buffer.strip()):
        yield passed, None


def table_events(pieces: Iterable[str]) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Yield (number, row) of a table; None where it is damaged, and nothing follows."""
    csv.field_size_limit(MAX_PAYLOAD)
    number = 0
    try:
        for number, row in enumerate(csv.DictReader(_text_lines(pieces)), start=1):
            yield number, {str(name): value for name, value in row.items() if name is not None and value is not None}
    except csv.Error:
        yield number + 1, None


def _text_lines(pieces: Iterable[str]) -> Iterator[str]:
    rest = ""
    for piece in pieces:
        *lines, rest = (rest + piece).split("\n")
        for line in lines:
            yield line.lstrip("\ufeff") + "\n"
    if rest:
        yield rest
