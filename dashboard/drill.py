"""From a figure to its calls: a point of a chart or a row of a table is picked, and its calls are one click away.

The chart that is clicked never depends on its own selection, and what it leads to stands in the same fragment.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from core.metrics.leading import others
from core.metrics.scope import NONE
from dashboard import components, filters, ink, miss_words
from dashboard import format as fmt
from dashboard.call_choice import asked
from dashboard.components import Column, Rows
from dashboard.i18n import language, t

CALLS = "app_pages/calls.py"
FILTER_OF = {
    "engine": "engine", "model": "model", "provider": "provider", "function_version": "version", "tenant": "tenant",
}  # fmt: skip
"""The filter that each dimension of a breakdown is chosen by."""


@st.fragment
def chart(drawn: ink.Chart, view: filters.View, *, key: str, by: str | None = None, **choices: str) -> None:
    """Draw a chart whose points lead to their calls; `by` names what its groups are: a filter's, or "cause"."""
    ink.clickable(drawn.figure)
    event = st.plotly_chart(
        drawn.figure,
        key=key,
        config=components.CHART_CONFIG,
        alt=drawn.alt,
        on_select="rerun",
        selection_mode="points",
    )
    point = next((item for item in event["selection"]["points"] if item.get("customdata")), None)
    if point is None:
        st.caption(t("drill.hint"))
        return
    bucket, value = point["customdata"][:2]
    start = datetime.fromisoformat(bucket) if bucket else None
    offer(view, key=key, by=by, value=value, start=start, **choices)


@st.fragment
def table(
    rows: Rows, columns: Sequence[Column], view: filters.View, *, key: str, alt: str, by: str, **choices: str
) -> None:
    """Draw a table whose rows lead to their calls; `by` is the column that names them."""
    picked = components.table(rows, columns, key=key, alt=alt, pick=True)
    value = rows[picked[0]][by] if picked else None
    if picked and others(value) is not None:
        st.caption(t("drill.others"))
    elif picked:
        offer(view, key=key, by=by, value=NONE if by == "tenant" and value is None else value, **choices)
    else:
        st.caption(t("drill.hint.row"))


def offer(
    view: filters.View, *, key: str, by: str | None = None, value: Any = None, start: datetime | None = None,
    **choices: str,
) -> None:  # fmt: skip
    """Say what was picked, and lead to its calls or keep only it on every page."""
    end = filters.bucket_end(start, view) if start else None
    named = [fmt.moment(start, view.zone)] if start else []
    if by and value is not None:
        named.insert(0, miss_words.cause(value, language()) if by == "cause" else fmt.member(by, value, language()))
        choices |= {"cause": value} if by == "cause" else {}
    with st.container(horizontal=True, vertical_alignment="center", key=f"drill_{key}"):
        st.markdown(t("drill.picked", what=fmt.markdown_safe(" · ".join(named) or fmt.UNKNOWN)), width="content")
        narrow = (FILTER_OF[by], str(value)) if by in FILTER_OF and value is not None else None
        if st.button(
            t("drill.see"), key=f"see_{key}", icon=":material/list:", type="primary", on_click=_keep, args=(narrow,)
        ):
            st.switch_page(CALLS, query_params=asked(start=start, end=end, **choices))
        if narrow and st.button(
            t("drill.keep"), key=f"keep_{key}", icon=":material/filter_alt:", help=t("drill.keep.help"),
            on_click=_keep, args=(narrow,),
        ):  # fmt: skip
            st.rerun(scope="app")


def link(label: str, *, icon: str = ":material/list:", **choices: str) -> None:
    """Link to calls of what is looked at."""
    st.page_link(CALLS, label=label, icon=icon, query_params=asked(**choices))


def _keep(narrow: tuple[str, str] | None) -> None:
    """Choose one value of a filter. A callback: widgets may be set before they are drawn only."""
    if narrow is not None:
        st.session_state[narrow[0]] = [narrow[1]]
