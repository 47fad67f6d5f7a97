"""What the readers of the settings' tables share: how a wrong value and an unknown key are told, in one line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from core.errors import FixSettings

Wrong = Callable[[Path | None, str, str], FixSettings]
"""Makes the error of a table from the settings' file, what is wrong in it, and what is accepted."""


def wrong(code: str) -> Wrong:
    """Return what makes the errors of one table of the settings, all under one code."""
    return partial(_wrong, code)


def only(wrong: Wrong, item: Mapping[str, Any], known: Collection[str], where: str, path: Path | None) -> None:
    """Refuse a key that a table does not know: a misspelt one would be a setting that does nothing."""
    for key in item:
        if key not in known:
            raise wrong(path, f'{where} has an unknown key "{key}"', f"Accepted: {', '.join(sorted(known))}.")


def _wrong(code: str, path: Path | None, what: str, mend: str) -> FixSettings:
    return FixSettings(f"{path}: {what}.", code=code, mend=mend)
