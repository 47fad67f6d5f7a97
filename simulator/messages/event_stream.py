"""AWS event-stream framing: the binary envelope in which Bedrock sends stream events.

A message is: total length, headers length, CRC32 of these, headers, payload, CRC32 of all before (big-endian).
https://docs.aws.amazon.com/lexv2/latest/dg/event-stream-encoding.html
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import Any

_STRING = 7  # the header value type for a UTF-8 string
_AROUND = 16  # prelude (8), its checksum (4), message checksum (4)


def chunk(event: dict[str, Any]) -> bytes:
    """Frame one Messages event as Bedrock's `chunk`."""
    inner = base64.b64encode(json.dumps(event, ensure_ascii=False).encode()).decode()
    headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps({"bytes": inner, "p": "abcdefgh"}).encode())


def exception(kind: str, message: str) -> bytes:
    """Frame an error that ends a stream."""
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, json.dumps({"message": message}).encode())


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """Put headers and payload into one message."""
    head = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack("!II", _AROUND + len(head) + len(payload), len(head))
    checked = prelude + struct.pack("!I", zlib.crc32(prelude)) + head + payload
    return checked + struct.pack("!I", zlib.crc32(checked))


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return struct.pack("!B", len(key)) + key + struct.pack("!BH", _STRING, len(text)) + text
