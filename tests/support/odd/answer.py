"""Answers of the Messages API, whole and as the events of a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.support.odd.case import USAGE, new_id


def message(usage: Mapping[str, Any] | None = USAGE, **more: Any) -> dict[str, Any]:
    """Return a whole answer."""
    head = {"id": new_id(), "type": "message", "role": "assistant", "model": "claude-opus-4-5-20251101"}
    content = [{"type": "text", "text": "hi"}]
    return {**head, "content": content, "stop_reason": "end_turn", "usage": usage, **more}


def events(output: int = 20, *, metrics: Mapping[str, int] | None = None, stop: bool = True) -> list[dict[str, Any]]:
    """Return the events of a streamed answer; without `stop` it broke off."""
    told: list[dict[str, Any]] = [
        {"type": "message_start", "message": message({**USAGE, "output_tokens": 1}, content=[], stop_reason=None)},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello input_tokens"}},
        {"type": "content_block_stop", "index": 0},
    ]
    if stop:
        end = {"type": "message_stop", **({"amazon-bedrock-invocationMetrics": metrics} if metrics else {})}
        told += [
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": output}},
            end,
        ]
    return told
