"""The words of reports in Korean and English: two small catalogues with the same keys."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from core.reports.request import Language

FOLDER = Path(__file__).parent / "words"
LANGUAGES: tuple[Language, ...] = ("en", "ko")


@cache
def catalogue(lang: Language) -> Mapping[str, str]:
    """Read one catalogue: a flat mapping from dotted key to text."""
    return tomllib.loads((FOLDER / f"{lang}.toml").read_text(encoding="utf-8"))


def word(lang: Language, key: str, **values: object) -> str:
    """Return the text of a key; one that nobody wrote shows as itself."""
    text = catalogue(lang).get(key)
    return key if text is None else text.format(**values)


def without(column: str, lang: Language) -> str:
    """Return what stands where a group has no name: calls without a tenant are not unknown, nobody tagged them."""
    return word(lang, "said.untagged" if column == "tenant" else "said.unknown_name")
