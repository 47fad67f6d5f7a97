"""The mechanical rules of the house: format, lint, types, import direction."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of the environment from the root of the project."""
    return subprocess.run(
        [str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.parametrize(
    "command",
    [("ruff", "format", "--check", "."), ("ruff", "check", "."), ("lint-imports", "--no-logo")],
    ids=["format", "lint", "imports"],
)
def test_the_code_keeps_the_rules(command: tuple[str, ...]) -> None:
    """Format, lint and import direction hold."""
    done = run(*command)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_types_hold() -> None:
    """Core and collector pass mypy --strict."""
    done = run("mypy")

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_source_folder_is_a_package() -> None:
    """A folder without __init__.py is invisible to the import rules; tests have none, or they would shadow the code."""
    rooms = ("core", "collector", "dashboard", "cli", "simulator")
    folders = {path.parent for room in rooms for path in (ROOT / room).rglob("*.py")}

    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []
    assert list((ROOT / "tests").rglob("__init__.py")) == []
