"""Streamlit's own files, given out so that a browser waits little: compressed once, and announced in the page.

Streamlit leaves its files uncompressed (a proxy is to do it) and lets the browser find out about most of them one
after the other, when the first elements arrive. Here a file is compressed once per process, and not at all for a
browser on this machine; and the page names the files that the first screen will need, so that they are fetched and
read while the application starts. The heaviest stand behind a gate (dashboard.gates).
"""

from __future__ import annotations

import gzip
import re
from functools import cache
from mimetypes import guess_type
from pathlib import Path

import anyio.to_thread
import streamlit
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard import chunks, gates
from dashboard.headers import asked_from_here

ROOT = Path(streamlit.__file__).parent / "static"
FIRST_SCREEN = (
    "ButtonGroup", "Selectbox", "Multiselect", "Button", "PageLink", "Metric", "Html", "DownloadButton", "PlotlyChart",
    "DataFrame",
)  # fmt: skip
"""What the first screen is made of: the parts of Streamlit that are files of their own."""

_PREFIX = "/static/"
_TEXT = (".js", ".css")
_LEVEL = 6
_NAMED = re.compile(r"static/js/([\w.-]+\.js)")
_YEAR_S = 31_536_000


class Statics:
    """ASGI middleware: answers for Streamlit's scripts and style sheets; whatever else is passed on."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        path = scope["path"] if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") else ""
        name = path.removeprefix(_PREFIX)
        mine = path.startswith(_PREFIX) and name in _files()
        answer = await anyio.to_thread.run_sync(_answer, name, scope) if mine else self.app
        await answer(scope, receive, send)


class Announced:
    """ASGI middleware: tells Streamlit's page which scripts its first screen will need."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; what comes back and is a page gets the announcement."""
        await self.app(scope, receive, _announcing(send) if scope["type"] == "http" else send)


def _answer(name: str, scope: Scope) -> Response:
    gate = gates.gates().get(Path(name).name) if scope["query_string"] != gates.WHOLE.encode() else None
    kept = "no-cache" if gate else f"public, immutable, max-age={_YEAR_S}"  # a file's name has its digest in it
    headers, tag = Headers(scope=scope), gate.tag if gate else f'"{Path(name).name}"'
    own = {"Cache-Control": kept, "ETag": tag, "Vary": "Accept-Encoding"}
    if tag in headers.get("if-none-match", ""):
        return Response(status_code=304, headers=own)
    kind = guess_type(name)[0] or "application/octet-stream"
    if gate:
        return Response(gate.module, media_type=kind, headers=own)
    if asked_from_here(scope) or "gzip" not in headers.get("accept-encoding", ""):
        return Response((ROOT / "static" / name).read_bytes(), media_type=kind, headers=own)
    return Response(_compressed(name), media_type=kind, headers=own | {"Content-Encoding": "gzip"})


@cache
def _files() -> frozenset[str]:
    """Return the names, below /static/, of the files that are answered for here; no other path is ever opened."""
    base = ROOT / "static"
    return frozenset(path.relative_to(base).as_posix() for path in base.rglob("*") if path.suffix in _TEXT)


@cache
def _compressed(name: str) -> bytes:
    return gzip.compress((ROOT / "static" / name).read_bytes(), _LEVEL, mtime=0)


def _announcing(send: Send) -> Send:
    """Return a way to send that puts the announcement into Streamlit's page; everything else goes as it is."""
    page = False

    async def passing(message: Message) -> None:
        nonlocal page
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            page = message["status"] == 200 and headers.get("content-type", "").startswith("text/html")
            if page:
                for stale in ("etag", "last-modified", "content-length"):
                    del headers[stale]
        elif message["type"] == "http.response.body" and page:
            message = {**message, "body": message.get("body", b"").replace(b"</head>", announcement() + b"</head>", 1)}
        await send(message)

    return passing


@cache
def announcement() -> bytes:
    """Return the links that stand at the end of the page's head.

    A script is read at once. One behind a gate, and what is imported by it alone, is fetched when there is time.
    """
    known = frozenset(_NAMED.findall((ROOT / "index.html").read_text(encoding="utf-8")))
    gated = frozenset(gates.gates())
    first = chunks.with_imports(name for name in chunks.of_parts(FIRST_SCREEN) if name not in gated)
    later = chunks.with_imports(chunks.of_parts(FIRST_SCREEN)) - first
    links = [f'<link rel="modulepreload" crossorigin href="./static/js/{name}">' for name in sorted(first - known)]
    for name in sorted(later - known):
        query = f"?{gates.WHOLE}" if name in gated else ""
        links.append(f'<link rel="prefetch" crossorigin href="./static/js/{name}{query}">')
    return "".join(f"{link}\n" for link in links).encode()
