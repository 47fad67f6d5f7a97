"""For whoever is new here: a tour of five steps on the first screen, and every term in one sentence.

That the tour was closed is kept in the session and stands in the address (`tour=off`), so a bookmark made after it
opens without it. No cookie is set.
"""

from __future__ import annotations

import streamlit as st

from dashboard import address
from dashboard.i18n import t

SHOWN, CLOSED = "on", "off"
STEPS = ("answer", "figures", "filters", "misses", "data")
TERMS = (
    "claude_cache", "prompt_store", "prefix", "ttl", "read_share", "request_hit_rate", "write_premium",
    "net_savings", "no_cache_cost", "recoverable", "miss", "keep_alive", "engine", "call", "invocation", "environment",
)  # fmt: skip
_STEP, _CALLED = "tour_step", "tour_called"


def arrive() -> None:
    """Read from the address whether the tour was closed."""
    address.recall("tour", (SHOWN, CLOSED), SHOWN)


def tour(page: str) -> None:
    """Draw the step of the tour that has been reached: on the first screen, or wherever it was called."""
    if st.session_state.get("tour") == CLOSED or not (page == "overview" or st.session_state.get(_CALLED)):
        return
    at = min(st.session_state.get(_STEP, 0), len(STEPS) - 1)
    last = at == len(STEPS) - 1
    with st.container(border=True, gap="xsmall", key="tour"):
        st.markdown(f":material/tour: **{t(f'tour.{STEPS[at]}.title')}** · {at + 1} / {len(STEPS)}")
        st.markdown(t(f"tour.{STEPS[at]}.body"))
        with st.container(horizontal=True, gap="small"):
            if at:
                st.button(t("tour.back"), key="tour_back", on_click=_go, args=(at - 1,))
            if not last:
                st.button(t("tour.next"), key="tour_next", on_click=_go, args=(at + 1,))
            st.button(
                t("tour.done" if last else "tour.close"), key="tour_close", on_click=_close, icon=":material/close:"
            )


def glossary() -> None:
    """Explain every term in a sentence."""
    st.markdown("\n\n".join(f"**{t(f'term.{term}')}**  \n{t(f'term.{term}.means')}" for term in TERMS))


def call_again() -> None:
    """Offer the tour again to whoever has closed it."""
    if st.session_state.get("tour") == CLOSED:
        st.button(t("tour.again"), key="tour_again", icon=":material/tour:", on_click=_again, width="stretch")


def _go(step: int) -> None:
    st.session_state[_STEP] = step


def _close() -> None:
    st.session_state["tour"] = CLOSED
    st.session_state.pop(_CALLED, None)


def _again() -> None:
    st.session_state["tour"] = SHOWN
    st.session_state[_STEP] = 0
    st.session_state[_CALLED] = True
