"""Odd session files, answers, batch results and spend logs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tests.support.odd.answer import events, message
from tests.support.odd.case import (
    FAILED,
    FULL,
    ISO,
    T0,
    USAGE,
    Odd,
    lines,
    new_id,
    odd,
    row,
    text,
    usd,
)


def answer(
    message_id: str | None = None, o: int = 20, stop: str | None = "end_turn", u: Any = None, **more: Any
) -> dict[str, Any]:
    """Return a line of a session that holds an answer."""
    return {
        "parentUuid": None,
        "isSidechain": False,
        "userType": "external",
        "cwd": "/home/me/app",
        "sessionId": "s1",
        "version": "2",
        "type": "assistant",
        "uuid": new_id(),
        "timestamp": ISO,
        "requestId": "req_" + new_id(),
        "message": {
            "id": message_id or new_id(),
            "type": "message",
            "role": "assistant",
            "model": "claude-opus-4-5-20251101",
            "content": [{"type": "text", "text": "x"}],
            "stop_reason": stop,
            "usage": {**(u or USAGE), "output_tokens": o},
        },
        **more,
    }


USER = {
    "parentUuid": None,
    "isSidechain": False,
    "cwd": "/home/me/app",
    "sessionId": "s1",
    "type": "user",
    "uuid": "u",
    "timestamp": ISO,
    "message": {"role": "user", "content": "input_tokens claude llm_usage API Cost: $1 | input: 3"},
}


def result(kind: str, **more: Any) -> dict[str, Any]:
    """Return a result of a batch."""
    return {"custom_id": new_id(), "result": {"type": kind, **more}}


def spend(**more: Any) -> dict[str, Any]:
    """Return a row of the spend logs."""
    return {
        "request_id": new_id().replace("msg", "chatcmpl"),
        "call_type": "acompletion",
        "startTime": ISO,
        "endTime": ISO,
        "model": "claude-opus-4-5",
        "custom_llm_provider": "anthropic",
        "spend": 0.1,
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "metadata": {},
        **more,
    }


def cases() -> Iterator[Odd]:
    """Yield what is odd, with what it should give."""
    m = new_id()
    yield odd("cc growing", lines(USER, answer(m, 1, None), answer(m, 5, None), answer(m, 20)), [FULL], suffix=".jsonl")
    m = new_id()
    yield odd("cc out of order", lines(USER, answer(m, 20), answer(m, 1, None)), [FULL], suffix=".jsonl")
    yield odd(
        "cc sidechain",
        lines(USER, answer(), answer(isSidechain=True, o=7)),
        [FULL, row(10, 30, 40, 50, 7)],
        suffix=".jsonl",
    )
    yield odd(
        "cc synthetic",
        lines(USER, (lambda b: (b["message"].update(model="<synthetic>"), b)[1])(answer())),
        [],
        suffix=".jsonl",
    )
    yield odd("cc api error", lines(USER, answer(isApiErrorMessage=True)), [], suffix=".jsonl")
    yield odd("cc no usage", lines(USER, (lambda b: (b["message"].pop("usage"), b)[1])(answer())), [], suffix=".jsonl")
    yield odd(
        "cc usage null", lines(USER, (lambda b: (b["message"].update(usage=None), b)[1])(answer())), [], suffix=".jsonl"
    )
    yield odd(
        "cc negative", lines(USER, answer(u={**USAGE, "input_tokens": -3})), [], {"bad_count": 1}, suffix=".jsonl"
    )
    yield odd("cc no id", lines(USER, (lambda b: (b["message"].pop("id"), b)[1])(answer())), [FULL], suffix=".jsonl")
    yield odd("cc offset time", lines(USER, answer(timestamp="2026-11-20T09:00:00+09:00")), [FULL], suffix=".jsonl")
    yield odd("cc bad time", lines(USER, answer(timestamp="soon")), [], {"bad_time": 1}, suffix=".jsonl")
    yield odd("cc epoch time", lines(USER, answer(timestamp=T0)), [FULL], suffix=".jsonl")
    yield odd("cc crlf", lines(USER, answer()).replace("\n", "\r\n"), [FULL], suffix=".jsonl")
    yield odd("cc bom", b"\xef\xbb\xbf" + lines(USER, answer()).encode(), [FULL], suffix=".jsonl")
    yield odd("cc bom first assistant", b"\xef\xbb\xbf" + lines(answer()).encode(), [FULL], suffix=".jsonl")
    yield odd("cc cut last", lines(USER, answer()) + text(answer())[:200], [FULL], suffix=".jsonl")
    yield odd("cc last no newline", lines(USER) + text(answer()), [FULL], suffix=".jsonl")
    yield odd(
        "cc big user line",
        lines({**USER, "message": {"role": "user", "content": "z" * 2_000_000}}, answer()),
        [FULL],
        suffix=".jsonl",
    )
    yield odd(
        "cc compact spacing",
        (json.dumps(USER, separators=(",", ":")) + "\n" + json.dumps(answer(), separators=(",", ":")) + "\n"),
        [FULL],
        suffix=".jsonl",
    )
    yield odd(
        "cc NUL line", lines(USER).encode() + b"\0" * 30 + b"\n" + lines(answer()).encode(), [FULL], suffix=".jsonl"
    )
    yield odd(
        "cc bad utf8 in content",
        lines(USER).encode() + lines(answer()).encode().replace(b'"x"', b'"\xff"'),
        [],
        {"undecodable": 1},
        suffix=".jsonl",
    )
    yield odd(
        "cc dup key usage",
        lines(USER) + text(answer()).replace('"input_tokens": 10', '"input_tokens": 99, "input_tokens": 10') + "\n",
        [FULL],
        suffix=".jsonl",
    )
    yield odd(
        "cc float count",
        lines(USER) + text(answer()).replace('"input_tokens": 10', '"input_tokens": 10.0') + "\n",
        [],
        {"bad_count": 1},
        suffix=".jsonl",
    )
    yield odd(
        "cc string count",
        lines(USER) + text(answer()).replace('"input_tokens": 10', '"input_tokens": "10"') + "\n",
        [],
        {"bad_count": 1},
        suffix=".jsonl",
    )
    m = new_id()
    COPIES = [answer(m), {**answer(m), "sessionId": "s2"}]
    yield odd("cc resumed a", lines({**USER, "sessionId": "s1"}, COPIES[0]), suffix=".jsonl")  # its copy is read later
    yield odd(
        "cc resumed b",
        lines({**USER, "sessionId": "s2"}, COPIES[1], {**answer(o=9), "sessionId": "s2"}),
        [FULL, row(10, 30, 40, 50, 9)],
        suffix=".jsonl",
    )
    yield odd(
        "cc agent file",
        lines({**USER, "agentId": "a1", "isSidechain": True}, {**answer(o=8), "agentId": "a1", "isSidechain": True}),
        [row(10, 30, 40, 50, 8)],
        suffix=".jsonl",
    )
    yield odd(
        "cc summary head",
        lines({"type": "summary", "summary": "x", "leafUuid": "y"}, USER, answer()),
        [FULL],
        suffix=".jsonl",
    )
    yield odd(
        "cc batch tier",
        lines(USER, answer(u={**USAGE, "service_tier": "batch"})),
        [row(10, 30, 40, 50, 20, x=Decimal(".5"))],
        suffix=".jsonl",
    )
    yield odd(
        "cc web search",
        lines(USER, answer(u={**USAGE, "server_tool_use": {"web_search_requests": 2}})),
        [(10, 30, 40, 50, 20, usd(10, 30, 40, 50, 20) + Decimal(".02"))],
        suffix=".jsonl",
    )
    yield odd(
        "cc unsplit",
        lines(USER, answer(u={k: v for k, v in USAGE.items() if k != "cache_creation"})),
        [row(10, 30, 0, 90, 20)],
        suffix=".jsonl",
    )
    yield odd(
        "cc 5m only split",
        lines(
            USER,
            answer(u={**USAGE, "cache_creation": {"ephemeral_5m_input_tokens": 90, "ephemeral_1h_input_tokens": 0}}),
        ),
        [row(10, 30, 90, 0, 20)],
        suffix=".jsonl",
    )
    yield odd("raw bare", lines(message()), [FULL])
    yield odd("raw around", lines({"timestamp": ISO, "engine": "e", "response": message()}), [FULL])
    yield odd("raw message", lines({"timestamp": T0, "message": message()}), [FULL])
    yield odd("raw pretty", text(message(), indent=2), [FULL])
    yield odd("raw array", text([message(), message()]), [FULL] * 2)
    yield odd("raw no usage", lines(message(None)))
    yield odd("raw error body", lines({"type": "error", "error": {"type": "overloaded_error"}}))
    yield odd(
        "raw us geo",
        lines(message({**USAGE, "inference_geo": "us"}, model="claude-opus-4-6")),
        [row(10, 30, 40, 50, 20, x=Decimal("1.1"))],
    )
    yield odd("raw event list", text(events()) + "\n", [FULL])
    yield odd("raw event list in object", lines({"timestamp": ISO, "events": events()}), [FULL])
    yield odd("raw events by line", lines(*events()), [FULL])
    yield odd("raw sse", "".join(f"event: {e['type']}\ndata: {text(e)}\n\n" for e in events()), [FULL])
    yield odd(
        "raw sse twice",
        "".join(f"event: {e['type']}\ndata: {text(e)}\n\n" for e in events() + events(21)),
        [FULL, row(10, 30, 40, 50, 21)],
    )
    yield odd(
        "raw sse cut",
        "".join(f"event: {e['type']}\ndata: {text(e)}\n\n" for e in events(stop=False)),
        [row(10, 30, 40, 50, 1)],
    )
    yield odd(
        "raw sdk repr",
        "Message(id='msg_x', content=[], model='claude-opus-4-5', usage=Usage(input_tokens=10, output_tokens=20))\n",
    )
    yield odd("raw headers around", lines({"status": 200, "body": text(message())}), [FULL])
    yield odd("raw response string", lines({"timestamp": ISO, "response": text(message())}), [FULL])
    yield odd(
        "raw request beside",
        lines({"request": {"model": "claude-opus-4-5", "messages": []}, "response": message(), "timestamp": ISO}),
        [FULL],
    )
    yield odd(
        "raw refusal",
        lines(message({"input_tokens": 10, "output_tokens": 0}, content=[], stop_reason="refusal")),
        [(10, 0, 0, 0, 0, Decimal(0))],
    )
    yield odd(
        "raw 1h above total",
        lines(
            message(
                {
                    "input_tokens": 10,
                    "output_tokens": 20,
                    "cache_creation_input_tokens": 500,
                    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
                }
            )
        ),
        [row(10, 0, 300, 200, 20)],
    )
    yield odd("batch ok", lines(result("succeeded", message=message())), [row(10, 30, 40, 50, 20, x=Decimal(".5"))])
    yield odd(
        "batch errored",
        lines(result("errored", error={"type": "error", "error": {"type": "invalid_request_error", "message": "x"}})),
        [FAILED],
    )
    yield odd("batch expired", lines(result("expired")))
    yield odd("batch canceled", lines(result("canceled")))
    yield odd("batch unknown", lines(result("mystery")), [], {"unknown_result": 1})
    yield odd("batch no usage", lines(result("succeeded", message={**message(), "usage": None})), [], {"no_usage": 1})
    yield odd("batch null result", lines({"custom_id": "x", "result": None}))
    yield odd(
        "batch twice",
        (lambda b: lines(b, b))(result("succeeded", message=message())),
        [row(10, 30, 40, 50, 20, x=Decimal(".5"))],
    )
    yield odd(
        "batch array",
        text([result("succeeded", message=message()), result("expired")]),
        [row(10, 30, 40, 50, 20, x=Decimal(".5"))],
    )
    yield odd(
        "batch bedrock",
        lines({"recordId": "1", "modelInput": {"messages": []}, "modelOutput": message()}),
        [row(10, 30, 40, 50, 20, price=False)],  # whether at the global or a regional price, its job alone knows
    )
    yield odd("ll plain", lines(spend()), [row(10, 0, 0, 0, 20)])
    yield odd(
        "ll cached",
        lines(
            spend(
                prompt_tokens=130,
                metadata=text(
                    {
                        "usage_object": {
                            "prompt_tokens_details": {"cached_tokens": 30},
                            "cache_creation_input_tokens": 90,
                            "cache_read_input_tokens": 30,
                        }
                    }
                ),
            )
        ),
        [row(10, 30, 0, 90, 20)],
    )
    yield odd("ll data", lines({"data": [spend(), spend()]}), [row(10, 0, 0, 0, 20)] * 2)
    yield odd("ll failed", lines(spend(status="failure", prompt_tokens=0, completion_tokens=0)), [FAILED])
    yield odd("ll cache hit", lines(spend(cache_hit="True")))
    yield odd("ll negative", lines(spend(prompt_tokens=-1)), [], {"bad_count": 1})
    yield odd("ll no time", lines(spend(startTime=None)), [], {"bad_time": 1})
    yield odd("ll gpt", lines(spend(model="gpt-5")))
    yield odd(
        "ll spaced time",
        lines(spend(startTime="2026-11-20 00:00:00.123", endTime="2026-11-20 00:00:01")),
        [row(10, 0, 0, 0, 20)],
    )
