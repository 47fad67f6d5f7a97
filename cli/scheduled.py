"""`cachewise report --schedule`: delivers the last complete day, week or month; and the watch beside the collector."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from cli.asking import Misuse, parse_groups
from cli.stopping import asked_to_stop
from core.errors import CachewiseError
from core.report_settings import ReportRule, Schedule, destination
from core.settings import Settings

if TYPE_CHECKING:
    from core.reports import schedule
    from core.reports.request import Progress

EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options of the command line say; what they leave out comes from [[reports]]."""

    schedule: Schedule
    to: str | None
    formats: tuple[str, ...] | None
    zone: str | None
    by: str | None
    lang: Any
    billing_account: str | None


def chosen(settings: Settings, asked: Asked) -> list[ReportRule]:
    """Return the reports to deliver: one to the destination given, or all that are configured with that schedule."""
    if asked.to is None:
        rules = [rule for rule in settings.reports if rule.schedule == asked.schedule]
        if not rules:
            raise Misuse(
                f"REP-006: No {asked.schedule} report is configured, and no --to says where one goes. "
                "Accepted for --to: a folder, s3://bucket/prefix, or https://…"
            )
        return rules
    to = destination(asked.to)
    if to is None:  # it may be a secret, so it is not quoted
        raise Misuse("REP-007: --to is not usable. Accepted: a folder, s3://bucket/prefix, or https://…")
    by = tuple(parse_groups(asked.by)) if asked.by else ("day",)
    return [
        ReportRule(
            name="report",
            schedule=asked.schedule,
            to=to,
            formats=asked.formats or ("csv",),
            zone=asked.zone or "UTC",
            by=by,
            lang=asked.lang,
            billing_account=asked.billing_account,
        )
    ]


def deliver(settings: Settings, rules: Sequence[ReportRule], *, again: bool, as_json: bool, progress: Progress) -> int:
    """Deliver each report; one that fails is told and does not keep the others back. Exit code 1 if any failed."""
    from core.pricing import load_book
    from core.reports import schedule
    from core.store.lake import Lake

    schedule.check(rules)
    lake, book = Lake(settings.lake_path), load_book(settings.price_files)
    told: list[dict[str, Any]] = []
    for rule in rules:
        try:
            done = schedule.run(
                lake, book, rule, now=datetime.now(UTC), demo=settings.demo, again=again, progress=progress
            )
        except CachewiseError as error:
            click.echo(str(error), err=True)
            told.append({"report": rule.name, "status": "failed", "code": error.code})
            continue
        told.append(_told(done))
        if not as_json:
            click.echo(_said(done))
    if as_json:
        click.echo(json.dumps({"reports": told}, ensure_ascii=False))
    return 1 if any(one["status"] == "failed" for one in told) else 0


def follow(settings: Settings, *, every_s: float = EVERY_S, stop: threading.Event | None = None) -> int:
    """Deliver the configured reports as they fall due, until SIGTERM; a failure is told once and tried again."""
    from core.reports import schedule

    if not settings.reports:
        raise Misuse("REP-006: No report is configured. Add [[reports]], see docs/scheduled-reports.md.")
    schedule.check(settings.reports)
    watch = ReportWatch(settings)
    with nullcontext(stop) if stop else asked_to_stop() as ended:
        while not ended.is_set():
            watch.tick()
            ended.wait(every_s)
    return 0


class ReportWatch:
    """Knows what was said and delivered, so that an idle round costs nothing but a look at the clock."""

    def __init__(self, settings: Settings, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        from core.pricing import load_book
        from core.store.lake import Lake

        self._settings = settings
        self._lake, self._book = Lake(settings.lake_path), load_book(settings.price_files)
        self._now = now
        self._done: set[str] = set()
        self._said: dict[str, str] = {}

    def tick(self) -> None:
        """Deliver what is due."""
        from core.reports import schedule
        from core.store.query import Reader

        for rule in self._settings.reports:
            now = self._now()
            key = schedule.key_of(rule, schedule.last_complete(rule.schedule, rule.zone, now))
            if key in self._done:
                continue
            try:
                with Reader(self._lake) as reader:
                    due = schedule.is_due(reader, rule, now=now)
                    delivered = not due and schedule.delivered(
                        reader, rule, schedule.last_complete(rule.schedule, rule.zone, now)
                    )
                if due:
                    done = schedule.run(self._lake, self._book, rule, now=now, demo=self._settings.demo)
                    click.echo(_said(done))
                if due or delivered:
                    self._done.add(key)
                    self._said.pop(rule.name, None)
            except CachewiseError as error:
                if self._said.get(rule.name) != str(error):
                    click.echo(str(error), err=True)
                self._said[rule.name] = str(error)


def _told(done: schedule.Delivery) -> dict[str, Any]:
    told: dict[str, Any] = {
        "report": done.rule.name,
        "status": done.status,
        "from": done.period.start.isoformat(),
        "to": done.period.end.isoformat(),
        "destination": done.rule.to.shown,
        "files": list(done.files),
    }
    return told if done.digest is None else {**told, "summary": done.digest.to_json()}


def _said(done: schedule.Delivery) -> str:
    days = f"{done.period.first} to {done.period.last} ({done.period.zone})"
    where = done.rule.to.shown
    if done.status == "already":
        return f"{done.rule.name}: {days} was delivered to {where} before; --again delivers it once more."
    what = ", ".join(done.files) or "the summary"
    return f"{done.rule.name}: {days} delivered to {where}: {what}."
