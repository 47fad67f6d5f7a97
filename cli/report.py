"""`cachewise report`: exports the metrics by group, in the formats that people and their tools read."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli import scheduled
from cli.accepted import ALLOCATION_RULES, REPORT_FORMATS
from cli.asking import Misuse, make_scope, parse_groups, scope_options
from cli.judging import say_nothing_matches
from cli.printing import plain
from core import settings
from core.errors import FixSettings
from core.report_settings import REPORT_LANGUAGES, SCHEDULES, Schedule

if TYPE_CHECKING:
    from core.reports.request import Desk, Progress, Request

_WITH_SCHEDULE = {"scheduled_for", "to", "form", "by", "zone", "lang", "billing_account", "again", "as_json"}
_BESIDE = "--to, --format, --by, --zone, --lang, --billing-account, --again, --json"


@click.command("report")
@click.option(
    "--format", "form", default="csv", show_default=True, metavar="FORMAT", help=f"One of {', '.join(REPORT_FORMATS)}."
)
@scope_options
@click.option("--by", metavar="NAMES", help="One row for each: comma between.  [default: day; engine with --allocate]")
@click.option(
    "--allocate", metavar="RULE", help=f"Charge groups for shared cache writes: {', '.join(ALLOCATION_RULES)}."
)
@click.option(
    "--zone",
    default="UTC",
    show_default=True,
    help="Whose midnights bound the days, and whose dates --from and --to are.",
)
@click.option(
    "--lang", type=click.Choice(REPORT_LANGUAGES), default="en", show_default=True, help="Language of its words."
)
@click.option("--billing-account", metavar="ID", help="Of FOCUS: whose invoice it is; logs do not tell.")
@click.option("--out", default="-", show_default=True, metavar="FILE", help="Where to write; - is standard output.")
@click.option("--json", "as_json", is_flag=True, help="Say as JSON what was written (needs --out FILE).")
@click.option(
    "--schedule",
    "scheduled_for",
    type=click.Choice(SCHEDULES),
    help="Deliver the last complete period, once, to --to: a folder, s3://bucket/prefix or https://…; "
    "without --to the reports of cachewise.toml.",
)
@click.option("--again", is_flag=True, help="Of --schedule: deliver it even if that was done.")
@click.option("--follow", is_flag=True, help="Deliver the reports of cachewise.toml as they fall due, until SIGTERM.")
@click.pass_context
def command(
    context: click.Context,
    form: str,
    by: str | None,
    allocate: str | None,
    zone: str,
    lang: Any,
    billing_account: str | None,
    out: str,
    as_json: bool,
    scheduled_for: Schedule | None,
    again: bool,
    follow: bool,
    **given: Any,
) -> int:
    """Export the metrics, one row for each group and the total, exact to the last digit."""
    from collector import memory

    memory.lean()
    from core.metrics.chargeback import check_rule
    from core.pricing import load_book
    from core.reports import files
    from core.reports.request import Desk, Request
    from core.store.lake import Lake
    from core.store.query import Reader

    if follow:
        return scheduled.follow(settings.load())
    if scheduled_for is not None:
        said = {name for name, value in context.params.items() if _was_given(context, name) and value not in ((), None)}
        _only_of_schedule(said)
        asked = scheduled.Asked(
            schedule=scheduled_for,
            to=given["to"],
            formats=tuple(part.strip() for part in form.split(",")) if "form" in said else None,
            zone=zone if "zone" in said else None,
            by=by if "by" in said else None,
            lang=lang,
            billing_account=billing_account,
        )
        loaded = settings.load()
        with progress_shown(lang) as progress:
            rules = scheduled.chosen(loaded, asked)
            return scheduled.deliver(loaded, rules, again=again, as_json=as_json, progress=progress)
    try:
        files.check_format(form)
        if allocate is not None:
            check_rule(allocate)
    except FixSettings as error:
        raise Misuse(str(error)) from None
    if as_json and out == "-":
        raise Misuse("REP-003: --json tells what was written, but --out is standard output. Add --out FILE.")
    scope, groups = make_scope(given, zone), parse_groups(("engine" if allocate else "day") if by is None else by)
    chosen = settings.load()
    request = Request(scope, tuple(groups), zone, lang, chosen.demo, allocate, billing_account)
    with Reader(Lake(chosen.lake_path)) as reader, progress_shown(lang) as progress:
        desk = Desk(reader, load_book(chosen.price_files))
        if out == "-":
            rows = files.send(desk, request, form, sys.stdout.buffer, progress=progress)
        else:
            rows = files.write(desk, request, form, Path(out), progress=progress)
        left_out = _left_out(desk, request) if form.startswith("focus") else 0
        if not rows and not left_out:
            say_nothing_matches(desk.reader.lake, reader, scope)
    if left_out:
        click.echo(f"{left_out} calls have no price and are in no row.", err=True)
    if out == "-":
        return 0
    told = {"file": out, "format": form, "rows": rows, "from": scope.start, "to": scope.end}
    click.echo(json.dumps(plain(told)) if as_json else f"Wrote {rows} rows to {out}.")
    return 0


def _left_out(desk: Desk, request: Request) -> int:
    from core.reports import focus

    return focus.left_out(desk, request)


def _was_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _only_of_schedule(said: set[str]) -> None:
    """Refuse what a scheduled report cannot follow: its range is the period, and filters would go unseen."""
    wrong = sorted(said - _WITH_SCHEDULE)
    if wrong:
        names = ", ".join(f"--{name.strip('_').replace('_', '-')}" for name in wrong)
        raise Misuse(f"REP-006: {names} cannot be combined with --schedule. Accepted beside it: {_BESIDE}.")
    if said & {"form", "by", "zone", "lang", "billing_account"} and "to" not in said:
        raise Misuse("REP-006: --format, --by, --zone and --lang go with --to; configured reports have their own.")


@contextmanager
def progress_shown(lang: Any) -> Iterator[Progress]:
    """Show on a terminal how far a report is; say nothing where standard error is none."""
    from rich.console import Console

    from core.reports.request import silent
    from core.reports.words import word

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
