"""The part of the Reports page about scheduled reports: what is configured, and what arrived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core.report_settings import ReportRule
from dashboard import components
from dashboard import format as fmt
from dashboard.components import Column
from dashboard.i18n import language, t, translate


def show(rules: Sequence[ReportRule], arrived: Sequence[Mapping[str, Any]]) -> None:
    """Show both; where nothing is configured, the command and the settings that would."""
    with components.section("reports.schedule"):
        if rules:
            components.table(
                _configured(rules, arrived),
                [
                    Column("name", "text", "reports.col.name"),
                    Column("schedule", "word", "reports.col.schedule"),
                    Column("destination", "text", "reports.col.destination"),
                    Column("formats", "text", "reports.col.formats"),
                    Column("zone", "text", "reports.col.zone"),
                    Column("last", "moment", "reports.col.last_delivery"),
                ],
                key="reports_configured",
                alt=t("reports.schedule.title"),
            )
        else:
            st.caption(t("reports.schedule.none"))
            st.code(
                "cachewise report --schedule weekly --to /srv/reports --format xlsx", language="bash", wrap_lines=True
            )
    if not arrived:
        return
    with components.section("reports.deliveries", rows=arrived):
        components.table(
            [{**row, "schedule": _schedule(row["schedule"]), "files": row["files"] or fmt.UNKNOWN} for row in arrived],
            [
                Column("ts", "moment", "col.when"),
                Column("report", "word", "reports.col.name"),
                Column("schedule", "word", "reports.col.schedule"),
                Column("period_start", "moment", "col.from"),
                Column("destination", "text", "reports.col.destination"),
                Column("files", "text", "reports.col.files"),
            ],
            key="reports_deliveries",
            alt=t("reports.deliveries.title"),
        )


def _configured(rules: Sequence[ReportRule], arrived: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    last: dict[str, Any] = {}
    for row in arrived:
        last.setdefault(row["report"], row["ts"])  # the newest comes first
    return [
        {
            "name": rule.name,
            "schedule": _schedule(rule.schedule),
            "destination": rule.to.shown,
            "formats": ", ".join(rule.formats) if rule.to.kind != "webhook" else t("reports.summary_only"),
            "zone": rule.zone,
            "last": last.get(rule.name),
        }
        for rule in rules
    ]


def _schedule(name: str) -> str:
    return translate(language(), f"reports.every.{name}")
