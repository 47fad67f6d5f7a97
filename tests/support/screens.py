"""A page opened as a browser of some language does, and what a reader sees of it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from streamlit import config
from streamlit.components.v2 import manifest_scanner
from streamlit.elements import spinner
from streamlit.elements.lib import skeleton_placeholder
from streamlit.testing.v1 import AppTest, local_script_runner
from streamlit.util import calc_hash

from core.error_words import in_korean
from dashboard import auth, drawers, placeholders
from dashboard.i18n import translate

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
SETTINGS = APP.parent / ".streamlit" / "config.toml"
PATIENCE_S = 120
"""How long a page may take in a test: a limit for what hangs; on a busy machine a page's run takes tens of seconds."""

Look = Callable[..., AppTest]
"""What gives the page of this name, language and store, opened once for all tests."""
PAGES = sorted(path.stem for path in (APP.parent / "app_pages").glob("[a-z]*.py"))
WITHOUT_FIGURES = {"caches", "probe", "reconcile"}  # these act; they have tests of their own
PAGES_WITH_FIGURES = [name for name in PAGES if name not in WITHOUT_FIGURES]

DRAWERS = ("sources", "views", "glossary")
LANGUAGES = {"ko": ("ko-KR", "Asia/Seoul"), "en": ("en-GB", "Europe/Berlin")}


def opened(name: str, lang: str = "en", **state: object) -> AppTest:
    """Open a page as a browser of that language does, with these choices made and the sidebar's drawers open."""
    app = AppTest.from_file(str(APP), default_timeout=PATIENCE_S)
    locale, zone = LANGUAGES[lang]
    app.context = {"locale": locale, "timezone": zone}
    for key, value in (dict.fromkeys(map(drawers.key_of, DRAWERS), True) | state).items():
        app.session_state[key] = value
    if name != "overview":
        # switch_page() goes by the file's name until the router has run; this is the address the router gives it
        app._page_hash = calc_hash(name.replace("_", "-"))
    return app.run()


def words(app: AppTest) -> str:
    """Everything a reader sees as running text."""
    parts = [*app.title, *app.header, *app.subheader, *app.caption, *app.markdown]
    alerts = [*app.info, *app.success, *app.warning, *app.error]
    titles = [box.proto.title for box in alerts]
    return "\n".join([*(str(part.value) for part in [*parts, *alerts]), *titles])


def error_said(lang: str, code: str) -> str:
    """What a page says of an error: in Korean the words of its code, in English where these stand."""
    if lang == "ko":
        told = in_korean(code)
        assert told is not None
        return told.what
    return translate("en", "failed.more", code=code)


@contextmanager
def as_served() -> Iterator[None]:
    """Run scripts by the product's own settings, search packages for components once, and wait for runs without asking.

    AppTest knows no config.toml, reads what every installed package says of itself for each page it opens, which took
    half of all time, and looks a thousand times a second whether the run has ended, which takes a fifteenth.
    """
    told = tomllib.loads(SETTINGS.read_text(encoding="utf-8"))
    for section in ("browser", "runner"):  # not `client`: there, exceptions would be hidden from the tests too
        for name, value in told[section].items():
            config.set_option(f"{section}.{name}", value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        patch.setattr(local_script_runner, "require_widgets_deltas", _ended)
        for place in (spinner, skeleton_placeholder):
            patch.setattr(place, "enqueue_message", place.enqueue_message)  # to be as before in the end
        placeholders.let_late_ones_go()
        yield


def _ended(runner: local_script_runner.LocalScriptRunner, timeout: float = PATIENCE_S) -> None:
    """Wait for the end of a script's thread. Raises RuntimeError where it does not come."""
    thread = runner._script_thread
    assert thread
    thread.join(timeout)
    if thread.is_alive():
        runner.request_stop()
        runner.join()
        raise RuntimeError(f"the page did not end within {timeout} s")


@contextmanager
def bound_to(address: str | None) -> Iterator[None]:
    """Serve as if the server were bound to this address: on loopback the viewer is the operator."""
    before = config.get_option("server.address")
    config.set_option("server.address", address)
    try:
        with pytest.MonkeyPatch.context() as patch:  # AppTest has no browser, so no request either
            patch.setattr(auth, "request_headers", lambda: {"Host": f"{address}:8501"})
            yield
    finally:
        config.set_option("server.address", before)
