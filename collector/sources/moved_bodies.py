"""Answers that Bedrock moved out of its invocation log: fetched for their counts, and nothing else of them is kept.

Above 100 KB the log holds an address in place of the body. Only there does it stand for how long what was written to
the cache lives, and the message's id. https://docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from collector.parsers.bedrock_log import counts_of, is_invocation_log
from collector.sources.file_bytes import chunks
from core.errors import BadInput

MAX_BODY = 64 * 1024 * 1024
_PATH = "outputBodyS3Path"
Fetch = Callable[[str, str], bytes | None]
"""From bucket and key to what is there; None where it cannot be read."""


def with_body(message: str, fetch: Fetch) -> str:
    """Return a line of the invocation log with the counts of its moved answer; any other line as it is."""
    if _PATH not in message:
        return message
    try:
        record = orjson.loads(message)
    except orjson.JSONDecodeError:
        return message
    output = record.get("output") if isinstance(record, dict) and is_invocation_log(record) else None
    if not isinstance(output, dict) or output.get("outputBodyJson"):
        return message
    path = output.get(_PATH)
    if not isinstance(path, str) or not path.startswith("s3://"):
        return message
    bucket, _, key = path.removeprefix("s3://").partition("/")
    body = _told(fetch(bucket, key)) if bucket and key else None
    if body is None:
        return message
    return orjson.dumps({**record, "output": {**output, "outputBodyJson": counts_of(body)}}).decode()


def _told(data: bytes | None) -> Mapping[str, Any] | list[Any] | None:
    if not data:
        return None
    plain = bytearray()
    try:
        for piece in chunks(io.BytesIO(data)):
            plain += piece
            if len(plain) > MAX_BODY:
                return None
        body = orjson.loads(plain)
    except (BadInput, orjson.JSONDecodeError):
        return None
    return body if isinstance(body, dict | list) else None
