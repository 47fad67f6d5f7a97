"""Pieces of session files into a batch: calls as columns, the lines left over one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from collector.lane.requests import Place
from collector.parsers.clock import plausible
from collector.sessions.found import SessionCalls
from collector.sessions.told import ToldPiece

if TYPE_CHECKING:
    from collector.sources.open_file import OpenFile


_HEADS = (b'"sessionId"', b'"isSidechain"', b'"leafUuid"', b'"parentUuid"', b'"file-history-snapshot"')


def is_session_head(head: bytes) -> bool:
    """Say whether a file may be a session's. A wrong guess costs time and nothing else."""
    return head.lstrip()[:1] == b"{" and any(word in head for word in _HEADS)


class SessionLane:
    """Takes calls out of pieces of session files; what it leaves goes through `by_line`, in order."""

    def __init__(self, by_line: Callable[[OpenFile, bytes], None]) -> None:
        self._by_line = by_line
        self._now_ms = 0

    def begin(self, now_ms: int) -> None:
        """Start a pass: what lies beyond it is no time of a log."""
        self._now_ms = now_ms

    def take(
        self, file: OpenFile, piece: ToldPiece, end: int, found: SessionCalls, events: Callable[[], int]
    ) -> None:  # fmt: skip
        """Tell lines that were read, here or by another process, and before which no other was told; they end at `end`.

        `events` says how many ordinary events the batch holds, which the calls stand among.
        """
        told = [events()]
        for offset, line in piece.left:
            self._leave(file, offset, line)
            told.append(events())
        found.add(Place(file.origin, file.known.file_id), piece, told)
        if piece.last_ms is not None:
            if plausible(piece.last_ms, now_ms=self._now_ms):  # what follows the last answer inherits its time
                file.stamp_ms, file.stamped, file.stamp_line = piece.last_ms, True, b""
            file.ids = False
        file.offset = end

    def _leave(self, file: OpenFile, offset: int, line: bytes) -> None:
        file.offset = offset
        self._by_line(file, line + b"\n")
