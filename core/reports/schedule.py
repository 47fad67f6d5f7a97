"""Scheduled reports: each period is delivered once, told in the table `deliveries`; a failure is tried again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from core.metrics.aggregate import check_groups
from core.metrics.sources import complete_until
from core.pricing import PriceBook
from core.report_settings import ReportRule
from core.reports import delivery, files
from core.reports.digest import Digest, digest
from core.reports.periods import Period, last_complete
from core.reports.request import Desk, Progress, silent
from core.store import locks
from core.store.faults import make_folder
from core.store.lake import Lake
from core.store.query import Reader
from core.store.schema import TABLES

PATIENCE = timedelta(hours=6)
"""How long a report that is due by itself waits for sources that have not been read past its period."""
_LOCK_WAIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one report."""

    rule: ReportRule
    period: Period
    status: str  # delivered | already
    files: tuple[str, ...] = ()
    digest: Digest | None = None


def check(rules: Iterable[ReportRule]) -> None:
    """Refuse formats and groupings that do not exist, before anything is made. Raises FixSettings."""
    for rule in rules:
        for form in rule.formats:
            files.check_format(form)
        check_groups(rule.by)


def run(
    lake: Lake,
    book: PriceBook,
    rule: ReportRule,
    *,
    now: datetime,
    demo: bool = False,
    again: bool = False,
    progress: Progress = silent,
) -> Delivery:
    """Deliver the last complete period unless that was done; only what arrived is marked as delivered."""
    period = last_complete(rule.schedule, rule.zone, now)
    make_folder(lake.path)
    with (
        locks.hold(lake.path / ".reports.lock", wait_s=_LOCK_WAIT_S, what="The scheduled reports of"),
        Reader(lake) as reader,
    ):
        if not again and delivered(reader, rule, period):
            return Delivery(rule, period, "already")
        found = digest(reader, rule, period, demo=demo)
        written = delivery.deliver(Desk(reader, book), found, progress=progress)
        _mark(lake, rule, period, written, now)
    return Delivery(rule, period, "delivered", tuple(written), found)


def delivered(reader: Reader, rule: ReportRule, period: Period) -> bool:
    """Say whether a period of a report has arrived before."""
    rows = reader.table("deliveries")
    return bool(reader.rows(rows.filter(rows.report_key == key_of(rule, period)).limit(1)))


def deliveries(reader: Reader, limit: int = 100) -> list[dict[str, Any]]:
    """Return what arrived, the newest first. A destination is told without what is secret in it."""
    rows = reader.table("deliveries")
    return reader.rows(rows.drop("date", "delivery_id", "report_key").order_by(rows.ts.desc()).limit(limit))


def is_due(reader: Reader, rule: ReportRule, *, now: datetime) -> bool:
    """Say whether a report is to be delivered by itself now: it was not, and its data is complete or waited for."""
    period = last_complete(rule.schedule, rule.zone, now)
    if delivered(reader, rule, period):
        return False
    reached = complete_until(reader)
    return (reached is not None and reached >= period.end) or now >= period.end + PATIENCE


def key_of(rule: ReportRule, period: Period) -> str:
    """Return what a delivery is known by: the report, where it goes (as a hash: it may be a secret), and the period."""
    to = hashlib.sha256(rule.to.where.encode()).hexdigest()[:16]
    return f"{rule.name}/{rule.schedule}/{rule.zone}/{period.first}/{to}"


def _mark(lake: Lake, rule: ReportRule, period: Period, written: list[str], now: datetime) -> None:
    row: dict[str, Any] = {
        "date": now.astimezone(UTC).date(),
        "delivery_id": f"{key_of(rule, period)}/{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}",
        "report_key": key_of(rule, period),
        "ts": now,
        "report": rule.name,
        "schedule": rule.schedule,
        "zone": rule.zone,
        "period_start": period.start.astimezone(UTC),
        "period_end": period.end.astimezone(UTC),
        "destination": rule.to.shown,
        "formats": ",".join(rule.formats) if rule.to.kind != "webhook" else "",
        "files": ",".join(written),
    }
    lake.commit("deliveries", pa.Table.from_pylist([row], schema=TABLES["deliveries"]))
