"""What goes over the wire: the message, its usage, the events of a stream, and the words of the answer.

Event order and shapes: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

from core.caching.cache_model import Outcome

# each word is one token by the simulator's count
_WORDS = ("This", "text", "was", "made", "by", "a", "toy", "that", "only", "sims", "and", "says", "none", "more")
_WORDS_PER_DELTA = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """One simulated answer: its ids, the tokens it used and what it says."""

    message_id: str
    model: str
    outcome: Outcome
    output_tokens: int
    stop_reason: str
    speed: str
    diagnostics: dict[str, Any] | None

    def usage(self, *, output_tokens: int) -> dict[str, Any]:
        """Return the usage of a message; the TTL split sums to `cache_creation_input_tokens`."""
        outcome = self.outcome
        usage: dict[str, Any] = {
            "input_tokens": outcome.uncached,
            "cache_creation_input_tokens": outcome.write_5m + outcome.write_1h,
            "cache_read_input_tokens": outcome.read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": outcome.write_5m,
                "ephemeral_1h_input_tokens": outcome.write_1h,
            },
            "output_tokens": output_tokens,
            "service_tier": "standard",
            "inference_geo": "global",
        }
        if self.speed != "standard":
            usage["speed"] = self.speed
        return usage

    def delta_usage(self) -> dict[str, Any]:
        """Return the cumulative usage of `message_delta`, which knows no TTL split, tier, place or speed."""
        outcome = self.outcome
        return {
            "input_tokens": outcome.uncached,
            "cache_creation_input_tokens": outcome.write_5m + outcome.write_1h,
            "cache_read_input_tokens": outcome.read,
            "output_tokens": self.output_tokens,
        }

    def message(self) -> dict[str, Any]:
        """Return the whole message, as a call without streaming gets it."""
        text = reply_text(self.output_tokens)
        content = [{"type": "text", "text": text}] if self.output_tokens else []
        return {
            **self._head(content),
            "stop_reason": self.stop_reason,
            "usage": self.usage(output_tokens=self.output_tokens),
        }

    def start_events(self) -> Iterator[dict[str, Any]]:
        """Yield the events before the first word; their output_tokens is a placeholder, as in the real service."""
        head = {**self._head([]), "stop_reason": None, "usage": self.usage(output_tokens=1)}
        yield {"type": "message_start", "message": head}
        yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        yield {"type": "ping"}

    def delta_events(self) -> list[dict[str, Any]]:
        """Return the events that carry the words."""
        pieces = _pieces(reply_text(self.output_tokens))
        return [
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
            for piece in pieces
        ]

    def end_events(self) -> Iterator[dict[str, Any]]:
        """Yield the events after the last word."""
        yield {"type": "content_block_stop", "index": 0}
        delta = {"stop_reason": self.stop_reason, "stop_sequence": None}
        yield {"type": "message_delta", "delta": delta, "usage": self.delta_usage()}
        yield {"type": "message_stop"}

    def _head(self, content: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.message_id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_sequence": None,
            "stop_details": None,
            "container": None,
            "diagnostics": self.diagnostics,
        }


def reply_text(tokens: int) -> str:
    """Return an answer of exactly `tokens` tokens by the simulator's own count; it owes nothing to the prompt."""
    return " ".join(islice(cycle(_WORDS), tokens))


def sse(event: dict[str, Any]) -> bytes:
    """Return one event in the form of a server-sent event."""
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def _pieces(text: str) -> list[str]:
    words = text.split(" ") if text else []
    groups = [words[at : at + _WORDS_PER_DELTA] for at in range(0, len(words), _WORDS_PER_DELTA)]
    return [" ".join(group) + (" " if at < len(groups) - 1 else "") for at, group in enumerate(groups)]
