"""`cachewise reprice`: apply the present price book to calls that are stored, after showing what would change."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from cli.asking import Misuse, parse_time
from cli.confirming import actor, confirm
from cli.printing import plain
from core import settings

if TYPE_CHECKING:
    from rich.console import Console

    from core import care
    from core.store.lake import Lake

_WIDE = 200


@click.command("reprice")
@click.option("--from", "from_", metavar="TIME", help="Only calls from this time on: a date, a time, or 30d.")
@click.option("--to", metavar="TIME", help="Only calls before this time.")
@click.option("--defaults", is_flag=True, help="Take the sources' present defaults for calls that do not say.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and stop.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--undo", "undoing", is_flag=True, help="Take the latest repricing back; rows that came since stay.")
@click.option("--action", "action_id", metavar="ID", help="With --undo: which repricing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; the preview goes to standard error.")
def command(
    from_: str | None,
    to: str | None,
    defaults: bool,
    dry_run: bool,
    yes: bool,
    undoing: bool,
    action_id: str | None,
    as_json: bool,
) -> None:
    """Price stored calls again with the present price book: preview by model, then one transaction for each date."""
    from rich.console import Console

    from core import care
    from core.pricing import load_book
    from core.store.lake import Lake

    configured = settings.load()
    lake = Lake(configured.lake_path)
    out = Console(stderr=as_json, width=None if sys.stdout.isatty() else _WIDE, highlight=False)
    if undoing:
        _undo(lake, action_id, out, dry_run=dry_run, yes=yes, as_json=as_json)
        return
    if action_id is not None:
        raise Misuse("--action names the repricing to undo. Add --undo.")
    book = load_book(configured.price_files)
    given = care.defaults_of(configured) if defaults else None
    planned = care.plan(lake, book, parse_time(from_, "--from"), parse_time(to, "--to"), defaults=given)
    _show(planned, out)
    told: dict[str, Any] = {"dry_run": dry_run, "applied": False, **planned.facts()}
    if planned.changed and not dry_run:
        confirm(f"Change {planned.changed:,} calls of {len(planned.days)} days?", yes=yes)
        done = care.apply(lake, book, planned, actor=actor())
        told |= {"applied": True, "action_id": done.action_id}
        out.print(f"Done. Take it back with: cachewise reprice --undo --action {done.action_id}")
    if as_json:
        click.echo(json.dumps(plain(told), ensure_ascii=False))


def _undo(lake: Lake, action_id: str | None, out: Console, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    from rich.markup import escape

    from core import care

    known = care.undoable(lake)
    if dry_run:
        told: dict[str, Any] = {"dry_run": True, "undoable": [_line(item) for item in known]}
        for item in told["undoable"]:
            out.print(escape(f"{item['action_id']}  {item['at']:%Y-%m-%d %H:%M} UTC  {item['changed']:,} calls"))
        if not known:
            out.print("No repricing can be undone.")
    else:
        if known:
            confirm(f"Undo repricing {action_id or known[0].action_id}?", yes=yes)
        told = care.undo(lake, action_id, actor=actor())
        kept = f"; {told['kept']:,} were told anew since and stay" if told["kept"] else ""
        out.print(f"{told['restored']:,} calls say again what they said before{kept}.")
    if as_json:
        click.echo(json.dumps(plain(told), ensure_ascii=False))


def _line(item: Any) -> dict[str, Any]:
    return {
        "action_id": item.action_id,
        "at": item.ts,
        "actor": item.actor,
        "result": item.result,
        "book": item.before.get("book"),
        "changed": item.before.get("changed"),
    }


def _show(planned: care.Plan, out: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    if not planned.calls:
        out.print("There are no calls in this range.")
        return
    table = Table(title=f"Price book {planned.book} over {planned.calls:,} calls", title_justify="left")
    columns = ("calls", "changed", "unpriced → priced", "priced → unpriced", "old $", "new $", "change $")
    table.add_column("model")
    for name in columns:
        table.add_column(name, justify="right")
    for item in planned.models:
        counts = (item.calls, item.changed, item.now_priced, item.now_unpriced)
        # where no call has a price, dollars are unknown, and not 0
        old = "–" if item.now_priced + item.still_unpriced == item.calls else f"{item.old_usd:,.6f}"
        new = "–" if item.now_unpriced + item.still_unpriced == item.calls else f"{item.new_usd:,.6f}"
        change = "–" if item.still_unpriced == item.calls else f"{item.change_usd:,.6f}"
        table.add_row(escape(item.model or "(unknown)"), *(f"{n:,}" for n in counts), old, new, change)
    out.print(table)
    if not planned.changed:
        out.print("Nothing would change.")
