"""Notes as marks on charts, and views kept for everybody: by operators only, escaped, listed, removable."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import notebook
from core.errors import FixSettings
from core.notebook import SavedView
from core.store import lake as lake_module
from core.store.lake import Lake
from core.store.query import Reader
from dashboard import acts, data, saved_views
from tests.support import fleet_lake
from tests.support.rows import make_call, table_of
from tests.support.screens import LANGUAGES, bound_to, opened, words

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Three days of a few calls of two engines."""
    lake = Lake(tmp_path / "tables")
    calls = [make_call(engine=name, ts=NOW - n * DAY) for n in range(3) for name in ("tutor", "writer")]
    lake.commit("calls", table_of("calls", calls))
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))
    return lake


@pytest.fixture
def operator() -> Iterator[None]:
    """The server is bound to this machine, so whoever looks is the operator."""
    with bound_to("127.0.0.1"):
        yield


def kept(lake: Lake, what: str) -> list:
    """Notes or views in force."""
    with Reader(lake) as reader:
        return getattr(notebook, what)(reader)


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_note_is_written_marked_on_charts_and_removed(lake: Lake, lang: str) -> None:
    """Its text is inert wherever it is shown, and the audit log keeps it when it is gone."""
    app = opened("notes", lang)
    app.text_input(key="note_text").set_value(fleet_lake.HOSTILE)
    app.button(key="note_add").click().run()
    (note,) = kept(lake, "notes")

    assert not app.exception
    assert note.text == fleet_lake.HOSTILE
    assert fleet_lake.HOSTILE not in words(app)
    assert app.text_input(key="note_text").value == ""
    spec = json.loads(opened("savings", lang).get("plotly_chart")[1].proto.spec)
    (mark,) = [trace for trace in spec["data"] if trace.get("marker", {}).get("symbol") == "star"]
    assert "<b>" not in mark["text"][0] and "&lt;b&gt;" in mark["text"][0]

    app.button(key=f"unnote_{note.action_id}").click().run()

    assert kept(lake, "notes") == []
    assert set(lake.read("actions")["action"].to_pylist()) == {"note_added", "note_removed"}


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_table_held_by_another_process_is_said_so(lake: Lake, lang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write is refused with STO-001, nothing is half written, and what was typed is still there to try again."""
    monkeypatch.setattr(lake_module, "_TABLE_WAIT_S", 0.05)
    app = opened("notes", lang)
    app.text_input(key="note_text").set_value("a deploy")
    with lake.writing("actions"):
        app.button(key="note_add").click().run()

    assert not app.exception
    (box,) = app.error
    assert "STO-001" in box.proto.title + box.value
    assert kept(lake, "notes") == []
    assert app.text_input(key="note_text").value == "a deploy"
    app.button(key="note_add").click().run()
    assert not app.error
    assert [note.text for note in kept(lake, "notes")] == ["a deploy"]


@pytest.mark.usefixtures("operator")
def test_an_empty_note_is_refused_in_words(lake: Lake) -> None:
    """The page says what is accepted."""
    app = opened("notes")
    app.button(key="note_add").click().run()

    assert "NTE-001" in app.error[0].value
    assert kept(lake, "notes") == []


def saved(app: AppTest, name: str) -> None:
    """Keep what is looked at."""
    app.text_input(key="view_name").set_value(name)
    app.button(key="view_save").click().run()


@pytest.mark.usefixtures("operator")
def test_a_view_brings_its_page_and_choices_back(lake: Lake) -> None:
    """Range, comparison, engines and the page's own grouping; opened from anywhere, by anybody."""
    app = opened("cost")
    app.multiselect(key="engine").select("tutor")
    app.selectbox(key="range").select("30d")
    app.segmented_control(key="cost_by").set_value("model").run()
    saved(app, "Monday <b>")
    (view,) = kept(lake, "views")
    assert (view.page, view.query) == (
        "cost", {"range": "30d", "compare": "previous", "engine": ["tutor"], "cost_by": "model"},
    )  # fmt: skip

    other = opened("overview")
    other.button(key=f"view_{view.action_id}").click().run()

    assert not other.exception
    assert other.title[0].value == "Cost"
    assert other.multiselect(key="engine").value == ["tutor"]
    assert other.selectbox(key="range").value == "30d"
    assert other.segmented_control(key="cost_by").value == "model"
    assert any(
        code.value.endswith("/cost?cost_by=model&range=30d&compare=previous&engine=tutor") for code in other.code
    )

    listed = opened("notes")
    assert "<b>" not in words(listed)
    listed.button(key=f"unview_{view.action_id}").click().run()
    assert kept(lake, "views") == []


def test_a_viewer_writes_nothing(lake: Lake) -> None:
    """There is no form, and each act refuses whoever calls it without one."""
    with bound_to(None):
        app = opened("notes")
        assert not [item for item in (*app.button, *app.text_input) if item.key in ("note_add", "view_name")]
        for act in (
            lambda: acts.add_note("x", NOW), lambda: acts.save_view("x", "cost", {}),
            lambda: acts.remove_note("x"), lambda: acts.remove_view("x"),
        ):  # fmt: skip
            with pytest.raises(FixSettings, match="operator"):
                act()
    assert lake.versions()["actions"] is None


@pytest.mark.usefixtures("operator")
def test_nonsense_in_a_kept_view_is_harmless(lake: Lake) -> None:
    """A page that is gone is not listed; values that are gone or were never right are left out."""
    query = {
        "range": "7000y",
        "engine": ["no such engine"],
        "tenant": ["\n", "x" * 200],
        "dates": ["x", "y"],
        "cost_by": "colour",
    }
    for name, page in (("gone", "no_such_page"), ("odd", "cost")):
        notebook.save_view(lake, name, page=page, query=query, actor="kim", now=NOW)
    data.versions.clear()
    gone, odd = kept(lake, "views")
    app = opened("overview")
    assert f"view_{gone.action_id}" not in [item.key for item in app.button]

    app.button(key=f"view_{odd.action_id}").click().run()

    assert not app.exception
    assert (app.title[0].value, app.selectbox(key="range").value) == ("Cost", "7d")
    assert app.segmented_control(key="cost_by").value == "engine"


def test_choices_are_told_without_data_or_language() -> None:
    """Dates only where they count; the viewer's own language and anything unknown stay behind."""
    state = {
        "lang": "ko", "range": "7d", "compare": "custom", "dates": (date(2026, 11, 1), date(2026, 11, 2)),
        "compare_dates": (date(2026, 10, 1), date(2026, 10, 2)), "engine": ["a&b"], "tenant": ["", "a&b"],
        "cost_by": "model", "newer": True,
    }  # fmt: skip
    told = saved_views.choices(state, ["lang", "range", "cost_by"], {"lang": "ko", "from": "2026"})

    assert told == {
        "from": "2026", "range": "7d", "compare": "custom", "compare_dates": ["2026-10-01", "2026-10-02"],
        "engine": ["a&b"], "tenant": ["", "a&b"], "cost_by": "model",
    }  # fmt: skip
    assert saved_views.own_choices(SavedView("id", "n", "cost", told, "kim", NOW).query) == {
        "from": "2026", "cost_by": "model",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("here", "shared"),
    [
        ("http://localhost:8501/", "http://localhost:8501/ttl-lab?range=30d&engine=a&engine=b%26c"),
        (
            "https://ops.example/cachewise/ttl-lab",
            "https://ops.example/cachewise/ttl-lab?range=30d&engine=a&engine=b%26c",
        ),
        (
            "https://ops.example/cachewise/cost/",
            "https://ops.example/cachewise/ttl-lab?range=30d&engine=a&engine=b%26c",
        ),
        ("", "/ttl-lab?range=30d&engine=a&engine=b%26c"),
    ],
)
def test_a_link_keeps_what_a_proxy_put_in_front(here: str, shared: str) -> None:
    """Whichever page the browser's address still names."""
    query = {"range": "30d", "engine": ["a", "b&c"]}

    assert saved_views.link(here, "ttl-lab", ("cost", "ttl_lab"), query) == shared
