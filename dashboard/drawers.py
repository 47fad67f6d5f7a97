"""Drawers: what is seldom looked at is made and sent only while its drawer is open.

Opening one runs nothing but the drawer itself. Code is kept in drawers because the browser needs a file of 1.5 MB to
colour it.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.errors import CachewiseError
from dashboard import components
from dashboard.i18n import t


def key_of(name: str) -> str:
    """Return the key under which the session knows whether a drawer is open."""
    return f"drawer_{name}"


@st.fragment
def draw(name: str, icon: str, content: Callable[[], None], *, title: str | None = None) -> None:
    """Draw a drawer; its title is `<name>.title` of the catalogue unless another is given."""
    drawer = st.expander(title or t(f"{name}.title"), icon=icon, key=key_of(name), on_change="rerun")
    if not drawer.open:
        return
    with drawer:
        try:
            content()
        except CachewiseError as error:
            components.problem(error, t("failed.title"))


def code(name: str, change: str) -> None:
    """Offer a change of the service's code."""
    draw(name, ":material/code:", lambda: _show(change), title=t("drawer.code"))


def _show(change: str) -> None:
    st.code(change, language="python", wrap_lines=True)
