"""Which file is which: by content and not by name, so that rotation, renaming and compression lose or double nothing.

See docs/decisions/031-file-identity.md.
"""

from __future__ import annotations

import base64
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

from collector.sources.file_bytes import Found

HEAD = 4096
_MARK = 64
_MAX_KNOWN = 5_000
_DONE_BYTES = 6
_BEARS_IDENTITY = re.compile(
    rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\d{4}/\d\d/\d\d|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    rb'|"(?:timestamp|ts|Timestamp)"\s*:\s*\d{13}'
)


@dataclass(frozen=True, slots=True)
class KnownFile:
    """How far a file was read. Offsets count uncompressed bytes."""

    file_id: str
    head: int  # length of the head the identity was taken from; 0: it is the path's
    at: int = 0  # read on from here
    seen: int = 0  # lines before it were counted already
    path: str = ""
    size: int = 0
    mtime_ns: int = 0
    mark: str = ""  # hash of the last bytes before `seen`: the file is still the one we read
    stamp_ms: int = 0  # time of the last line that told one, for those that do not; 0: not known yet
    stamped: bool = True  # False: `stamp_ms` is the file's own time, for want of any in its lines
    ids: bool = True  # every event so far had an id of its own
    alias: str = ""  # the identity by its head, of a file that was known by its path before it had one
    counted: Sequence[int] = ()  # where lines and objects begin that were counted although they may go on


def digest(*parts: bytes) -> str:
    """Return a short hash: 12 bytes are far more than any number of log files needs."""
    return blake2b(b"\0".join(parts), digest_size=12).hexdigest()


def identity(head: bytes, path: str, *, whole: bool) -> tuple[str, int]:
    """Return a file's id and the length of the head it was taken from.

    A head that holds a time or a UUID is taken to be unique; any other file is known by its path. A head that the
    file has not filled yet is cut at its last full line, since the rest may still change.
    """
    if len(head) < HEAD and not whole:
        head = head[: head.rfind(b"\n") + 1]
    if head and _BEARS_IDENTITY.search(head):
        return digest(head), len(head)
    return digest(b"path", str(Path(path).absolute()).encode(errors="surrogateescape")), 0


def mark_at(handle: BinaryIO, offset: int) -> str:
    """Return the hash of the last bytes before an offset; the handle stays where it is, to be read on."""
    start = max(0, offset - _MARK)
    tail = os.pread(handle.fileno(), offset - start, start)
    return digest(tail) if tail else ""


def still_marked(path: str, known: KnownFile) -> bool:
    """Say whether a plain file still holds, before the offset we reached, the bytes that we read there."""
    if not known.mark:
        return True
    with Path(path).open("rb") as handle:
        return mark_at(handle, known.seen) == known.mark


