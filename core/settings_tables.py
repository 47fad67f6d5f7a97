"""What the readers of the settings' tables share: how a wrong value and an unknown key are told, in one line."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

from core.errors import FixSettings

ROLE_ARN, ROLE_FORM = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+"), "arn:aws:iam::<account>:role/<name>"
"""What names a role of AWS, and how that is told."""
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


def zone_of(wrong: Wrong, name: object, told: str, path: Path | None) -> str:
    """Return the name of a time zone; `told` says what was written where there is none of that name."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # loaded by those who set one

    try:
        return ZoneInfo(str(name)).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise wrong(path, told, "Accepted: names such as Asia/Seoul.") from None


def _wrong(code: str, path: Path | None, what: str, mend: str) -> FixSettings:
    """Return the error. Key, value and what is accepted are hardly words: another language has them as they are."""
    accepted = mend.removeprefix("Accepted: ").removesuffix(".")
    return FixSettings(f"{path}: {what}.", code=code, mend=mend, about=(path, what, accepted))


def only_known(where: str, table: Mapping[str, Any], known: set[str], path: Path | None) -> None:
    """Refuse a key that a table of the file does not know (CFG-004)."""
    for key in table:
        if key not in known:
            raise FixSettings(
                f'{path}: unknown key "{where}{key}".',
                code="CFG-004",
                mend=f"Accepted: {', '.join(sorted(known))}.",
                about=(path, where, key),
            )


def table_of(data: Mapping[str, Any], name: str, known: set[str], path: Path | None) -> Mapping[str, Any]:
    """Return a table of the file, or an empty one, with none but known keys (CFG-004)."""
    table = data.get(name, {})
    if not isinstance(table, dict):
        raise FixSettings(
            f"{path}: {name} must be a table.",
            code="CFG-004",
            mend=f"Write [{name}] on its own line.",
            about=(path, name),
        )
    only_known(f"{name}.", table, known, path)
    return table


def positive(value: object, key: str, path: Path | None) -> int | float:
    """Return a number above 0 (CFG-010)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value <= 0:
        raise FixSettings(
            f"{path}: {key} = {value!r}.", code="CFG-010", mend="Accepted: a number above 0.", about=(path, key, value)
        )
    return int(value) if isinstance(value, int) else value


def text_of(table: Mapping[str, Any], key: str, where: str, path: Path | None) -> str | None:
    """Return a text of a table, or None where there is none or an empty one (CFG-004)."""
    value = table.get(key, "")
    if not isinstance(value, str):
        raise FixSettings(
            f"{path}: {where}{key} = {value!r}.",
            code="CFG-004",
            mend="Accepted: a text in quotes.",
            about=(path, where, key, value),
        )
    return value if value.strip() else None


def texts_of(value: object, key: str, path: Path | None) -> tuple[str, ...]:
    """Return a list of texts; one alone may stand without brackets (CFG-004)."""
    told = [value] if isinstance(value, str) else value
    if not isinstance(told, list) or not all(isinstance(item, str) and item.strip() for item in told):
        raise FixSettings(
            f"{path}: {key} = {value!r}.",
            code="CFG-004",
            mend='Accepted: a list of texts, as in ["…"].',
            about=(path, key, value),
        )
    return tuple(told)
