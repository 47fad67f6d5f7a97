"""The dashboard's own routes behind its own middleware, asked without a server; Streamlit's pages are not in it."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from dashboard import server
from dashboard.headers import SecurityHeaders

HERE = ("127.0.0.1", 50_000)
ELSEWHERE = ("10.0.0.9", 50_000)


async def _cookie(request: Request) -> PlainTextResponse:
    answer = PlainTextResponse("signed in")
    answer.set_cookie("one", "1", httponly=True, samesite="lax")
    answer.set_cookie("two", "2", secure=True)
    return answer


async def _stream(request: Request) -> PlainTextResponse:
    return PlainTextResponse("streamlit's own")


def door(client: tuple[str, int] = HERE, base_url: str = "http://localhost:8501") -> TestClient:
    """Return a client whose requests come from this address."""
    routes = [*server.ROUTES, Route("/cookie", _cookie), Route("/_stcore/{rest:path}", _stream)]
    app = Starlette(routes=routes, middleware=[Middleware(SecurityHeaders)])
    return TestClient(app, base_url=base_url, client=client)
