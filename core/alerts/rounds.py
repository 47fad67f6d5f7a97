"""One round: evaluate the rules, open and resolve, tell whom it concerns, and try again what did not arrive.

A state is written before anybody is told and again with who was told, so that a crash in between tells twice rather
than never.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from core.alert_settings import AlertRule, AlertSettings, Quiet
from core.alerts.evaluate import Breach, evaluate, utc
from core.alerts.senders import Message, send
from core.alerts.state import Alert, alerts, keep, next_states, orphans
from core.errors import CachewiseError, FixSettings
from core.store.lake import Lake
from core.store.query import Reader

LONGEST_WAIT_S = 3600.0
_FIRST_WAIT_S = 60.0
GIVE_UP = 12
"""Attempts after which an all-clear is no longer sent. What is still open is tried every hour until it arrives."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a round found and did."""

    breaches: tuple[Breach, ...]
    changed: tuple[Alert, ...]  # opened or resolved in this round
    open: tuple[Alert, ...]
    problems: tuple[CachewiseError, ...]  # of targets


def run_round(
    lake: Lake,
    reader: Reader,
    settings: AlertSettings,
    *,
    now: datetime,
    zone: str | None = None,
    sources: Sequence[str] = (),
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Evaluate, keep and tell. Targets that fail are tried again in later rounds, ever more seldom."""
    breaches = evaluate(reader, settings, now=now, zone=zone, sources=sources)
    known = alerts(reader, limit=None)
    rules = {rule.name: rule for rule in settings.rules}
    gone = orphans(known, rules, now=now)
    watchers = {rule.name for rule in settings.rules if rule.metric == "regression"}
    fresh = [
        replace(alert, undelivered=rules[alert.rule].targets) if alert.state == "open" else alert
        for alert in next_states(known, breaches, now=now, complete=watchers)
    ]
    keep(lake, [*fresh, *gone])
    moved = {alert.alert_id for alert in (*fresh, *gone)}
    waiting = [alert for alert in known if alert.undelivered and alert.alert_id not in moved and alert.rule in rules]
    problems: list[CachewiseError] = []
    told = [
        _tell(alert, rules[alert.rule], settings, now=now, sleep=sleep, problems=problems)
        for alert in (*fresh, *waiting)
    ]
    keep(lake, [after for before, after in zip((*fresh, *waiting), told, strict=True) if after is not before])
    latest = {alert.alert_id: alert for alert in (*known, *gone, *told)}
    still = tuple(alert for alert in latest.values() if alert.state == "open")
    return Outcome(tuple(breaches), tuple(told[: len(fresh)]) + tuple(gone), still, tuple(problems))


def _tell(
    alert: Alert,
    rule: AlertRule,
    settings: AlertSettings,
    *,
    now: datetime,
    sleep: Callable[[float], None],
    problems: list[CachewiseError],
) -> Alert:
    """Send to each target that does not know yet; return the alert as it stands after it."""
    given_up = alert.state == "resolved" and alert.attempt >= GIVE_UP
    waits = given_up or (alert.attempt > 0 and not _due(alert, now))
    if not alert.undelivered or waits or is_quiet(rule.quiet, now):
        return alert
    delivered, failed = list(alert.delivered), []
    for name in alert.undelivered:
        try:
            send(settings.target(name), message_of(alert), sleep=sleep)
            delivered.append(name)
        except CachewiseError as error:
            problems.append(error)
            failed.append(name)
    return replace(alert, delivered=tuple(delivered), undelivered=tuple(failed), attempt=alert.attempt + 1, ts=now)


def _due(alert: Alert, now: datetime) -> bool:
    wait_s = min(LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(alert.attempt - 1, GIVE_UP))
    return (now - alert.ts).total_seconds() >= wait_s


def is_quiet(quiet: Quiet | None, now: datetime) -> bool:
    """Say whether nobody wants to be told now; hours may run over midnight. Equal ends: the whole day."""
    if quiet is None:
        return False
    local = now.astimezone(quiet.zoneinfo).time()
    if quiet.start < quiet.end:
        return quiet.start <= local < quiet.end
    return local >= quiet.start or local < quiet.end


def message_of(alert: Alert) -> Message:
    """Write what is sent about an alert."""
    title = f"{'OPEN' if alert.state == 'open' else 'RESOLVED'}: {alert.rule}"
    lines = [alert.message, f"open since {utc(alert.opened_at)}"]
    if alert.resolved_at is not None:
        lines[-1] += f", over since {utc(alert.resolved_at)}"
    fields = {
        "alert_id": alert.alert_id,
        "state": alert.state,
        "rule": alert.rule,
        "metric": alert.metric,
        "subject": alert.subject,
        "value": alert.value,
        "threshold": alert.threshold,
        "opened_at": alert.opened_at.isoformat(),
        "resolved_at": alert.resolved_at.isoformat() if alert.resolved_at else None,
    }
    return Message(title, tuple(lines), fields)


def send_test(
    settings: AlertSettings, name: str, *, now: datetime, sleep: Callable[[float], None] = time.sleep
) -> list[str]:
    """Send a test to the targets of the rule (or the one target) of that name; return who took it. Writes nothing."""
    rule = next((rule for rule in settings.rules if rule.name == name), None)
    known = [target.name for target in settings.targets]
    if rule is None and name not in (*known, "log"):
        accepted = ", ".join([*(rule.name for rule in settings.rules), *known, "log"])
        raise FixSettings(f'There is no alert or target named "{name}".', code="ALR-002", mend=f"Accepted: {accepted}.")
    targets = rule.targets if rule else (name,)
    text = Message(
        f"TEST: {name}",
        ("This is a test of Cachewise's alerts; nothing is wrong.", utc(now)),
        {"state": "test", "rule": name},
    )
    for target in targets:
        send(settings.target(target), text, sleep=sleep)
    return list(targets)
