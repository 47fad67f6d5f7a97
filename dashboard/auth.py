"""Who may do what: the one question pages ask is `require(role)`.

How people sign in is the [access] table of the settings. Without one the viewer is the operator only when both ends
of the connection are this machine.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from core.access_settings import AccessSettings, Role
from core.errors import FixSettings
from dashboard import alb, data
from dashboard.here import from_here, is_loopback
from dashboard.identity import SIGNED_OUT, Visitor, from_claims, from_headers

_RANK: dict[str, int] = {"viewer": 0, "operator": 1}
_REFUSED = {
    "signed_out": ("DSH-401", "Nobody is signed in.", "Sign in with the button of the sidebar or through the proxy."),
    "expired": ("DSH-402", "This sign-in is too old.", "Sign in again."),
    "stranger": ("DSH-404", "This account is not listed.", "Ask for it to be added to [access] in cachewise.toml."),
}


def local_role(*, bound_to: str | None, headers: Mapping[str, str]) -> Role:
    """Return the role without a login: a server bound to loopback and not behind a proxy has a local operator."""
    return "operator" if is_loopback(bound_to) and from_here(headers) else "viewer"


def visitor() -> Visitor:
    """Return who looks at this session now; asked anew at every run: an old sign-in ends. Raises FixSettings."""
    access = data.configuration().access
    if access.provider == "oidc":
        return _signed_in(access)
    if access.provider == "alb":
        return alb.visitor(request_values("x-amzn-oidc-data"), access, now=datetime.now(UTC), keep=st.session_state)
    if access.provider == "proxy":
        return from_headers(request_values, access)
    role = local_role(bound_to=st.get_option("server.address"), headers=request_headers())
    return Visitor("local" if role == "operator" else "open", role)


def _signed_in(access: AccessSettings) -> Visitor:
    told: dict[str, Any] = dict(st.user)
    if "is_logged_in" not in told:
        raise FixSettings(
            'access.provider is "oidc" and .streamlit/secrets.toml has no [auth].',
            code="DSH-405",
            mend="Write it as docs/access.md shows, and start again.",
        )
    return from_claims(told, access, datetime.now(UTC)) if told["is_logged_in"] is True else SIGNED_OUT


def request_headers() -> dict[str, str]:
    """Return the headers this session was opened with; none where its browser is gone, and then nobody is local."""
    return dict(st.context.headers)


def request_values(name: str) -> list[str]:
    """Return every value of one header of this session."""
    return st.context.headers.get_all(name)


def role() -> Role | None:
    """Return the viewer's role in this session; None where whoever it is has no access."""
    return visitor().role


def require(needed: Role) -> None:
    """Refuse whoever has a lesser role than needed. Raises FixSettings: DSH-401, 402, 403 or 404."""
    who = visitor()
    if who.role is None:
        code, message, mend = _REFUSED[who.state]
        raise FixSettings(message, code=code, mend=mend)
    if _RANK[who.role] < _RANK[needed]:
        here = "Open the dashboard on the machine it runs on (address 127.0.0.1), or configure a login."
        raise FixSettings(
            f'This needs the role "{needed}"; this session has "{who.role}".',
            code="DSH-403",
            mend=here if who.state == "open" else "Ask an operator, or ask to be listed in access.operators.",
            about=(needed, who.role),
        )


def actor() -> str:
    """Return who acts, as the audit log names them: the e-mail address of whoever is signed in."""
    who = visitor()
    if who.email:
        return f"{who.email} (dashboard)"
    try:
        return f"{getpass.getuser()} (dashboard)"
    except (OSError, KeyError):  # a container without a user database
        return "(dashboard)"


def sign_in() -> None:
    """Send the browser to the provider."""
    login = data.configuration().access.login
    st.login(login) if login else st.login()


def sign_out() -> None:
    """End this session here and, where the provider can, there."""
    st.logout()
