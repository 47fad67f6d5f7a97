"""`cachewise misses`: every prompt token that was not read from the Claude cache, by cause, with its price and mend."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from cli import known_by
from cli.accepted import MISS_GROUPS
from cli.asking import Misuse, make_scope, scope_options
from cli.judging import judged, whole_option
from cli.printing import money, plain

if TYPE_CHECKING:
    from rich.table import Table

_WIDE = 200


@click.command("misses")
@scope_options
@click.option("--by", metavar="NAMES", default="cause", show_default=True, help=f"Group by {', '.join(MISS_GROUPS)}.")
@whole_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(by: str, every: bool, as_json: bool, **given: Any) -> None:
    """Say why prompt tokens were not read from the Claude cache, what it cost, and what to change."""
    from rich.console import Console

    from core import advice, misses, ttl

    scope, names = make_scope(given), _names(by)
    traffic, bounds, known = judged(scope, quiet=as_json, every=every)
    lines = misses.of_traffic(traffic)
    lab = ttl.of_traffic(traffic)
    parts, mends = advice.groups(lines, lab, tuple(names)), advice.mends(lines, lab)
    whole = advice.findings(lines, lab)
    if as_json:
        told = {
            "from": scope.start,
            "to": scope.end,
            "judged_from": bounds.scope.start,
            "known_by": known,
            **whole,
            "by": names,
            "groups": parts,
            "recoverable": mends,
        }
        click.echo(json.dumps(plain(told), ensure_ascii=False, indent=2))
        return
    if not traffic.in_scope.any():
        return
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    if not whole["calls"]:
        console.print("Nothing was missed in this range: every prompt token was read from the Claude cache.")
        return
    console.print(_table(whole, parts, names))
    console.print(_mend_table(mends, whole))
    known_by.say(known, corrected=True)


def _names(by: str) -> list[str]:
    names = list(dict.fromkeys(part.strip() for part in by.split(",") if part.strip()))
    for name in names:
        if name not in MISS_GROUPS:
            accepted = ", ".join(MISS_GROUPS)
            raise Misuse(f'MIS-001: --by "{name}" is not something to group misses by. Accepted: {accepted}.')
    return names or ["cause"]


def _table(whole: dict[str, Any], parts: list[dict[str, Any]], names: list[str]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    from core.reports.csv import nameless

    table = Table(title="Prompt tokens not read from the Claude cache", title_justify="left")
    for name in names:
        table.add_column(name)
    for name in ("tokens", "above a read", "calls", "measured"):
        table.add_column(name, justify="right")
    for row in parts:
        table.add_row(
            *(nameless(name) if row[name] is None else escape(str(row[name])) for name in names), *_figures(row)
        )
    table.add_section()
    table.add_row("TOTAL", *[""] * (len(names) - 1), *_figures(whole))
    return table


def _mend_table(mends: list[dict[str, Any]], whole: dict[str, Any]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="Recoverable", title_justify="left")
    for name in ("engine", "cause", "recoverable", "mend"):
        table.add_column(name, justify="right" if name == "recoverable" else "left")
    for row in mends:
        table.add_row(
            escape(row["engine"] or "(unknown)"), row["cause"], money(row["recoverable_usd"]), escape(row["mend"])
        )
    table.add_section()
    table.add_row("TOTAL", "", money(whole["recoverable_usd"]), "")
    return table


def _figures(row: dict[str, Any]) -> list[str]:
    share = row["measured_share"]
    return [
        f"{row['tokens']:,}",
        money(row["usd"]),
        f"{row['calls']:,}",
        "–" if share is None else f"{share:.1%}",
    ]
