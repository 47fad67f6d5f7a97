"""`cachewise probe`: live experiments against the Claude cache and the prompt store, within a hard budget.

Interactively it shows the estimate and asks; elsewhere the budget is the consent. It exits with 0 when every experiment
passed. `--every` repeats it as a canary until SIGTERM.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from cli.accepted import PROBE_SUITES
from cli.asking import Misuse
from cli.printing import plain
from cli.stopping import asked_to_stop
from core import settings
from core.errors import CachewiseError
from core.settings import Settings, every_seconds

if TYPE_CHECKING:
    from rich.console import Console

    from core import probe
    from core.probe.model import StartedBy

_CONFIGURED = "configured"
_WIDE = 160
_OWNERS = {"anthropic": "Anthropic", "bedrock": "AWS"}
_SIGNS = {"passed": "[green]passed[/green]", "failed": "[red]failed[/red]"}


@click.command("probe")
@click.option("--suite", type=click.Choice(PROBE_SUITES), help="seed (default): write and read, saving, store.")
@click.option("--experiment", "names", multiple=True, metavar="NAME", help="Only this one; may be given several times.")
@click.option("--provider", type=click.Choice(settings.PROVIDERS), help="Over probe.provider.")
@click.option("--model", metavar="ID", help="Over probe.model.")
@click.option("--budget", metavar="USD", help="The most one run may spend, over probe.budget_usd.")
@click.option("--prefix-tokens", type=click.IntRange(1), metavar="N", help="Size of the prefix, over the settings.")
@click.option("--max-wait", type=click.FloatRange(0), metavar="SECONDS", help="How long the TTL ladder may wait.")
@click.option("--every", is_flag=False, flag_value=_CONFIGURED, metavar="1h", help="Repeat as a canary until SIGTERM.")
@click.option("--dry-run", is_flag=True, help="Show what it would do and cost, and stop.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per run.")
def command(
    suite: str | None,
    names: tuple[str, ...],
    provider: str | None,
    model: str | None,
    budget: str | None,
    prefix_tokens: int | None,
    max_wait: float | None,
    every: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Probe the Claude cache live: is it written and read, what does it save, what breaks it, how long does it live."""
    from rich.console import Console

    from core import probe

    configured = settings.load()
    every_s = _every(every, configured)
    asked: dict[str, Any] = {
        "suite": suite,
        "provider": provider,
        "model": model,
        "budget_usd": budget,
        "prefix_tokens": prefix_tokens,
        "max_wait_s": max_wait,
    }
    out = Console(stderr=as_json, width=None if sys.stdout.isatty() else _WIDE, highlight=False)
    planned = probe.plan(configured, names, **asked, started_by=_started_by(every_s))
    _show_plan(planned, out, every_s)
    if dry_run:
        return _end_dry(planned, as_json)
    if not yes and sys.stdin.isatty() and planned.problem is None and planned.estimate_usd and not _agreed(planned):
        click.echo("Nothing was sent.", err=True)
        return 1
    with asked_to_stop() as stop:
        if every_s is None:
            return _once(planned, stop, out, as_json=as_json)
        return _canary(planned, stop, out, configured, names, asked, every_s, as_json=as_json)


def _every(text: str | None, configured: Settings) -> float | None:
    if text == _CONFIGURED:
        if configured.probe.every_s is None:
            raise Misuse('--every needs an interval such as 1h, or every = "1h" in [probe].')
        return configured.probe.every_s
    return None if text is None else every_seconds(text, where="--every")


def _started_by(every_s: float | None) -> StartedBy:
    return "person" if every_s is None else "canary"


def _agreed(planned: probe.Plan) -> bool:
    question = f"Spend about ${_usd(planned.estimate_usd)}, at most ${_usd(planned.budget_usd)}?"
    return click.confirm(question, default=False, err=True)


def _once(planned: probe.Plan, stop: threading.Event, out: Console, *, as_json: bool) -> int:
    from rich.markup import escape

    from core import probe

    with out.status("probing", spinner="dots") if out.is_terminal else _silence() as status:

        def show(progress: probe.Progress) -> None:
            if status is not None:
                told = f"{progress.position}/{progress.experiments} {progress.experiment}: {progress.doing}"
                status.update(escape(f"{told} (${_usd(progress.spent_usd)} spent)"))

        report = probe.run(planned, on_progress=show, stop=stop.is_set)
    _show_report(report, out)
    if as_json:
        click.echo(json.dumps(plain(_told(report)), ensure_ascii=False))
    return 0 if report.passed else 1


def _canary(
    planned: probe.Plan,
    stop: threading.Event,
    out: Console,
    configured: Settings,
    names: tuple[str, ...],
    asked: dict[str, Any],
    every_s: float,
    *,
    as_json: bool,
) -> int:
    """Probe again and again. Each run has the whole budget; a run that cannot begin is told, and tried again."""
    from core import probe

    due = time.monotonic()
    first = True
    while not stop.is_set():
        try:
            if not first:
                planned = probe.plan(configured, names, **asked, started_by="canary")
            _once(planned, stop, out, as_json=as_json)
        except CachewiseError as error:
            click.echo(str(error), err=True)
        first = False
        due = max(due + every_s, time.monotonic())
        stop.wait(due - time.monotonic())
    return 0


