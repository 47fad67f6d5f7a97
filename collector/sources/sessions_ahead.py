"""Which session files other processes read for a pass over files, and what became of those processes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from collector.sources.file_bytes import Found
from collector.sources.file_identity import FileCursor
from collector.sources.open_file import OpenFile
from core.errors import BadInput

if TYPE_CHECKING:
    from collector.sessions.ahead import Ahead, Piece

WORTH_IT = 64 * 1024 * 1024
"""Bytes: a process takes a twentieth of a second to start, in which this one reads a third of that."""
MOST = 4
"""Processes: each takes 30 MB, and more than these tell more than one can store."""


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class SessionsAhead:
    """Begins to have files read ahead once a session was met, if so many are beside it that it is worth it."""

    def __init__(self) -> None:
        self._ahead: Ahead | None = None
        self._ending = ""  # of the name of a session's file, once one was met
        self._looked = False

    def begin(self) -> None:
        """Start a pass."""
        self.close()
        self._ending, self._looked = "", False

    def met(self, path: str) -> None:
        """Say that a session's file was met."""
        self._ending = self._ending or Path(path).suffix

    def look(self, rest: Sequence[Found], cursor: FileCursor) -> None:
        """Let other processes read the new files that are sessions by their name, once in a pass."""
        if self._looked or not self._ending:
            return
        self._looked = True
        new = [
            one
            for one in rest
            if one.size and not one.stream and one.path.endswith(self._ending) and not cursor.knows(one)
        ]
        count = min(cores(), MOST, len(new))
        if count > 1 and sum(one.size for one in new) >= WORTH_IT:
            from collector.sessions.ahead import Ahead  # seldom needed, and slow to load

            self._ahead = Ahead(new, count)

    def reads(self, file: OpenFile) -> bool:
        """Say whether another process reads the file, in the way in which it is to be read."""
        fresh = file.session and not file.whole and file.known.at == file.known.seen == 0
        return fresh and self._ahead is not None and self._ahead.has(file.found.path)

    def pieces(self, file: OpenFile) -> Iterator[Piece]:
        """Yield what was told of a file that is read ahead, as it comes."""
        while self._ahead and (piece := self._ahead.next_piece(file.found.path)) is not None:
            yield piece

    def last_line(self, file: OpenFile) -> bytes | None:
        """Return what follows the last newline of such a file; None: the rest of it was not told."""
        return self._ahead.last_line(file.found.path) if self._ahead else None

    def done(self, found: Found) -> None:
        """Say that nothing more is wanted of a file."""
        if self._ahead is not None:
            self._ahead.done(found.path)

    def problems(self) -> list[BadInput]:
        """Return what is to be said of processes that ended, since the last question."""
        return [
            BadInput(
                f"A process that read session files ahead ended before its time ({how}).",
                code="COL-306",
                mend="Nothing is lost: the collector read the rest of them itself.",
                about=(how,),
            )
            for how in (self._ahead.take_lost() if self._ahead else ())
        ]

    def close(self) -> None:
        """End the processes."""
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None
