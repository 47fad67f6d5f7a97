"""Pure functions from a message to what it says. No clock, no network, no files; nothing keeps the text."""

from collector.parsers.message import parse_message

__all__ = ["parse_message"]
