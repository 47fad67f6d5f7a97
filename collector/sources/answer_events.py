"""Events of a streamed answer, one per line or element: as an SDK printed them, or as the stream itself was saved.

https://platform.claude.com/docs/en/build-with-claude/streaming
Only together do they tell the call: the first has its id and prompt, the last its output.
"""

from __future__ import annotations

from typing import Any

import orjson

ANSWER = (None, "answer")
"""The key under which a file keeps the events of the answer that has not ended yet."""
_KINDS = (
    "message_start", "message_delta", "message_stop", "content_block_start", "content_block_delta",
    "content_block_stop", "ping", "error",
)  # fmt: skip


def is_event(body: dict[str, Any]) -> bool:
    """Say whether an object is an event of a streamed answer."""
    return body.get("type") in _KINDS and (body["type"] != "message_start" or isinstance(body.get("message"), dict))


def event_in(line: str) -> dict[str, Any] | None:
    """Return the event that a line is, bare or behind `data:`."""
    told = line.removeprefix("data:").strip()
    if told[:1] != "{":
        return None
    try:
        body = orjson.loads(told)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) and is_event(body) else None
