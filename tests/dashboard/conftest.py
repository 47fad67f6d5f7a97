"""Where the dashboard's tests find their tables: a small fleet, nothing at all, or a folder that cannot be read."""

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import data
from tests.support import fleet_lake, lakes
from tests.support.screens import PAGES_WITH_FIGURES, Look, as_served, opened

KEPT = "on_"
"""How the names of fixtures begin whose store is the same for many tests, which must not change it."""
_held: list[Path] = []
"""The store of that kind that the process's caches are of, if any."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests of the same file that look at the same kept store follow one another."""
    places = {path: number for number, path in enumerate(dict.fromkeys(item.path for item in items))}
    items.sort(key=lambda item: (places[item.path], _kept(getattr(item, "fixturenames", ()))))


def _kept(fixtures: Iterable[str]) -> str:
    return next((name for name in fixtures if name.startswith(KEPT)), "")


@pytest.fixture(scope="session", autouse=True)
def pages_run_as_served() -> Iterator[None]:
    """Scripts are run by the product's own settings, and without what AppTest does again for each of them."""
    with as_served():
        yield


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store path with sixteen days of a small fleet."""
    folder = tmp_path_factory.mktemp("fleet")
    fleet_lake.fill(folder)
    return folder


@pytest.fixture(scope="session")
def shown(fleet: Path, tmp_path_factory: pytest.TempPathFactory) -> Look:
    """Pages of a store, opened one after the other with the same caches and looked at by several tests."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "demo").symlink_to(fleet, target_is_directory=True)
    stores = {
        "fleet": {"CACHEWISE_STORE_PATH": str(fleet)},
        "demo": {"CACHEWISE_STORE_PATH": str(folder), "CACHEWISE_DEMO": "true"},
        "nothing": {"CACHEWISE_STORE_PATH": str(folder / "nothing")},
        "broken": {"CACHEWISE_STORE_PATH": str(lakes.damage(folder / "broken"))},
    }
    ranges = {"demo": {"range": "all"}}  # figures of one page are held against another's: no call may leave meanwhile

    @cache
    def pages_of(lang: str, store: str) -> dict[str, AppTest]:
        with pytest.MonkeyPatch.context() as patch:
            for key, value in stores[store].items():
                patch.setenv(key, value)
            data.reopen()
            seen = {name: opened(name, lang, **ranges.get(store, {})) for name in PAGES_WITH_FIGURES}
            data.reopen()
        return seen

    return lambda name, lang, store="fleet": pages_of(lang, store)[name]


@pytest.fixture
def look_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Show a store that nothing changes, with what tests before have asked of it remembered.

    A page's questions cost much more than drawing it.
    """

    def look(store: Path) -> None:
        if _held != [store]:
            data.reopen()
            _held[:] = [store]
        monkeypatch.setenv("CACHEWISE_STORE_PATH", str(store))

    return look


@pytest.fixture
def on_fleet(fleet: Path, look_at: Callable[[Path], None]) -> Path:
    """The small fleet is what pages show. What is about empty caches, or other settings, asks for `fleet` alone."""
    look_at(fleet)
    return fleet


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A store path whose calls table is not a table."""
    return lakes.damage(tmp_path)


@pytest.fixture(autouse=True)
def own_process_state(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """Settings come from the test alone, and no cache outlives it, but those of a store that nobody changes."""
    for name in (
        "CACHEWISE_CONFIG",
        "CACHEWISE_DEMO",
        "CACHEWISE_STORE_PATH",
        "AWS_ENDPOINT_URL",
        "ANTHROPIC_BASE_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    kept = _kept(request.fixturenames)
    if not kept:
        data.reopen()
        _held.clear()
    yield
    for thread in threading.enumerate():
        if thread.name == "study":  # made behind the viewers' backs: it still reads the tables that are closed here
            thread.join(30)
    if not kept:
        data.reopen()
