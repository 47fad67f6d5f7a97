"""`cachewise collect`: read the sources into the tables, once or for as long as it runs."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import click

from cli.stopping import asked_to_stop
from core import settings as settings_module
from core.errors import CachewiseError, FixSettings
from core.settings import Settings, SourceSettings

if TYPE_CHECKING:
    from cli.alerts import AlertWatch
    from collector.pipeline import Collector
    from collector.result import PassResult
    from core.store.lake import Lake

CARE_EVERY_S = 120.0
_SUMS = ("read", "recognised", "ignored", "skipped", "calls", "new_calls", "new_invocations",
         "new_prompt_store_events", "duplicates", "replaced")  # fmt: skip


@click.command(name="collect")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--source", "name", metavar="NAME", help="Only this configured source; with PATH, whose defaults to use.")
@click.option("--once/--follow", default=True, help="One pass (default), or pass after pass until Ctrl-C.")
@click.option(
    "--interval", type=click.FloatRange(min=0.1), default=5.0, show_default=True, help="Seconds between passes."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON even on a terminal.")
def command(paths: tuple[str, ...], name: str | None, once: bool, interval: float, as_json: bool) -> int:
    """Ingest log lines from the configured sources, or from PATHs: files, folders, patterns, or - for stdin."""
    settings = settings_module.load()
    sources = _chosen(settings, paths, name)
    shown_as_json = as_json or not sys.stdout.isatty()
    quiet: dict[str, PassResult] = _quiet(settings, sources) if once else {}
    if len(quiet) == len(sources):
        _print(list(quiet.values()), as_json=shown_as_json)
        return 0
    to_read = [source for source in sources if source.name not in quiet]
    lake, collectors = _collectors(settings, to_read, follow=not once)
    with asked_to_stop() as stop:
        if once:
            order = [source.name for source in sources]
            return _once(collectors, lake, stop, quiet, order, as_json=shown_as_json)
        from cli.alerts import AlertWatch  # asks the tables, which reading once does not

        _follow(collectors, lake, stop, interval, AlertWatch(settings), as_json=shown_as_json)
    return 0


def _quiet(settings: Settings, sources: Sequence[SourceSettings]) -> dict[str, PassResult]:
    """Return what is said of the sources in which a glance finds nothing new: those need not be opened."""
    from collector.glance import glance

    if settings.price_files:
        from core.pricing import load_book

        load_book(settings.price_files)  # what is wrong in them is said in any case
    told = {source.name: glance(source, settings.lake_path) for source in sources}
    return {name: result for name, result in told.items() if result is not None}


def _collectors(settings: Settings, sources: Sequence[SourceSettings], *, follow: bool) -> tuple[Lake, list[Collector]]:
    """Return the tables and the collectors of the sources, each of them begun."""
    from collector import memory

    memory.lean()
    from collector.build import make_collector
    from collector.sources.pace import Paces
    from core.pricing import load_book
    from core.store.lake import Lake

    lake, book, paces = Lake(settings.lake_path), load_book(settings.price_files), Paces()
    collectors = [
        make_collector(
            source, lake, book, follow=follow, stdin=sys.stdin.buffer if source.paths == ("-",) else None, paces=paces
        )
        for source in sources
    ]
    memory.spare()
    for collector in collectors:
        collector.begin()
    return lake, collectors


def _chosen(settings: Settings, paths: Sequence[str], name: str | None) -> list[SourceSettings]:
    """Return the sources to read. The demo's tables take the demo's logs and nothing else."""
    from collector.by_hand import paths_as_sources

    configured = settings.sources
    if settings.demo:
        from cli.demo import demo_sources

        configured = demo_sources(settings)
    named = next((source for source in configured if source.name == name), None)
    if name is not None and named is None:
        raise FixSettings(
            f'There is no source named "{name}".',
            code="COL-203",
            mend=f"Configured: {', '.join(source.name for source in configured) or 'none'}.",
        )
    if paths:
        return paths_as_sources(paths, configured, like=named)
    if not configured:
        raise FixSettings(
            "There is nothing to collect: no source is configured and no PATH was given.",
            code="COL-201",
            mend="Add [[sources]] to cachewise.toml, or name a log file.",
        )
    return [named] if named else list(configured)


def _once(
    collectors: list[Collector],
    lake: Lake,
    stop: threading.Event,
    quiet: dict[str, PassResult],
    order: Sequence[str],
    *,
    as_json: bool,
) -> int:
    results = dict(quiet)
    with _progress(shown=not as_json and sys.stderr.isatty()) as show:
        while collectors and not stop.is_set():
            collector = collectors.pop(0)
            results[collector.name] = collector.run_pass(final=True, stop=stop.is_set, progress=show)
            collector.leave()
            del collector  # what it remembers is memory that joining files can use
    if not stop.is_set():
        _care(lake)
    _print([results[name] for name in order if name in results], as_json=as_json)
    return 1 if any(result.status == "failed" for result in results.values()) else 0


def _follow(
    collectors: list[Collector],
    lake: Lake,
    stop: threading.Event,
    interval: float,
    watch: AlertWatch,
    *,
    as_json: bool,
) -> None:
    """Pass over every source in turn; one that fails says so once and is tried again."""
    said: dict[str, list[str]] = {}
    cared_at = time.monotonic()
    while not stop.is_set():
        for collector in collectors:
            result = collector.run_pass(final=False, stop=stop.is_set)
            errors = [str(problem) for problem in result.problems]
            if result.lines_read or errors != said.get(collector.name, []):
                _print_pass(result, as_json=as_json)
            said[collector.name] = errors
            if stop.is_set():
                break
        if stop.is_set():
            break
        if time.monotonic() - cared_at > CARE_EVERY_S:
            _care(lake)
            cared_at = time.monotonic()
        watch.tick(lake)
        stop.wait(interval)
    for collector in collectors:
        collector.leave()


def _care(lake: Lake) -> None:
    """Join small files; a fault here is told, and costs nothing but speed."""
    from collector.memory import give_back
    from core.store.schema import TABLES

    for table in TABLES:
        try:
            if lake.care(table).days:
                give_back()
        except CachewiseError as error:
            click.echo(str(error), err=True)
            return


def _print(results: list[PassResult], *, as_json: bool) -> None:
    told = [result.to_json() for result in results]
    for result in results:
        for problem in result.problems:
            click.echo(f"{result.source}: {problem}", err=True)
    if as_json:
        click.echo(json.dumps({**_totals(told), "sources": told}, ensure_ascii=False))
    else:
        _table(told)


def _totals(told: list[dict[str, Any]]) -> dict[str, Any]:
    reasons: dict[str, int] = {}
    for one in told:
        for reason, count in one["skipped_by_reason"].items():
            reasons[reason] = reasons.get(reason, 0) + count
    return {**{key: sum(one[key] for one in told) for key in _SUMS}, "skipped_by_reason": dict(sorted(reasons.items()))}


def _table(told: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0))  # nine columns fit into 80 characters without lines between them
    for title in ("source", "status", "read", "recognised", "ignored", "skipped", "calls", "new calls", "duplicates"):
        justify: Literal["left", "right"] = "left" if title in ("source", "status") else "right"
        table.add_column(title, justify=justify, no_wrap=title != "source", overflow="fold")
    for one in told:
        keys = ("read", "recognised", "ignored", "skipped", "calls", "new_calls", "duplicates")
        table.add_row(one["source"], one["status"], *(f"{one[key]:,}" for key in keys))
    console = Console()
    console.print(table)
    for reason, count in _totals(told)["skipped_by_reason"].items():
        console.print(f"skipped, {reason}: {count:,}", highlight=False)


def _print_pass(result: PassResult, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result.to_json(), ensure_ascii=False))
        return
    click.echo(f"{result.source}: {result.status}, {result.lines_read:,} lines, {result.new_calls:,} new calls")
    for problem in result.problems:
        click.echo(f"{result.source}: {problem}", err=True)


@contextmanager
def _progress(*, shown: bool) -> Iterator[Callable[[PassResult], None]]:
    """Show what is being read, on a terminal only. How much there is, nobody knows beforehand."""
    if not shown:
        yield lambda result: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("collecting", total=None, said="")

        def show(result: PassResult) -> None:
            said = f"{result.lines_read:,} lines, {result.new_calls:,} new calls"
            bar.update(task, description=result.source, said=said)

        yield show
