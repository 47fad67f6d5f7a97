"""`cachewise doctor`: look at settings, endpoints, sources, log levels, tables and prices, and say what to mend."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from core import settings as settings_module
from core.errors import FixSettings

if TYPE_CHECKING:
    from rich.console import Console

    from collector.checkup import Check

_MARKS = {"ok": "[green]ok  [/green]", "warn": "[yellow]warn[/yellow]", "fail": "[red]FAIL[/red]",
          "skipped": "[dim]skip[/dim]"}  # fmt: skip


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(as_json: bool) -> int:
    """Check everything that the figures depend on. Changes nothing; exit code 1 when something must be mended."""
    from rich.console import Console

    from collector.checkup import ended_badly

    out = Console(highlight=False, soft_wrap=True)
    checks = []
    for check in _checks():
        checks.append(check)
        if not as_json:
            _show(check, out)
    counts = Counter(check.status for check in checks)
    if as_json:
        told = {
            "ok": not ended_badly(checks),
            "counts": {status: counts.get(status, 0) for status in _MARKS},
            "checks": [check.facts() for check in checks],
        }
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        out.print(
            f"{counts['ok']} ok, {counts['warn']} warnings, {counts['fail']} failed, {counts['skipped']} skipped."
        )
    return 1 if ended_badly(checks) else 0


def _checks() -> Iterator[Check]:
    from collector.checkup import Check, examine, remember, say

    try:
        configured = settings_module.load()
    except FixSettings as error:
        where = os.environ.get("CACHEWISE_CONFIG") or settings_module.DEFAULT_FILE
        yield Check("settings", where, "fail", error.message, error.mend, error.code)
        yield Check("settings", where, "skipped", say("settings.unread"))
        return
    sources = configured.sources
    if configured.demo:
        from cli.demo import demo_sources

        sources = demo_sources(configured)
    done = []
    for check in examine(configured, sources):
        done.append(check)
        yield check
    remember(configured, done)


def _show(check: Check, out: Console) -> None:
    from rich.markup import escape

    code = f" [{check.code}]" if check.code else ""
    mend = f" {check.mend}" if check.mend and check.status != "ok" else ""
    line = f"{check.kind} · {check.subject}: {check.message}{mend}{code}"
    out.print(f"{_MARKS[check.status]} {escape(' '.join(line.split()))}", width=None if sys.stdout.isatty() else 4000)
