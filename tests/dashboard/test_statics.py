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

from dashboard import chunks, gates, statics
from tests.support.doors import ELSEWHERE, HERE

JS = statics.ROOT / "static" / "js"
PLOTLY = next(path.name for path in JS.glob("PlotlyChart.*.js"))
GRID = next(path.name for path in JS.glob("DataFrame.*.js"))
WORDS = next(path.name for path in JS.glob("StreamlitMarkdown.*.js"))


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
    told = files(ELSEWHERE).get(f"/static/js/{WORDS}", headers={"Accept-Encoding": "gzip"})

    assert told.headers["content-encoding"] == "gzip"
    assert "immutable" in told.headers["cache-control"]
    assert told.headers["content-type"].startswith("text/javascript")
    assert told.content == (JS / WORDS).read_bytes()
    assert int(told.headers["content-length"]) < len(told.content) / 3


@pytest.mark.parametrize(
    ("client", "accepted"), [(HERE, "gzip"), (ELSEWHERE, "br"), (ELSEWHERE, "identity")], ids=["here", "br", "none"]
)
def test_nothing_is_compressed_in_vain(client: tuple[str, int], accepted: str) -> None:
    """On this machine packing costs more than it saves, and nobody gets what they cannot read."""
    told = files(client).get(f"/static/js/{WORDS}", headers={"Accept-Encoding": accepted})

    assert "content-encoding" not in told.headers
    assert told.headers["vary"] == "Accept-Encoding"
    assert told.content == (JS / WORDS).read_bytes()


def test_a_file_that_the_browser_has_is_not_sent_again() -> None:
    """Its name has its digest in it, so the name is enough to know it by."""
    client = files(ELSEWHERE)
    tag = client.get(f"/static/js/{WORDS}").headers["etag"]

    told = client.get(f"/static/js/{WORDS}", headers={"If-None-Match": tag})

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

    named = re.findall(r'href="\./static/js/([^"?]+)[^"]*"', told.text)
    assert told.text.index(PLOTLY) < told.text.index("</head>")
    assert "etag" not in told.headers
    assert [part for part in statics.FIRST_SCREEN if not any(name.startswith(f"{part}.") for name in named)] == []
    assert len(named) == len(set(named))
    assert [name for name in named if not (JS / name).is_file()] == []


def test_the_heaviest_scripts_are_fetched_but_not_read_beforehand() -> None:
    """They lie ready in the browser when their gates open, and take nothing from what comes first."""
    told = statics.announcement().decode()

    read = set(re.findall(r'rel="modulepreload" crossorigin href="\./static/js/([^"]+)"', told))
    fetched = set(re.findall(r'rel="prefetch" crossorigin href="\./static/js/([^"]+)"', told))
    assert {f"{name}?{gates.WHOLE}" for name in gates.gates()} <= fetched
    assert sum((JS / name).stat().st_size for name in read) < 500_000


def test_a_gate_stands_before_the_heaviest_script() -> None:
    """At the script's address is a module that gives out what the script does; behind it, the script as it was."""
    client = files(HERE)
    gate, behind = client.get(f"/static/js/{PLOTLY}"), client.get(f"/static/js/{PLOTLY}?{gates.WHOLE}")

    assert f'import("./{PLOTLY}?{gates.WHOLE}")' in gate.text
    assert "export default whole.default;" in gate.text
    assert len(gate.content) < 1000
    assert gate.headers["content-type"].startswith("text/javascript")
    assert behind.content == (JS / PLOTLY).read_bytes()
    assert "immutable" in behind.headers["cache-control"]


def test_a_gate_is_asked_for_again() -> None:
    """Its address says nothing of what it is made of, so the browser asks; it is sent again only if it changed."""
    client = files(HERE)
    gate = client.get(f"/static/js/{PLOTLY}")

    told = client.get(f"/static/js/{PLOTLY}", headers={"If-None-Match": gate.headers["etag"]})

    assert gate.headers["cache-control"] == "no-cache"
    assert (told.status_code, told.content) == (304, b"")


def test_each_heavy_script_has_a_gate() -> None:
    """In this version of Streamlit both are written as a gate needs it."""
    assert list(gates.gates()) == [PLOTLY, GRID]


def test_a_script_in_a_circle_gets_no_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would wait for itself; nor does one whose exports are written in another way. Both are given out as are."""
    monkeypatch.setattr(chunks, "JS", tmp_path)
    monkeypatch.setattr(gates, "GATED", ("Free", "Bound", "Odd"))
    chunks.imports_of.cache_clear()
    (tmp_path / "Free.1.js").write_text('import"./help.1.js";let a=1,b=2;export{a as Chart,b as default};')
    (tmp_path / "Bound.1.js").write_text('import"./other.1.js";let a=1;export{a as default};')
    (tmp_path / "Odd.1.js").write_text("export default 1;")
    (tmp_path / "other.1.js").write_text('import{default as x}from"./Bound.1.js";import("./Free.1.js");')
    (tmp_path / "help.1.js").write_text("")

    found = gates.gates.__wrapped__()

    assert list(found) == ["Free.1.js"]
    assert b"export const Chart = whole.Chart;\nexport default whole.default;" in found["Free.1.js"].module
    chunks.imports_of.cache_clear()


def test_scripts_that_are_imported_are_followed() -> None:
    """Every file that an announced one imports when it is loaded is announced too, or in the page already."""
    known = chunks.with_imports(chunks.of_parts(statics.FIRST_SCREEN))

    for name in known:
        assert set(re.findall(r'from"\./([\w.-]+\.js)"', (JS / name).read_text(encoding="utf-8"))) <= known


def test_what_was_packed_is_kept() -> None:
    """A file is packed once per process."""
    name = Path("js") / WORDS
    first = statics._compressed(name.as_posix())

    assert statics._compressed(name.as_posix()) is first
    assert gzip.decompress(first) == (JS / WORDS).read_bytes()
