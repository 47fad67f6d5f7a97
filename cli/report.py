"""`cachewise report`: exports the metrics by group to a file or to standard output."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from cli.asking import Misuse, make_scope, parse_groups, scope_options
from cli.metrics import plain
from core import settings
from core.errors import FixSettings
from core.reports import files, table
from core.store.lake import Lake
from core.store.query import Reader


@click.command("report")
@click.option("--format", "form", default="csv", show_default=True, metavar="FORMAT", help="csv or parquet.")
@scope_options
@click.option("--by", default="day", show_default=True, metavar="NAMES", help="One row for each: comma between.")
@click.option("--zone", default="UTC", show_default=True, help="Whose midnights bound the days of --by day.")
@click.option("--out", default="-", show_default=True, metavar="FILE", help="Where to write; - is standard output.")
@click.option("--json", "as_json", is_flag=True, help="Say as JSON what was written (needs --out FILE).")
def command(form: str, by: str, zone: str, out: str, as_json: bool, **given: Any) -> None:
    """Export the metrics, one row for each group and the total, exact to the last digit."""
    try:
        files.check_format(form)
    except FixSettings as error:
        raise Misuse(str(error)) from None
    if as_json and out == "-":
        raise Misuse("REP-003: --json tells what was written, but --out is standard output. Add --out FILE.")
    scope, groups = make_scope(given), parse_groups(by)
    with Reader(Lake(settings.load().lake_path)) as reader:
        report = table.build(reader, scope, groups, zone=zone)
    if out == "-":
        sys.stdout.buffer.write(files.encode(report, form, for_file=False))
        return
    files.write(report, form, Path(out))
    told = {"file": out, "format": form, "rows": len(report.groups), "from": scope.start, "to": scope.end}
    click.echo(json.dumps(plain(told)) if as_json else f"Wrote {len(report.groups)} rows to {out}.")
