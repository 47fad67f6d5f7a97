"""Actions as cards: what to do with its dollars, the mark that it was done, and what came of what was promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import streamlit as st

from core import advice, promises
from core.errors import CachewiseError
from core.metrics.scope import Scope
from core.promises import Promise, Realised
from core.promises.marks import OLDEST, key_of
from dashboard import acts, auth, components, data, drawers, filters, miss_words
from dashboard import format as fmt
from dashboard.i18n import language, t

_FAILED = "_mark_failed"
Action = Mapping[str, Any]


def still_to_do(
    actions: Sequence[Action], view: filters.View, *, most: int | None = None, columns: int | None = None
) -> None:
    """Draw the actions that are left to do, dearest first, below each other or in columns.

    An operator may mark each as done.
    """
    recent = advice.recent(view.scope(), zone=view.zone)
    start = recent.start or view.end
    left = promises.still_open(actions, data.promised(), window_start=start)
    refused = st.session_state.pop(_FAILED, None)
    if refused is not None:
        components.problem(refused, t("action.mark.failed"))
    if not left:
        _nothing_left(recent)
    shown = left[:most]
    across = min(columns or 0, len(shown))
    with st.grid(across, gap="small", key="actions_grid") if across else nullcontext():
        for n, action in enumerate(shown, start=1):
            _card(n, action, view, height="stretch" if across else "content")


def _nothing_left(recent: Scope) -> None:
    """Say that nothing is to be done; or that this is not known, as calls are missing or still being read."""
    at = components.backlog()
    if at is not None:
        st.info(t("overview.actions.filling", at=fmt.moment(at, filters.zone())), icon=":material/hourglass_top:")
    elif not data.summary(recent)["calls"]:
        components.unknown("overview.actions.nothing")
    else:
        st.success(t("overview.actions.none"), icon=":material/check_circle:")


def so_far() -> None:
    """Say in a line what the actions marked done promised and brought."""
    done = data.promised()
    if done:
        found = data.realised(done)
        known = [result.month_usd for result in found.values() if result.month_usd is not None]
        text = t(
            "action.so_far",
            n=fmt.count(len(done)),
            promised=fmt.money(sum(promise.month_usd for promise in done)),
            realised=fmt.money(sum(known)) if known else fmt.UNKNOWN,
            known=fmt.count(len(known)),
        )
        st.caption(fmt.dollars_in_markdown(text))
    st.page_link("app_pages/actions.py", label=t("action.link.actions"), icon=":material/checklist:")


def done_card(promise: Promise, found: Realised | None) -> None:
    """Draw an action that was marked done: promised against realised, with the formula and the data so far."""
    engine, deed = named(promise)
    with st.container(border=True, gap="xsmall"):
        st.markdown(t("action.done.head", engine=fmt.markdown_safe(engine), what=deed))
        st.caption(
            t(
                "action.done.by",
                actor=fmt.markdown_safe(fmt.plain(promise.actor, language())),
                at=fmt.moment(promise.done_at, filters.zone()),
            )
        )
        interval = miss_words.interval(promise.low_usd, promise.high_usd, language())
        with st.grid(2, gap="small"):
            components.fact(t("action.promised"), _month(promise.month_usd), fmt.dollars_in_markdown(interval))
            value, note = outcome(found)
            components.fact(t("action.realised"), value, note)
        for line in explained(found):
            st.caption(line)
        if auth.role() == "operator":
            st.button(
                t("action.undo"), key=f"undo_{promise.action_id}", icon=":material/undo:", type="tertiary",
                help=t("action.undo.help"), on_click=_guarded, args=(acts.undo_mark, promise.action_id),
            )  # fmt: skip


def named(promise: Promise) -> tuple[str, str]:
    """Return engine and deed of a promise, as plain text."""
    row = {"configured": promise.configured, "best": promise.best, "cause": promise.cause}
    return fmt.plain(promise.engine, language()), miss_words.deed(row, language())


def outcome(found: Realised | None) -> tuple[str, str]:
    """Return what was realised, and its interval or why it is not known yet, as Markdown."""
    if found is None or found.month_usd is None:
        status = found.status if found else "too_early"
        return t("action.not_yet"), t(
            f"action.why.{status}",
            days=f"{found.days:.1f}" if found else "0.0",
            calls=fmt.count(found.calls if found else 0),
            days_before=f"{found.days_before:.1f}" if found else "0.0",
            calls_before=fmt.count(found.calls_before if found else 0),
            least_days=f"{promises.FEWEST_DAYS:.0f}",
            least_calls=fmt.count(promises.FEWEST_CALLS),
        )
    interval = miss_words.interval(found.low_usd, found.high_usd, language())
    return _month(found.month_usd), fmt.dollars_in_markdown(interval)


def explained(found: Realised | None) -> list[str]:
    """Return the formula with its figures, and what the engine's other causes did, as Markdown."""
    if found is None or found.month_usd is None:
        return []
    lines = [
        t(
            f"action.formula.{found.measure}",
            before=fmt.money(found.missed_before_usd),
            calls_before=fmt.count(found.calls_before),
            after=fmt.money(found.missed_usd),
            calls=fmt.count(found.calls),
            days=f"{found.days:.1f}",
        )
    ]
    rest = found.elsewhere_month_usd
    if rest is not None:
        lines.append(t("action.elsewhere.more" if rest > 0 else "action.elsewhere.less", usd=fmt.money(abs(rest))))
    return [fmt.dollars_in_markdown(line) for line in lines]


