"""What the probe sends: filler of a chosen size behind a nonce, so that no run ever reads another's entry.

The words have at most four letters: one token each for most tokenizers, and for the simulator's exactly one.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from typing import Any

from core.caching.cache_model import Ttl
from core.caching.policy import CachePolicy
from core.caching.request import PromptRequest, build_request

ENGINE = "cachewise-probe"
QUESTION = "Say OK."
MAX_TOKENS = 16
_FILLER = ("this", "text", "only", "adds", "size", "to", "what", "can", "be", "kept", "and", "has", "no", "use", "else")
TOOLS: tuple[dict[str, Any], ...] = (
    {
        "name": "find_order",
        "description": "Find an order by its number.",
        "input_schema": {"type": "object", "properties": {"number": {"type": "string"}}},
    },
    {
        "name": "open_hours",
        "description": "Say when a shop is open.",
        "input_schema": {"type": "object", "properties": {"shop": {"type": "string"}}},
    },
)


def new_nonce() -> str:
    """Return what nobody has sent before: 36 digits apart, so that each counts the same for every tokenizer."""
    return " ".join(str(secrets.randbelow(10)) for _ in range(36))


@dataclass(frozen=True, slots=True)
class Prefix:
    """A prefix to be cached. `day` stands at its top, as the date does in many real prompts."""

    nonce: str = field(repr=False)
    words: int
    day: str | None = None
    tools: tuple[dict[str, Any], ...] = ()
    last_word: str = "end"

    def text(self) -> str:
        """Return the system text."""
        day = f"Today is {self.day}. " if self.day else ""
        filler = " ".join(islice(cycle(_FILLER), self.words))
        return f"{day}Probe {self.nonce}. Answer with OK. {filler} {self.last_word}"

    def fresh(self) -> Prefix:
        """Return a prefix of the same size that nobody has sent."""
        return replace(self, nonce=new_nonce())


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: the prefix, how it is marked, and what is asked of the answer. `model` None: the target's."""

    prefix: Prefix
    cache_ttl: Ttl | None  # None: not marked
    model: str | None = None
    question: str = QUESTION
    stream: bool = False
    diagnose: bool = False
    previous_message_id: str | None = None
    max_tokens: int = MAX_TOKENS

    def request(self) -> PromptRequest:
        """Return the request as the service would build it."""
        policy = CachePolicy(caching_enabled=self.cache_ttl is not None, cache_ttl=self.cache_ttl or "5m")
        return build_request(
            self.prefix.text(),
            self.question,
            policy=policy,
            engine=ENGINE,
            tools=self.prefix.tools,
            max_tokens=self.max_tokens,
        )
