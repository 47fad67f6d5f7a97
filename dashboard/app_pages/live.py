"""Live: calls as they arrive, newest on top; it refreshes by itself and holds still while somebody reads a row."""

from typing import Any

import streamlit as st

from core.errors import CachewiseError
from dashboard import call_rows, components, data, drill, filters, miss_words
from dashboard import format as fmt
from dashboard.i18n import language, t

NEWEST = (50, 200, 500)

components.open_page(everything=True)
with st.container(horizontal=True, vertical_alignment="center"):
    paused = st.toggle(t("live.pause"), key="live_paused", help=t("live.pause.help"))
    newest = st.segmented_control(t("live.newest"), NEWEST, default=NEWEST[0], required=True, key="live_newest")


@st.fragment(run_every=None if paused else "5s")
def tail() -> None:
    """Draw the newest calls; what was picked stays where it is until it is let go."""
    lang, held = language(), st.session_state.get("live_rows") or []
    picked = [n for n in _picked() if n < len(held)]
    try:
        if not (picked or (paused and held)):
            view = filters.current(None)
            judged = {name: told["cause"] for name, told in data.recent_causes().items()}
            calls = data.latest_calls(view.scope(), newest or NEWEST[0])
            since = data.recent_since()
            words = [call_rows.cause_words(call, judged, since, lang) for call in calls]
            seen = {row["call_id"] for row in held}
            held = [call_rows.row(call, word, lang) for call, word in zip(calls, words, strict=True)]
            fresh = sum(row["call_id"] not in seen for row in held) if seen else 0
            st.session_state["live_rows"], st.session_state["live_fresh"] = held, fresh
    except CachewiseError as error:
        components.problem(error, t("failed.title"))
        return
    if not held:
        st.info(t("live.none"), icon=":material/hourglass_top:")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        state = "live.held" if picked else "live.paused" if paused else "live.running"
        icon = ":material/play_arrow:" if state == "live.running" else ":material/pause:"
        st.badge(t(state), icon=icon, color="green" if state == "live.running" else "orange")
        st.caption(t("live.fresh", n=fmt.count(st.session_state.get("live_fresh", 0)), all=fmt.count(len(held))))
    columns = [column for column in call_rows.COLUMNS if column.name in call_rows.LIVE]
    rows = components.table(held, columns, key="live_table", alt=t("page.live.title"), pick=True, tall=True)
    if rows:
        detail(held[rows[0]])


def _picked() -> list[int]:
    state = st.session_state.get("live_table")
    return list(state["selection"]["rows"]) if state else []


def detail(row: dict[str, Any]) -> None:
    """Say what is known of one call, and lead to its like."""
    lang = language()
    judged = data.recent_causes().get(row["call_id"])
    with st.container(border=True, gap="xsmall"):
        said = (fmt.clock(row["ts"], filters.zone()), miss_words.engine(row["engine"], lang), row["cause"])
        st.markdown(t("live.detail", at=said[0], engine=said[1], cause=said[2]))
        if judged and judged["cause"]:
            told = miss_words.of_call(judged, lang)
            words = {name: told[name] for name in ("evidence", "confidence", "gap", "ttl", "detail")}
            missed = {"tokens": fmt.tokens(told["tokens"], lang), "usd": fmt.money(told["usd"])}
            st.caption(fmt.dollars_in_markdown(t("live.evidence", **words, **missed)))
            st.caption(t(f"meaning.{judged['cause']}"))
        st.caption(t("live.id", id=fmt.markdown_safe(row["call_id"])))
        drill.offer(filters.current(None), key="live", by="engine", value=row["engine"])
        st.page_link("app_pages/misses.py", label=t("page.misses.title"), icon=":material/query_stats:")


tail()
