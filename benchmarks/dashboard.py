"""How long a person waits: the first screen, cold and warm, and each change of page, on a million calls.

Run by hand: `python -m benchmarks.dashboard [--calls 1000000] [--days 30] [--runs 5] [--lake FOLDER] [--floor]`.
It serves the lake as `cachewise run` does and looks at it with Chromium in a window of 1440 × 900. A page is in sight
when nothing in the window moves any more: the script has run, no part in it is stale or a skeleton, every chart in it
is drawn, and it has not changed since. It is whole when that is so below the fold too. The answer is there once its
sentence and the six key figures are. The time that counts is that of what is in sight; the others stand beside it.
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
from typing import Any

import psutil
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from benchmarks.page_queries import generate
from benchmarks.screen_watch import Drawn, arm, drawn, page_cpu, restart
from core.store.lake import Lake
from tests.support.rows import make_pass, table_of
from tests.support.screen import entry

ROOT = Path(__file__).parents[1]
DOOR = ROOT / "dashboard" / "server.py"
DESK: dict[str, Any] = {
    "locale": "en-GB", "timezone_id": "Asia/Seoul", "viewport": {"width": 1440, "height": 900},
}  # fmt: skip
COLD, NEW, AGAIN = "cold", "warm, new profile", "warm, seen before"
_BARE = "import streamlit as st\nst.set_page_config(layout='wide')\nst.title('Overview')\n"
BARE = {
    "two lines": f"{_BARE}st.write('x')\n",
    "one chart": f"{_BARE}import plotly.graph_objects as go\nst.plotly_chart(go.Figure(go.Scatter(y=[1, 3, 2])))\n",
}
PAGES = (
    "Cost", "Hit rate", "Latency", "Savings", "Misses", "TTL Lab", "Probe", "Caches", "Data health", "Prices",
    "Overview",
)  # fmt: skip
FIRST_WARM_S, FIRST_COLD_S, PAGE_S = 1.5, 3.5, 0.7


def main() -> None:
    """Generate, serve, look, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--floor", action="store_true", help="only look at pages of Streamlit with next to nothing on")
    given = with_lake_options(parser).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.floor:
            print_machine()
            floor(Path(folder), given.runs)
            return
        store = filled(given, Path(folder))
        firsts: dict[str, list[Drawn]] = {}
        changes: dict[str, list[Drawn]] = {}
        for _ in range(given.runs):
            with serving(store, Path(folder)) as (url, server), chromium() as browser:
                for visit, found in first_screens(browser, url).items():
                    firsts.setdefault(visit, []).append(found)
                for title, found in page_changes(browser, url).items():
                    changes.setdefault(title, []).append(found)
                memory, cpu = server.memory_info().rss / 2**20, sum(server.cpu_times()[:2])
        for visit, times in firsts.items():
            show(f"first screen, {visit}", times, FIRST_COLD_S if visit == COLD else FIRST_WARM_S)
        for title, times in changes.items():
            show(f"change to {title}", times, PAGE_S)
        print(f"server of the last run: {memory:.0f} MiB, {cpu:.1f} s of CPU")


def floor(folder: Path, runs: int) -> None:
    """Look at what Streamlit takes by itself: a page of two lines, and the same with one chart."""
    for name, script in BARE.items():
        path, times = folder / f"{name}.py", []
        path.write_text(script)
        with serving(folder, folder, path) as (url, _):
            for _ in range(runs):
                with chromium() as browser:
                    times.append(first_screen(browser.new_context(**DESK), url))
        show(f"bare page, {name}", times, None)


def with_lake_options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add how large a lake is looked at, and where it is kept."""
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--lake", type=Path, help="keep the lake in this folder, and use it again while it is there")
    return parser


def filled(given: argparse.Namespace, folder: Path) -> Path:
    """Return a store with such a lake, in `folder` unless it is to be kept; print what the times are of."""
    store = given.lake or folder
    fill(store, given.calls, given.days)
    print_machine()
    return store


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
def serving(store: Path, folder: Path, script: Path = DOOR) -> Iterator[tuple[str, psutil.Process]]:
    """Start the dashboard's server over a store, wait until it is ready, and yield its address and process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("CACHEWISE_", "AWS_"))}
    command = [
        sys.executable, "-m", "streamlit", "run", str(script),
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


def first_screens(browser: Browser, url: str) -> dict[str, Drawn]:
    """Return how long the first screen takes: of a new server, in a new profile, and when it is opened again."""
    first, other = browser.new_context(**DESK), browser.new_context(**DESK)
    return {COLD: first_screen(first, url), NEW: first_screen(other, url), AGAIN: first_screen(other, url)}


def first_screen(profile: BrowserContext, url: str) -> Drawn:
    """Return how long a page takes in a tab of its own; the profile keeps what is in its cache."""
    page, before = profile.new_page(), page_cpu()
    arm(page)
    page.goto(f"{url}/?lang=en", wait_until="commit")
    found = drawn(page, "Overview", before)
    page.close()
    return found


def page_changes(browser: Browser, url: str) -> dict[str, Drawn]:
    """Return how long each page takes when it is clicked in the menu."""
    page = browser.contexts[0].new_page()
    arm(page)
    page.goto(f"{url}/?lang=en", wait_until="commit")
    drawn(page, "Overview")
    found = {}
    for title in PAGES:
        link, before = entry(page, title), page_cpu()
        restart(page)
        link.click()
        found[title] = drawn(page, title, before)
    page.close()
    return found


def print_machine() -> None:
    """Say what the figures were measured with."""
    parts = [f"{name} {version(name)}" for name in ("streamlit", "plotly", "duckdb", "deltalake")]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"python {platform.python_version()}, {', '.join(parts)}; {os.cpu_count()} cores, load {load}")


def show(what: str, times: list[Drawn], target: float | None) -> None:
    """Print medians: what counts against the target is what is in sight; what is below the fold is told beside it."""
    in_sight, whole, cpu = (
        statistics.median(value) for value in zip(*((one.in_sight, one.whole, one.cpu_s) for one in times), strict=True)
    )
    answers = [one.answered for one in times if one.answered is not None]
    answer = f", answer {statistics.median(answers):.2f} s" if answers else ""
    against = f"target {target} s, " if target else ""
    every = ", ".join(f"{one.in_sight:.2f}" for one in times)
    print(f"{what:<34} {in_sight:5.2f} s  ({against}{every}; whole {whole:.2f} s{answer}; page's CPU {cpu:.2f} s)")


if __name__ == "__main__":
    main()
