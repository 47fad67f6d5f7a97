"""`cachewise ttl`: what each caching policy would have cost for the traffic that came, and which to choose."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from cli import known_by
from cli.asking import make_scope, scope_options
from cli.judging import judged, whole_option
from cli.printing import money, plain

if TYPE_CHECKING:
    from rich.table import Table

_WIDE = 200


@click.command("ttl")
@scope_options
@click.option("--zone", default="UTC", show_default=True, help="Whose hours bursts are told in.")
@whole_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(zone: str, every: bool, as_json: bool, **given: Any) -> None:
    """Replay the calls that came under no caching, 5m, 1h, and 5m kept alive; say what each would cost a month."""
    from rich.console import Console
    from rich.markup import escape

    from core import ttl

    scope = make_scope(given, zone)
    traffic, bounds, known = judged(scope, quiet=as_json, every=every)
    found = ttl.of_traffic(traffic)
    advice, bursts = ttl.advise(found), ttl.bursts(found, zone=zone)
    if as_json:
        told = {
            "from": scope.start,
            "to": scope.end,
            "judged_from": bounds.scope.start,
            "known_by": known,
            "span_days": found.span_days,
            "mix": ttl.mix(found),
            "advice": advice,
            "policies": ttl.compare(found),
            "gaps": [{"engine": row["engine"], "bins": ttl.gaps(found, row["engine"])} for row in advice],
            "crossover": [ttl.crossover(found, row["engine"]) for row in advice],
            "bursts": bursts,
        }
        click.echo(json.dumps(plain(told), ensure_ascii=False, indent=2))
        return
    if not advice:
        if found.unpriced_calls:
            click.echo(
                f"None of the {found.unpriced_calls:,} calls in this range has a price: name it in prices.files, see "
                "docs/prices.md."
            )
        return
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    console.print(_table(advice, ttl.compare(found)))
    whole = ttl.mix(found)
    console.print(
        f"All engines: {money(whole['configured_month_usd'])} a month as configured, "
        f"{money(whole['best_mix_month_usd'])} with each on its best policy."
    )
    if found.span_days < ttl.FEWEST_DAYS:
        console.print(f"Fewer than {ttl.FEWEST_DAYS} days of calls: a month and its intervals say little yet.")
    if found.unpriced_calls:
        console.print(f"{found.unpriced_calls:,} calls without a price are in none of these figures.")
    known_by.say(known, corrected=True)
    for row in bursts:
        if row["pays"]:
            console.print(
                f"Pre-warming {escape(row['engine'] or '(unknown)')} before its {row['bursts']} bursts would save "
                f"{money(row['saving_month_usd'])} a month."
            )


def _table(advice: list[dict[str, Any]], policies: list[dict[str, Any]]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    from core import ttl

    month = {(row["engine"], row["policy"]): row["month_usd"] for row in policies}
    table = Table(title="USD a month, by policy", title_justify="left")
    table.add_column("engine")
    for name in (*ttl.POLICIES, "now", "best", "saves", "90 % interval", "model error"):
        table.add_column(name, justify="right")
    for row in advice:
        interval = f"{money(row['saving_low_usd'])} to {money(row['saving_high_usd'])}"
        error = "–" if row["model_error"] is None else f"{row['model_error']:+.2%}"
        table.add_row(
            escape(row["engine"] or "(unknown)"),
            *(money(month[row['engine'], policy]) for policy in ttl.POLICIES),
            row["configured"], row["best"], money(row['saving_month_usd']), interval, error,
        )  # fmt: skip
    return table
