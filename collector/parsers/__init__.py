"""Pure functions from a message to what it says. No clock, no network, no files; nothing keeps the text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collector.parsers.message import parse_message

__all__ = ["parse_message"]


def __getattr__(name: str) -> Any:
    """Load every format when the first message is parsed: a process that knows which one it reads needs no other."""
    if name == "parse_message":
        from collector.parsers.message import parse_message

        return parse_message
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
