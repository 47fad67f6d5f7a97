"""Views: what is looked at as an address to copy, and named views that operators keep for everybody.

A view is the page and its choices, never data: whoever opens it sees what the tables hold then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode, urlsplit

import streamlit as st

from core.errors import CachewiseError
from core.notebook import LONGEST_NAME, SavedView
from dashboard import acts, address, auth, components, data, filters
from dashboard import format as fmt
from dashboard.i18n import language, t

_FAILED = "_view_failed"
_DATES = ("dates", "compare_dates")
_PLAIN = ("range", "compare")
NOT_KEPT = ("lang", "tour")  # a viewer's own


def draw(page: str, path: str, files: Mapping[str, str]) -> None:
    """Draw the views into the current container; `files` is the script of every page by name."""
    refused = st.session_state.pop(_FAILED, None)
    if refused is not None:
        components.problem(refused, t("views.failed"))
    kept = [view for view in data.saved_views() if view.page in files]
    for view in kept:
        label = fmt.markdown_safe(fmt.plain(view.name, language()))
        if st.button(label, key=f"view_{view.action_id}", icon=":material/bookmark:", type="tertiary",
                     on_click=restore, args=(view,), help=fmt.markdown_safe(view.actor)):  # fmt: skip
            st.switch_page(files[view.page], query_params=own_choices(view.query))
    if not kept:
        st.caption(t("views.none"))
    st.caption(t("views.link"))
    st.code(link(st.context.url or "", path, files, _now()), language=None, wrap_lines=True)
    if auth.role() == "operator":
        st.text_input(t("views.name"), key="view_name", max_chars=LONGEST_NAME)
        st.button(t("views.save"), key="view_save", icon=":material/bookmark_add:", on_click=_save, args=(page,))


def choices(
    told: Mapping[str, Any], spoken: Collection[str], address_says: Mapping[str, str]
) -> dict[str, str | list[str]]:
    """Return what the session's widgets and the address choose, as a view keeps it. `spoken`: keys of the page."""
    found: dict[str, str | list[str]] = dict(own_choices(address_says))
    for key in (*_PLAIN, *spoken):
        if key not in NOT_KEPT and isinstance(told.get(key), str):
            found[key] = told[key]
    for key in (*filters.DIMENSIONS, *_DATES):
        if told.get(key):
            found[key] = [str(value) for value in told[key]]
    for name, key in (("range", "dates"), ("compare", "compare_dates")):
        if found.get(name) != "custom":
            found.pop(key, None)
    return found


def own_choices(query: Mapping[str, str | Sequence[str]]) -> dict[str, str]:
    """Return the part of a view that belongs to its page alone: it travels in the address."""
    shared = (*NOT_KEPT, *_PLAIN, *_DATES, *filters.DIMENSIONS)
    return {key: value for key, value in query.items() if key not in shared and isinstance(value, str)}


def link(here: str, path: str, names: Collection[str], query: Mapping[str, str | list[str]]) -> str:
    """Return an address that opens what is looked at now, in the reader's own language.

    `here` is the browser's address, maybe still of the page before; what a proxy put in front of the page stays.
    """
    told = urlsplit(here)
    base = f"{told.scheme}://{told.netloc}" if told.netloc else ""
    front = told.path.rstrip("/").split("/")
    if front[-1] in {name.replace("_", "-") for name in names}:
        front.pop()
    return f"{base}{'/'.join(front)}/{path}" + (f"?{urlencode(query, doseq=True)}" if query else "")


def restore(view: SavedView) -> None:
    """Choose what a view says. A callback; values that are gone since are left out, and nonsense is no choice."""
    options = data.options()
    for key, known, default in (
        ("range", filters.PRESETS, filters.DEFAULT_PRESET),
        ("compare", filters.COMPARES, filters.DEFAULT_COMPARE),
    ):
        told = view.query.get(key)
        st.session_state[key] = told if told in known else default
    for key, field in filters.DIMENSIONS.items():
        seen = {str(value) for value in options.get(field) or () if value is not None}
        known = filters.is_tenant if key == "tenant" else seen.__contains__
        st.session_state[key] = [value for value in _several(view.query.get(key)) if known(value)]
    for key in _DATES:
        days = _days(view.query.get(key))
        if days:
            st.session_state[key] = days


def _now() -> dict[str, str | list[str]]:
    state = {str(key): value for key, value in st.session_state.items()}
    return choices(state, address.spoken(), st.query_params.to_dict())


def _save(page: str) -> None:
    try:
        acts.save_view(st.session_state.get("view_name") or "", page, _now())
        st.session_state["view_name"] = ""
    except CachewiseError as error:
        st.session_state[_FAILED] = error


def _several(value: str | Sequence[str] | None) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else [str(item) for item in value]


def _days(value: str | Sequence[str] | None) -> tuple[date, ...]:
    try:
        days = tuple(date.fromisoformat(text) for text in _several(value))
    except ValueError:
        return ()
    return days if len(days) == 2 and days[0] <= days[1] else ()
