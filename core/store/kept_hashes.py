"""The hashes of many files' keys, of which only so much stays in memory: a day may hold millions of calls."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from core.store import scratch
from core.store.hashes import Hashes

MOST = 4 * 1024 * 1024
"""Bytes of hashes that stay in memory: those of half a million keys."""


class KeptHashes:
    """Hashes by file: the newest in memory, and what is beyond `most` bytes on disk, in a file of its own each."""

    def __init__(self, most: int = MOST) -> None:
        """Keep none yet."""
        self._most = most
        self._near: dict[str, Hashes] = {}  # the oldest first
        self._far: dict[str, Path] = {}
        self._size = self._number = 0

    def __contains__(self, file: str) -> bool:
        """Say whether a file's hashes are kept."""
        return file in self._near or file in self._far

    def __getitem__(self, file: str) -> Hashes:
        """Return a file's hashes. Raises KeyError where they are not kept."""
        near = self._near.get(file)
        return np.fromfile(self._far[file], dtype=np.uint64) if near is None else near

    def __setitem__(self, file: str, hashes: Hashes) -> None:
        """Keep a file's hashes; files never change, so they are set once."""
        self._near[file] = hashes
        self._size += hashes.nbytes
        while self._size > self._most and self._put_away(next(iter(self._near))):
            pass

    def keep(self, files: Collection[str]) -> None:
        """Forget all but these files."""
        for file in [file for file in self._near if file not in files]:
            self._size -= self._near.pop(file).nbytes
        for file in [file for file in self._far if file not in files]:
            self._far.pop(file).unlink(missing_ok=True)

    def _put_away(self, file: str) -> bool:
        """Move a file's hashes to disk; where there is no room for them, they stay."""
        self._number += 1
        try:
            place = scratch.folder() / f"hashes-{id(self)}-{self._number}"
            self._near[file].tofile(place)
        except OSError:
            return False
        self._size -= self._near.pop(file).nbytes
        self._far[file] = place
        return True