def _end_dry(planned: probe.Plan, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps(plain({"dry_run": True, **_told_plan(planned)}), ensure_ascii=False))
    return 0 if planned.problem is None else 1


def _show_plan(planned: probe.Plan, out: Console, every_s: float | None) -> None:
    from rich.markup import escape
    from rich.table import Table

    target = planned.target
    out.print(escape(f"Probe of {target.model} ({target.provider}), cache for {target.cache_ttl}"))
    if target.is_foreign:
        out.print(
            f"[yellow]![/yellow] {escape(f'Requests go to {target.shown_url}, not to {_OWNERS[target.provider]}.')}"
        )
    if planned.simulated:
        out.print(
            "[yellow]![/yellow] The server says that it is simulated: nothing is billed, all figures are made up."
        )
    if planned.problem is not None:  # nobody could be asked, so there is no estimate: it is not zero
        out.print(f"[red]✗[/red] No estimate. {escape(str(planned.problem))}")
        return
    table = Table()
    for column in ("experiment", "requests", "estimate", "needed", "waits"):
        table.add_column(column, justify="left" if column == "experiment" else "right")
    for item in planned.experiments:
        waits = f"{item.wait_s:,.0f} s" if item.wait_s else "–"
        table.add_row(
            escape(item.title), str(item.requests), f"${_usd(item.estimate_usd)}", f"${_usd(item.needed_usd)}", waits
        )
    out.print(table)
    how = "counted by the provider" if planned.counted else "estimated: nobody counted"
    out.print(
        f"Estimate ${_usd(planned.estimate_usd)} (tokens {how}); budget ${_usd(planned.budget_usd)}, never exceeded."
    )
    if every_s is not None:
        monthly = planned.estimate_usd * Decimal(30 * 86400) / Decimal(every_s)
        out.print(f"Every {every_s:,.0f} s: about ${_usd(monthly)} in 30 days.")
    for warning in planned.warnings:
        out.print(f"[yellow]![/yellow] {escape(warning)}")


def _show_report(report: probe.ProbeReport, out: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    for column in ("experiment", "verdict", "result", "spent"):
        table.add_column(column, justify="right" if column == "spent" else "left")
    for result in report.results:
        told = result.summary if result.problem is None else f"{result.summary} {result.problem}"
        sign = _SIGNS.get(result.verdict, f"[yellow]{result.verdict.replace('_', ' ')}[/yellow]")
        table.add_row(escape(result.title), sign, escape(told), f"${_usd(result.spent_usd)}")
    out.print(table)
    at_most = "" if report.spent_exact else "at most "
    simulated = " (simulated)" if report.simulated else ""
    out.print(
        f"Spent {at_most}${_usd(report.spent_usd)}{simulated} of ${_usd(report.plan.budget_usd)} "
        f"in {report.requests} requests."
    )
    if report.keep_problem is not None:
        click.echo(f"The results were not kept. {report.keep_problem}", err=True)


def _told(report: probe.ProbeReport) -> dict[str, Any]:
    """Return a report as JSON tells it."""
    return {
        "passed": report.passed,
        **_told_plan(report.plan),
        "simulated": report.simulated,
        "started_at": report.started_at,
        "finished_at": report.finished_at,
        "requests": report.requests,
        "spent_usd": report.spent_usd,
        "spent_exact": report.spent_exact,
        "kept": report.kept,
        "experiments": [_told_result(result) for result in report.results],
    }


def _told_result(result: Any) -> dict[str, Any]:
    problem = result.problem
    return {
        "experiment": result.experiment,
        "title": result.title,
        "verdict": result.verdict,
        "summary": result.summary,
        "error": None if problem is None else {"code": problem.code, "message": problem.message},
        "requests": result.requests,
        "estimate_usd": result.estimate_usd,
        "spent_usd": result.spent_usd,
        "spent_exact": result.spent_exact,
        "evidence": dict(result.evidence),
    }


def _told_plan(planned: probe.Plan) -> dict[str, Any]:
    target, problem = planned.target, planned.problem
    return {
        "run_id": planned.run_id,
        "suite": planned.suite,
        "provider": target.provider,
        "model": target.model,
        "base_url": target.shown_url,
        "cache_ttl": target.cache_ttl,
        "simulated": planned.simulated,
        "prefix_tokens": planned.prefix_tokens,
        "estimate_usd": planned.estimate_usd if problem is None else None,
        "needed_usd": planned.needed_usd if problem is None else None,
        "budget_usd": planned.budget_usd,
        "wait_s": planned.wait_s,
        "problem": None if problem is None else {"code": problem.code, "message": problem.message},
        "warnings": list(planned.warnings),
        "experiments": [
            {
                "experiment": item.name,
                "requests": item.requests,
                "estimate_usd": item.estimate_usd if problem is None else None,
                "needed_usd": item.needed_usd if problem is None else None,
                "wait_s": item.wait_s,
            }
            for item in planned.experiments
        ],
    }


def _usd(amount: Decimal) -> str:
    return f"{amount:.6f}"


@contextmanager
def _silence() -> Iterator[None]:
    yield None
