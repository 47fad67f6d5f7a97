"""Files that pages hand out: for whoever may look, asked again when the button is pressed."""

import ast
from pathlib import Path

import pytest

from core.errors import FixSettings
from dashboard import auth, download
from dashboard.identity import Visitor
from tests.support.screens import APP

NOBODY = {
    "stranger": (Visitor("stranger", None, "Eve", "eve@example.com"), "DSH-404"),
    "signed out": (Visitor("signed_out", None), "DSH-401"),
    "expired": (Visitor("expired", None, "Kim", "kim@example.com"), "DSH-402"),
}


@pytest.mark.parametrize("who", NOBODY)
def test_a_page_left_open_hands_nothing_to_whoever_may_not_look_any_more(
    who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The role is asked on the server at the click: the file is not even made."""
    visitor, code = NOBODY[who]
    made: list[int] = []
    ask = download.for_viewers(lambda: made.append(1) or b"")  # drawn while all was well
    monkeypatch.setattr(auth, "visitor", lambda: visitor)

    with pytest.raises(FixSettings, match=code):
        ask()
    assert made == []


@pytest.mark.parametrize("who", [Visitor("member", "viewer"), Visitor("local", "operator"), Visitor("open", "viewer")])
def test_viewers_take_what_they_see(who: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/access.md says."""
    monkeypatch.setattr(auth, "visitor", lambda: who)

    assert download.for_viewers(lambda: b"figures")() == b"figures"


def test_every_file_made_at_a_click_asks_first() -> None:
    """No download button of the dashboard is given a function of its own."""
    found = []
    for path in sorted(APP.parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "download_button":
                (data,) = [word.value for word in node.keywords if word.arg == "data"]
                asks = isinstance(data, ast.Call) and getattr(data.func, "id", "") == "for_viewers"
                found.append((Path(path).name, asks))

    assert len(found) >= 4
    assert [name for name, asks in found if not asks] == []
