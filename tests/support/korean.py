"""Is there an English sentence in a Korean text? Names of the field, such as `cache_read_tokens` or TTL, are none."""

from __future__ import annotations

import re

_CODE = re.compile(r"(`+).+?\1", re.S)
_SENTENCE = re.compile(r"(?<![\w./@-])[A-Za-z][A-Za-z'’]*(?: +[a-z][a-z'’]*){2,}")
"""Three words in a row, of which the second and third are small: "Claude Opus Five" is a name."""


def english(text: str) -> list[str]:
    """Return whatever reads as English running text, outside of what is set as code."""
    return [found[0] for found in _SENTENCE.finditer(_CODE.sub("", text)) if not _is_command(found[0])]


def _is_command(words: str) -> bool:
    """Say whether it is something to type into a terminal rather than a sentence."""
    return words.startswith(("aws ", "cachewise "))
