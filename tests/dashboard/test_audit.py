"""The audit log on the page: every action, who, what was before and after, in words and without a trick."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.fleet import Recorded
from dashboard import audit
from dashboard.i18n import LANGUAGES, catalogue

CORE = Path(audit.__file__).parents[1]


def recorded(**more: object) -> Recorded:
    """An action as the audit log tells it."""
    told = {"action_id": "a1", "ts": datetime(2026, 11, 20, tzinfo=UTC), "ended_at": None, "actor": "kim@example.com",
            "action": "reprice", "target": "calls 2026-11-01", "result": "done", "before": {}, "after": {}}  # fmt: skip
    return Recorded(**(told | more))  # type: ignore[arg-type]


def test_every_action_that_is_recorded_has_its_words() -> None:
    """What the code writes into the audit log and what the page can name are the same."""
    source = "\n".join(
        path.read_text("utf-8") for part in ("core", "dashboard") for path in (CORE / part).rglob("*.py")
    )
    named = re.findall(r'^_?(?:ACTION|UNDO) = "([^"]+)"', source, re.MULTILINE)
    named += [
        name
        for pair in re.findall(r'^(?:MARK|NOTE|VIEW), \w+ = "(\w+)", "(\w+)"', source, re.MULTILINE)
        for name in pair
    ]
    named += re.findall(r'_note\("(\w+)"', source)

    assert set(named) == set(audit.ACTIONS)
    for lang in LANGUAGES:
        assert {f"audit.action.{name.replace(' ', '_')}" for name in audit.ACTIONS} <= set(catalogue(lang))


def test_before_and_after_are_told_whole() -> None:
    """Names with their values, numbers and lists as they are, unknown as a dash; on one line."""
    row = audit.row(recorded(before={"calls": 12, "book": None}, after={"days": ["1", "2"], "error_code": "FLT-403"}))

    assert row["before"] == "calls: 12 · book: —"
    assert row["after"] == 'days: ["1", "2"] · error_code: FLT-403'
    assert (row["actor"], row["error_code"]) == ("kim@example.com", "FLT-403")


@pytest.mark.parametrize("text", ["a\nb", "\u202egnp", "nul\x00"])
def test_hostile_facts_stay_on_their_line(text: str) -> None:
    """A note's text or a target from a log can neither break the line nor turn it round; a novel is cut."""
    said = audit.said({"text": text})

    assert said is not None
    assert said.isprintable()
    assert len(audit.said({"text": "x" * 9_999}) or "") == 2_000
    assert audit.said({}) is None


def test_an_action_of_another_version_is_shown_by_its_name() -> None:
    """Nothing of the log is hidden."""
    assert audit.row(recorded(action="transmute"))["what"] == "transmute: calls 2026-11-01"
