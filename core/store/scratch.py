"""A folder for what does not fit into memory: gone with its process, and where that was killed, at the next start.

A process holds a lock on its folder for as long as it lives, which the system lets go of however it ends. Whoever makes
a folder of his own first removes those that nobody holds any more.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import IO

_PREFIX = "cachewise-scratch-"
_NEW = "cachewise-new-"
_LOCK = ".held"
_held: dict[int, tuple[Path, IO[str]]] = {}  # by process: a fork has none of its own
_guard = threading.Lock()


def folder() -> Path:
    """Return this process's own folder, which is made when it is first asked for."""
    pid = os.getpid()
    with _guard:
        if pid not in _held:
            sweep()
            _held[pid] = _made()
            atexit.register(_remove_own)
        return _held[pid][0]


def sweep() -> list[Path]:
    """Remove folders of this user that no process holds; return them."""
    return [path for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*") if _is_left(path) and _remove(path)]


def _made() -> tuple[Path, IO[str]]:
    """Make a folder and hold it; it gets the name that others look for once it is held."""
    new = Path(tempfile.mkdtemp(prefix=_NEW))
    lock = (new / _LOCK).open("w", encoding="utf-8")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return new.rename(new.with_name(_PREFIX + new.name.removeprefix(_NEW))), lock


def _is_left(path: Path) -> bool:
    """Say whether a folder is this user's and held by nobody."""
    try:
        if path.is_symlink() or not path.is_dir() or path.stat().st_uid != os.geteuid():
            return False
        with (path / _LOCK).open("a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held, or gone meanwhile
        return False
    return True


def _remove(path: Path) -> bool:
    shutil.rmtree(path, ignore_errors=True)
    return not path.exists()


def _remove_own() -> None:
    own = _held.pop(os.getpid(), None)
    if own is not None:
        _remove(own[0])
        own[1].close()
