"""The door of the dashboard: who somebody is, shown in the sidebar, and what is shown to whoever may not come in."""

from __future__ import annotations

import streamlit as st

from core.errors import CachewiseError
from dashboard import auth, components, data
from dashboard import format as fmt
from dashboard.i18n import t
from dashboard.identity import Visitor

_ROLE_COLOUR = {"operator": "green", "viewer": "blue"}
_STATE = {
    "signed_out": ("info", ":material/login:"),
    "expired": ("info", ":material/schedule:"),
    "stranger": ("error", ":material/block:"),
}


def arrive() -> Visitor | CachewiseError:
    """Return who came, or why that cannot be told."""
    try:
        return auth.visitor()
    except CachewiseError as error:
        return error


def admits(who: Visitor | CachewiseError) -> bool:
    """Tell whether this visitor sees pages."""
    return isinstance(who, Visitor) and who.role is not None


def refuse(who: Visitor | CachewiseError) -> None:
    """Say why there is nothing to see, and offer what can be done about it. Nothing was read from the tables."""
    if isinstance(who, CachewiseError):
        components.failed(who)
        return
    box, icon = _STATE[who.state]
    body = t(f"access.{who.state}.body", who=fmt.markdown_safe(who.email or who.shown))
    code = {"signed_out": "DSH-401", "expired": "DSH-402", "stranger": "DSH-404"}[who.state]
    getattr(st, box)(body, title=f"{t(f'access.{who.state}.title')} · {code}", icon=icon)
    if data.configuration().access.provider == "oidc" and who.state != "stranger":
        st.button(t("access.sign_in"), icon=":material/login:", type="primary", on_click=auth.sign_in, key="sign_in")
    else:
        _sign_out()


def badge(who: Visitor) -> None:
    """Say in the sidebar who is looked upon as what, and let them sign out; say what is missing where no login is."""
    assert who.role is not None
    with st.container(gap="xxsmall", key="who"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            named = fmt.markdown_safe(who.shown) if who.state == "member" else t(f"access.{who.state}")
            st.markdown(f":material/person: {named}", width="content")
            st.badge(t(f"access.role.{who.role}"), color=_ROLE_COLOUR[who.role], help=t(f"access.role.{who.role}.help"))
        if who.state == "open":
            st.caption(f":orange[:material/lock_open: {t('access.open.notice')}]")
        if who.state == "member":
            _sign_out()


def _sign_out() -> None:
    access = data.configuration().access
    if access.provider == "oidc":
        st.button(t("access.sign_out"), icon=":material/logout:", on_click=auth.sign_out, key="sign_out")
    elif access.sign_out:
        st.link_button(t("access.sign_out"), access.sign_out, icon=":material/logout:")
