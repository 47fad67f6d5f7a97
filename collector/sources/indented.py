"""A JSON object written over several lines, as `jq`, json.dumps(…, indent=2) and `aws logs tail --format json` do.

Only its shape is known here: it begins with a line that ends in a brace and ends with one that begins with one, and
every line between is indented. What looks like it and is none after all is read line by line, as if nothing was.
Where something stands around each of its lines, those of other writers may stand between them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from collector.limits import MAX_LINE

_OPENED = re.compile(rb"(?:\A|\A\xef\xbb\xbf|\n|\n2[^\n]{18,280} )\{\r?\n")
_MEMBER = re.compile(
    rb'\n[ \t]+"(?:input_tokens|inputTokenCount|event"\s*:\s*"llm_usage|log|MESSAGE|message|gen_ai[.\w]+)"'
)
_LONGEST_FRONT = 300  # a time and the name of a stream


@dataclass(slots=True)
class Indented:
    """An object of which some lines have come."""

    start: int  # offset of its first line
    lines: list[bytes] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    length: int = 0

    def add(self, offset: int, line: bytes) -> bool:
        """Take a line; False: it is not of such an object, or there are too many."""
        follows = offset == self.start + self.length
        self.lines.append(line)
        self.offsets.append(offset)
        self.length += len(line) + 1
        indented = bool(line) and line[:1] in b" \t\r}"  # no printer of JSON leaves a line empty
        return len(self.lines) == 1 or (follows and indented and self.length <= MAX_LINE)

    @property
    def closed(self) -> bool:
        """Say whether its last line has come."""
        return len(self.lines) > 1 and self.lines[-1][:1] == b"}"

    def read(self) -> tuple[bytes, dict[str, Any]] | None:
        """Return what stood in front of it, and the object; None: it is none."""
        front = self.lines[0].rstrip()[:-1]
        try:
            body = orjson.loads(b"\n".join([b"{", *self.lines[1:]]))
        except orjson.JSONDecodeError:
            return None
        return (front, body) if isinstance(body, dict) else None


@dataclass(slots=True)
class Spread:
    """An object of whose lines each was passed on by itself, and some have come."""

    start: int  # offset of its first line
    told: list[tuple[int, str, int]] = field(default_factory=list)  # of each line the offset, what was read, its length
    texts: list[str] = field(default_factory=list)
    length: int = 0

    def add(self, offset: int, line: str, length: int, text: str) -> bool:
        """Take a line and the text that was in it; False: it is not of this object, or there are too many."""
        if self.texts and (text[:1] not in ("}", " ", "\t") or self.length + length > MAX_LINE):
            return False
        self.told.append((offset, line, length))
        self.texts.append(text)
        self.length += length
        return True

    @property
    def closed(self) -> bool:
        """Say whether its last line has come."""
        return self.texts[-1][:1] == "}"

    def read(self) -> str | None:
        """Return the object on one line; None: it is none."""
        try:
            body = orjson.loads("\n".join(self.texts))
        except orjson.JSONDecodeError:
            return None
        return orjson.dumps(body).decode() if isinstance(body, dict) else None


def may_hold_ours(data: bytes) -> bool:
    """Say whether a piece of a file holds a call told over several lines: only then each line must be looked at."""
    return _MEMBER.search(data) is not None and _OPENED.search(data) is not None


def begins(line: bytes) -> bool:
    """Say whether an object may begin with this line: alone, or behind a time."""
    told = line.rstrip()
    if not told.endswith(b"{") or len(told) > _LONGEST_FRONT:
        return False
    return told.removeprefix(b"\xef\xbb\xbf") == b"{" or (told[:1] == b"2" and told.endswith(b" {"))
