"""`cachewise clear`: empty the prompt store of a service in every warm environment, after a preview and a confirmation.

With `claude-cache` it says that nobody can clear that one, and when each prefix expires by itself.
"""

from __future__ import annotations

import getpass
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from cli.asking import Misuse
from cli.comparing import compared
from cli.printing import plain
from core import settings
from core.errors import FixSettings
from core.settings import ClearMethod, Settings, SourceSettings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from core import fleet
    from core.store.lake import Lake

_PROMPT_STORE, _CLAUDE_CACHE = "prompt-store", "claude-cache"
_POLL_S = 2.0
_WIDE = 160


@click.command("clear")
@click.argument("target", type=click.Choice([_PROMPT_STORE, _CLAUDE_CACHE]), default=_PROMPT_STORE)
@click.option("--source", "name", metavar="NAME", help="Whose prompt store; needed where several can be cleared.")
@click.option("--engine", metavar="E", help="Clear this engine alone.")
@click.option("--all", "everything", is_flag=True, help="Clear all engines (so it does without --engine).")
@click.option(
    "--method", type=click.Choice(settings.CLEAR_METHODS), help="By epoch item or variable, over the settings."
)
@click.option("--compare", "comparing", is_flag=True, help="Compare environments with the prompt table; clear nothing.")
@click.option("--dry-run", is_flag=True, help="Show what a clear would do, and stop.")
@click.option("--yes", is_flag=True, help="Do not ask for the source's name to be typed.")
@click.option("--wait", "wait_s", type=click.FloatRange(0), default=0.0, metavar="SECONDS", help="Follow the logs.")
@click.option(
    "--active-minutes", type=click.FloatRange(0.1), default=60.0, show_default=True, help="Seen so lately = warm."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; the preview goes to standard error.")
def command(
    target: str,
    name: str | None,
    engine: str | None,
    everything: bool,
    method: ClearMethod | None,
    comparing: bool,
    dry_run: bool,
    yes: bool,
    wait_s: float,
    active_minutes: float,
    as_json: bool,
) -> int:
    """Clear the prompt store in every warm environment: preview, typed confirmation, audit entry, proof."""
    from rich.console import Console
    from rich.markup import escape

    from core import fleet
    from core.store.lake import Lake

    if engine is not None and (everything or not engine.strip()):
        raise Misuse("--engine takes one engine's name, and not together with --all.")
    configured = settings.load()
    lake = Lake(configured.lake_path)
    out = Console(stderr=as_json, width=None if sys.stdout.isatty() else _WIDE, highlight=False)
    if target == _CLAUDE_CACHE:
        return _explain_claude_cache(lake, configured, name, engine, out, as_json=as_json, dry_run=dry_run)
    source = _source(configured, name)
    active = timedelta(minutes=active_minutes)
    if comparing:
        told, behind = compared(lake, source, out, engine=engine, active=active)
        return _end(told, as_json, 1 if behind else 0)
    foreseen = _preview(lake, configured, source, engine, method, active)
    _show_preview(foreseen, out)
    if dry_run:
        return _end({"dry_run": True, "cleared": False, "preview": foreseen.facts()}, as_json, 0)
    if foreseen.blocked:
        raise FixSettings(f"The clear would be refused: {foreseen.blocked[0]}", code="FLT-407", mend="Clear by epoch.")
    typed = source.name if yes else _ask(source)
    done = fleet.clear_prompt_store(lake, source, foreseen, actor=_actor(), confirmation=typed)
    progress = _follow(lake, done, active, wait_s)
    out.print(escape(progress.sentence()))
    if not wait_s:
        out.print(f"Follow it on the Caches page, or next time with --wait: audit entry {done.clear_id}.")
    told = {"dry_run": False, "cleared": True, "preview": foreseen.facts(), **_progress(progress)}
    return _end(told, as_json, 1 if progress.stale else 0)


def _source(configured: Settings, name: str | None) -> SourceSettings:
    """Return the source of that name, or the only one that says how it is cleared."""
    known = {source.name: source for source in configured.sources}
    if name is not None:
        if name not in known:
            raise FixSettings(
                f'No source is named "{name}".', code="FLT-404", mend=f"Known: {', '.join(known) or 'none'}."
            )
        return known[name]
    able = [source for source in configured.sources if source.clear is not None]
    if len(able) == 1:
        return able[0]
    if not able:
        raise FixSettings(
            "No source says how its prompt store is cleared.",
            code="FLT-401",
            mend='Add [sources.clear] with prompt_table = "…" below a source, see docs/clearing.md.',
        )
    raise Misuse(f"Several sources can be cleared: add --source {' or --source '.join(item.name for item in able)}.")


def _preview(
    lake: Lake,
    configured: Settings,
    source: SourceSettings,
    engine: str | None,
    method: ClearMethod | None,
    active: timedelta,
) -> fleet.Preview:
    from core import fleet
    from core.pricing import load_book
    from core.store.query import Reader

    way = method or fleet.clear_settings(source).method
    state = fleet.function_state(source) if way == "variable" else None
    book = load_book(configured.price_files)
    with Reader(lake) as reader:
        return fleet.preview(reader, book, source, now=_now(), engine=engine, method=way, active=active, function=state)


def _ask(source: SourceSettings) -> str:
    """Return what the operator types; without a terminal nobody can be asked."""
    if not sys.stdin.isatty():
        raise FixSettings(
            "The clear was not confirmed: there is no terminal to ask at.",
            code="FLT-402",
            mend="Nothing was changed. Add --yes if this is meant, or --dry-run to look only.",
        )
    typed: str = click.prompt(f'Type "{source.name}" to clear', default="", show_default=False, err=True)
    return typed


def _follow(lake: Lake, done: fleet.Clear, active: timedelta, wait_s: float) -> fleet.Progress:
    """Look at the tables until every environment has answered, or the time is over."""
    from core import fleet
    from core.store.query import Reader

    with Reader(lake) as reader:
        deadline = time.monotonic() + wait_s  # to open the tables is no waiting for the service
        while True:
            left = deadline - time.monotonic()
            progress = fleet.follow(reader, done, now=_now(), active=active)
            if progress.complete or left <= 0:
                return progress
            time.sleep(min(_POLL_S, left))


def _explain_claude_cache(
    lake: Lake,
    configured: Settings,
    name: str | None,
    engine: str | None,
    out: Console,
    *,
    as_json: bool,
    dry_run: bool,
) -> int:
    from rich.markup import escape

    from core import fleet
    from core.metrics import options
    from core.pricing import load_book
    from core.store.query import Reader

    book = load_book(configured.price_files)
    with Reader(lake) as reader:
        names = [name] if name else options(reader)["sources"]
        found = {item: fleet.claude_prefixes(reader, book, source=item, now=_now(), engine=engine) for item in names}
    rows = [
        {"source": item, **row} for item, prefixes in found.items() for row in fleet.prefix_rows(prefixes, now=_now())
    ]
    out.print(escape(fleet.NOBODY_CAN_CLEAR))
    shown = [row for row in rows if row["live"] is not False and row["reads"]]
    if shown:
        out.print(_prefix_table(shown))
    if others := len(rows) - len(shown):
        out.print(f"{others} more prefixes of the last two hours have expired or were never read.")
    told = {"cleared": False, "why": fleet.NOBODY_CAN_CLEAR, "prefixes": rows}
    return _end(told, as_json, 0 if dry_run else 1)


def _show_preview(foreseen: fleet.Preview, out: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    what = "all engines" if foreseen.engine is None else f'engine "{foreseen.engine}"'
    table = Table(title=escape(f"Clear the prompt store of {foreseen.source}: {what}"), title_justify="left")
    table.add_column("what")
    table.add_column("expected", justify="right")
    for label, value in _lines(foreseen):
        table.add_row(label, escape(value))
    out.print(table)
    for text in (*foreseen.warnings, *(f"Refused: {reason}" for reason in foreseen.blocked)):
        out.print(f"[yellow]![/yellow] {escape(text)}")


def _lines(foreseen: fleet.Preview) -> list[tuple[str, str]]:
    within = "after the switch" if foreseen.within_s is None else f"within {foreseen.within_s:g} s"
    extra = "–" if foreseen.extra_ms is None else f"{foreseen.extra_ms:,.0f} ms"
    unpriced = f" + {foreseen.rewrite_unpriced} without a price" if foreseen.rewrite_unpriced else ""
    rewrite = "–" if foreseen.rewrite_usd is None else f"${foreseen.rewrite_usd:.6f}"
    return [
        ("method", foreseen.method),
        ("active environments (seen)", f"{foreseen.active} ({len(foreseen.environments)})"),
        ("engines they hold", ", ".join(foreseen.engines) or "–"),
        ("prompt-store MISSes", f"{foreseen.expected_misses}"),
        ("DynamoDB reads", f"{foreseen.dynamodb_reads}"),
        ("cold starts", f"{foreseen.cold_starts}"),
        ("takes effect", within),
        ("first request waits longer by", extra),
        ("Claude cache, only if the prompt changed: re-write", f"{rewrite}{unpriced}"),
    ]


def _prefix_table(rows: list[dict[str, Any]]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    for column in ("source", "engine", "model", "prefix", "TTL", "tokens", "expires (UTC)", "to re-write"):
        table.add_column(column, justify="right" if column in ("tokens", "to re-write") else "left")
    for row in rows:
        table.add_row(
            *(escape(str(row[name] or "(unknown)")) for name in ("source", "engine", "model")),
            escape((row["prefix_fingerprint"] or "–")[:12]),
            row["cache_ttl"] or "unknown",
            f"{row['tokens']:,}",
            _expiry(row),
            "–" if row["rewrite_usd"] is None else f"${row['rewrite_usd']:.6f}",
        )
    return table


def _expiry(row: dict[str, Any]) -> str:
    if row["expires_at"] is None:
        return "unknown"
    at = f"{row['expires_at'].astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    return at if row["live"] else f"{at} (expired)"


def _progress(progress: fleet.Progress) -> dict[str, Any]:
    return {
        "clear_id": progress.clear.clear_id,
        "epoch": progress.clear.epoch,
        "version": progress.clear.version,
        "at": progress.clear.at,
        "effective_at": progress.clear.effective_at,
        "environments_expected": progress.expected,
        "environments_seen": progress.seen,
        "environments_stale": progress.stale,
        "new_environments": progress.new_environments,
        "complete": progress.complete,
        "logs_complete_until": progress.complete_until,
        "sentence": progress.sentence(),
    }


def _end(told: dict[str, Any], as_json: bool, code: int) -> int:
    if as_json:
        click.echo(json.dumps(plain(told), ensure_ascii=False))
    return code


def _actor() -> str:
    """Return who is at the command line, as the audit log names them."""
    try:
        return f"{getpass.getuser()} (command line)"
    except (OSError, KeyError):  # a container without a user database
        return "(command line)"


def _now() -> datetime:
    return datetime.now(UTC)
