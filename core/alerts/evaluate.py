"""What every rule says right now, about every subject: breach, fine, or unknown. Writes nothing, sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from core import probe, regressions
from core.alert_settings import AlertRule, AlertSettings
from core.alerts.budget import forecast
from core.alerts.measured import measured, usual
from core.metrics import freshness
from core.metrics.scope import Scope
from core.regressions import Regression
from core.store.query import Reader

Status = Literal["breach", "fine", "unknown"]
ALL = "all"
PROBE_FORGOTTEN = timedelta(days=2)
"""A probe older than this says nothing about now."""
REGRESSION_DAYS = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Breach:
    """What one rule says about one subject; `unknown` changes nothing of what was said before."""

    rule: str
    metric: str
    subject: str
    status: Status
    value: float | None = None
    threshold: float | None = None
    message: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Question:
    reader: Reader
    settings: AlertSettings
    now: datetime
    zone: str
    sources: Sequence[str]
    found: Callable[[], Sequence[Regression]]


def evaluate(
    reader: Reader, settings: AlertSettings, *, now: datetime, zone: str | None = None, sources: Sequence[str] = ()
) -> list[Breach]:
    """Return what each rule says at `now`. `zone` makes the seasons of regressions; the budget's if left out.

    `sources` are those configured: one that was never read is behind too.
    """
    place = zone or (settings.budget.zone if settings.budget else "UTC")
    cache: list[list[Regression]] = []

    def found() -> Sequence[Regression]:
        """Find regressions once for all rules."""
        if not cache:
            scope = Scope(start=now - REGRESSION_DAYS)
            cache.append(regressions.find(reader, scope, now=now, zone=place))
        return cache[0]

    question = _Question(reader, settings, now, place, sources, found)
    return [breach for rule in settings.rules for breach in _judge(rule, question)]


def _judge(rule: AlertRule, question: _Question) -> list[Breach]:
    match rule.metric:
        case "budget":
            return [_budget(rule, question)]
        case "source_behind":
            return _sources(rule, question)
        case "probe_failed":
            return [_probe(rule, question)]
        case "regression":
            return _regressions(rule, question)
        case _:
            return _measured(rule, question)


def _measured(rule: AlertRule, question: _Question) -> list[Breach]:
    """Hold a metric of the window against its limit, engine by engine or all together."""
    start = question.now - timedelta(seconds=rule.window_s)
    scope = Scope(start=start, end=question.now, engines=rule.engines)
    found = measured(question.reader, scope, rule.metric, together=rule.together)
    limits: Mapping[str, float | None] = {}
    if rule.baseline is not None:
        limits = usual(question.reader, scope, rule.metric, together=rule.together, zone=question.zone)
    breaches = []
    for subject, (value, count) in sorted(found.items()):
        lower = rule.below is not None or (rule.baseline is not None and rule.metric.endswith("hit_rate"))
        limit = _limit(rule, limits.get(subject), lower=lower)
        if value is None or limit is None or count < rule.least_calls:
            breaches.append(Breach(rule.name, rule.metric, subject, "unknown", value, limit))
            continue
        wrong = value < limit if lower else value > limit
        message = _sentence(rule, subject, value, limit, count, lower=lower)
        evidence = {"from": start, "to": question.now, "count": count, "usual": limits.get(subject)}
        status: Status = "breach" if wrong else "fine"
        breaches.append(Breach(rule.name, rule.metric, subject, status, value, limit, message, evidence))
    return breaches


def _limit(rule: AlertRule, usual_value: float | None, *, lower: bool) -> float | None:
    if rule.baseline is None:
        given = rule.below if rule.below is not None else rule.above
        return None if given is None else float(given)
    if usual_value is None:
        return None
    return usual_value * float(1 - rule.baseline if lower else 1 + rule.baseline)


def _sentence(rule: AlertRule, subject: str, value: float, limit: float, count: int, *, lower: bool) -> str:
    name = rule.metric.replace("_", " ")
    side = "below" if lower else "above"
    basis = "a limit drawn from its own baseline" if rule.baseline is not None else "the limit"
    over = f"over the last {_span(rule.window_s)} ({count:,} calls)"
    return f"{subject}: {name} {_shown(rule.metric, value)} is {side} {basis} {_shown(rule.metric, limit)} {over}"


def _budget(rule: AlertRule, question: _Question) -> Breach:
    """Warn when the month is expected to cost more than `above` × the budget (1, if not given), or has already."""
    told = forecast(question.reader, question.settings.budget, now=question.now)
    limit = float(rule.above) if rule.above is not None else 1.0
    share = max((s for s in (told.spent_share, told.expected_share) if s is not None), default=None)
    if share is None or told.budget_usd is None:
        return Breach(rule.name, rule.metric, ALL, "unknown")
    spent = f"${told.spent_usd:,.2f} of ${told.budget_usd:,.2f} spent in {told.month}"
    if told.by_defaults_usd:
        spent += f" (${told.by_defaults_usd:,.2f} of it by the defaults of sources whose lines tell no model or TTL)"
    expected = (
        f", ${told.expected_usd:,.2f} expected at its end (90 %: ${told.low_usd:,.2f} to ${told.high_usd:,.2f})"
        if told.expected_usd is not None
        else ""
    )
    evidence = told.to_json()
    status: Status = "breach" if share > limit else "fine"
    return Breach(rule.name, rule.metric, ALL, status, share, limit, f"budget: {spent}{expected}", evidence)


def _sources(rule: AlertRule, question: _Question) -> list[Breach]:
    """Warn when a source's data is complete only up to a moment longer ago than the window.

    Where sources are configured, only those count: nobody waits for a file that was read once.
    """
    rows = freshness(question.reader, now=question.now)
    never = sorted({*question.sources} - {row["source"] for row in rows})
    breaches = [
        Breach(rule.name, rule.metric, name, "breach", None, rule.window_s, f"source {name} has never been read")
        for name in never
    ]
    for row in rows:
        if question.sources and row["source"] not in question.sources:  # read once from a path, or removed since
            message = f"source {row['source']} is not configured any more"
            breaches.append(Breach(rule.name, rule.metric, row["source"], "fine", message=message))
            continue
        reached = row["complete_until"] or row["read_until"]
        if reached is None:
            reached = row["last_pass_at"]
        behind_s = max(0.0, (question.now - reached).total_seconds())
        failed = row["status"] == "failed"
        wrong = behind_s > rule.window_s
        reason = f" ({row['error_code']})" if failed and row["error_code"] else ""
        message = (
            f"source {row['source']} is {_span(behind_s)} behind{reason}"
            if wrong
            else f"source {row['source']} is up to date"
        )
        evidence = {"complete_until": reached, "status": row["status"], "error_code": row["error_code"]}
        status: Status = "breach" if wrong else "fine"
        breaches.append(
            Breach(rule.name, rule.metric, row["source"], status, behind_s, rule.window_s, message, evidence)
        )
    return breaches


def _probe(rule: AlertRule, question: _Question) -> Breach:
    latest = probe.latest_run(question.reader)
    if latest is None or question.now - latest["finished_at"] > PROBE_FORGOTTEN:
        return Breach(rule.name, rule.metric, ALL, "unknown")
    failed = sorted(row["experiment"] for row in latest["results"] if row["verdict"] == "failed")
    verdicts = f"{latest['passed']} of {latest['experiments']} experiments passed"
    message = f"probe of {latest['model']}: {verdicts}" + (f"; failed: {', '.join(failed)}" if failed else "")
    if latest["error_code"]:
        message += f" ({latest['error_code']})"
    evidence = {"run_id": latest["run_id"], "failed": failed, "at": latest["ts"]}
    status: Status = "breach" if failed else "fine" if latest["verdict"] == "passed" else "unknown"
    return Breach(rule.name, rule.metric, ALL, status, float(len(failed)), 0.0, message, evidence)


def _regressions(rule: AlertRule, question: _Question) -> list[Breach]:
    """Tell every open regression; `above` leaves out those that lose less a day. One that is over is not named."""
    limit = float(rule.above) if rule.above is not None else None
    breaches = []
    for item in question.found():
        a_day = item.lost_usd_per_day
        too_small = rule.above is not None and (a_day is None or a_day <= rule.above)
        if not item.open or too_small or (rule.engines and item.engine not in rule.engines):
            continue
        place = "/".join(str(part or "-") for part in (item.source, item.engine, item.model))
        subject = f"{place}: {item.likely_cause.label}"  # its start may yet be dated anew, so it names nothing
        evidence = {
            "since": item.started_at,
            "cause": item.likely_cause.label,
            "confidence": item.confidence,
            "lost_usd": item.lost_usd,
            "metric": item.metric,
            "before": item.before,
            "after": item.after,
        }
        value = None if a_day is None else float(a_day)  # in the limit's unit
        breaches.append(Breach(rule.name, rule.metric, subject, "breach", value, limit, item.sentence(), evidence))
    return breaches


def _shown(metric: str, value: float) -> str:
    if metric.startswith("cost"):
        return f"${Decimal(repr(value)):,.6f}" if metric == "cost_per_request" else f"${value:,.2f}"
    return f"{value:.1%}"


def _span(seconds: float) -> str:
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = round(seconds / size, 1 if seconds < 10 * size and seconds % size else 0)
            return f"{count:g} {name}{'' if count == 1 else 's'}"
    return f"{seconds:.0f} seconds"


def utc(moment: datetime) -> str:
    """Return a moment for a message."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
