"""Notes: what happened when, as marks on every chart over time; and the views kept for everybody."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import streamlit as st

from core.errors import CachewiseError
from core.notebook import LONGEST_NOTE
from dashboard import acts, auth, components, data
from dashboard import format as fmt
from dashboard.i18n import language, t

view = components.open_page(everything=True)
zone = ZoneInfo(view.zone)
operator = auth.role() == "operator"


def guarded(act: Callable[..., None], *given: str) -> None:
    """Do it, and keep what went wrong for the run that follows."""
    try:
        act(*given)
    except CachewiseError as error:
        st.session_state["_note_failed"] = error


def write() -> None:
    """Write the note that stands in the form, and empty it."""
    at = st.session_state["note_at"] or datetime.now(UTC).astimezone(zone).replace(tzinfo=None)
    acts.add_note(st.session_state["note_text"], at.replace(tzinfo=zone).astimezone(UTC))
    st.session_state["note_text"] = ""


failure = st.session_state.pop("_note_failed", None)
if failure is not None:
    components.problem(failure, t("notes.failed"))
if operator:
    with components.section("notes.write"):
        now = datetime.now(UTC).astimezone(zone).replace(tzinfo=None, second=0, microsecond=0)
        left, right = st.columns([1, 3])
        left.datetime_input(
            t("notes.at", zone=view.zone), value=None, key="note_at", help=t("notes.at.help"),
            min_value=now - timedelta(days=3 * 365), max_value=now + timedelta(days=30),
        )  # fmt: skip
        right.text_input(t("notes.text"), key="note_text", max_chars=LONGEST_NOTE, help=t("notes.text.help"))
        st.button(t("notes.add"), key="note_add", type="primary", icon=":material/add_notes:",
                  on_click=guarded, args=(write,))  # fmt: skip

notes, views = data.notes(), data.saved_views()
with components.section("notes.list", rows=[{"at": note.at, "text": note.text, "actor": note.actor} for note in notes]):
    if not notes:
        st.info(t("notes.none"), icon=":material/sticky_note_2:")
    for note in notes:
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            said = fmt.markdown_safe(note.text)
            st.markdown(t("notes.line", at=fmt.moment(note.at, view.zone), text=said), width="content")
            st.caption(fmt.markdown_safe(fmt.plain(note.actor, language())), width="content")
            if operator:
                st.button(t("notes.remove"), key=f"unnote_{note.action_id}", icon=":material/delete:", type="tertiary",
                          on_click=guarded, args=(acts.remove_note, note.action_id))  # fmt: skip

with components.section("notes.views"):
    if not views:
        st.info(t("notes.views.none"), icon=":material/bookmark:")
    for saved in views:
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            pairs = ((key, value if isinstance(value, str) else ", ".join(value)) for key, value in saved.query.items())
            told = [f"{key} = {value}" for key, value in pairs]
            name = fmt.markdown_safe(fmt.plain(saved.name, language()))
            title = t(f"page.{saved.page}.title")
            st.markdown(t("views.line", name=name, page=fmt.markdown_safe(title)), width="content")
            st.caption(fmt.markdown_safe(" · ".join(told)) or fmt.UNKNOWN, width="content")
            if operator:
                st.button(t("notes.remove"), key=f"unview_{saved.action_id}", icon=":material/delete:", type="tertiary",
                          on_click=guarded, args=(acts.remove_view, saved.action_id))  # fmt: skip
