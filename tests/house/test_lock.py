"""The lock file holds public addresses only."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_lock_names_only_the_public_index() -> None:
    """Every address in uv.lock is pypi.org or files.pythonhosted.org."""
    hosts = set(re.findall(r"https?://([^/\"\s]+)", (ROOT / "uv.lock").read_text()))

    assert hosts == {"pypi.org", "files.pythonhosted.org"}


def test_every_dependency_is_locked() -> None:
    """Each dependency of pyproject.toml has a pinned version in uv.lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    locked = {package["name"] for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    groups = [item for group in project["dependency-groups"].values() for item in group if isinstance(item, str)]
    wanted = {re.split(r"[\[<>=; ]", item)[0].lower() for item in [*project["project"]["dependencies"], *groups]}

    assert wanted <= locked
