"""What every page is put together from: head, key figures, sections, charts, tables, and the empty and failed states.

Text that came out of a log is escaped here before Streamlit may read it as Markdown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import streamlit as st

from core.metrics.scope import Scope
from dashboard import data, filters, ink, kpis
from dashboard import format as fmt
from dashboard.download import csv_bytes, for_viewers
from dashboard.i18n import language, t
from dashboard.key_figures import compared, kpi_cards, kpi_strip, show_card
from dashboard.page_head import clear_button, failing_sources, header, marks, sources
from dashboard.states import backlog, empty, explained, failed, open_page, problem
from dashboard.tables import Column, Row, Rows, table

CHART_CONFIG = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
    "responsive": True,
}
__all__ = [
    "CHART_CONFIG",
    "Column",
    "Rows",
    "backlog",
    "before",
    "chart",
    "clear_button",
    "empty",
    "explained",
    "fact",
    "failed",
    "failing_sources",
    "header",
    "judged",
    "kpi_cards",
    "kpi_strip",
    "look",
    "marks",
    "open_page",
    "problem",
    "section",
    "show_card",
    "sources",
    "table",
    "unknown",
]


def before(ask: Callable[..., Any], view: filters.View) -> ink.Before | None:
    """Return the compared range's rows over time, laid under those of the view; `ask` is one of data's series."""
    other = view.compared()
    start = view.start or view.first_ts
    if other is None or other.start is None or start is None:
        return None
    rows = ask(other.scope(), bucket=view.bucket, zone=view.zone).to_pylist()
    told = [{**row, "bucket": _laid_on(row["bucket"], other.start, start, view), "was": row["bucket"]} for row in rows]
    inside = [row for row in told if row["bucket"] < view.end]
    return ink.Before(compared(view), tuple(inside)) if inside else None


def _laid_on(bucket: datetime, old: datetime, new: datetime, view: filters.View) -> datetime:
    """Return where a bucket lies when its range begins at `new` instead of `old`: days lie on days, from midnight."""
    if view.bucket != "day":
        return bucket + (new - old)
    since = filters.on_clock(bucket, view.zone) - filters.on_clock(old, view.zone)
    return filters.from_clock(filters.on_clock(new, view.zone) + since, view.zone)


def fact(label: str, value: str, note: str = "", *, tip: str | None = None) -> None:
    """Draw one figure that is no metric of the catalogue; `note` and `tip`, in Markdown, say what it is made of."""
    with st.container(border=True, height="stretch", gap="xxsmall"):
        st.metric(label, fmt.dollars_in_markdown(value), help=tip)
        st.caption(note or "\u00a0")


@contextmanager
def section(
    name: str, *, rows: Rows | None = None, every: Callable[[], Iterable[Row]] | None = None, metric: str | None = None,
    stretch: bool = True, **words: object,
) -> Iterator[None]:  # fmt: skip
    """Frame a part of a page: heading, what it means, and a CSV of the rows it shows, or of what `every` returns.

    `stretch`: beside another it is as tall as that.
    """
    with st.container(border=True, height="stretch" if stretch else "content"):
        tip = kpis.formula_help(metric, language()) if metric else None
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.subheader(t(f"{name}.title", **words), anchor=False, help=tip, width="content")
            if rows:
                st.download_button(
                    "CSV",
                    data=for_viewers(lambda: csv_bytes(every() if every else rows)),
                    file_name=f"cachewise-{name.replace('.', '-').replace('_', '-')}.csv",
                    mime="text/csv",
                    on_click="ignore",
                    icon=":material/download:",
                    type="tertiary",
                    key=f"csv_{name}",
                    help=t("csv.help"),
                )
        note = t(f"{name}.note", **words)
        if note != f"{name}.note":
            st.caption(fmt.dollars_in_markdown(note))
        yield


def chart(drawn: ink.Chart, *, key: str, on_select: Callable[[], None] | None = None) -> None:
    """Draw a figure with its alternative text; `on_select` is called when a point is picked."""
    if on_select is None:
        st.plotly_chart(drawn.figure, key=key, config=CHART_CONFIG, alt=drawn.alt)
        return
    st.plotly_chart(
        drawn.figure, key=key, config=CHART_CONFIG, alt=drawn.alt, on_select=on_select, selection_mode="points"
    )


def unknown(key: str) -> None:
    """Say in words that something is not known, instead of drawing an empty chart."""
    st.info(t(key), icon=":material/help:")


def judged(view: filters.View) -> Scope:
    """Return the part of the range that is judged call by call; where it is not all of it, say so."""
    found = data.judged(view.scope())
    if found.cut:
        st.info(
            t("judged.since", n=fmt.count(found.at_once), since=fmt.moment(found.scope.start, view.zone)),
            icon=":material/history:",
        )
    return replace(found.scope, end=view.scope().end)


def look(view: filters.View) -> ink.Look:
    """Return how charts are to be drawn for this viewer."""
    return ink.Look(language(), view.zone, view.bucket)
