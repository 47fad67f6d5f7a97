"""What the docs promise exists: commands, Makefile targets, error codes."""

import re
from pathlib import Path

import click
import pytest

from cli.main import VERBS, cachewise
from tests.support.menu import sections

ROOT = Path(__file__).parents[2]
SOURCES = [
    path for room in ("core", "collector", "dashboard", "cli", "simulator") for path in (ROOT / room).rglob("*.py")
]


def documented_codes() -> list[str]:
    """The codes of the table in docs/errors.md, in order."""
    return re.findall(r"^\| `?([A-Z]{3}-\d{3})`? \|", (ROOT / "docs/errors.md").read_text(), flags=re.M)


def raised_codes() -> set[str]:
    """Every code that the source mentions."""
    found = {code for path in SOURCES for code in re.findall(r"\b[A-Z]{3}-\d{3}\b", path.read_text())}
    return found - {"SHA-256"}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_is_documented(verb: str) -> None:
    """Each command has a help text, a --json switch and a place in the README or the docs."""
    command = cachewise.get_command(click.Context(cachewise), verb)

    assert command is not None
    assert command.help
    assert any("--json" in parameter.opts for parameter in command.params)
    assert f"cachewise {verb}" in (ROOT / "docs/cli.md").read_text()


def test_every_make_target_of_the_readme_exists() -> None:
    """`make X` in a document is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    texts = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    named = {name for text in texts for name in re.findall(r"`make ([a-z0-9]+)", text.read_text())}

    assert named <= targets


def test_every_error_code_is_documented_once() -> None:
    """A code seen in the log or on the screen is found in docs/errors.md, and nothing there is stale."""
    codes = documented_codes()

    assert sorted(set(codes)) == sorted(codes)
    assert raised_codes() - set(codes) == set()
    assert set(codes) - raised_codes() == set()


def test_every_page_is_documented_under_its_heading() -> None:
    """docs/dashboard.md lists the pages of the menu, heading by heading, and no other."""
    parts = re.split(r"^## ", (ROOT / "docs/dashboard.md").read_text(), flags=re.M)[1:5]
    told = {part.splitlines()[0].lower(): re.findall(r"^\| `(\w+)` \|", part, flags=re.M) for part in parts}

    assert told == sections()
