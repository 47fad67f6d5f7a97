"""What a file ends with may go on: told at once, counted once, whatever becomes of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from core.store.lake import Lake
from tests.support.collecting import collect, rows
from tests.support.log_lines import T0, cost, dressed, invocation, rid, text_of
from tests.support.odd.answer import events, message
from tests.support.odd.case import record, text

UNTIMED = [f"💰 API Cost: $0.000001 | input: {n}, output: 20, cache_read: 30, cache_write: 0\n" for n in range(1, 30)]

SESSION = text(
    {"parentUuid": None, "sessionId": "s1", "version": "2.4.1", "type": "assistant", "message": message(),
     "timestamp": "2026-11-20T10:00:00.000Z", "uuid": "u1", "isSidechain": False}
)  # fmt: skip


def _passes(lake: Lake, path: Path, *states: str) -> Counter[str]:
    """Read a file once in each state, as a scheduled `collect` does; return the lines by counter of all passes."""
    told: Counter[str] = Counter()
    for state in states:
        if not path.exists() or path.read_text() != state:
            path.write_text(state)
        result = collect(lake, path)
        told.update(result.recognised)
        told.update(result.ignored)
        told.update(result.skipped)
        told["calls"] += result.new_calls
    return told


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (dressed(cost(), T0, rid(1)), "cost"),
        (text(record()), "record"),
        (SESSION, "claude_code"),
    ],
)
def test_a_last_line_without_newline_is_counted_once(lake: Lake, tmp_path: Path, line: str, kind: str) -> None:
    """Seen unfinished twice, finished, and followed by others: one line, one call; the others count as ever."""
    path, other = tmp_path / "a.jsonl", "a line of somebody else's\n"

    told = _passes(lake, path, line, line, line + "\n", line + "\n" + other, line + "\n" + other + other)

    assert (told[kind], told["calls"], told["other"] + told["session"]) == (1, 1, 2)


def test_a_file_that_ends_without_newline_is_read_to_its_end_and_left_alone(lake: Lake, tmp_path: Path) -> None:
    """Its last call is told, its last line counted, and no later pass finds anything to read."""
    path = tmp_path / "a.log"
    path.write_text(text_of(invocation(1)) + text(record()))

    first, second = collect(lake, path), collect(lake, path)

    assert first.recognised["record"] == 1
    assert (second.lines_read, second.bytes_read, second.new_calls, second.replaced) == (0, 0, 0, 0)


def test_an_unfinished_line_that_grows_and_is_still_unfinished_is_told_as_it_is_now(lake: Lake, tmp_path: Path) -> None:
    """Half a number was told first: the row follows the file, the counter does not move."""
    path, line = tmp_path / "a.log", dressed(cost(write=1234), T0, rid(1))

    told = _passes(lake, path, line[:-2], line[:-1], line)

    assert (told["cost"], told["calls"]) == (1, 1)
    assert [row["cache_write_1h_tokens"] for row in rows(lake, "calls")] == [1234]


def test_the_answer_of_a_stream_that_goes_on_is_counted_once(lake: Lake, tmp_path: Path) -> None:
    """Read in its middle twice and at its end, it is one answer with its last output."""
    lines = [f"data: {text(event)}\n" for event in events(77)]
    half, more, whole = "".join(lines[:4]), "".join(lines[:5]), "".join(lines)

    told = _passes(lake, tmp_path / "a.txt", half, more, whole, whole + text(record()) + "\n")

    assert (told["anthropic_response"], told["record"], told["calls"]) == (1, 1, 2)
    assert sorted(row["output_tokens"] for row in rows(lake, "calls")) == [20, 77]


def test_an_object_over_several_lines_that_goes_on_is_counted_once(lake: Lake, tmp_path: Path) -> None:
    """Cut off when it was first read, it is told when it is whole."""
    lines = text(record(), indent=2).splitlines(keepends=True)
    half, whole = "".join(lines[:-3]), "".join(lines) + "\n"

    told = _passes(lake, tmp_path / "a.log", half, half, whole)

    assert (told["cut_off"], told["record"], told["calls"]) == (1, 0, 1)


def test_a_file_of_lines_without_times_that_tells_one_later_is_still_the_same_file(lake: Lake, tmp_path: Path) -> None:
    """It was known by its path before its head held a time; then it is known by that, also when it is rotated."""
    path, rotated = tmp_path / "a.log", tmp_path / "a.log.1"
    timed = UNTIMED[0] + "2026-11-20T00:00:00Z started\n" + UNTIMED[1]

    told = _passes(lake, path, UNTIMED[0], timed)
    path.rename(rotated)
    path.write_text(UNTIMED[2])
    after, again = collect(lake, path, rotated), collect(lake, path, rotated)

    assert (told["cost"], told["calls"]) == (2, 2)
    assert (after.new_calls, after.lines_read, again.lines_read) == (1, 1, 0)


@pytest.mark.parametrize("banner", ["", "2026-11-20T00:00:00Z Welcome\n" + "-" * 5000 + "\n"])
def test_a_file_that_took_the_place_of_another_is_read_on_where_it_was_left(
    lake: Lake, tmp_path: Path, banner: str
) -> None:
    """Cut back to nothing and written anew, then growing: what was read of the new one is not read again."""
    path = tmp_path / "a.log"
    first, second = banner + "".join(UNTIMED[:3]), banner + "".join(UNTIMED[10:12])

    told = _passes(lake, path, first, second, second + UNTIMED[12], second + UNTIMED[12] + UNTIMED[13])

    assert (told["calls"], told["cost"]) == (7, 7)
