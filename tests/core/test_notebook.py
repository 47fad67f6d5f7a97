"""Notes and named views: kept in the audit log, taken away by a second entry, refused when they cannot be used."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core import notebook
from core.errors import FixSettings
from core.metrics.scope import Scope
from core.store.lake import Lake
from core.store.query import Reader

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WHO: dict[str, Any] = {"actor": "kim", "now": NOW}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Tables without a row."""
    return Lake(tmp_path)


def read(lake: Lake, what: str) -> list[Any]:
    """Notes or views that are kept."""
    with Reader(lake) as reader:
        return getattr(notebook, what)(reader)


def test_a_note_is_kept_and_taken_away(lake: Lake) -> None:
    """It is one plain line about a moment; the audit log tells of both."""
    notebook.add_note(lake, "  new\tprompt\n<b>live</b> ", at=NOW - HOUR, **WHO)
    notebook.add_note(lake, "planned", at=NOW + HOUR, **WHO)
    later, earlier = read(lake, "notes")

    assert (earlier.text, earlier.at, earlier.actor) == ("new prompt <b>live</b>", NOW - HOUR, "kim")
    notebook.remove_note(lake, later, actor="lee", now=NOW)

    assert read(lake, "notes") == [earlier]
    assert sorted(lake.read("actions")["actor"].to_pylist()) == ["kim", "kim", "lee"]


def test_notes_of_a_range_are_markers(lake: Lake) -> None:
    """From its start, before its end, whatever the filters."""
    for hours in (-2, -1, 0):
        notebook.add_note(lake, f"{hours}", at=NOW + hours * HOUR, **WHO)
    marks = notebook.markers(read(lake, "notes"), Scope(start=NOW - HOUR, end=NOW, engines=("tutor",)))

    assert [(mark["kind"], mark["label"]) for mark in marks] == [("note", "-1")]


@pytest.mark.parametrize(
    ("text", "at"), [(" \n", NOW), ("x" * 281, NOW), ("x", NOW + 40 * 24 * HOUR), ("x", NOW - 4 * 366 * 24 * HOUR)]
)
def test_what_is_no_note_is_refused(lake: Lake, text: str, at: datetime) -> None:
    """Empty, long, or about a time nobody will look at: nothing is written."""
    with pytest.raises(FixSettings) as refused:
        notebook.add_note(lake, text, at=at, **WHO)

    assert refused.value.code == "NTE-001"
    assert read(lake, "notes") == []


def test_a_view_is_kept_under_its_name(lake: Lake) -> None:
    """A name in use is kept anew; one that is taken away does not bring the older one back unasked."""
    notebook.save_view(lake, "Monday", page="cost", query={"range": "7d", "engine": ["a", "b"]}, **WHO)
    notebook.save_view(lake, "all", page="overview", query={}, **WHO)
    notebook.save_view(lake, "Monday", page="cost", query={"range": "30d"}, actor="lee", now=NOW + HOUR)
    every, monday = read(lake, "views")

    assert (every.name, monday.query, monday.actor) == ("all", {"range": "30d"}, "lee")
    notebook.remove_view(lake, monday, actor="lee", now=NOW + 2 * HOUR)
    assert [view.name for view in read(lake, "views")] == ["all"]


@pytest.mark.parametrize(
    ("name", "page", "query"),
    [("", "cost", {}), ("x", "../etc", {}), ("x", "cost", {"a b": "c"}), ("x", "cost", {"range": "x" * 4001})],
)
def test_what_is_no_view_is_refused(lake: Lake, name: str, page: str, query: dict[str, str]) -> None:
    """A view is a page's name and choices and nothing else."""
    with pytest.raises(FixSettings) as refused:
        notebook.save_view(lake, name, page=page, query=query, **WHO)

    assert refused.value.code == "NTE-002"
    assert read(lake, "views") == []
