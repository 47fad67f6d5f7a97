"""Call records of the quick lane: the values that plain_record.py reads, of one request."""

from __future__ import annotations

from typing import Any

import orjson

from collector.parsers.plain_record import FIELDS, RecordRow, plain_row

__all__ = ["FIELDS", "RecordRow", "read_record", "record_row"]
_NAMED = FIELDS.index("request_id")


def read_record(line: bytes, request_id: str) -> RecordRow | None:
    """Return the values of a record of a call that went well, of the request with that id; None: not in that form."""
    try:
        body = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record_row(body, request_id, None)


def record_row(body: Any, request_id: str, around: str | None) -> RecordRow | None:
    """Return the same of a record that is decoded already; `around` is the request that the line around it names."""
    row = plain_row(body, around)
    return row if row is not None and row[_NAMED] in (None, request_id) else None
