"""`cachewise compact`: join the small files of the tables and delete those that no reader needs any more."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from core import settings

if TYPE_CHECKING:
    from core.store.lake import Lake


@click.command("compact")
@click.option("--table", "names", multiple=True, metavar="NAME", help="Only this table; may be given several times.")
@click.option("--dry-run", is_flag=True, help="Show files and sizes, and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(names: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Join small files; the collector does it by itself while it follows, this is for one-shot collecting."""
    from core.store.lake import Lake
    from core.store.schema import TABLES

    for name in names:
        if name not in TABLES:
            raise click.BadParameter(f"{name} is not a table. Accepted: {', '.join(TABLES)}.", param_hint="--table")
    lake = Lake(settings.load().lake_path)
    chosen = names or tuple(TABLES)
    before = _facts(lake, chosen)
    if not dry_run:
        for name in chosen:
            lake.compact(name)
            lake.vacuum(name)
    after = before if dry_run else _facts(lake, chosen)
    told = [
        {"table": name, "files_before": before[name]["files"], "files": after[name]["files"],
         "bytes": after[name]["bytes"], "rows": after[name]["rows"]}
        for name in chosen
    ]  # fmt: skip
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, "tables": told}))
        return
    for row in told:
        click.echo(
            f"{row['table']}: {row['files_before']:,} → {row['files']:,} files, {row['bytes'] / 1e6:,.1f} MB, "
            f"{row['rows']:,} rows"
        )


def _facts(lake: Lake, names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    from core.store.rewrite import bytes_of, older_than

    pinned = {name: lake.pinned(name) for name in names}
    return {
        name: {
            "files": len(snapshot.files) if snapshot else 0,
            "bytes": bytes_of(lake, name),
            "rows": older_than(lake, name, date.max).rows,
        }
        for name, snapshot in pinned.items()
    }
