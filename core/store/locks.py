"""Locks between processes on one machine: a file that one process at a time may hold, and that names its holder."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from core.errors import TryAgain

_POLL_S = 0.02


@contextmanager
def hold(path: Path, *, wait_s: float, what: str) -> Iterator[None]:
    """Hold the lock file for the length of the block; the kernel frees it if the process dies.

    Waits up to `wait_s` seconds for another holder, then raises TryAgain that names its process id.
    """
    with path.open("a+", encoding="ascii") as file:
        _acquire(file, path, wait_s=wait_s, what=what)
        try:
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


def _acquire(file: TextIO, path: Path, *, wait_s: float, what: str) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise _held(path, wait_s=wait_s, what=what) from None
            time.sleep(_POLL_S)
        else:
            return


def _held(path: Path, *, wait_s: float, what: str) -> TryAgain:
    holder = path.read_text(encoding="ascii", errors="replace").strip() or "unknown"
    return TryAgain(
        f"{what} {path.parent} is held by process {holder} (waited {wait_s:g} s for {path.name}).",
        code="STO-001",
        mend="Wait for that process or stop it, or set store.path to another folder.",
        about=(path.parent, f"pid {holder}"),
    )
