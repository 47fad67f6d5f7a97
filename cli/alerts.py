"""`cachewise alerts`: evaluate the rules of the settings, tell the targets, and show what is open."""

from __future__ import annotations

import json
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from core import settings as settings_module
from core.alert_settings import AlertSettings
from core.errors import CachewiseError
from core.settings import Settings

if TYPE_CHECKING:
    from core.alerts import Outcome
    from core.store.lake import Lake

EVERY_S = 60.0


@click.command("alerts")
@click.option("--once/--follow", default=True, help="One round (default), or a round every minute until Ctrl-C.")
@click.option(
    "--every", type=click.FloatRange(min=5), default=EVERY_S, show_default=True, help="Seconds between rounds."
)
@click.option("--test", "test", metavar="NAME", help="Send a test to the targets of this alert, or to this target.")
@click.option("--zone", help="Whose hours and weekends make the season of regressions and baselines.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each round.")
def command(once: bool, every: float, test: str | None, zone: str | None, as_json: bool) -> int:
    """Open and resolve alerts by the rules in cachewise.toml, and tell their targets."""
    from core.store.lake import Lake

    settings = settings_module.load()
    if test is not None:
        return _test(settings.alerts, test, as_json=as_json)
    lake = Lake(settings.lake_path)
    if once:
        return 1 if _round(lake, settings, zone, as_json=as_json).problems else 0
    stop = threading.Event()
    try:
        while not stop.wait(0):
            _round(lake, settings, zone, as_json=as_json)
            stop.wait(every)
    except KeyboardInterrupt:
        return 0
    return 0


class AlertWatch:
    """Evaluates the rules every minute beside a collector; a fault is told once and stops nothing."""

    def __init__(self, settings: Settings, *, every_s: float = EVERY_S) -> None:
        self._settings = settings
        self._every_s = every_s
        self._last = time.monotonic()
        self._said = ""

    def tick(self, lake: Lake) -> None:
        """Run a round if there are rules and one is due."""
        if not self._settings.alerts.rules or time.monotonic() - self._last < self._every_s:
            return
        try:
            told = "; ".join(str(problem) for problem in _evaluated(lake, self._settings, None).problems)
        except CachewiseError as error:
            told = str(error)
        except Exception as error:  # noqa: BLE001 - no fault of an alert may end the collecting beside it
            told = f"ALR-500: A round of alerts failed: {type(error).__name__}. It is tried again in a minute."
        if told and told != self._said:
            click.echo(f"alerts: {told}", err=True)
        self._said = told
        self._last = time.monotonic()


def _evaluated(lake: Lake, settings: Settings, zone: str | None) -> Outcome:
    from core.alerts import run_round
    from core.store.query import Reader

    sources = () if settings.demo else tuple(source.name for source in settings.sources)
    with Reader(lake) as reader:
        return run_round(lake, reader, settings.alerts, now=datetime.now(UTC), zone=zone, sources=sources)


def _round(lake: Lake, settings: Settings, zone: str | None, *, as_json: bool) -> Outcome:
    outcome = _evaluated(lake, settings, zone)
    for told in dict.fromkeys(str(problem) for problem in outcome.problems):
        click.echo(told, err=True)
    if as_json:
        click.echo(json.dumps(_told(lake, settings.alerts, outcome), ensure_ascii=False))
    else:
        _print(settings.alerts, outcome)
    return outcome


def _told(lake: Lake, alerts: AlertSettings, outcome: Outcome) -> dict[str, Any]:
    from cli.printing import plain
    from core.alerts import forecast
    from core.store.query import Reader

    with Reader(lake) as reader:
        month = forecast(reader, alerts.budget, now=datetime.now(UTC))
    rules = [{"name": rule.name, "metric": rule.metric, "targets": rule.targets} for rule in alerts.rules]
    return plain(
        {
            "rules": rules,
            "open": [alert.to_json() for alert in outcome.open],
            "changed": [alert.to_json() for alert in outcome.changed],
            "evaluated": [{name: getattr(b, name) for name in ("rule", "subject", "status", "value", "threshold")}
                          for b in outcome.breaches],
            "problems": [str(problem) for problem in outcome.problems],
            "budget": month.to_json(),
        }
    )  # fmt: skip


def _print(alerts: AlertSettings, outcome: Outcome) -> None:
    if not alerts.rules:
        click.echo("No alerts are configured. Add [[alerts]] to cachewise.toml; docs/alerts.md has examples.")
        return
    for alert in outcome.changed:
        click.echo(f"{'opened' if alert.state == 'open' else 'resolved'}: {alert.rule}: {alert.message}")
    for alert in outcome.open:
        click.echo(f"open since {alert.opened_at:%Y-%m-%d %H:%M} UTC: {alert.rule}: {alert.message}")
    if not outcome.open:
        unknown = sum(breach.status == "unknown" for breach in outcome.breaches)
        click.echo(f"Nothing is open: {len(alerts.rules)} rules, {unknown} subjects with too little data to tell.")


def _test(alerts: AlertSettings, name: str, *, as_json: bool) -> int:
    from core.alerts import send_test

    told = send_test(alerts, name, now=datetime.now(UTC))
    click.echo(json.dumps({"test": name, "delivered": told}) if as_json else f"Sent to {', '.join(told)}.")
    sys.stdout.flush()
    return 0
