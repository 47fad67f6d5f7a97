"""Is this request from the machine the dashboard runs on? Needed before Streamlit runs, so it imports none of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

PROXIED = ("x-forwarded-", "x-original-", "x-envoy-", "x-amzn-", "x-amz-cf-", "cf-")
"""How the names of headers begin that proxies add, and no browser."""

PROXY = (
    "forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cdn-loop", "x-proxyuser-ip", "x-scheme",
)  # fmt: skip
"""Whole names of such headers."""


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


def from_here(headers: Mapping[str, str]) -> bool:
    """Tell from a request's headers that no proxy stands between, and that it was sent to this machine's own name.

    A foreign name in Host may be a page elsewhere whose name was made to lead here (DNS rebinding).
    """
    told = {name.lower(): value for name, value in headers.items()}
    if any(name in PROXY or name.startswith(PROXIED) for name in told):
        return False
    try:
        return is_loopback(urlsplit(f"//{told.get('host', '')}").hostname)
    except ValueError:
        return False
