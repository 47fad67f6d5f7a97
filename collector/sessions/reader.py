"""A process that reads session files for the collector: it decodes lines, and neither stores nor prints anything.

It is told paths on stdin and tells what stands there on stdout, piece by piece (`collector/sessions/ahead.py`).
It ends when nobody listens any more. What it cannot read whole it leaves: the collector reads on from there.
"""

from __future__ import annotations

import gc
import marshal
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from collector.sessions.lines import read_lines

LENGTH = 8
"""Bytes in front of each message that say how long it is."""
_MUCH = 4 * 1024 * 1024
"""So many bytes of lines that are left over are no business of this process: they would be copied, and read twice."""


def main() -> None:
    """Read files until stdin ends. Arguments: bytes to read at once, the longest line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the collector's, which ends this process in its own time
    gc.disable()  # what is decoded holds no cycles
    chunk, longest = map(int, sys.argv[-2:])
    asked, answers = sys.stdin.buffer, sys.stdout.buffer
    with suppress(EOFError, BrokenPipeError):
        while True:
            for path in receive(asked):
                _tell(path, answers, chunk, longest)


def _tell(path: str, answers: IO[bytes], chunk: int, longest: int) -> None:
    """Tell a file's pieces as `FilesSource` cuts them, then what follows the last newline. None: that was not all."""
    pending, offset = b"", 0
    for read in _chunks(path, chunk):
        if read is None:
            send(answers, None)  # the collector meets the same, and says so
            return
        size, data = len(read), pending + read if pending else read
        whole = data.rfind(b"\n") + 1
        pending = data[whole:]
        piece = read_lines(data[:whole], offset)
        if len(pending) > longest or sum(len(line) for _, line in piece.left) > _MUCH:
            send(answers, None)
            return
        offset += whole
        send(answers, (size, offset, piece.packed()))
    send(answers, pending)


def _chunks(path: str, chunk: int) -> Iterator[bytes | None]:
    """Yield a file's bytes; None where they cannot be read."""
    try:
        with Path(path).open("rb", buffering=0) as handle:
            while data := handle.read(chunk):
                yield data
    except OSError:
        yield None


def send(pipe: IO[bytes], message: Any) -> None:
    """Write a message."""
    told = marshal.dumps(message)
    pipe.write(len(told).to_bytes(LENGTH, "little") + told)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:
    """Read a message. Raises EOFError where there is none, or half of one."""
    length = int.from_bytes(pipe.read(LENGTH), "little")
    told = pipe.read(length)
    if not told or len(told) < length:
        raise EOFError
    return marshal.loads(told)  # noqa: S302  # of a process of our own


if __name__ == "__main__":
    main()
