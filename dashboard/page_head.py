"""A page's head: title, badges of what holds for the whole page, how fresh the data is, which source fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

import streamlit as st

from core.errors import CachewiseError
from core.settings import Settings
from dashboard import auth, data, error_words, filters, kpis
from dashboard import format as fmt
from dashboard.i18n import language, t

_BEHIND = timedelta(minutes=20)
_SAME_DAY = timedelta(hours=12)
Rows = Sequence[Mapping[str, Any]]


def header(title: str, lead: str) -> None:
    """Draw a page's title and the sentence that says what it answers."""
    st.title(title, anchor=False)
    st.caption(lead)


def marks(settings: Settings) -> None:
    """Draw the line of badges under the title: demo data, endpoints that are not the real ones, freshness."""
    try:
        st.session_state["shown_versions"] = data.versions()
    except CachewiseError:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            _standing(settings)  # demo data are called so whatever the tables are
        raise
    badges(settings)


@st.fragment(run_every="15s")
def badges(settings: Settings) -> None:
    """Say what holds for the whole page and how fresh the data is, and offer newer data.

    All stand in one line that breaks, so that each has the whole width of a phone. Charts are never refreshed under the
    reader's hands.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _standing(settings)
        try:
            if auth.role() is None:  # the sign-in has grown too old while the page stood open
                st.rerun(scope="app")
            rows, now = data.freshness(), datetime.now(UTC)
            begun = data.options().get("last_ts") is not None
            newer = st.session_state.get("shown_versions") not in (None, data.versions())
            opened = data.open_alerts()
        except CachewiseError as error:
            st.badge(f"{t('fresh.failed')} · {error.code}", icon=":material/error:", color="red")
            return
        text, icon, colour = freshness_words(rows, now, begun=begun)
        st.badge(text, icon=icon, color=colour, help=t("fresh.help"))
        if opened:
            said = t("alerts.badge", n=fmt.count(opened))
            st.badge(said, icon=":material/notifications_active:", color="red", help=t("alerts.badge.help"))
        if begun:
            pulse()
        if newer and st.button(t("fresh.newer"), icon=":material/refresh:", type="tertiary", key="newer"):
            st.rerun(scope="app")


def _standing(settings: Settings) -> None:
    if settings.demo:
        st.badge(t("demo.badge"), icon=":material/science:", color="violet", help=t("demo.help"))
    if auth.visitor().state == "open":
        st.badge(t("access.open.badge"), icon=":material/lock_open:", color="orange", help=t("access.open.notice"))
    for name, url in (("AWS", settings.aws_endpoint_url), ("Anthropic", settings.anthropic_base_url)):
        if url:
            host = fmt.markdown_safe(urlsplit(url).netloc.rpartition("@")[2] or "?")
            st.badge(t("endpoint.badge", name=name, host=host), icon=":material/link:", color="orange")


def pulse() -> None:
    """Say how many calls come a minute and what was spent today, beside the freshness they are measured by."""
    told, zone = data.pulse(filters.zone()), filters.zone()
    n, until = f"{told['calls_per_minute']:,.1f}", told["until"]
    lately = datetime.now(UTC) - until < _SAME_DAY  # a time of day alone is taken for today's
    st.badge(
        t("pulse.calls", n=n, until=fmt.clock(until, zone)[:5] if lately else fmt.moment(until, zone)),
        icon=":material/speed:",
        color="gray",
        help=t("pulse.calls.help", start=fmt.moment(told["from"], zone), until=fmt.moment(until, zone)),
    )
    priced, calls = fmt.count(told["priced_calls"]), fmt.count(told["calls"])
    st.badge(
        fmt.dollars_in_markdown(t("pulse.spend", usd=fmt.money(told["cost_usd"]))),
        icon=":material/payments:",
        color="gray",
        help=t("pulse.spend.help", since=fmt.moment(told["since"], zone), priced=priced, calls=calls)
        + kpis.by_defaults_help(told, language()),
    )


def freshness_words(rows: Rows, now: datetime, *, begun: bool) -> tuple[str, str, Any]:
    """Return the badge's text, icon and colour: nothing yet, reading, failed, behind or fresh.

    The worst source speaks. `begun` tells that there are rows although no pass has ended.
    """
    if not rows and not begun:
        return t("fresh.nothing"), ":material/hourglass_empty:", "gray"
    bad = [row for row in rows if row.get("status") == "failed"]
    if bad:
        return t("fresh.source_failed", n=len(bad)), ":material/error:", "red"
    reading = [row for row in rows if row.get("reading")]
    if reading:
        at = min((row["read_until"] for row in reading if row.get("read_until")), default=None)
        text = t("fresh.backlog", at=fmt.moment(at, filters.zone())) if at else t("fresh.reading")
        return text, ":material/sync:", "blue"
    until = [row.get("complete_until") for row in rows]
    if not until or None in until:
        return t("fresh.reading"), ":material/sync:", "blue"
    oldest = min(until)
    ago = fmt.relative(oldest, now, language())
    if now - oldest > _BEHIND:
        return t("fresh.behind", ago=ago, at=fmt.moment(oldest, filters.zone())), ":material/schedule:", "orange"
    return t("fresh.ok", ago=ago), ":material/check_circle:", "green"


def sources() -> None:
    """List every source with its last pass: for the sidebar."""
    now, rows = datetime.now(UTC), data.freshness()
    if not rows:
        st.caption(t("sources.none"))
    for row in rows:
        name = fmt.markdown_safe(fmt.plain(row.get("source"), language()))
        until = row.get("complete_until")
        st.markdown(f"**{name}** · {fmt.relative(until, now, language())}", help=fmt.moment(until, filters.zone()))
        if row.get("error_code"):
            st.caption(f":red[{row['error_code']}] {error_words.of_pass(language(), row)}")


def failing_sources() -> None:
    """Say on every page which source is not read for now, why, and what to do: its figures end where it stopped.

    A full disk is said first: nobody could store there that reading fails.
    """
    left = data.too_little_room()
    if left is not None:
        st.warning(
            t("room.body", mb=f"{left / 1e6:.1f}"), title=f"{t('room.title')} · STO-003", icon=":material/hard_disk:"
        )
    for row in data.freshness():
        if row.get("status") != "failed":
            continue
        lang = language()
        name, until = fmt.markdown_safe(fmt.plain(row.get("source"), lang)), row.get("complete_until")
        parts = [
            error_words.of_pass(lang, row),
            t("source.failed.until", at=fmt.moment(until, filters.zone())) if until else t("source.failed.never"),
        ]
        title = f"{t('source.failed.title', source=name)} · {row['error_code']}"
        st.warning("\n\n".join(part for part in parts if part), title=title, icon=":material/sync_problem:")


def clear_button(key: str = "clear_cache", *, width: Literal["stretch", "content"] = "stretch") -> None:
    """Offer to drop this dashboard's own cached query results, and say which cache that is."""
    if st.button(t("clear.button"), icon=":material/mop:", help=t("clear.help"), width=width, key=key):
        data.forget()
        st.toast(t("clear.done"), icon=":material/check:")
