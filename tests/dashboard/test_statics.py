"""Streamlit's own files: announced before they are needed, compressed once for others, plain for this machine."""

import gzip
import re
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import FileResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from dashboard import statics
from tests.support.doors import ELSEWHERE, HERE

JS = statics.ROOT / "static" / "js"
PLOTLY = next(path.name for path in JS.glob("PlotlyChart.*.js"))


def files(client: tuple[str, int]) -> TestClient:
    """What a browser at this address gets; what is not answered for falls through to words or to the page."""

    async def page(request: object) -> FileResponse:
        return FileResponse(statics.ROOT / "index.html")

    async def rest(request: object) -> PlainTextResponse:
        return PlainTextResponse("passed on")

    middleware = [Middleware(statics.Statics), Middleware(statics.Announced)]
    app = Starlette(routes=[Route("/", page), Route("/{rest:path}", rest)], middleware=middleware)
    return TestClient(app, base_url="http://localhost:8501", client=client)


def test_whoever_comes_from_elsewhere_gets_scripts_compressed() -> None:
    """The same bytes as Streamlit's file, a third as long, kept by the browser for good."""
    told = files(ELSEWHERE).get(f"/static/js/{PLOTLY}", headers={"Accept-Encoding": "gzip"})

    assert told.headers["content-encoding"] == "gzip"
    assert "immutable" in told.headers["cache-control"]
    assert told.headers["content-type"].startswith("text/javascript")
    assert told.content == (JS / PLOTLY).read_bytes()
    assert int(told.headers["content-length"]) < len(told.content) / 3


@pytest.mark.parametrize(
    ("client", "accepted"), [(HERE, "gzip"), (ELSEWHERE, "br"), (ELSEWHERE, "identity")], ids=["here", "br", "none"]
)
def test_nothing_is_compressed_in_vain(client: tuple[str, int], accepted: str) -> None:
    """On this machine packing costs more than it saves, and nobody gets what they cannot read."""
    told = files(client).get(f"/static/js/{PLOTLY}", headers={"Accept-Encoding": accepted})

    assert "content-encoding" not in told.headers
    assert told.headers["vary"] == "Accept-Encoding"
    assert told.content == (JS / PLOTLY).read_bytes()


def test_a_file_that_the_browser_has_is_not_sent_again() -> None:
    """Its name has its digest in it, so the name is enough to know it by."""
    client = files(ELSEWHERE)
    tag = client.get(f"/static/js/{PLOTLY}").headers["etag"]

    told = client.get(f"/static/js/{PLOTLY}", headers={"If-None-Match": tag})

    assert (told.status_code, told.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["js/../index.html", "js/%2e%2e/%2e%2e/net_util.py", "js/none.js", "media/", "/etc/x.js"]
)
def test_only_known_files_are_opened(path: str) -> None:
    """Whatever is no script or style sheet of Streamlit's goes to Streamlit, which knows what to do with it."""
    assert files(HERE).get(f"/static/{path}").text == "passed on"


def test_the_page_announces_what_its_first_screen_needs() -> None:
    """Each part is there by its name in this version of Streamlit, with what it imports, and none twice."""
    told = files(HERE).get("/")

    named = re.findall(r'href="\./static/js/([^"]+)"', told.text)
    assert told.text.index(PLOTLY) < told.text.index("</head>")
    assert "etag" not in told.headers
    assert [part for part in statics.FIRST_SCREEN if not any(name.startswith(f"{part}.") for name in named)] == []
    assert len(named) == len(set(named))
    assert [name for name in named if not (JS / name).is_file()] == []


def test_scripts_that_are_imported_are_followed() -> None:
    """Every file that an announced one imports when it is loaded is announced too, or in the page already."""
    known = statics.needed(statics.FIRST_SCREEN)

    for name in known:
        assert set(re.findall(r'from"\./([\w.-]+\.js)"', (JS / name).read_text(encoding="utf-8"))) <= known


def test_what_was_packed_is_kept() -> None:
    """A file is packed once per process."""
    name = Path("js") / PLOTLY
    first = statics._compressed(name.as_posix())

    assert statics._compressed(name.as_posix()) is first
    assert gzip.decompress(first) == (JS / PLOTLY).read_bytes()
