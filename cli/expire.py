"""`cachewise expire`: drop what is older than anyone needs, after showing how much that is."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from cli.asking import Misuse
from cli.confirming import actor, confirm
from core import settings

_AGE = re.compile(r"([0-9]{1,5})([dw])")


@click.command("expire")
@click.option("--older-than", "age", required=True, metavar="AGE", help="What to drop: 400d or 60w; whole UTC dates.")
@click.option("--dry-run", is_flag=True, help="Show what would go, and stop.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; the preview goes to standard error.")
def command(age: str, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Drop rows of dates older than AGE from every table; the audit log and the collector's place stay."""
    from core import care
    from core.store.lake import Lake

    lake = Lake(settings.load().lake_path)
    first_kept = (datetime.now(UTC) - _age(age)).date()
    going = care.foresee(lake, first_kept)
    for item in going:
        days = f" ({item.days} days, {item.first_day} to {item.last_day})" if item.days else ""
        click.echo(f"{item.table}: {item.rows:,} rows{days}", err=as_json)
    told: dict[str, Any] = {
        "dry_run": dry_run,
        "first_kept": first_kept.isoformat(),
        "expired": False,
        "tables": {item.table: {"rows": item.rows, "days": item.days} for item in going},
    }
    rows = sum(item.rows for item in going)
    if rows and not dry_run:
        confirm(f"Drop these {rows:,} rows for good?", yes=yes)
        told |= {"expired": True, "action_id": care.expire(lake, first_kept, actor=actor()).action_id}
        click.echo("Done. Their files are deleted by the next compaction after a day.", err=as_json)
    if as_json:
        click.echo(json.dumps(told))


def _age(text: str) -> timedelta:
    found = _AGE.fullmatch(text)
    days = int(found[1]) * (7 if found[2] == "w" else 1) if found else 0
    if not 1 <= days <= 36_500:
        raise Misuse(f'--older-than "{text}" is not an age. Accepted: 1d to 36500d, or weeks such as 60w.')
    return timedelta(days=days)
