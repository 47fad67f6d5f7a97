"""How long a person waits: the first screen, cold and warm, and each change of page, on a million calls.

Run by hand: `python -m benchmarks.dashboard [--calls 1000000] [--days 30] [--runs 5] [--lake FOLDER]`. It serves
the lake as `cachewise run` does and looks at it with Chromium. A time ends when nothing on the screen moves any more:
the script has run, no part is stale or a skeleton, every chart is drawn, and the page has not changed since. The
answer is there once its sentence and the six key figures are.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from importlib.metadata import version
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.page_queries import generate
from core.store.lake import Lake
from tests.support.rows import make_pass, table_of
from tests.support.screen import entry

ROOT = Path(__file__).parents[1]
PAGES = (
    "Cost", "Hit rate", "Latency", "Savings", "Misses", "TTL Lab", "Probe", "Caches", "Data health", "Prices",
    "Overview",
)  # fmt: skip
FIRST_WARM_S, FIRST_COLD_S, PAGE_S = 1.5, 3.5, 0.7

# Notes when the document last changed while the page was not yet complete or not yet at rest.
WATCH = """
() => {
  const state = {since: performance.now(), changed: performance.now()};
  new MutationObserver(() => {
    state.changed = performance.now();
    if (!state.answered && document.querySelectorAll("[data-testid=stMetric]").length >= 6
      && document.querySelector("[data-testid=stAlert]")) state.answered = state.changed;
  })
    .observe(document, {subtree: true, childList: true, characterData: true,
      attributes: true, attributeFilter: ["data-stale", "data-test-script-state", "d", "class"]});
  window.__watch = state;
}
"""
DRAWN = """
(title) => {
  const app = document.querySelector("[data-testid=stApp]");
  const heading = document.querySelector("h1");
  const charts = [...document.querySelectorAll("[data-testid=stPlotlyChart]")];
  const whole = app && app.dataset.testScriptState === "notRunning"
    && heading && heading.innerText.trim() === title
    && !document.querySelector("[data-stale=true], [data-testid=stSkeleton], [data-testid=stSkeletonElement]")
    && charts.every(one => one.querySelector(".main-svg"));
  const state = window.__watch;
  return whole && performance.now() - state.changed > 400 ? state.changed - state.since : null;
}
"""


def main() -> None:
    """Generate, serve, look, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--lake", type=Path, help="keep the lake in this folder, and use it again while it is there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = given.lake or Path(folder)
        fill(store, given.calls, given.days)
        print_machine()
        firsts, changes = [], {}
        for _ in range(given.runs):
            with serving(store, Path(folder)) as (url, server), chromium() as browser:
                firsts.append((*first_screen(browser, url), *first_screen(browser, url)))
                for title, seconds in page_changes(browser, url).items():
                    changes.setdefault(title, []).append(seconds)
                memory, cpu = server.memory_info().rss / 2**20, sum(server.cpu_times()[:2])
        cold_answers, colds, warm_answers, warms = (list(times) for times in zip(*firsts, strict=True))
        print(f"{'first answer, cold':<34} {_times(cold_answers)}")
        print(f"{'first screen, cold':<34} {_times(colds)}   target {FIRST_COLD_S} s")
        print(f"{'first answer, warm':<34} {_times(warm_answers)}")
        print(f"{'first screen, warm':<34} {_times(warms)}   target {FIRST_WARM_S} s")
        for title, times in changes.items():
            print(f"{'change to ' + title:<34} {_times(times)}   target {PAGE_S} s")
        print(f"server of the last run: {memory:.0f} MiB, {cpu:.1f} s of CPU")


def fill(store: Path, calls: int, days: int) -> None:
    """Write the lake so that it ends now, unless the folder has one already."""
    lake, now = Lake(store / "tables"), datetime.now(UTC)
    if lake.version("calls") is None:
        midnight = datetime.combine(now.date(), clock(), tzinfo=UTC)
        began = time.perf_counter()
        rows = generate(lake, calls, start=midnight - timedelta(days=days - 1), days=days)
        print(f"wrote {rows:,} rows in {time.perf_counter() - began:.1f} s")
    lake.commit("ingest_passes", table_of("ingest_passes", [make_pass(ts=now, complete_until=now)]))


@contextlib.contextmanager
def serving(store: Path, folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Start the dashboard's server over a store, wait until it is ready, and yield its address and process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("CACHEWISE_", "AWS_"))}
    command = [
        sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboard" / "server.py"),
        f"--server.port={port}", "--server.address=127.0.0.1", "--server.headless=true",
    ]  # fmt: skip
    environ["CACHEWISE_STORE_PATH"] = str(store)
    with (folder / "server.log").open("a") as log:
        server = subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                break
            time.sleep(0.1)
        else:
            raise SystemExit(f"the server did not start: {(folder / 'server.log').read_text()}")
        yield f"http://127.0.0.1:{port}", psutil.Process(server.pid)
    finally:
        server.terminate()
        server.wait(10)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium, with nothing in its cache."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        raise SystemExit("no Chromium is installed")
    switches = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
    with (
        sync_playwright() as playwright,
        contextlib.closing(playwright.chromium.launch(executable_path=found, args=switches)) as browser,
    ):
        yield browser


def first_screen(browser: Browser, url: str) -> tuple[float, float]:
    """Return how long answer and first screen take in a tab of their own; the browser keeps what is in its cache."""
    context = (
        browser.contexts[0]
        if browser.contexts
        else browser.new_context(locale="en-GB", timezone_id="Asia/Seoul", viewport={"width": 1440, "height": 900})
    )
    page = context.new_page()
    page.add_init_script(f"({WATCH})()")
    page.goto(f"{url}/?lang=en", wait_until="commit")
    seconds = drawn(page, "Overview")
    answered = page.evaluate("() => (window.__watch.answered - window.__watch.since) / 1000")
    page.close()
    return answered, seconds


def page_changes(browser: Browser, url: str) -> dict[str, float]:
    """Return how long each page takes when it is clicked in the menu."""
    page = browser.contexts[0].new_page()
    page.add_init_script(f"({WATCH})()")
    page.goto(f"{url}/?lang=en", wait_until="commit")
    drawn(page, "Overview")
    found = {}
    for title in PAGES:
        link = entry(page, title)
        page.evaluate("() => { window.__watch.since = window.__watch.changed = performance.now(); }")
        link.click()
        found[title] = drawn(page, title)
    page.close()
    return found


def drawn(page: Page, title: str) -> float:
    """Wait until a page is whole and at rest; return the seconds from its beginning to its last change."""
    return page.wait_for_function(DRAWN, arg=title, polling=50, timeout=120_000).json_value() / 1000


def print_machine() -> None:
    """Say what the figures were measured with."""
    parts = [f"{name} {version(name)}" for name in ("streamlit", "plotly", "duckdb", "deltalake")]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"python {platform.python_version()}, {', '.join(parts)}; {os.cpu_count()} cores, load {load}")


def _times(times: list[float]) -> str:
    return f"median {statistics.median(times):6.2f} s  (" + ", ".join(f"{value:.2f}" for value in times) + ")"


if __name__ == "__main__":
    main()
