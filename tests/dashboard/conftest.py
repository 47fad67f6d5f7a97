"""Where the dashboard's tests find their tables: a small fleet, nothing at all, or a folder that cannot be read."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard import data
from tests.support import fleet_lake, lakes


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store path with sixteen days of a small fleet."""
    folder = tmp_path_factory.mktemp("fleet")
    fleet_lake.fill(folder)
    return folder


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A store path whose calls table is not a table."""
    return lakes.damage(tmp_path)


@pytest.fixture(autouse=True)
def own_process_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Settings come from the test alone, and no cache outlives it."""
    for name in (
        "CACHEWISE_CONFIG",
        "CACHEWISE_DEMO",
        "CACHEWISE_STORE_PATH",
        "AWS_ENDPOINT_URL",
        "ANTHROPIC_BASE_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    data.reopen()
    yield
    for thread in threading.enumerate():
        if thread.name == "study":  # made behind the viewers' backs: it still reads the tables that are closed here
            thread.join(30)
    data.reopen()
