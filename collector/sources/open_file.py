"""A file being read: where we are in it, and the time its lines tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO

from collector.event import Origin
from collector.parsers.clock import STAMP_SPAN, find_iso_ms, plausible
from collector.sources.file_bytes import Found
from collector.sources.file_identity import KnownFile
from collector.sources.indented import Indented, Spread


@dataclass(slots=True)
class Pieces:
    """The beginning of a line that a container's runtime cut into pieces."""

    start: int  # offset of the first
    texts: list[str]
    length: int


@dataclass(slots=True)
class OpenFile:
    """The file being read: where we are in it, and what its lines inherit."""

    found: Found
    known: KnownFile
    origin: Origin
    offset: int
    seen: int
    whole: bool  # it cannot grow: what it ends with is complete
    stamp_ms: int
    stamped: bool
    stamp_line: bytes = b""  # the last line that tells a time, not read before it is needed
    ids: bool = True
    session: bool = False  # it may be a session's of Claude Code
    wrapped: bool = False  # something stands around its lines, and may have cut them into pieces
    pieces: dict[tuple[str | None, str], Pieces] = field(default_factory=dict)  # of lines that did not end yet
    indented: Indented | None = None  # an object over several lines that has not ended yet
    spread: dict[tuple[str | None, str], Spread] = field(default_factory=dict)  # the same, something around each line
    counted: set[int] = field(default_factory=set)  # where begins what was counted although it may go on
    handle: BinaryIO | None = None  # of a file that may be read again
    joint: int = -1  # where an envelope ended without a newline: the newline that may follow is no line


def settle_stamp(file: OpenFile, now_ms: int) -> None:
    """Read the time of the last line that told one."""
    if file.stamp_line:
        stamp = find_iso_ms(file.stamp_line[:STAMP_SPAN].decode("utf-8", errors="replace"))
        file.stamp_line = b""
        if stamp is not None and plausible(stamp, now_ms=now_ms):
            file.stamp_ms, file.stamped = stamp, True


def held_at(file: OpenFile) -> int:
    """Return where to read on: the beginning of what has not ended yet."""
    begun = [pieces.start for pieces in file.pieces.values()]
    begun += [spread.start for spread in file.spread.values()]
    if file.indented is not None:
        begun.append(file.indented.start)
    return min([file.offset, *begun])
