"""The menu as the router has it, read without running it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from dashboard.i18n import LANGUAGES, catalogue

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
HOME = "overview"


@cache
def sections() -> dict[str, list[str]]:
    """Return the pages under each heading."""
    tree = next(
        node.value
        for node in ast.parse(APP.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "SECTIONS"
    )
    return {heading: list(pages) for heading, pages in ast.literal_eval(tree).items()}


def heading_of(title: str) -> str | None:
    """Return the heading that a page's title stands under, in the same language; the first screen has none."""
    for lang in LANGUAGES:
        words = catalogue(lang)
        for heading, pages in sections().items():
            if any(words[f"page.{name}.title"] == title for name in pages if name != HOME):
                return words[f"menu.{heading}"]
    return None
