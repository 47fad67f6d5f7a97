"""Prompts of a known size for the simulator: one block per call, tokens by the simulator's own count."""

from itertools import count
from typing import Any, Literal

from anthropic.types import CacheControlEphemeralParam, Message, TextBlockParam, Usage

from simulator.messages import text_of_tokens

MODEL = "claude-opus-4-8"  # caches from 1,024 tokens on
MINIMUM = 1024
HELLO: Any = [{"role": "user", "content": "hello"}]
HELLO_TOKENS = 5  # 2 words of 4 letters, and 3 around the turn

Ttl = Literal["5m", "1h"]
_keys = count(1)


def new_key() -> str:
    """Return an API key that nobody has used yet: a workspace, and so a cache, of its own."""
    return f"sk-ant-sim-test-{next(_keys)}"


def mark(ttl: Ttl | None = None) -> CacheControlEphemeralParam:
    """Return a cache_control; without a ttl it is left out, as most callers do."""
    return {"type": "ephemeral"} if ttl is None else {"type": "ephemeral", "ttl": ttl}


def block(tokens: int, word: str = "word", *, cached: Ttl | None = None) -> TextBlockParam:
    """Return a text block of that many tokens, a breakpoint when `cached` says for how long."""
    plain: TextBlockParam = {"type": "text", "text": text_of_tokens(tokens, word=word)}
    return {**plain, "cache_control": mark(cached)} if cached else plain


def ask(client: Any, **parts: Any) -> Message:
    """Send a request; what is not given is the smallest that will do."""
    return client.messages.create(**{"model": MODEL, "max_tokens": 16, "messages": HELLO, **parts})


def counts(answer: Message | Usage) -> tuple[int, int, int, int]:
    """Return input, read, 5m write and 1h write tokens, checking that the TTL split sums up."""
    usage = answer if isinstance(answer, Usage) else answer.usage
    split = usage.cache_creation
    assert split is not None
    written = (split.ephemeral_5m_input_tokens, split.ephemeral_1h_input_tokens)
    assert usage.cache_creation_input_tokens == sum(written)
    assert usage.cache_read_input_tokens is not None
    return usage.input_tokens, usage.cache_read_input_tokens, *written
