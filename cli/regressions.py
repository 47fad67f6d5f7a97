"""`cachewise regressions`: which engines got worse, since when, why, and what it has cost since."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from cli import known_by
from cli.asking import make_scope, scope_options
from cli.judging import say_nothing_matches
from cli.printing import money, plain
from core import settings

if TYPE_CHECKING:
    from rich.table import Table

    from core.regressions import Regression

_WIDE = 200


@click.command("regressions")
@scope_options
@click.option("--open", "only_open", is_flag=True, help="Only those that still go on.")
@click.option("--zone", default="UTC", show_default=True, help="Whose hours and weekends make the season.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(only_open: bool, zone: str, as_json: bool, **given: Any) -> None:
    """Find read share, misses, cost and latency that left their own baseline, with time, size, dollars and cause."""
    from rich.console import Console

    from core import metrics, regressions
    from core.store.lake import Lake
    from core.store.query import Reader

    scope, now, lake = make_scope(given, zone), datetime.now(UTC), Lake(settings.load().lake_path)
    with Reader(lake) as reader:
        found = regressions.ranked(regressions.find(reader, scope, now=now, zone=zone))
        known = metrics.known_by(reader, scope)
        nothing = not found and not as_json and not known["calls"]
        if nothing:
            say_nothing_matches(lake, reader, scope)
    shown = [item for item in found if item.open or not only_open]
    if as_json:
        told = {
            "from": scope.start,
            "to": scope.end,
            "zone": zone,
            "known_by": known,
            "regressions": [item.to_json() for item in shown],
        }
        click.echo(json.dumps(plain(told), ensure_ascii=False, indent=2))
        return
    if nothing:
        return
    if not shown:
        click.echo("No regressions: every engine is within its own baseline.")
        return
    Console(width=None if sys.stdout.isatty() else _WIDE).print(_table(shown))
    known_by.say(known)


def _table(found: list[Regression]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    from core import regressions

    table = Table(title="Regressions against each engine's own baseline", title_justify="left")
    for name in (
        "engine",
        "model",
        "metric",
        "before",
        "after",
        "since (UTC)",
        "until",
        "lost",
        "likely cause",
        "known",
    ):
        table.add_column(name, justify="right" if name in ("before", "after", "lost") else "left")
    for item in found:
        until = f"{item.ended_at:%m-%d %H:%M}" if item.ended_at else "open"
        table.add_row(
            escape(item.engine or item.source), escape(item.model or "–"), item.metric,
            regressions.shown(item.metric, item.before), regressions.shown(item.metric, item.after),
            f"{item.started_at:%Y-%m-%d %H:%M}", until, money(item.lost_usd),
            escape(item.likely_cause.label), item.confidence,
        )  # fmt: skip
    return table
