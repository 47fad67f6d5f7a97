"""What got worse and when: the regressions of the last weeks, looked for when somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.regressions import UNITS, Regression
from core.regressions.model import CLEARED
from dashboard import components, data, filters
from dashboard import format as fmt
from dashboard.components import Column
from dashboard.i18n import Language, known, language, t, translate

if TYPE_CHECKING:
    from core.regressions.model import Metric

_ASKED = "regressions_asked"
_COLUMNS = (
    Column("engine", "word", "col.engine"),
    Column("what", "text", "worse.col.what"),
    Column("was", "word", "worse.col.was"),
    Column("is", "word", "worse.col.is"),
    Column("lost_usd", "money", "worse.col.lost"),
    Column("since", "moment", "worse.col.since"),
    Column("until", "moment", "worse.col.until"),
    Column("why", "sentence", "worse.col.why"),
    Column("known", "word", "col.confidence"),
    Column("model", "text", "col.model"),
)
_MOST_GOING_ON = 3


def section() -> None:
    """Draw the section. A long history takes seconds, so it is looked through at a click, then kept for everybody."""
    told = None
    if st.session_state.get(_ASKED):
        with st.spinner(t("worse.looking")):
            told = rows(data.regressions(filters.zone()), language())
    with components.section("worse", rows=told):
        if told is None:
            st.button(t("worse.look"), icon=":material/trending_down:", key="worse_look", on_click=_ask)
        elif told:
            for row in [row for row in told if row["until"] is None][:_MOST_GOING_ON]:
                st.warning(_going_on(row), icon=":material/trending_down:")
            components.table(told, _COLUMNS, key="worse", alt=t("worse.title"))
        else:
            st.success(t("worse.none"), icon=":material/check_circle:")


def _ask() -> None:
    st.session_state[_ASKED] = True


def rows(found: Sequence[Regression], lang: Language) -> list[dict[str, Any]]:
    """Return one row for each regression in the words of the screen; `until` is None while it goes on."""
    return [
        {
            "engine": item.engine or item.source,
            "model": item.model,
            "what": translate(lang, f"worse.metric.{item.metric}"),
            "was": _shown(item.metric, item.before, lang),
            "is": _shown(item.metric, item.after, lang),
            "since": item.started_at,
            "until": item.ended_at,
            "lost_usd": item.lost_usd,
            "why": _why(item, lang),
            "known": translate(lang, f"confidence.{item.confidence}"),
        }
        for item in found
    ]


def _going_on(row: dict[str, Any]) -> str:
    """Say in a sentence what is worse still, as Markdown: in a table it would be cut off."""
    told = {name: fmt.markdown_safe(str(row[name])) for name in ("what", "was", "why")}
    return t(
        "worse.going_on",
        **told,
        engine=fmt.markdown_safe(fmt.plain(row["engine"], language())),
        now=fmt.markdown_safe(row["is"]),
        since=fmt.moment(row["since"], filters.zone()),
        usd=fmt.dollars_in_markdown(fmt.money(row["lost_usd"])),
    )


def _shown(metric: Metric, value: float, lang: Language) -> str:
    match UNITS[metric]:
        case "ratio":
            return fmt.percent(value)
        case "usd":
            return fmt.money(value)
        case _:
            return fmt.duration_ms(value, lang)


def _why(item: Regression, lang: Language) -> str:
    """Say what was changed, where that is known, and what the calls themselves show."""
    cause = item.likely_cause
    seen = translate(lang, f"worse.seen.{cause.mechanism}") if cause.mechanism else ""
    if cause.kind == "unknown":
        return seen or translate(lang, "worse.cause.unknown")
    label = cause.label
    if cause.kind == "clear":
        engine = label.removeprefix(CLEARED)
        label = known(lang, f"marker.label.{engine}", engine)
    changed = translate(lang, f"worse.cause.{cause.kind}", label=label)
    return f"{changed} · {seen}" if seen else changed
