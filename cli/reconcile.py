"""`cachewise reconcile`: the own figures against the provider's bill, by day, model and token type."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from cli.asking import Misuse, parse_time
from core import settings as settings_module
from core.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from core.reconcile import Provider, Reconciliation, Totals

_WIDE = 160
_UNKNOWN = "–"


@click.command("reconcile")
@click.option("--provider", "names", multiple=True, type=click.Choice(settings_module.PROVIDERS), help="Only this one.")
@click.option("--from", "from_", metavar="DAY", help="First UTC day, or an age such as 7d; left out: the last 30 days.")
@click.option("--to", metavar="DAY", help="End, not included; left out: today, which is then provisional.")
@click.option("--last", is_flag=True, help="Show the last reconciliation again; nobody is asked.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every line.")
def command(names: tuple[Provider, ...], from_: str | None, to: str | None, last: bool, as_json: bool) -> int:
    """Hold tokens, requests and dollars of the logs against Anthropic's usage and cost reports, or Bedrock's."""
    from rich.console import Console

    from core.reconcile import PROVIDERS, configured, to_json

    settings = settings_module.load()
    start, end = _day(from_, "--from"), _day(to, "--to")
    if last and (start or end):
        raise Misuse("REC-009: --last shows what was found before. Leave out --from and --to.")
    found = _last(settings, names or PROVIDERS) if last else _run(settings, names or configured(settings), start, end)
    if as_json:
        click.echo(json.dumps({"reconciliations": [to_json(one) for one in found]}, ensure_ascii=False))
        return 0
    console = Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False)
    for one in found:
        _show(console, one)
    return 0


def _run(
    settings: Settings, providers: Sequence[Provider], start: date | None, end: date | None
) -> list[Reconciliation]:
    from core.reconcile import run, spent_usd

    cost = spent_usd(settings, providers)
    if cost:
        click.echo(f"Cost Explorer charges ${cost} for each request.", err=True)
    return run(settings, providers, start=start, end=end)


def _last(settings: Settings, providers: Sequence[Provider]) -> list[Reconciliation]:
    from core.reconcile import latest
    from core.store.lake import Lake
    from core.store.query import Reader

    with Reader(Lake(settings.lake_path)) as reader:
        kept = [latest(reader, provider) for provider in providers]
    return [found for _, found in filter(None, kept)]


def _day(text: str | None, option: str) -> date | None:
    moment = parse_time(text, option)
    return None if moment is None else moment.date()


def _show(console: Console, found: Reconciliation) -> None:
    from rich.markup import escape
    from rich.table import Table

    from core.reconcile.words import gap

    where = f" at {found.endpoint}" if found.endpoint else ""
    made_up = " (simulated: these figures are made up)" if found.simulated else ""
    console.print(escape(f"{found.provider} via {found.via}{where}, {found.start} to {found.end}{made_up}"))
    table = Table()
    for column in ("model", "token type", "logged", "billed", "variance", "own $", _billed_name(found), "variance $"):
        table.add_column(column, justify="left" if column in ("model", "token type") else "right")
    for (model, token_type), totals in found.by_type:
        table.add_row(escape(model or "(none)"), token_type, *_cells(totals))
    table.add_section()
    table.add_row("settled days", "", *_cells(found.total))
    console.print(table)
    total = found.total
    console.print(
        f"Unlogged: {_share(total.unlogged_share)} of the provider's tokens "
        f"({_count(total.unlogged_tokens)} of {_count(total.billed_tokens)}); "
        f"requests logged {_count(total.own_requests)}, billed {_count(total.billed_requests)}."
    )
    console.print(
        f"Implied discount: {_share(total.implied_discount)} "
        f"(billed {_usd(total.amount_usd)} of {_usd(total.list_usd)} at list prices)."
    )
    if found.provisional_days:
        days = ", ".join(day.isoformat() for day in found.provisional_days)
        console.print(f"Provisional, not in the totals: {days}.")
    for name in found.gaps:
        console.print(f"[yellow]![/yellow] {escape(gap(name))}")


def _billed_name(found: Reconciliation) -> str:
    return "list $" if found.basis == "list" else "billed $"


def _cells(totals: Totals) -> list[str]:
    return [
        _count(totals.own_tokens),
        _count(totals.billed_tokens),
        _signed(totals.variance_tokens),
        _usd(totals.own_usd),
        _usd(totals.billed_usd),
        _signed(totals.variance_usd),
    ]


def _count(value: int | None) -> str:
    return _UNKNOWN if value is None else f"{value:,}"


def _usd(value: Decimal | None) -> str:
    return _UNKNOWN if value is None else f"${value:,.4f}"


def _share(value: Any) -> str:
    return _UNKNOWN if value is None else f"{value:.2%}"


def _signed(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:+.2%}"
