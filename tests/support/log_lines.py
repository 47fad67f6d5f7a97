"""Log lines as the service and the Lambda platform write them, and the envelopes they travel in."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from core.telemetry import api_cost_line, call_record, prompt_store_hit_line, record_line

STREAM = "2026/11/20/[12]0123456789abcdef0123456789abcdef"
GROUP = "/aws/lambda/bodo-ws"
ACCOUNT = "123456789012"
T0 = 1_795_132_800_000  # 2026-11-20T00:00:00Z
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def rid(number: int) -> str:
    """Return a request id."""
    return str(uuid.UUID(int=(number + 1) << 64 | 0x4000_8000_0000_0000_0001))


def iso(ms: int) -> str:
    """Return a time as Lambda writes it."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def event_id(ms: int, place: int = 0, put: int = 7) -> str:
    """Return an id in the layout of real ones: time, ingestion time, delivery, place in it."""
    return str(ms << 144 | (ms + 900) << 80 | put << 16 | place)


def dressed(message: str, ms: int, request_id: str) -> str:
    """Return a message as Lambda's text format logs it."""
    return f"[INFO]\t{iso(ms)}\t{request_id}\t{message}"


def as_json_log(message: str, ms: int, request_id: str) -> str:
    """Return a message as Lambda's JSON format logs it."""
    body = {"timestamp": iso(ms)[:19] + "Z", "level": "INFO", "message": message, "requestId": request_id}
    return json.dumps(body, ensure_ascii=False)


def start(request_id: str, version: str = "12") -> str:
    """Return a START line."""
    return f"START RequestId: {request_id} Version: {version}"


def report(request_id: str, *, ms: float = 812.5, extra: str = "") -> str:
    """Return a REPORT line."""
    return (
        f"REPORT RequestId: {request_id}\tDuration: {ms:.2f} ms\tBilled Duration: {int(ms) + 1} ms\t"
        f"Memory Size: 512 MB\tMax Memory Used: 123 MB\t{extra}"
    )


def cost(*, given: int = 10, output: int = 200, read: int = 3000, write: int = 0, dollars: str = "0.006550") -> str:
    """Return a cost line; the default figure is right for Claude Opus 4.5 on the Anthropic API."""
    return api_cost_line(
        cost_usd=Decimal(dollars), input_tokens=given, output_tokens=output, cache_read=read, cache_write=write
    )


def record(
    call_id: str | None = "msg_1", *, ms: int = T0, given: int = 10, output: int = 200, read: int = 3000, **more: Any
) -> str:
    """Return the structured record of one call."""
    usage = {"input_tokens": given, "output_tokens": output, "cache_read_input_tokens": read,
             "cache_creation_input_tokens": 0}  # fmt: skip
    values: dict[str, Any] = {
        "call_id": call_id, "started_ms": ms, "provider": "anthropic", "model": "claude-opus-4-5",
        "engine": "sales", "usage": usage, "caching_enabled": True, "cache_ttl": "1h",
    }  # fmt: skip
    return record_line(call_record(**{**values, **more}))


def invocation(number: int, *, ms: int | None = None, engine: str = "sales", extra: str = "") -> list[tuple[int, str]]:
    """Return (time, line) of one request: START, a prompt-store hit, a call, END, REPORT."""
    at = T0 + number * 2_000 if ms is None else ms
    name = rid(number)
    return [
        (at, start(name)),
        (at + 1, dressed(prompt_store_hit_line(engine), at + 1, name)),
        (at + 2, dressed("a line of the application", at + 2, name)),
        (at + 800, dressed(cost(given=10 + number, dollars="0.000001"), at + 800, name)),
        (at + 801, f"END RequestId: {name}"),
        (at + 812, report(name, extra=extra)),
    ]


def payload(events: list[tuple[int, str]], *, stream: str = STREAM, put: int = 7, group: str = GROUP) -> dict[str, Any]:
    """Return a subscription-filter payload of (time, line) events."""
    return {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": group,
        "logStream": stream,
        "subscriptionFilters": ["all"],
        "logEvents": [
            {"id": event_id(ms, place, put), "timestamp": ms, "message": f"{line}\n"}
            for place, (ms, line) in enumerate(events)
        ],
    }


def text_of(events: list[tuple[int, str]]) -> str:
    """Return events as the lines of a plain log file."""
    return "".join(f"{line}\n" for _, line in events)
