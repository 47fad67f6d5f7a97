"""A real server on a free port over a small fleet, and Debian's or Google's Chromium to open it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support import fleet_lake

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
START_WAIT_S = 90.0  # a poll, which ends when the server is there
DESK = {"width": 1440, "height": 900}
expect.set_options(timeout=60_000)  # milliseconds; other tests run beside these, and what is polled for ends the wait


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in this folder, and skip it where there is no browser."""
    here = Path(__file__).parent
    missing = pytest.mark.skip(reason=f"none of {', '.join(BROWSERS)} is installed")
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            if not executable():
                item.add_marker(missing)


def executable() -> str | None:
    """The browser to use, if any."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Start the system's Chromium; Playwright's own is not downloaded."""
    switches = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
    switches.append("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")  # nothing leaves this machine
    return {"executable_path": executable(), "args": switches}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """Look at pages as on a desk in Seoul."""
    return {**browser_context_args, "locale": "ko-KR", "timezone_id": "Asia/Seoul", "viewport": DESK}


@pytest.fixture(scope="session")
def only_tab(browser: Browser, browser_context_args: dict[str, Any]) -> Iterator[Page]:
    """The tab that tests share: a browser that knows the application loads it in half the time."""
    context = browser.new_context(**browser_context_args)
    yield context.new_page()
    context.close()


@pytest.fixture
def tab(only_tab: Page) -> Iterator[Page]:
    """A tab for tests that bring their own address, as each load of one is a session of its own.

    What a test adds to the browser itself, such as a clock, a script or a sign-in, belongs into a `page`.
    """
    yield only_tab
    for other in only_tab.context.pages:
        if other is not only_tab:
            other.close()
    only_tab.emulate_media(color_scheme="null")
    only_tab.set_viewport_size(DESK)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the demo fleet's tables (in `demo/`)."""
    folder = tmp_path_factory.mktemp("e2e")
    fleet_lake.fill(folder / "demo")
    return folder


@pytest.fixture(scope="session")
def base_url(store: Path) -> Iterator[str]:
    """Serve the demo fleet as `cachewise run` does."""
    with serving(store, {"CACHEWISE_STORE_PATH": str(store), "CACHEWISE_DEMO": "true"}) as url:
        yield url


@contextmanager
def serving(folder: Path, settings: dict[str, str]) -> Iterator[str]:
    """Start the server in a folder, wait until its tables are ready, and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    outside = ("CACHEWISE_", "AWS_", "ANTHROPIC_")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(outside)} | settings
    command = [
        sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboard" / "server.py"),
        f"--server.port={port}", "--server.address=127.0.0.1", "--server.headless=true",
    ]  # fmt: skip
    log = folder / "server.log"
    with log.open("w") as out, subprocess.Popen(command, cwd=folder, env=environ, stdout=out, stderr=out) as server:
        try:
            _wait(f"http://127.0.0.1:{port}/readyz", server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_WAIT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"the server did not start:\n{log.read_text()}")
