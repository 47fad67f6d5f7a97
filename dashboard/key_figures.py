"""Key figures: each with its change, its course, and what it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import streamlit as st

from core.errors import CachewiseError
from dashboard import data, filters, kpis, sparks
from dashboard import format as fmt
from dashboard.i18n import language, t
from dashboard.states import failed


def kpi_strip(names: Sequence[kpis.Kpi], *, key: str, columns: int = 3) -> None:
    """Draw key figures with sparkline and change. Only this strip refreshes by itself."""
    _strip(tuple(names), key, columns)


@st.fragment(run_every="30s")
def _strip(items: tuple[kpis.Kpi, ...], key: str, columns: int) -> None:
    try:
        view = filters.current(data.options().get("first_ts"))
        _, cards = kpi_cards(items, view)
    except CachewiseError as error:
        failed(error)
        return
    with st.grid(columns, gap="small", key=f"kpis_{key}"):
        for card in cards:
            show_card(card, view)


def kpi_cards(items: Sequence[kpis.Kpi], view: filters.View) -> tuple[Mapping[str, Any], list[kpis.Card]]:
    """Return the totals of a view, and key figures made of them with change and sparkline."""
    total, earlier = data.summary(view.scope()), view.compared()
    before = data.summary(earlier.scope()) if earlier else None
    times = {source: _over_time(source, view) for source in {item.source for item in items}}
    return total, [kpis.card(item, total, before, times[item.source], language()) for item in items]


def _over_time(source: str, view: filters.View) -> list[dict[str, Any]]:
    """Return what a sparkline is drawn from, without the bucket that is still filling up."""
    ask = {"calls": data.series, "store": data.store_series, "times": data.latency_series}[source]
    rows: list[dict[str, Any]] = ask(view.scope(), bucket=view.bucket, zone=view.zone).to_pylist()
    unfinished = rows and filters.bucket_end(rows[-1]["bucket"], view) > view.end
    return rows[:-1] if unfinished and len(rows) > 3 else rows


def show_card(card: kpis.Card, view: filters.View) -> None:
    """Draw one key figure with what it is made of below it."""
    colours: dict[str | None, Literal["normal", "inverse"]] = {"up": "normal", "down": "inverse"}
    with st.container(border=True, height="stretch", gap="xxsmall"):
        st.metric(
            card.label,
            fmt.dollars_in_markdown(card.value) if card.value else None,
            card.delta,
            delta_color="off" if card.flat else colours.get(card.better, "off"),
            delta_arrow="off" if card.flat else "auto",
            delta_description=compared_with(view) if card.delta is not None else None,
            help=card.help,
        )
        if card.spark:
            st.html(sparks.picture(card.spark, card.spark_words))
        st.caption(card.parts or "\u00a0")
        if card.calls is not None:
            st.page_link(
                "app_pages/calls.py", label=t("drill.calls"), icon=":material/list:", query_params=dict(card.calls)
            )


def compared_with(view: filters.View) -> str:
    """Return what changes are against, in a few words."""
    return t("compare.against", what=compared(view))


def compared(view: filters.View) -> str:
    """Return the name of the range that a view is compared with."""
    if view.compare != "custom" or view.other is None:
        return t(f"range.{view.preset}.before") if view.compare == "previous" else t(f"compare.{view.compare}.before")
    first, after = (moment.astimezone(ZoneInfo(view.zone)).date() for moment in view.other)
    return t("compare.custom.before", first=f"{first:%m-%d}", last=f"{after - timedelta(days=1):%m-%d}")
