"""The server's sockets send at once: an answer in two small parts does not wait for the browser to confirm the first.

asyncio switches that wait (Nagle's algorithm) off for sockets that name their protocol. Streamlit hands over one that
does not, and so the kernel held the second part of every small answer, and of a run's messages, back for the 40 ms
that a browser takes to confirm what it has nothing to say to.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path

_OPEN = Path("/dev/fd")  # of this process, on Linux and macOS; where it is missing, nothing is changed


def send_at_once() -> int:
    """Have connections that this process will accept send at once, and return on how many sockets it accepts them.

    What is set on a listening socket holds for the connections it accepts. That it listens cannot be asked: while the
    application starts, it is bound and does not yet.
    """
    found = 0
    for entry in _OPEN.iterdir() if _OPEN.is_dir() else ():
        with contextlib.suppress(OSError):  # closed meanwhile, as the one that this folder was read by
            found += _set(int(entry.name))
    return found


def _set(descriptor: int) -> bool:
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return False
    with socket.socket(fileno=os.dup(descriptor)) as held:  # another descriptor of the same socket
        if held.type != socket.SOCK_STREAM or held.family not in (socket.AF_INET, socket.AF_INET6):
            return False
        if not held.getsockname()[1] or _connected(held):
            return False
        held.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return True


def _connected(held: socket.socket) -> bool:
    try:
        held.getpeername()
    except OSError:
        return False
    return True
