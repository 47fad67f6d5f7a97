"""Streamed answers and lists between and inside requests: the quick lane and the ordinary way tell the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.both_ways import assert_same, collect
from tests.support.collecting import DEFAULTS
from tests.support.log_lines import invocation, text_of
from tests.support.odd.answer import events
from tests.support.odd.case import text

STOP = text({"type": "message_stop"})
WHOLE = [text(event) for event in events(77)]
STARTED = [text(event) for event in events(77)[:3]]
NOT_OURS = [
    '{"data":[{"object":"model","id":"x"},{"object":"model"}]}',
    '{"data": [{"a": 1}], "ok": true}',
    '{"data":[]}',
]


def _log(path: Path, inside: list[str]) -> Path:
    """Write six requests with lines inside and behind the fourth."""
    told: list[str] = []
    for number in range(6):
        lines = text_of(invocation(number)).rstrip("\n").split("\n")
        told += [*lines[:2], *inside, *lines[2:], *inside] if number == 3 else lines
    path.write_text("\n".join(told) + "\n")
    return path


@pytest.mark.parametrize(
    "inside",
    [
        WHOLE,
        [f"data: {line}" for line in WHOLE],
        [*STARTED, STOP],
        [*STARTED],
        [STOP, f"data: {STOP}"],
        [STOP, *NOT_OURS],
    ],
    ids=[
        "whole",
        "as the stream",
        "broken off, then its stop",
        "broken off",
        "a stop alone",
        "a stop and lists without ours",
    ],
)
def test_what_stands_in_a_request_is_told_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: list[str]
) -> None:
    """Between the lines of a request and behind it."""
    assert_same(_log(tmp_path / "a.log", inside), tmp_path, DEFAULTS, monkeypatch)


def test_a_stop_ends_an_answer_whose_end_was_lost(tmp_path: Path) -> None:
    """Its output is a lower bound; the stop is no line of ours by any word, and still ends it before its request."""
    result, told = collect(_log(tmp_path / "a.log", [*STARTED, STOP]), tmp_path / "tables", DEFAULTS)

    answers = [row for row in told["calls"] if row["told_by"] == "anthropic_response"]
    assert [(row["output_tokens"], row["complete"]) for row in answers] == [(1, False)]
    assert result.recognised["anthropic_response"] == 2 and len(told["calls"]) == 7


def test_lists_and_stops_that_are_not_ours_are_counted_and_tell_nothing(tmp_path: Path) -> None:
    """A list in which no word is ours is one line, wherever it stands."""
    result, told = collect(_log(tmp_path / "a.log", [STOP, *NOT_OURS]), tmp_path / "tables", DEFAULTS)

    plain, _ = collect(_log(tmp_path / "b.log", []), tmp_path / "others", DEFAULTS)
    assert result.recognised == plain.recognised and not result.skipped
    assert result.ignored["other"] - plain.ignored["other"] == 2 * (1 + len(NOT_OURS))
    assert len(told["calls"]) == 6
