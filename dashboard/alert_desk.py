"""Alerts on the Actions page: what is open now and what was over lately, by the rules of cachewise.toml."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from core.alerts import Alert
from dashboard import components, data
from dashboard import format as fmt
from dashboard.components import Column
from dashboard.i18n import Language, known, language, t, translate

LATELY = timedelta(days=7)
"""How long an alert that is over stays in the list."""
_COLUMNS = (
    Column("state_text", "word", "alerts.col.state"),
    Column("what", "word", "alerts.col.what"),
    Column("about", "wide", "alerts.col.about"),
    Column("seen", "word", "alerts.col.seen"),
    Column("limit", "word", "alerts.col.limit"),
    Column("opened_at", "moment", "alerts.col.opened"),
    Column("resolved_at", "moment", "alerts.col.resolved"),
    Column("told", "word", "alerts.col.told"),
    Column("untold", "word", "alerts.col.untold"),
    Column("rule", "word", "alerts.col.rule"),
)


def section(found: Sequence[Alert]) -> None:
    """Draw the alerts, open ones first; where there is none, say whether anything watches."""
    lang = language()
    shown = rows(found, lang, now=datetime.now(UTC))
    with components.section("alerts", rows=shown):
        if shown:
            components.table(shown, _COLUMNS, key="alerts", alt=t("alerts.title"))
        elif not data.configuration().alerts.rules:
            components.unknown("alerts.no_rules")
        else:
            st.success(t("alerts.none"), icon=":material/check_circle:")


def any_open(found: Sequence[Alert]) -> bool:
    """Say whether any alert is open."""
    return any(alert.state == "open" for alert in found)


def rows(found: Sequence[Alert], lang: Language, *, now: datetime) -> list[dict[str, Any]]:
    """Return one row for each open alert and each that was resolved lately, in words and as the table keeps it."""
    return [
        {
            "state": alert.state,
            "state_text": translate(lang, f"alerts.state.{alert.state}"),
            "metric": alert.metric,
            "what": known(lang, f"alerts.metric.{alert.metric}", alert.metric),
            "subject": alert.subject,
            "about": translate(lang, "alerts.all") if alert.subject == "all" else fmt.plain(alert.subject, lang),
            "value": alert.value,
            "seen": _shown(alert.metric, alert.value, lang),
            "threshold": alert.threshold,
            "limit": _shown(alert.metric, alert.threshold, lang),
            "opened_at": alert.opened_at,
            "resolved_at": alert.resolved_at,
            "told": ", ".join(alert.delivered) or fmt.UNKNOWN,
            "untold": ", ".join(alert.undelivered) or fmt.UNKNOWN,
            "rule": alert.rule,
            "message": alert.message,
        }
        for alert in found
        if alert.resolved_at is None or now - alert.resolved_at <= LATELY
    ]


def _shown(metric: str, value: float | None, lang: Language) -> str:
    """Return a value or a limit in the unit of its metric."""
    if value is None:
        return fmt.UNKNOWN
    if metric in ("cost", "cost_per_request"):
        return fmt.money(value)
    if metric == "regression":
        return translate(lang, "alerts.a_day", usd=fmt.money(value))
    if metric == "source_behind":
        return fmt.duration_ms(value * 1000, lang)
    if metric == "probe_failed":
        return fmt.count(value)
    return fmt.percent(value)
