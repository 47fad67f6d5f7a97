"""Canned answers of the Claude Messages API for the real SDK: JSON, server-sent events, Bedrock event streams."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from zlib import crc32

import httpx2

USAGE = {
    "input_tokens": 12,
    "cache_read_input_tokens": 4000,
    "cache_creation_input_tokens": 500,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 500},
    "output_tokens": 30,
    "service_tier": "standard",
}


def message(*, text: str = "Hello.", usage: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    """Return the body of a whole answer."""
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-4-5",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage or USAGE,
        **members,
    }


def stream_events(*, usage: dict[str, Any] | None = None, pieces: Sequence[str] = ("Hel", "lo.")) -> list[dict]:
    """Return the events of a streamed answer: start, block, deltas, final usage, stop."""
    told = dict(usage or USAGE)
    output = told.pop("output_tokens")
    start = message(usage={**told, "output_tokens": 1}, content=[], stop_reason=None)
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}} for piece in pieces
    ]
    return [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *deltas,
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": output},
        },
        {"type": "message_stop"},
    ]


def sse(events: Sequence[dict[str, Any]]) -> bytes:
    """Write events as the API's text/event-stream."""
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def error(kind: str, text: str = "no.") -> dict[str, Any]:
    """Return the body of an error answer."""
    return {"type": "error", "error": {"type": kind, "message": text}}


def streamed(events: Sequence[dict[str, Any]]) -> httpx2.Response:
    """Answer 200 with server-sent events."""
    return httpx2.Response(
        200, headers={"content-type": "text/event-stream", "request-id": "req_1"}, content=sse(events)
    )


def whole(body: dict[str, Any] | None = None) -> httpx2.Response:
    """Answer 200 with a whole message."""
    return httpx2.Response(200, headers={"request-id": "req_1"}, json=body or message())


def failed(status: int, kind: str, **headers: str) -> httpx2.Response:
    """Answer with an error status."""
    return httpx2.Response(status, headers={"request-id": "req_err", **headers}, json=error(kind))


def bedrock_stream(events: Sequence[dict[str, Any]]) -> httpx2.Response:
    """Answer 200 with an AWS event stream whose chunks wrap the events."""
    frames = b"".join(_frame(event) for event in events)
    headers = {"content-type": "application/vnd.amazon.eventstream", "x-amzn-requestid": "aws-1"}
    return httpx2.Response(200, headers=headers, content=frames)


def _frame(event: dict[str, Any]) -> bytes:
    payload = json.dumps({"bytes": base64.b64encode(json.dumps(event).encode()).decode()}).encode()
    pairs = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in pairs.items()
    )
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    frame = prelude + struct.pack(">I", crc32(prelude)) + headers + payload
    return frame + struct.pack(">I", crc32(frame))


class Api:
    """A scripted API behind the real SDK: answers in turn, remembers every request."""

    def __init__(self, *answers: httpx2.Response | Exception | Callable[[httpx2.Request], httpx2.Response]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request: the last answer is repeated for ever."""
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    async def answer_async(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request of an asynchronous client."""
        return self(request)

    def bodies(self) -> list[dict[str, Any]]:
        """Return what was sent, as JSON."""
        return [json.loads(request.content) for request in self.requests]

    def http_client(self) -> httpx2.Client:
        """Return the HTTP client to give to the SDK."""
        return httpx2.Client(transport=httpx2.MockTransport(self))

    def async_http_client(self) -> httpx2.AsyncClient:
        """Return the HTTP client to give to the asynchronous SDK."""
        return httpx2.AsyncClient(transport=httpx2.MockTransport(self.answer_async))


class Ticks:
    """A monotonic clock in seconds that steps 10 ms each time it is asked."""

    def __init__(self) -> None:
        self._steps: Iterator[int] = iter(range(10**9))

    def __call__(self) -> float:
        """Return the next moment."""
        return next(self._steps) / 100
