"""Bytes of a log file, plain or gzip, in chunks; and the files that paths, folders and globs stand for."""

from __future__ import annotations

import glob
import os
import stat
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from core.errors import BadInput, CachewiseError, FixSettings

CHUNK = 3 * 1024 * 1024
"""Bytes looked at together: the more, the fewer requests are cut in two and the less it costs to begin with each."""
_HEAD_CHUNK = 64 * 1024
GZIP = b"\x1f\x8b"
_UNFINISHED = (".tmp", ".part", ".partial", ".swp")


@dataclass(frozen=True, slots=True)
class Found:
    """A file to read, with what the file system said of it. `stream`: a pipe or device, read once to its end."""

    path: str
    size: int = 0
    mtime_ns: int = 0
    stream: bool = False


def list_files(paths: Sequence[str]) -> tuple[list[Found], list[CachewiseError]]:
    """Return every file behind the paths, each once and in order of name, and what could not be looked at."""
    found: list[Found] = []
    problems: list[CachewiseError] = []
    seen: set[tuple[int, int]] = set()
    for path in paths:
        before = len(found), len(problems)
        for name in _expand(path):
            _look(name, seen, found, problems)
        if (len(found), len(problems)) == before and not _exists(path):
            problems.append(
                FixSettings(
                    f"There is no file at {path}.", code="COL-301", mend="Check the path or the pattern.", about=(path,)
                )
            )
    return found, problems


def chunks(handle: BinaryIO, *, at: int = 0, size: int | None = None) -> Iterator[bytes]:
    """Yield the uncompressed bytes from offset `at` on.

    gzip is known by its first bytes, not by the name; members may follow each other, and what was packed twice (an
    export of files that were packed already) is unpacked twice. Raises BadInput at the end of
    a truncated or damaged file, after everything readable was yielded.
    """
    size = size or CHUNK
    first = handle.read(len(GZIP) if at else size)  # what lies before `at` need not be read of a plain file
    if not first.startswith(GZIP):
        yield from _plain(handle, first, at, size)
        return
    passed = 0
    for piece in _unpacked(handle, first, size):
        if passed + len(piece) > at:
            yield piece[max(0, at - passed) :]
        passed += len(piece)


def head_of(handle: BinaryIO, length: int) -> tuple[bytes, bool]:
    """Return a file's first bytes, uncompressed, and whether it is gzip. The handle stands at its beginning again."""
    head = handle.read(length)
    packed = head.startswith(GZIP)
    handle.seek(0)
    if packed:
        head = b""
        try:
            for piece in chunks(handle, size=_HEAD_CHUNK):
                head += piece
                if len(head) >= length:
                    break
        except BadInput:
            pass  # a damaged file is told when it is read
        handle.seek(0)
    return head[:length], packed


def _plain(handle: BinaryIO, first: bytes, at: int, size: int) -> Iterator[bytes]:
    if at and handle.seekable():
        handle.seek(at)
        first = handle.read(size)
    while first:
        yield first
        first = handle.read(size)


class _Rest:
    """What is left of some pieces, to be read like a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, size: int) -> bytes:
        """Return the next piece, whatever its size."""
        return next(self._pieces, b"")


def _unpacked(handle: BinaryIO, raw: bytes, size: int) -> Iterator[bytes]:
    pieces = _gunzip(handle, raw, size)
    first = next(pieces, b"")
    if first.startswith(GZIP):
        yield from _gunzip(_Rest(pieces), first, size)
    else:
        yield from chained(first, pieces)


def chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what was read already, then the rest."""
    if first:
        yield first
    yield from rest


def _gunzip(handle: BinaryIO | _Rest, raw: bytes, size: int) -> Iterator[bytes]:
    member = zlib.decompressobj(31)
    while raw:
        before = member.copy()
        try:
            piece = member.decompress(raw, size)
        except zlib.error:
            yield from _until_damage(before, raw)
            raise BadInput("the gzip data is damaged", code="COL-303", mend="Fetch the file again.") from None
        if piece:
            yield piece
        if member.eof:
            raw = member.unused_data.lstrip(b"\0") or handle.read(size).lstrip(b"\0")
            if raw:
                member = zlib.decompressobj(31)
        else:
            raw = member.unconsumed_tail or handle.read(size)
    if not member.eof:
        raise BadInput("the gzip data ends too early", code="COL-303", mend="Fetch the file again, or let it finish.")


def _until_damage(member: zlib._Decompress, raw: bytes) -> Iterator[bytes]:
    """Yield what damaged data holds before the damage: zlib keeps back all of a piece in which it meets some."""
    for step in (4096, 1):
        for at in range(0, len(raw), step):
            before = member.copy()
            try:
                piece = member.decompress(raw[at : at + step])
            except zlib.error:
                member, raw = before, raw[at : at + step]
                break
            if piece:
                yield piece


def _expand(path: str) -> Iterator[str]:
    if glob.has_magic(path) and not _exists(path):
        yield from sorted(glob.glob(path, recursive=True))  # noqa: PTH207  # patterns may be absolute
    else:
        yield path


def _exists(path: str) -> bool:
    return os.path.lexists(path)


def _look(name: str, seen: set[tuple[int, int]], found: list[Found], problems: list[CachewiseError]) -> None:
    try:
        info = os.stat(name)  # noqa: PTH116  # a Path for each of thousands of files takes longer than to look at it
        if (info.st_dev, info.st_ino) in seen:
            return
        if stat.S_ISDIR(info.st_mode):
            seen.add((info.st_dev, info.st_ino))
            children = sorted(os.scandir(name), key=lambda entry: entry.name)
        else:
            if stat.S_ISREG(info.st_mode):
                seen.add((info.st_dev, info.st_ino))
            found.append(Found(name, info.st_size, info.st_mtime_ns, stream=not stat.S_ISREG(info.st_mode)))
            return
    except FileNotFoundError:
        if Path(name).is_symlink():
            problems.append(_unreadable(name, "the link leads nowhere"))
        return  # gone between listing and looking, or never there: the caller tells the latter
    except OSError as error:
        problems.append(_unreadable(name, error.strerror or type(error).__name__))
        return
    for child in children:
        if not child.name.startswith(".") and not child.name.endswith(_UNFINISHED) and _wanted(child):
            _look(child.path, seen, found, problems)


def _wanted(entry: os.DirEntry[str]) -> bool:
    """Leave pipes, sockets and devices inside a folder alone: reading one may never end."""
    try:
        return entry.is_dir() or entry.is_file() or entry.is_symlink()
    except OSError:
        return True  # a link loop: looked at, and told as a problem


def _unreadable(name: str, why: str) -> CachewiseError:
    return BadInput(
        f"{name} cannot be read: {why}.", code="COL-302", mend="Check its permissions; the rest goes on.", about=(name,)
    )
