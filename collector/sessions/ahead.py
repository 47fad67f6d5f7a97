"""Reading session files ahead, on every core: processes that decode lines while this one stores what they told.

What they tell is taken in the order in which this process would have read, so that the rows are the same; a file that
they cannot read whole is read on from there by this process. See docs/decisions/104-sessions-on-every-core.md.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from collector.limits import MAX_LINE
from collector.sessions.reader import receive, send
from collector.sessions.told import ToldPiece
from collector.sources import file_bytes
from collector.sources.file_bytes import Found

_JOB = 4 * 1024 * 1024  # bytes asked of a process at once
_AHEAD = 256 * 1024 * 1024  # bytes of files asked for and not taken yet
_HELD = 32 * 1024 * 1024  # bytes told and not taken yet
_ROW = 300  # bytes that a row takes
_ASKED = 2  # jobs that a process has at once: it need not wait for the next
_ROOT = str(Path(__file__).resolve().parents[2])
_START = "import sys; sys.path[:] = sys.argv[1:-2]; from collector.sessions.reader import main; main()"


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes read from a file, where its whole lines end, what those told, and about how much memory that takes."""

    size: int
    end: int
    told: ToldPiece
    cost: int


@dataclass(slots=True)
class _Reading:
    """What was told of a file and not taken yet. `ended`: no more comes; `left`: what is missing is to be read here."""

    size: int
    pieces: deque[Piece] = field(default_factory=deque)
    pending: bytes = b""
    ended: bool = False
    left: bool = False

    def end(self, pending: bytes | None) -> None:
        self.ended, self.left, self.pending = True, pending is None, pending or b""


class Ahead:
    """Has files read by other processes, and hands over what they told. Close it: it holds processes and threads."""

    def __init__(self, files: Sequence[Found], processes: int) -> None:
        """Begin with these files, in the order in which they will be taken."""
        self._waiting = deque(files)
        self._turn = threading.Condition()
        self._jobs: deque[list[str]] = deque()
        self._readings: dict[str, _Reading] = {}
        self._asked = self._held = 0
        self._wanted = ""
        self._closed = False
        self._lost: list[str] = []
        self._processes = [process for process in (_started() for _ in range(processes)) if process]
        self._threads = [threading.Thread(target=self._serve, args=(one,), daemon=True) for one in self._processes]
        self._alive = len(self._threads)
        if self._alive:
            self._ask()
        for thread in self._threads:
            thread.start()

    def has(self, path: str) -> bool:
        """Say whether a file was asked for."""
        return path in self._readings

    def next_piece(self, path: str) -> Piece | None:
        """Wait for the next piece of a file; None after the last that is told."""
        with self._turn:
            reading = self._readings[path]
            self._wanted = path
            self._turn.notify_all()
            while not reading.pieces and not reading.ended:
                self._turn.wait()
            if not reading.pieces:
                return None
            piece = reading.pieces.popleft()
            self._held -= piece.cost
            self._turn.notify_all()
            return piece

    def last_line(self, path: str) -> bytes | None:
        """Return what follows the last newline of a file told to its end; None: the rest of it is to be read here."""
        reading = self._readings[path]
        return None if reading.left else reading.pending

    def done(self, path: str) -> None:
        """Say that nothing more is wanted of a file: it was taken, or read otherwise."""
        with self._turn:
            if self._waiting and self._waiting[0].path == path:
                self._waiting.popleft()
            reading = self._readings.pop(path, None)
            if reading is not None:
                self._asked -= reading.size
                self._held -= sum(piece.cost for piece in reading.pieces)
                self._ask()
                self._turn.notify_all()

    def take_lost(self) -> list[str]:
        """Return how processes ended that had not told everything, since the last question."""
        with self._turn:
            lost, self._lost = self._lost, []
            return lost

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()
        for process in self._processes:
            process.kill()
        for thread in self._threads:
            thread.join()
        for process in self._processes:
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    with suppress(OSError):  # what could not be sent is not wanted any more
                        pipe.close()
            process.wait()

    def _ask(self) -> None:
        """Make jobs of the files that come next, as far ahead as may be. The lock is held, or nobody else is there."""
        if self._asked > _AHEAD - _JOB:
            return  # by and by, so that jobs do not become small
        job, size = list[str](), 0
        while self._waiting and self._asked < _AHEAD:
            found = self._waiting.popleft()
            self._readings[found.path] = _Reading(found.size)
            self._asked += found.size
            job.append(found.path)
            size += found.size
            if size >= _JOB:
                self._jobs.append(job)
                job, size = [], 0
        if job:
            self._jobs.append(job)

    # in a thread for each process

    def _serve(self, process: subprocess.Popen[bytes]) -> None:
        """Hand jobs to a process and take what it tells."""
        given: deque[list[str]] = deque()
        try:
            while True:
                with self._turn:
                    while not self._jobs and not given and not self._closed:
                        self._turn.wait()
                    if self._closed:
                        return
                    new = [self._jobs.popleft() for _ in range(min(_ASKED - len(given), len(self._jobs)))]
                given.extend(new)
                for job in new:
                    send(_open(process.stdin), job)
                while given[0]:
                    self._listen(_open(process.stdout), given[0][0])
                    del given[0][0]
                given.popleft()
        except (OSError, EOFError, ValueError, TypeError):
            self._lose(process, [path for job in given for path in job])

    def _listen(self, answers: IO[bytes], path: str) -> None:
        """Take everything that is told of a file."""
        while isinstance(message := receive(answers), tuple):
            size, end, packed = message
            told = ToldPiece.unpacked(packed)
            piece = Piece(size, end, told, _ROW * len(told.ids) + sum(len(line) for _, line in told.left))
            with self._turn:
                if path in self._readings:
                    self._readings[path].pieces.append(piece)
                    self._held += piece.cost
                self._turn.notify_all()
                while self._held > _HELD and path in self._readings and self._wanted != path and not self._closed:
                    self._turn.wait()
        with self._turn:
            if path in self._readings:
                self._readings[path].end(message)
            self._turn.notify_all()

    def _lose(self, process: subprocess.Popen[bytes], paths: list[str]) -> None:
        """Leave the files of a process that ended to this one; all of them, where no process is left."""
        process.kill()
        code = process.wait()
        with self._turn:
            if self._closed:
                return
            self._lost.append(f"signal {-code}" if code < 0 else f"exit code {code}")
            self._alive -= 1
            if not self._alive:
                paths = [*paths, *(path for job in self._jobs for path in job)]
                self._jobs.clear()
                self._waiting.clear()
            for path in paths:
                if path in self._readings:
                    self._readings[path].end(None)
            self._turn.notify_all()


def _started() -> subprocess.Popen[bytes] | None:
    """Start a process that reads; None where none can be started: this one reads then."""
    try:
        return subprocess.Popen(
            [sys.executable, "-c", _START, _ROOT, *sys.path, str(file_bytes.CHUNK), str(MAX_LINE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, ValueError):
        return None


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe, "it was asked for"
    return pipe
