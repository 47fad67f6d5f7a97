"""Words on the screen: two flat TOML catalogues with the same keys, Korean and English.

Pages call `t(key)`; pure code (charts, formats) is handed the language and calls `translate`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import streamlit as st

Language = Literal["ko", "en"]
LANGUAGES: tuple[Language, ...] = ("ko", "en")
FOLDER = Path(__file__).parent / "catalogues"


@cache
def catalogue(lang: Language) -> Mapping[str, str]:
    """Read one catalogue: a flat mapping from dotted key to text."""
    return tomllib.loads((FOLDER / f"{lang}.toml").read_text(encoding="utf-8"))


def translate(lang: Language, key: str, **values: object) -> str:
    """Return the text of a key in a language; a key nobody wrote shows as itself, so that it is seen and mended."""
    text = catalogue(lang).get(key)
    return key if text is None else text.format(**values)


def known(lang: Language, key: str, fallback: str) -> str:
    """Return the text of a key built from data, or the data itself where the catalogue has no word for it."""
    return catalogue(lang).get(key, fallback)


def language() -> Language:
    """Return the viewer's language: the switch in the sidebar, else the browser's."""
    chosen = st.session_state.get("lang")
    if chosen in LANGUAGES:
        return chosen
    return browser_language(st.context.locale)


def browser_language(locale: str | None) -> Language:
    """Return Korean for a Korean browser and English for any other."""
    return "ko" if (locale or "").lower().startswith("ko") else "en"


def t(key: str, **values: object) -> str:
    """Return the text of a key in the viewer's language."""
    return translate(language(), key, **values)
