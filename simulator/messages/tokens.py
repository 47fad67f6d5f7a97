"""A small, stable tokenizer: the same text always counts the same, on every machine and in every release.

It is not Claude's tokenizer (which is not public and differs by model). The rule, in full:
a run of ASCII letters or digits costs one token per four characters begun; every other visible character
(punctuation, Hangul, Han, emoji, …) costs one token; white space costs nothing.
Blocks are counted one by one, so the tokens of a prefix are exactly the sum of its blocks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_PIECE = re.compile(r"[A-Za-z0-9]+|[^\sA-Za-z0-9]")
_CHARACTERS_PER_TOKEN = 4

TURN_OVERHEAD = 3  # the marks around one turn of the conversation
MEDIA_TOKENS = 1500  # an image, or a document whose text the simulator does not read


def count_text(text: str) -> int:
    """Count the tokens of a text."""
    return sum(-(-len(piece) // _CHARACTERS_PER_TOKEN) for piece in _PIECE.findall(text))


def count_block(block: Mapping[str, Any]) -> int:
    """Count the tokens of one content block or tool definition, `cache_control` aside."""
    kind = block.get("type")
    if kind == "text":
        return count_text(str(block.get("text", "")))
    if kind == "thinking":
        return count_text(str(block.get("thinking", "")))
    if kind == "image":
        return MEDIA_TOKENS
    if kind == "document":
        return _count_document(block)
    if kind == "tool_result":
        return _count_tool_result(block)
    return count_text(_json_text({key: value for key, value in block.items() if key != "cache_control"}))


def text_of_tokens(tokens: int, *, word: str = "word") -> str:
    """Return a text that counts exactly `tokens`: one short ASCII word (at most four letters) per token."""
    if not (1 <= len(word) <= _CHARACTERS_PER_TOKEN and word.isascii() and word.isalnum()):
        raise ValueError(f"word must be 1 to 4 ASCII letters or digits, got {word!r}")
    return " ".join([word] * tokens)


def _count_document(block: Mapping[str, Any]) -> int:
    source = block.get("source")
    if isinstance(source, Mapping) and source.get("type") == "text":
        return count_text(str(source.get("data", "")))
    return MEDIA_TOKENS


def _count_tool_result(block: Mapping[str, Any]) -> int:
    content = block.get("content", "")
    if isinstance(content, str):
        return count_text(content)
    return sum(count_block(part) for part in content if isinstance(part, Mapping))


def _json_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
