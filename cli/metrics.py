"""`cachewise metrics`: the metrics of a time range, whole and by group, as a table or as JSON."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from cli import known_by
from cli.asking import make_scope, parse_groups, scope_options
from cli.judging import hint_if_empty
from cli.printing import plain
from core import settings

if TYPE_CHECKING:
    from rich.table import Table

    from core.metrics.scope import Scope

_WIDE = 200
_GROUP_COLUMNS = (
    "calls",
    "cost_usd",
    "no_cache_cost_usd",
    "net_savings_usd",
    "cost_per_request_usd",
    "token_hit_rate",
    "request_hit_rate",
    "prompt_store_hit_rate",
    "price_coverage",
)


@click.command("metrics")
@scope_options
@click.option(
    "--by", metavar="NAMES", help="Group by engine, model, provider, function_version, day, …: comma between."
)
@click.option(
    "--zone",
    default="UTC",
    show_default=True,
    help="Whose midnights bound the days of --by day, and whose dates --from and --to are.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(by: str | None, zone: str, as_json: bool, **given: Any) -> None:
    """Print what caching cost and saved, how often it hit, and how long requests took."""
    from rich.console import Console
    from rich.markup import escape

    from core.metrics import breakdown, summary
    from core.pricing.ledger import MODEL_UNKNOWN, TTL_UNKNOWN
    from core.store.lake import Lake
    from core.store.query import Reader

    scope, groups = make_scope(given, zone), parse_groups(by)
    lake = Lake(settings.load().lake_path)
    with Reader(lake) as reader:
        total = summary(reader, scope)
        parts = breakdown(reader, scope, groups, zone=zone) if groups else []
    if as_json:
        whole = {**total, "groups": parts} if groups else total
        click.echo(json.dumps(plain(whole), ensure_ascii=False, indent=2))
        return
    hint_if_empty(lake)
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    console.print(_group_table(total, parts, groups) if groups else _total_table(total, scope))
    known_by.say(total)
    for one in total["unpriced_models"]:
        named = f"{one['model']} ({one['provider']}): " if one["model"] else ""
        console.print(escape(f"unpriced calls: {one['calls']:,} – {named}{one['reason']}"), highlight=False)
    if not {one["reason"] for one in total["unpriced_models"]}.isdisjoint((MODEL_UNKNOWN, TTL_UNKNOWN)):
        console.print("With defaults set, `cachewise reprice --defaults` prices what is stored.", highlight=False)


def _total_table(total: dict[str, Any], scope: Scope) -> Table:
    from rich.table import Table

    from core.metrics.catalog import METRICS

    table = Table(title=_title(scope), title_justify="left")
    table.add_column("metric")
    table.add_column("value", justify="right")
    table.add_column("formula", style="dim")
    for name, metric in METRICS.items():
        if name in total:
            table.add_row(name, shown(name, total[name]), metric.formula)
    return table


def _group_table(total: dict[str, Any], parts: list[dict[str, Any]], by: list[str]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    from core.reports.csv import nameless

    table = Table()
    for name in by:
        table.add_column(name)
    for name in _GROUP_COLUMNS:
        table.add_column(name, justify="right")
    for row in parts:
        names = [nameless(name) if row[name] is None else escape(str(plain(row[name]))) for name in by]
        table.add_row(*names, *(shown(name, row[name]) for name in _GROUP_COLUMNS))
    table.add_section()
    table.add_row("TOTAL", *[""] * (len(by) - 1), *(shown(name, total[name]) for name in _GROUP_COLUMNS))
    return table


def shown(name: str, value: Any) -> str:
    """Return a value for reading: unknown as a dash, ratios in percent, dollars to six places."""
    from core.metrics.catalog import METRICS

    unit = METRICS[name].unit
    if isinstance(value, dict):
        return " / ".join(shown(name, part) for part in value.values())
    if value is None:
        return "–"
    if unit == "usd":
        return f"{'-' if value < 0 else ''}${abs(value):,.6f}"
    forms = {"ratio": "{:.2%}", "ms": "{:,.0f} ms", "tokens per token": "{:.2f}"}
    return forms.get(unit, "{:,}").format(value)


def _title(scope: Scope) -> str:
    if scope.start is None and scope.end is None:
        return "everything stored"
    ends = [moment.isoformat().replace("+00:00", "Z") if moment else "…" for moment in (scope.start, scope.end)]
    return f"{ends[0]} to {ends[1]}"
