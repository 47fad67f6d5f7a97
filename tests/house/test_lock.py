"""The lock file holds public addresses only."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("lock", ["uv.lock", "tests/support/focus_judge.py.lock"])
def test_lock_names_only_the_public_index(lock: str) -> None:
    """Every address in a lock file is pypi.org or files.pythonhosted.org."""
    hosts = set(re.findall(r"https?://([^/\"\s]+)", (ROOT / lock).read_text()))

    assert hosts == {"pypi.org", "files.pythonhosted.org"}


def test_every_dependency_is_locked() -> None:
    """Each dependency of pyproject.toml has a pinned version in uv.lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    locked = {package["name"] for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    groups = [item for group in project["dependency-groups"].values() for item in group if isinstance(item, str)]
    wanted = {re.split(r"[\[<>=; ]", item)[0].lower() for item in [*project["project"]["dependencies"], *groups]}

    assert wanted <= locked
