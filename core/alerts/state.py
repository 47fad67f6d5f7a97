"""What is open and what was told, kept as rows that are only ever added: the last row of an alert is its state."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from core.alerts.evaluate import Breach
from core.store.lake import Lake
from core.store.query import Reader
from core.store.schema import TABLES

State = Literal["open", "resolved"]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert, from opening to resolution, and who was told of its present state."""

    alert_id: str
    rule: str
    metric: str
    subject: str
    state: State
    opened_at: datetime
    resolved_at: datetime | None
    ts: datetime  # when this state was written
    value: float | None
    threshold: float | None
    message: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 0
    delivered: tuple[str, ...] = ()
    undelivered: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Return rule and subject: of these, one alert is open at most."""
        return self.rule, self.subject

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


def alerts(reader: Reader, *, limit: int | None = 500) -> list[Alert]:
    """Return every alert in its last state, open ones first, then the newest; so many at most, None: all."""

    def build(rows: ir.Table) -> ir.Table:
        last = _last_states(rows)
        last = last.order_by([last.state, last.ts.desc()])
        return last if limit is None else last.limit(limit)

    return [_alert(row) for row in reader.shaped("alerts", None, None, shape=("alerts", limit), build=build)]


def open_count(reader: Reader) -> int:
    """Return how many alerts are open, however many there are."""

    def build(rows: ir.Table) -> ir.Table:
        last = _last_states(rows)
        return last.aggregate(n=(last.state == "open").sum())

    return int(reader.shaped("alerts", None, None, shape="open alerts", build=build)[0]["n"] or 0)


def _last_states(rows: ir.Table) -> ir.Table:
    window = ibis.window(group_by=rows.alert_id, order_by=[rows.ts.desc(), rows.attempt.desc(), rows.state.desc()])
    last = rows.mutate(place=ibis.row_number().over(window))
    return last.filter(last.place == 0)


def next_states(
    known: Iterable[Alert], breaches: Iterable[Breach], *, now: datetime, complete: Collection[str] = ()
) -> list[Alert]:
    """Return the alerts whose state changes: opened by a breach, resolved where it is fine. Pure.

    What is unknown, or no longer looked at, stays as it is; a breach that goes on is told once. Regressions are looked
    for everywhere, so by the rules in `complete` one that is not named any more is over.
    """
    opened = {alert.key: alert for alert in known if alert.state == "open"}
    breaches = list(breaches)
    named = {(breach.rule, breach.subject) for breach in breaches}
    over = [alert for alert in opened.values() if alert.metric == "regression" and alert.key not in named]
    changed = [_resolve(alert, _gone(alert), now) for alert in over if alert.rule in complete]
    for breach in breaches:
        key = (breach.rule, breach.subject)
        before = opened.get(key)
        if breach.status == "breach" and before is None:
            changed.append(_open(breach, now))
        elif breach.status == "fine" and before is not None:
            changed.append(_resolve(before, breach, now))
    return changed


def orphans(known: Iterable[Alert], rules: Iterable[str], *, now: datetime) -> list[Alert]:
    """Return alerts of rules that are no longer configured, resolved and told to nobody."""
    names = set(rules)
    return [
        replace(
            alert, state="resolved", resolved_at=now, ts=now, message="the rule was removed", attempt=0, delivered=(),
            undelivered=(),
        )
        for alert in known
        if alert.state == "open" and alert.rule not in names
    ]  # fmt: skip


def keep(lake: Lake, changed: Iterable[Alert]) -> None:
    """Write states; the same state written twice is one row."""
    rows = [_row(alert) for alert in changed]
    if rows:
        lake.commit("alerts", pa.Table.from_pylist(rows, schema=TABLES["alerts"]))


def _open(breach: Breach, now: datetime) -> Alert:
    return Alert(
        alert_id=f"{breach.rule}/{breach.subject}/{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}",
        rule=breach.rule,
        metric=breach.metric,
        subject=breach.subject,
        state="open",
        opened_at=now,
        resolved_at=None,
        ts=now,
        value=breach.value,
        threshold=breach.threshold,
        message=breach.message,
        evidence=breach.evidence,
    )


def _gone(alert: Alert) -> Breach:
    message = f"over: {alert.message}"
    return Breach(
        alert.rule, alert.metric, alert.subject, "fine", alert.value, alert.threshold, message, alert.evidence
    )


def _resolve(before: Alert, breach: Breach, now: datetime) -> Alert:
    return replace(
        before,
        state="resolved",
        resolved_at=now,
        ts=now,
        value=breach.value,
        threshold=breach.threshold,
        message=breach.message,
        evidence=breach.evidence,
        attempt=0,
        delivered=(),
        undelivered=before.delivered,  # who never heard of it needs no all-clear
    )


def _row(alert: Alert) -> dict[str, Any]:
    row = {name: getattr(alert, name) for name in Alert.__slots__ if name != "evidence"}
    return {
        **row,
        "date": alert.ts.astimezone(UTC).date(),
        "row_id": f"{alert.alert_id}/{alert.state}/{alert.attempt}",
        "evidence_json": json.dumps(dict(alert.evidence), ensure_ascii=False, default=_plain),
        "delivered": ",".join(alert.delivered),
        "undelivered": ",".join(alert.undelivered),
    }


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _alert(row: dict[str, Any]) -> Alert:
    told: dict[str, Any] = {name: row[name] for name in Alert.__slots__ if name != "evidence"}
    for name in ("delivered", "undelivered"):
        told[name] = tuple(part for part in (row[name] or "").split(",") if part)
    return Alert(**told, evidence=json.loads(row["evidence_json"] or "{}"))
