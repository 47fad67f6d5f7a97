"""`cachewise demo`: a simulated fleet that writes its logs in the service's real formats, first 30 days, then live."""

from __future__ import annotations

import fcntl
import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from core import settings as settings_module
from core.errors import FixSettings, TryAgain
from core.pricing import default_book
from core.settings import LineDefaults, Settings, SourceSettings
from simulator.fleet.engines import FUNCTIONS
from simulator.fleet.folder import FleetFolder
from simulator.fleet.lines import ACCOUNT, REGION
from simulator.fleet.writer import MAX_GAP_DAYS, FleetWriter, summary

TICK_S = 2.0


def demo_root(settings: Settings) -> Path:
    """Return the folder of the demo: its logs, its truth and, beside them, its tables."""
    if "://" in settings.store_path:
        raise FixSettings(
            f'The demo cannot write to store.path = "{settings.store_path}".',
            code="DEM-003",
            mend="Set CACHEWISE_STORE_PATH to a local folder.",
        )
    return Path(settings.store_path) / "demo"


def demo_sources(settings: Settings) -> tuple[SourceSettings, ...]:
    """Return the sources that read the demo fleet's logs: one per function, with what its text lines do not say."""
    folder = FleetFolder(demo_root(settings))
    return tuple(
        SourceSettings(
            name=function.source,
            kind="files",
            log_group=function.log_group,
            region=REGION,
            account=ACCOUNT,
            paths=(str(folder.logs(function.source)),),
            since_days=float(MAX_GAP_DAYS + 1),
            defaults=LineDefaults(
                provider="anthropic",
                model="claude-opus-4-5",
                cache_ttl="1h",
                caching_enabled=True,
                function_name=function.name,
            ),
        )
        for function in FUNCTIONS
    )


@click.command(name="demo")
@click.option("--days", type=click.IntRange(1, 90), default=MAX_GAP_DAYS, show_default=True, help="Days of history.")
@click.option("--seed", type=int, help="Which fleet; the same seed and day give the same history.")
@click.option("--no-live", is_flag=True, help="Stop after the history.")
@click.option("--json", "as_json", is_flag=True, help="Say what was written as JSON lines.")
def command(days: int, seed: int | None, no_live: bool, as_json: bool) -> None:
    """Write the demo fleet's logs: history first, then live traffic until Ctrl-C."""
    root = demo_root(settings_module.load())
    stop = _stop_signal()
    folder = FleetFolder(root)
    folder.make()
    with _only_writer(root):
        writer = FleetWriter(folder, book=default_book(), now_ms=_now_ms(), days=days, seed=seed)
        writer.write_history(_now_ms(), stop=stop.is_set)
        if not stop.is_set():
            writer.catch_up(_now_ms())
            _say(writer, as_json, f"Demo history is in {root / 'logs'}")
        while not no_live and not stop.wait(TICK_S):
            writer.catch_up(_now_ms())
        writer.finish(_now_ms())
        if not no_live:
            _say(writer, as_json, "Demo stopped")


def _say(writer: FleetWriter, as_json: bool, what: str) -> None:
    told = summary(writer.progress, writer.identity)
    if as_json:
        click.echo(json.dumps(told))
    else:
        calls, live = told["calls"], told["live_calls"]
        click.echo(f"{what}: {calls:,} calls of history, {live:,} live (simulated, seed {told['seed']}).")


def _stop_signal() -> threading.Event:
    """Return an event that Ctrl-C and SIGTERM set."""
    stop = threading.Event()

    def set_it(number: int, frame: FrameType | None) -> None:
        stop.set()

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, set_it)
    return stop


@contextmanager
def _only_writer(root: Path) -> Iterator[None]:
    """Hold the folder: two fleets in one folder would write over each other."""
    with (root / ".lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TryAgain(
                f"Another demo is writing to {root}.", code="DEM-004", mend="Stop it first, or let it go on."
            ) from None
        yield


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
