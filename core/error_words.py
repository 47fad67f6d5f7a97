"""What an error says in Korean: by its code alone, so that a stored one can be told in either language.

The values that an error is about stand beside the sentence, not in it: particles depend on the word before them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Words(NamedTuple):
    """What happened, and what to do."""

    what: str
    mend: str


def in_korean(code: str) -> Words | None:
    """Return what an error of that code says; None where nobody meets it on a page."""
    words = _catalogue()
    return Words(words[code], words[f"{code}.mend"]) if code in words else None


@cache
def _catalogue() -> Mapping[str, str]:
    return tomllib.loads((Path(__file__).parent / "errors_ko.toml").read_text(encoding="utf-8"))
