"""Streamlit's scripts as they lie on disk: the files of a part, and what they import as they are loaded."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path

import streamlit

JS = Path(streamlit.__file__).parent / "static" / "static" / "js"
_IMPORTED = re.compile(r"""(?:from|import)\s*["']\./([\w.-]+\.js)["']""")


def of_parts(parts: Collection[str]) -> list[str]:
    """Return the scripts of these parts of Streamlit, as far as this version has them."""
    return [path.name for part in parts for path in JS.glob(f"{part}.*.js") if path.name.count(".") == 2]


def with_imports(names: Iterable[str]) -> frozenset[str]:
    """Return these scripts and whatever they import at once; what is imported when it is needed is not followed."""
    found, left = set[str](), list(names)
    while left:
        name = left.pop()
        if name not in found and (JS / name).is_file():
            found.add(name)
            left += imports_of(name)
    return frozenset(found)


@cache
def imports_of(name: str) -> tuple[str, ...]:
    """Return what a script imports at once."""
    return tuple(_IMPORTED.findall((JS / name).read_text(encoding="utf-8")))
