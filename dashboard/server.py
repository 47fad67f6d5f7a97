"""The ASGI door that `cachewise run` starts: warm imports, compression, a readiness check, no traceback on screen."""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from core.errors import CachewiseError
from dashboard import placeholders, sockets
from dashboard.headers import SecurityHeaders, asked_from_here
from dashboard.statics import Announced, Statics, announcement

log = logging.getLogger("cachewise.dashboard")


@contextlib.asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[dict[str, Any]]:
    """Import what pages need before the first visitor comes, then spare it from every garbage collection.

    Streamlit collects all generations after each run; with pandas and Plotly loaded that is most of a run's time.
    """
    sockets.send_at_once()
    placeholders.let_late_ones_go()
    stop = threading.Event()
    gc.disable()  # hardly anything of what is loaded is let go of
    await anyio.to_thread.run_sync(_warm, stop)
    gc.collect()
    gc.freeze()
    gc.enable()
    yield {}
    gc.unfreeze()  # else DuckDB's binding calls what the end does not find a leak
    stop.set()


def _warm(stop: threading.Event) -> None:
    import pandas  # noqa: F401
    import plotly.graph_objects  # noqa: F401
    import streamlit.elements.plotly_chart  # noqa: F401

    from dashboard import charts, components, first_screen, miss_charts, ttl_charts, warm  # noqa: F401

    announcement()
    warm.start(stop)


async def alive(request: Request) -> PlainTextResponse:
    """Answer 200 as long as the process answers at all: restart it when it does not."""
    return PlainTextResponse("ok\n")


async def ready(request: Request) -> JSONResponse:
    """Answer 200 when settings and tables can really be read, 503 with the code when not; details to this machine."""
    here = asked_from_here(request.scope)
    try:
        tables = await anyio.to_thread.run_sync(_check)
    except CachewiseError as error:
        body = {"status": "failed", "code": error.code}
        return JSONResponse(body | {"message": error.message, "mend": error.mend} if here else body, status_code=503)
    return JSONResponse({"status": "ok", "tables": tables} if here else {"status": "ok"})


async def metrics(request: Request) -> Response:
    """Answer with the figures in OpenMetrics text; see dashboard.prometheus."""
    from dashboard import prometheus  # its data's caches are to find Streamlit's runtime

    return await prometheus.metrics(request)


def _check() -> dict[str, int | None]:
    from dashboard import data

    return data.check()


def on_script_error(error: Exception) -> bool:
    """Show one clear line instead of a traceback, which Streamlit has written to the log."""
    from dashboard.i18n import t

    log.error("DSH-500: a page failed with %s; its traceback is above", type(error).__name__)
    st.error(t("crash.body"), title=f"{t('crash.title')} · DSH-500", icon=":material/bug_report:")
    return True


ROUTES = [Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics)]
app = st.App(
    Path(__file__).parent / "app.py",
    lifespan=lifespan,
    routes=ROUTES,
    middleware=[
        Middleware(SecurityHeaders),
        Middleware(Statics),
        Middleware(GZipMiddleware, minimum_size=1000, compresslevel=6),
        Middleware(Announced),
    ],
    on_script_error=on_script_error,
)
