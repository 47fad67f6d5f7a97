"""Turns what disks and Delta logs throw at us into one line that says what to do."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from deltalake.exceptions import CommitFailedError, DeltaError

from core.errors import CachewiseError, FixSettings, TryAgain

_FULL = re.compile(r"no space left|os error 28|disk quota|os error 122|file too large|os error 27\b", re.IGNORECASE)
_DENIED = re.compile(r"permission denied|os error 13|read-only file system|os error 30|not permitted", re.IGNORECASE)
_NO_FOLDER = re.compile(r"not a directory|os error 20|file exists|os error 17", re.IGNORECASE)
_LOST = re.compile(r"no such file|not found|os error 2\b|no files found", re.IGNORECASE)
_FULL_ERRNO = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FOLDER_ERRNO = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


@contextmanager
def explained(path: str | Path, doing: str) -> Iterator[None]:
    """Raise FixSettings or TryAgain for any fault of the folder `path` while `doing` something to it."""
    try:
        yield
    except CachewiseError:
        raise
    except CommitFailedError as error:
        raise TryAgain(
            f"Another process changed {path} at the same moment while {doing}: {_line(error)}.",
            code="STO-002",
            mend="Run it again; nothing was half-written.",
            about=(path, _line(error)),
        ) from error
    except OSError as error:
        raise _of_disk(path, doing, error) from error
    except (DeltaError, pa.ArrowException, ValueError) as error:
        raise _of_text(path, doing, error) from error


def make_folder(path: Path) -> None:
    """Create the data folder, or say why it cannot be one."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in _FULL_ERRNO:
            raise _full(path, "creating it") from error
        raise _unusable(path, "creating it", error.strerror or _line(error)) from error


def not_ours(path: str | Path, *, missing: list[str], extra: list[str], other: list[str]) -> FixSettings:
    """Return the error of a table whose columns are not this version's."""
    parts = [
        f"{label} {', '.join(names)}"
        for label, names in (("it lacks", missing), ("it has also", extra), ("of another type:", other))
        if names
    ]
    return FixSettings(
        f"The table {path} was written by another version of Cachewise: {'; '.join(parts)}.",
        code="STO-006",
        mend="Use that version, or set store.path to a new folder and collect again.",
        about=(path, *missing, *extra, *other),
    )


def _of_disk(path: str | Path, doing: str, error: OSError) -> CachewiseError:
    if error.errno in _FULL_ERRNO:
        return _full(path, doing)
    if error.errno in _FOLDER_ERRNO:
        return _unusable(path, doing, error.strerror or _line(error))
    return _of_text(path, doing, error)


def _of_text(path: str | Path, doing: str, error: Exception) -> CachewiseError:
    """Judge by the words: the Delta library passes the system's message on without its number."""
    text = str(error)
    if _FULL.search(text):
        return _full(path, doing)
    if _DENIED.search(text) or _NO_FOLDER.search(text):
        return _unusable(path, doing, _line(error))
    lost = "lacks a file that its log names" if _LOST.search(text) else "cannot be read"
    return FixSettings(
        f"The table {path} {lost} ({doing}): {_line(error)}.",
        code="STO-005",
        mend="Restore the folder from a backup, or move it away and collect again.",
        about=(path, _line(error)),
    )


def _full(path: str | Path, doing: str) -> TryAgain:
    return TryAgain(
        f"The disk of {path} is full ({doing}).",
        code="STO-003",
        mend="Free some space or set store.path to another disk; nothing was half-written.",
        about=(path,),
    )


def _unusable(path: str | Path, doing: str, why: str) -> FixSettings:
    return FixSettings(
        f"The data folder {path} cannot be used ({doing}): {why}.",
        code="STO-004",
        mend="Accepted: a folder this user may write to. Set store.path or CACHEWISE_STORE_PATH.",
        about=(path,),
    )


def _line(error: BaseException) -> str:
    """Return the first 200 characters of an error on one line."""
    return " ".join(str(error).split())[:200].rstrip(".")
