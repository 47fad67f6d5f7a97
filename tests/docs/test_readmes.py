"""The Korean README keeps step with the English one: the same commands, the same places, the same order."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGLISH, KOREAN = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ko.md"))
OWN = {"README.md", "README.ko.md"}  # the links between the two


def blocks(text: str) -> list[str]:
    """Code blocks, with their language."""
    return re.findall(r"^```.*?^```$", text, flags=re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    """What stands in backticks outside of code blocks."""
    return sorted(re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)))


def links(text: str) -> list[str]:
    """Where links and pictures lead, in order."""
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if target not in OWN]


def shape(text: str) -> list[str]:
    """Headings by depth, and rows of tables, in order."""
    return [line.split(" ")[0] for line in text.splitlines() if line.startswith(("#", "|"))]


@pytest.mark.parametrize("part", [blocks, commands, links, shape])
def test_the_korean_readme_keeps_step(part) -> None:
    """Whoever changes one changes the other."""
    assert part(KOREAN) == part(ENGLISH)
    assert part(ENGLISH)


def test_the_korean_readme_is_korean() -> None:
    """Every sentence outside of code has Hangul in it."""
    prose = re.sub(r"^```.*?^```$", "", KOREAN, flags=re.MULTILINE | re.DOTALL)
    lines = [line for line in prose.splitlines() if len(re.findall(r"[A-Za-z]", line)) > 30 and "](" not in line]

    assert all(re.search(r"[가-힣]", line) for line in lines), lines
