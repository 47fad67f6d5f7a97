"""`cachewise report`: exports the metrics by group, in the formats that people and their tools read."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from cli.asking import Misuse, make_scope, parse_groups, scope_options
from cli.metrics import plain
from core import settings
from core.errors import FixSettings
from core.pricing import load_book
from core.reports import files, focus
from core.reports.request import Desk, Progress, Request, silent
from core.reports.words import LANGUAGES, word
from core.store.lake import Lake
from core.store.query import Reader


@click.command("report")
@click.option(
    "--format", "form", default="csv", show_default=True, metavar="FORMAT", help=f"One of {', '.join(files.FORMATS)}."
)
@scope_options
@click.option("--by", default="day", show_default=True, metavar="NAMES", help="One row for each: comma between.")
@click.option("--zone", default="UTC", show_default=True, help="Whose midnights bound the days.")
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Language of its words.")
@click.option("--billing-account", metavar="ID", help="Of FOCUS: whose invoice it is; logs do not tell.")
@click.option("--out", default="-", show_default=True, metavar="FILE", help="Where to write; - is standard output.")
@click.option("--json", "as_json", is_flag=True, help="Say as JSON what was written (needs --out FILE).")
def command(
    form: str, by: str, zone: str, lang: Any, billing_account: str | None, out: str, as_json: bool, **given: Any
) -> None:
    """Export the metrics, one row for each group and the total, exact to the last digit."""
    try:
        files.check_format(form)
    except FixSettings as error:
        raise Misuse(str(error)) from None
    if as_json and out == "-":
        raise Misuse("REP-003: --json tells what was written, but --out is standard output. Add --out FILE.")
    scope, groups = make_scope(given), parse_groups(by)
    chosen = settings.load()
    request = Request(scope, tuple(groups), zone, lang, chosen.demo, billing_account)
    with Reader(Lake(chosen.lake_path)) as reader, progress_shown(lang) as progress:
        desk = Desk(reader, load_book(chosen.price_files))
        if out == "-":
            rows = files.send(desk, request, form, sys.stdout.buffer, progress=progress)
        else:
            rows = files.write(desk, request, form, Path(out), progress=progress)
        left_out = focus.left_out(desk, request) if form.startswith("focus") else 0
    if left_out:
        click.echo(f"{left_out} calls have no price and are in no row.", err=True)
    if out == "-":
        return
    told = {"file": out, "format": form, "rows": rows, "from": scope.start, "to": scope.end}
    click.echo(json.dumps(plain(told)) if as_json else f"Wrote {rows} rows to {out}.")


@contextmanager
def progress_shown(lang: Any) -> Iterator[Progress]:
    """Show on a terminal how far a report is; say nothing where standard error is none."""
    if not sys.stderr.isatty():
        yield silent
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(step: str, done: int, of: int) -> None:
            bar.update(task, description=word(lang, step), completed=done, total=of)

        yield show
