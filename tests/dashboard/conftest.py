"""Where the dashboard's tests find their tables: a small fleet, nothing at all, or a folder that cannot be read."""

import threading
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from streamlit import config
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from dashboard import data
from tests.support import fleet_lake, lakes
from tests.support.screens import PAGES_WITH_FIGURES, Look, opened

SETTINGS = Path(data.__file__).parent / ".streamlit" / "config.toml"


@pytest.fixture(scope="session", autouse=True)
def pages_run_as_served() -> Iterator[None]:
    """Scripts are run by the product's own settings, and packages are searched for components once.

    AppTest knows no config.toml, and reads what every installed package says of itself for each page it opens: it took
    half of all time.
    """
    told = tomllib.loads(SETTINGS.read_text(encoding="utf-8"))
    for section in ("browser", "runner"):  # not `client`: there, exceptions would be hidden from the tests too
        for name, value in told[section].items():
            config.set_option(f"{section}.{name}", value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
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