def _card(n: int, action: Action, view: filters.View, *, height: Literal["stretch", "content"]) -> None:
    said = miss_words.action(action, language(), filters.zone())
    with st.container(border=True, gap="xsmall", height=height):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(t("action.head", n=n, engine=said.engine, what=said.what), width="content")
            st.badge(f"{said.month} ({said.interval})", icon=":material/savings:", color="green")
        if action["promise"] is not None:
            at = fmt.moment(action["promise"].done_at, filters.zone())
            st.badge(t("action.again", at=at), icon=":material/replay:", color="orange")
        st.caption(said.evidence)
        st.markdown(said.mend)
        if said.change:
            drawers.code(f"change_{n}", said.change)
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.caption(said.effort, width="content")
            if auth.role() == "operator":
                _mark(action, view)
            label = t(f"action.link.{said.page}")
            st.page_link(f"app_pages/{said.page}.py", label=label, icon=":material/arrow_forward:")


def _mark(action: Action, view: filters.View) -> None:
    """Offer to mark an action as done: what is kept is said first."""
    name = "_".join(str(part) for part in key_of(action))
    with st.popover(t("action.mark"), icon=":material/check:", type="tertiary", key=f"mark_{name}"):
        st.markdown(fmt.dollars_in_markdown(t("action.mark.note")))
        zone = ZoneInfo(filters.zone())
        now = datetime.now(UTC).astimezone(zone).replace(tzinfo=None, second=0, microsecond=0)
        since = st.datetime_input(
            t("action.mark.since", zone=filters.zone()), value=None, min_value=now - OLDEST + timedelta(hours=1),
            max_value=now, key=f"since_{name}", help=t("action.mark.since.help"),
        )  # fmt: skip
        at = since.replace(tzinfo=zone).astimezone(UTC) if since else None
        st.button(
            t("action.mark.go"), key=f"done_{name}", type="primary", icon=":material/check:",
            on_click=_guarded, args=(acts.mark_done, key_of(action), view.end, view.zone, at),
        )  # fmt: skip


def _guarded(act: Any, *given: Any) -> None:
    """Do it, and keep what went wrong for the page that is drawn next."""
    try:
        act(*given)
    except CachewiseError as error:
        st.session_state[_FAILED] = error


def _month(usd: Any) -> str:
    return t("action.month.plain", usd=fmt.money(usd))
