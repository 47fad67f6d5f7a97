"""What every answer says to the browser: nothing from elsewhere, no frame, no sniffing; cookies only over https there.

Streamlit sets none of this. The page's own script that stands in its HTML is admitted by its hash, not by
'unsafe-inline', so that a script smuggled into a page would not run.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import streamlit
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from dashboard.here import from_here, is_loopback

_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_YEAR_S = 31_536_000
_PROBED = ("/healthz", "/readyz")  # a load balancer asks by address
_HERE_ONLY = ("/_stcore/metrics", "/_stcore/agent")
_FEATURES = (
    "accelerometer", "bluetooth", "camera", "display-capture", "geolocation", "gyroscope", "hid", "magnetometer",
    "microphone", "midi", "payment", "serial", "usb", "xr-spatial-tracking",
)  # fmt: skip


@cache
def content_security_policy() -> str:
    """Return the policy under which Streamlit's page works and nothing else does."""
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in _INLINE.findall(page))
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' {hashes}".rstrip(),
            "style-src 'self' 'unsafe-inline'",  # Streamlit and Plotly style by attribute and by <style>
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-src 'none'",
            "frame-ancestors 'none'",
        )
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@cache
def fixed() -> Sequence[tuple[str, str]]:
    """Return the headers that every answer has."""
    return (
        ("Content-Security-Policy", content_security_policy()),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "same-origin"),
        ("Permissions-Policy", ", ".join(f"{name}=()" for name in _FEATURES)),
        ("Cross-Origin-Opener-Policy", "same-origin"),
    )


class SecurityHeaders:
    """ASGI middleware: adds the headers, and refuses names that are not allowed and what is for this machine alone."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and dress its answer; WebSockets have no answer to dress."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers, secure = Headers(scope=scope), _over_https(scope)

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                _dress(MutableHeaders(scope=message), secure)
            await send(message)

        refusal = _refusal(scope, headers)
        await (refusal or self.app)(scope, receive, dressed)


def asked_from_here(scope: Scope) -> bool:
    """Tell whether a request comes from this machine itself, and not through a proxy or a rebound name."""
    client = scope.get("client")
    return client is not None and is_loopback(client[0]) and from_here(Headers(scope=scope))


def _refusal(scope: Scope, headers: Headers) -> PlainTextResponse | None:
    if scope["path"] not in _PROBED and not is_host_allowed(headers.get("host")):
        return PlainTextResponse("This name is not in access.allowed_hosts.\n", status_code=421)
    if scope["path"].startswith(_HERE_ONLY) and not asked_from_here(scope):
        return PlainTextResponse("Not found.\n", status_code=404)
    return None


def _over_https(scope: Scope) -> bool:
    """Tell whether the browser came by https, here or at the proxy; whoever lies about it only hinders himself."""
    forwarded = Headers(scope=scope).get("x-forwarded-proto", "").split(",")[0].strip().lower()
    return scope.get("scheme") == "https" or forwarded == "https"


def _dress(headers: MutableHeaders, secure: bool) -> None:
    for name, value in fixed():
        headers[name] = value
    if not secure:
        return
    headers["Strict-Transport-Security"] = f"max-age={_YEAR_S}"
    cookies = headers.getlist("set-cookie")
    if cookies:
        del headers["set-cookie"]
        for cookie in cookies:
            headers.append("set-cookie", cookie if "; secure" in cookie.lower() else f"{cookie}; Secure")
