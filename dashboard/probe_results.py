"""What probes found: the verdicts of the newest run with their evidence, and the history."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from core.errors import FixSettings
from dashboard import components, data, filters, ink, probe_charts
from dashboard import format as fmt
from dashboard.components import Column
from dashboard.i18n import catalogue, known, language, t

Row = Mapping[str, Any]
_BOXES = {
    "passed": (st.success, ":material/check_circle:"),
    "failed": (st.error, ":material/cancel:"),
    "inconclusive": (st.warning, ":material/help:"),
    "not_run": (st.info, ":material/do_not_disturb_on:"),
}
_SHOWN = 200
_LONG = ("change", "diagnosis")
_RUNG = re.compile(r"(5m|1h) after (\d+) s")  # as core.probe.experiments.ttl names one
_LEFT_OUT = ("diagnosis_expected", "diagnosis_missed_tokens", "model")  # a table must fit; they stay in the record


def latest(run: Row) -> None:
    """Show the newest run: how many experiments passed, what was spent, and every verdict with its evidence."""
    with components.section("probe.latest"):
        _totals(run)
        for result in run["results"]:
            _verdict(result)


def _totals(run: Row) -> None:
    lang = language()
    exact = all(result["spent_exact"] for result in run["results"])
    spent = fmt.money(run["spent_usd"])
    with st.grid(3, gap="small", key="probe_totals"):
        whole = f"{run['passed']} / {run['experiments']}"
        components.fact(t("probe.passed"), whole, known(lang, f"probe.by.{run['started_by']}", ""))
        budget = t("probe.spent.of", budget=fmt.money(run["budget_usd"]), n=fmt.count(run["requests"]))
        shown = spent if exact else t("probe.at_most", spent=spent)
        components.fact(t("probe.spent"), shown, fmt.dollars_in_markdown(budget))
        ago = fmt.relative(run["finished_at"], datetime.now(UTC), lang)
        components.fact(t("probe.when"), ago, fmt.moment(run["finished_at"], filters.zone()))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if run["simulated"]:
            st.badge(t("probe.simulated.badge"), icon=":material/science:", color="violet", help=t("probe.simulated"))
        where = run["base_url"] or t(f"probe.owner.{run['provider']}")
        st.caption(fmt.markdown_safe(f"{fmt.plain(run['model'], lang)} · {where}"))


def _verdict(result: Row) -> None:
    box, icon = _BOXES.get(result["verdict"], _BOXES["not_run"])
    verdict = known(language(), f"probe.verdict.{result['verdict']}", str(result["verdict"]))
    title = f"{t('probe.exp.' + result['experiment'] + '.title')} · {verdict}"
    if result["error_code"] is None:
        box(fmt.dollars_in_markdown(told(result)), title=title, icon=icon)
    else:
        message = result["error_message"] or ""
        about = () if result["evidence"] else (message,)  # the figures of its sentence stand below
        error = FixSettings(message, code=result["error_code"], about=about)
        box(components.explained(error), title=f"{title} · {error.code}", icon=icon)
    if result["evidence"]:
        with st.expander(t("probe.evidence"), icon=":material/fact_check:"):
            _evidence(result["experiment"], result["evidence"])


def told(result: Row) -> str:
    """Say in the viewer's language what was measured; the stored sentence where a figure is missing."""
    words = catalogue(language()).get(f"probe.found.{result['experiment']}")
    values = {name: shown(name, value) for name, value in result["evidence"].items()}
    try:
        return words.format(**values) if words else fmt.markdown_safe(result["summary"])
    except KeyError:
        return fmt.markdown_safe(result["summary"])


def _evidence(experiment: str, evidence: Row) -> None:
    """List the figures, then the log lines as they are, then each list of rows as a table of its own."""
    lang = language()
    plain = {name: value for name, value in evidence.items() if name != "lines" and not _is_rows(value)}
    rows = [{"figure": known(lang, f"probe.ev.{name}", name), "value": shown(name, plain[name])} for name in plain]
    components.table(
        rows,
        [Column("figure", "text", "probe.col.figure"), Column("value", "text", "probe.col.value")],
        key=f"probe_evidence_{experiment}",
        alt=t("probe.evidence"),
    )
    if evidence.get("lines"):
        st.code("\n".join(evidence["lines"]), language=None)
    for name, value in evidence.items():
        if _is_rows(value):
            components.table(
                [{key: shown(key, item) for key, item in row.items()} for row in value],
                [
                    Column(key, "text" if key in _LONG else "word", f"probe.ev.{key}")
                    for key in value[0]
                    if key not in _LEFT_OUT
                ],
                key=f"probe_evidence_{experiment}_{name}",
                alt=known(lang, f"probe.ev.{name}", name),
            )


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def shown(name: str, value: Any) -> str:
    """Return one figure of the evidence as text, in the unit that its name ends with."""
    lang = language()
    if value is None:
        return fmt.UNKNOWN
    if isinstance(value, bool):
        return t("yes" if value else "no")
    if isinstance(value, list):
        return ", ".join(shown(name, item) for item in value) or fmt.UNKNOWN
    if name.endswith("_usd"):
        return fmt.money(value)
    if name.endswith("_ms"):
        return fmt.duration_ms(value, lang)
    if isinstance(value, int):
        return fmt.count(value)
    if rung := _RUNG.fullmatch(str(value)):
        return t("probe.rung", ttl=rung[1], s=rung[2])
    return known(lang, f"probe.value.{value}", fmt.plain(value, lang))


def history(rows: Sequence[Row]) -> None:
    """Show the probes that were made: a mark for each verdict over time, and the list."""
    with components.section("probe.history", rows=rows):
        if not rows:
            components.unknown("probe.history.none")
            return
        look = ink.Look(language(), filters.zone(), "hour")
        components.chart(probe_charts.verdicts(rows, look), key="probe_history_chart")
        lang = language()
        components.table(
            [
                {
                    **row,
                    "title": t(f"probe.exp.{row['experiment']}"),
                    "ended": known(lang, f"probe.verdict.{row['verdict']}", row["verdict"]),
                    "by": known(lang, f"probe.by.{row['started_by']}", row["started_by"]),
                    "code": row["error_code"] or fmt.UNKNOWN,
                    "made_up": t("probe.simulated.badge") if row["simulated"] else fmt.UNKNOWN,
                }
                for row in rows[:_SHOWN]
            ],
            [
                Column("ts", "moment", "col.when"),
                Column("title", "text", "probe.col.experiment"),
                Column("ended", "word", "probe.col.verdict"),
                Column("code", "word", "caches.col.error_code"),
                Column("model", "text", "col.model"),
                Column("made_up", "word", "probe.col.simulated"),
                Column("requests", "count", "probe.col.requests"),
                Column("spent_usd", "money", "probe.spent"),
                Column("by", "word", "probe.col.by"),
            ],
            key="probe_history_table",
            alt=t("probe.history.title"),
        )


def show() -> None:
    """Show the newest run, if there is one, and the history."""
    newest = data.latest_probe()
    if newest is not None:
        latest(newest)
    history(data.probe_history())