class FileCursor:
    """All files a source knows, and those it is done with. Built from JSON and written back to it."""

    def __init__(self, stored: dict[str, Any] | None) -> None:
        told = stored or {}
        self.known = {file_id: KnownFile(file_id, *values) for file_id, values in told.get("files", {}).items()}
        packed = base64.b64decode(told.get("done", ""))
        self._done = {packed[i : i + _DONE_BYTES] for i in range(0, len(packed), _DONE_BYTES)}
        self._heads = Counter(known.head for known in self.known.values())
        self._alias = {known.alias: known.file_id for known in self.known.values() if known.alias}
        self._by_path = {known.path: known.file_id for known in self.known.values()}

    def to_json(self) -> dict[str, Any]:
        """Return the cursor as JSON: a list of values per file, packed hashes for those that are done."""
        files = {
            k.file_id: [
                k.head,
                k.at,
                k.seen,
                k.path,
                k.size,
                k.mtime_ns,
                k.mark,
                k.stamp_ms,
                k.stamped,
                k.ids,
                k.alias,
                list(k.counted),
            ]
            for k in self.known.values()
        }
        return {"files": files, "done": base64.b64encode(b"".join(sorted(self._done))).decode()}

    def is_done(self, found: Found) -> bool:
        """Say whether nothing changed about a file that was read to its end."""
        if _done_key(found) in self._done:
            return True
        known = self.known.get(self._by_path.get(found.path, ""))
        return (
            known is not None
            and (known.size, known.mtime_ns) == (found.size, found.mtime_ns)
            and known.at == known.seen
            and known.size > 0
            and (known.seen >= known.size or known.seen in known.counted)
        )

    def knows(self, found: Found) -> bool:
        """Say whether something was read of a file, at this path."""
        return found.path in self._by_path or _done_key(found) in self._done

    def find(self, head: bytes, found: Found, *, whole: bool) -> KnownFile:
        """Return what is known of the file with this head, or a new entry for it; `whole`: it cannot grow."""
        candidates = self._candidates(head, found, whole=whole)
        if whole:
            return candidates[0]
        fits = (one for one in candidates if one.seen <= found.size and still_marked(found.path, one))
        return next(fits, None) or self._renewed(candidates[0])

    def _candidates(self, head: bytes, found: Found, *, whole: bool) -> list[KnownFile]:
        """Return the entries that the file may have: of its head, else of its path, else a new one."""
        candidates = []
        for length in sorted((head for head, count in self._heads.items() if head and count), reverse=True):
            told = digest(head[:length]) if length <= len(head) else ""
            known = self.known.get(self._alias.get(told, told))
            if known and known.head == length:
                candidates.append(replace(known, path=found.path))
        file_id, length = identity(head, found.path, whole=whole or b"\n" not in head)
        before = self.known.get(self._by_path.get(found.path, ""))
        if not whole and before is not None and not before.head and (before.mark or before.counted):
            if length:  # it had no time in its head, and has grown one since: from now on it is known by that
                before = replace(before, head=length, alias=file_id)
            candidates.append(before)
        if not candidates or file_id not in self.known:
            known = self.known.get(file_id, KnownFile(file_id, length, stamp_ms=0))
            candidates.append(replace(known, path=found.path))
        return candidates

    def _renewed(self, known: KnownFile) -> KnownFile:
        """Return the entry of a file that took the place of a known one with the same head."""
        generation = 1
        while (file_id := digest(known.file_id.encode(), str(generation).encode())) in self.known:
            generation += 1
        return KnownFile(file_id, 0, path=known.path)

    def keep(self, known: KnownFile) -> None:
        """Remember how far a file was read."""
        if known.file_id in self.known:
            self._forget(known.file_id)
        self._heads[known.head] += 1
        self.known[known.file_id] = known
        self._by_path[known.path] = known.file_id
        if known.alias:
            self._alias[known.alias] = known.file_id

    def finish(self, known: KnownFile, found: Found) -> None:
        """Remember that a file will not grow. Its entry goes too, unless another sight would give it another id."""
        self._done.add(_done_key(found))
        if known.ids or known.head == HEAD:
            self._forget(known.file_id)
        else:
            self.keep(known)

    def reopen(self, known: KnownFile, found: Found) -> None:
        """Take back `finish`: the file is to be read again from `known.at`."""
        self._done.discard(_done_key(found))
        self.keep(known)

    def forget_gone(self, listed: Iterable[Found]) -> None:
        """Drop what is no longer there, so that the cursor stays small; the newest entries of moved files remain."""
        present = list(listed)
        self._done &= {_done_key(found) for found in present}
        if len(self.known) > _MAX_KNOWN:
            paths = {found.path for found in present}
            ranked = sorted(self.known.values(), key=lambda k: (k.path in paths, k.mtime_ns))
            for known in ranked[: len(self.known) - _MAX_KNOWN]:
                self._forget(known.file_id)

    def _forget(self, file_id: str) -> None:
        known = self.known.pop(file_id, None)
        if known is not None:
            self._heads[known.head] -= 1


def _done_key(found: Found) -> bytes:
    told = f"{found.path}\0{found.size}\0{found.mtime_ns}".encode(errors="surrogateescape")
    return blake2b(told, digest_size=_DONE_BYTES).digest()
