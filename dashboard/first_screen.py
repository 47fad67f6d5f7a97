"""What only the first screen has: the answer in one sentence, what is recoverable, why, and what to do first.

The ledger takes longer than a sum: these parts run beside the page, and what is known at once is shown at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import streamlit as st

from core.errors import CachewiseError
from dashboard import action_cards, answer, call_choice, components, data, filters, kpis, miss_charts
from dashboard import format as fmt
from dashboard.i18n import language, t
from dashboard.kpis import Kpi

MOST_ACTIONS = 3
_RECOVERABLE = Kpi("recoverable_usd", "money")
_TONES = {
    "good": (":material/trending_up:", "success"),
    "bad": (":material/trending_down:", "error"),
    "flat": (":material/trending_flat:", "info"),
    "unknown": (":material/help:", "warning"),
}


@st.fragment(run_every="30s", parallel=True)
def answer_and_figures(items: tuple[Kpi, ...]) -> None:
    """Draw the answer and the key figures; the last one, what is recoverable, comes when the ledger is done."""
    try:
        view = filters.current(data.options().get("first_ts"))
        total, cards = components.kpi_cards(items, view)
    except CachewiseError as error:
        components.failed(error)
        return
    box = st.empty()
    text, tone = answer.sentence(total, view.preset, language())
    said = fmt.dollars_in_markdown(text)
    _say(box, said, tone)
    with st.grid(3, gap="small", key="kpis_overview"):
        for card in cards:
            components.show_card(card, view)
        slot = st.container(height="stretch", gap=None)
    try:
        with slot.skeleton():
            found, bounds = data.findings(view.scope()), data.judged(view.scope())
    except CachewiseError as error:
        components.problem(error, t("failed.title"))
        return
    since = fmt.moment(bounds.scope.start, view.zone) if bounds.cut else None
    more = answer.more(found, language(), since=since)
    if more:
        _say(box, f"{said} {more}", tone)
    with slot:
        as_of = data.studied_at(view.scope())
        components.show_card(recoverable_card(found, as_of, since=since), view)


def recoverable_card(found: Mapping[str, Any], as_of: datetime | None = None, *, since: str | None = None) -> kpis.Card:
    """Lay out the figure of what could be had back.

    `as_of` where it is older than the figures beside it; `since` when, where older calls of the range are not judged.
    """
    card = kpis.card(_RECOVERABLE, found, None, [], language())
    missed = found["usd"]
    of = t("over.nothing_missed") if missed is None else t("over.missed_usd", n=fmt.money(missed))
    of += f" · {t('over.since', since=since)}" if since else ""
    of += f" · {t('studied.at', at=fmt.clock(as_of, filters.zone())[:5])}" if as_of else ""
    calls = call_choice.asked(cause=call_choice.RECOVERABLE) if found["recoverable_usd"] else None
    return replace(card, parts=fmt.dollars_in_markdown(of), calls=calls)


def _say(box: Any, text: str, tone: answer.Tone) -> None:
    icon, kind = _TONES[tone]
    getattr(box, kind)(text, icon=icon)


@st.fragment(parallel=True)
def what_to_do(view: filters.View) -> None:
    """Draw the actions that bring back most, side by side."""
    try:
        actions = data.actions(view.scope(), zone=view.zone)
    except CachewiseError as error:
        components.problem(error, t("failed.title"))
        return
    with components.section("overview.actions", rows=actions):
        action_cards.still_to_do(actions, view, most=MOST_ACTIONS, columns=MOST_ACTIONS)
        action_cards.so_far()


@st.fragment(parallel=True)
def why(view: filters.View) -> None:
    """Draw the miss causes by dollars."""
    try:
        causes = data.miss_causes(view.scope())
    except CachewiseError as error:
        components.problem(error, t("failed.title"))
        return
    with components.section("overview.causes", rows=causes):
        components.judged(view)
        if not any(row["usd"] for row in causes):
            components.unknown("misses.none")
        else:
            drawn = miss_charts.causes(causes, components.look(view), height=150 + 34 * len(causes))
            components.chart(drawn, key="overview_causes")
        st.page_link("app_pages/misses.py", label=t("action.link.misses"), icon=":material/query_stats:")
