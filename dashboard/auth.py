"""Who may do what: the one question pages ask is `require(role)`.

Without a login configured, the viewer is the operator only when both ends are this machine.
"""

from __future__ import annotations

import getpass
import ipaddress
from collections.abc import Mapping
from typing import Literal

import streamlit as st

from core.errors import FixSettings

Role = Literal["viewer", "operator"]
_RANK: dict[str, int] = {"viewer": 0, "operator": 1}
_PROXIED = ("x-forwarded-for", "forwarded", "x-real-ip", "x-forwarded-host")


def is_loopback(address: str | None) -> bool:
    """Tell whether an address names this machine only. Unset means every interface."""
    if address is None:
        return False
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def local_role(*, bound_to: str | None, headers: Mapping[str, str]) -> Role:
    """Return the role without a login: a server bound to loopback and not behind a proxy has a local operator."""
    proxied = any(name.lower() in _PROXIED for name in headers)
    return "operator" if is_loopback(bound_to) and not proxied else "viewer"


def role() -> Role:
    """Return the viewer's role in this session."""
    return local_role(bound_to=st.get_option("server.address"), headers=dict(st.context.headers))


def require(needed: Role) -> None:
    """Refuse whoever has a lesser role than needed. Raises FixSettings with code DSH-403."""
    have = role()
    if _RANK[have] < _RANK[needed]:
        raise FixSettings(
            f'This needs the role "{needed}"; this session has "{have}".',
            code="DSH-403",
            mend="Open the dashboard on the machine it runs on (address 127.0.0.1).",
        )


def actor() -> str:
    """Return who acts, as the audit log names them."""
    try:
        return f"{getpass.getuser()} (dashboard)"
    except (OSError, KeyError):  # a container without a user database
        return "(dashboard)"
