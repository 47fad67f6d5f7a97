"""What stands in a page's place where it has nothing to show, or something failed."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from core.errors import CachewiseError
from dashboard import data, error_words, filters
from dashboard import format as fmt
from dashboard.i18n import language, t


def open_page(*, everything: bool = False) -> filters.View:
    """Return what is looked at; where there is nothing to show, say why and what to do, and stop the page.

    `everything`: the page shows all data, whatever the filters say.
    """
    view = filters.current(data.options().get("first_ts"))
    view = filters.whole(view) if everything else view
    total = data.summary(view.scope())
    if not any(total.get(name) for name in ("calls", "invocations", "prompt_store_hits", "prompt_store_misses")):
        empty(view)
        st.stop()
    return view


def failed(error: CachewiseError) -> None:
    """Say what failed and what to do, and offer to try again."""
    problem(error, t("failed.title"))
    if st.button(t("failed.retry"), icon=":material/refresh:", key="retry"):
        data.reopen()
        st.rerun()


def problem(error: CachewiseError, title: str) -> None:
    """Show an error: what failed, what to do, and its code."""
    st.error(explained(error), title=f"{title} · {error.code}", icon=":material/error:")


def explained(error: CachewiseError) -> str:
    """Say what failed and what to do, with the code that is also in the log and in docs/errors.md."""
    lang = language()
    lines = [error_words.what(lang, error.code, error.message, error.about)]
    if mend := error_words.mend(lang, error):
        lines.append(f"**{t('failed.mend')}** {mend}")
    lines.append(t("failed.more", code=error.code))
    return "\n\n".join(lines)


def empty(view: filters.View) -> None:
    """Say why there is nothing: no data at all yet, or none in this range and filter."""
    options = data.options()
    last = options.get("last_ts")
    if last is None:
        _waiting()
        return
    if not view.narrowed and backlog() is not None:
        _catching_up(last)
        return
    why = "empty.filtered" if view.narrowed else "empty.range"
    body = t(f"{why}.body", last=fmt.moment(last, filters.zone()))
    st.info(body, title=t(f"{why}.title"), icon=":material/search_off:")
    st.button(t("empty.show_all"), icon=":material/all_inclusive:", on_click=_show_everything, key="show_all")


def backlog() -> datetime | None:
    """Return how far older logs were read while a collector is still at it, else None."""
    reading = [row for row in data.freshness() if row.get("catching_up")]
    return min((row["read_until"] for row in reading if row.get("read_until")), default=None)


@st.fragment(run_every="5s")
def _catching_up(seen: datetime) -> None:
    """Say how far the collector has come, and show the page by itself once there is more to show."""
    at, last = backlog(), data.options().get("last_ts")
    view = filters.current(data.options().get("first_ts"))
    if at is None or (last is not None and last > seen and view.start is not None and last >= view.start):
        st.rerun(scope="app")
    body = t("empty.backlog.body", at=fmt.moment(at, filters.zone()))
    st.info(body, title=t("empty.backlog.title"), icon=":material/hourglass_top:")


def _show_everything() -> None:
    st.session_state["range"] = "all"
    for name in filters.DIMENSIONS:
        st.session_state[name] = []


@st.fragment(run_every="4s")
def _waiting() -> None:
    """Wait for the first rows and show the page by itself once they are there."""
    if data.options().get("last_ts") is not None:
        st.rerun(scope="app")
    name = f"empty.{_why_nothing()}"
    st.info(t(f"{name}.body"), title=t(f"{name}.title"), icon=":material/hourglass_top:")


def _why_nothing() -> str:
    """Return why there is no row at all: read in vain, not readable, not read yet, or nothing to read."""
    rows, settings = data.freshness(), data.configuration()
    if any(row["complete_until"] or row["status"] == "done" for row in rows):
        return "no_calls"
    if rows and all(row["status"] == "failed" for row in rows):
        return "failed"
    return "reading" if rows or settings.sources or settings.demo else "unset"
