"""Streamed answers saved event by event, followed while they are written; and damaged gzip, read up to the damage."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

from core.store.lake import Lake
from tests.support.collecting import collect, rows
from tests.support.log_lines import cost
from tests.support.odd.answer import events
from tests.support.odd.case import text


def _told(stream: list[dict[str, object]]) -> str:
    return "".join(f"event: {event['type']}\ndata: {text(event)}\n\n" for event in stream)


def test_a_stream_that_is_still_written_is_told_as_far_as_it_came_and_then_whole(lake: Lake, tmp_path: Path) -> None:
    """Read once in the middle, its output is a lower bound and says so; a follower waits for its end."""
    path, stream = tmp_path / "stream.txt", events(77)
    path.write_text(_told(stream[:4]))
    waiting = collect(lake, path, final=False)
    early = collect(lake, path, name="once")
    (so_far,) = rows(lake, "calls")
    path.write_text(_told(stream) + _told(events(5)))
    late = collect(lake, path)

    whole, other = sorted(rows(lake, "calls"), key=lambda row: -row["output_tokens"])
    assert (waiting.new_calls, early.new_calls, late.new_calls) == (0, 1, 1)
    assert (so_far["output_tokens"], so_far["complete"]) == (1, False)
    assert (whole["output_tokens"], whole["complete"], whole["stop_reason"]) == (77, True, "end_turn")
    assert (whole["call_id"], other["output_tokens"]) == (so_far["call_id"], 5)


def test_a_first_event_alone_is_not_taken_for_a_whole_answer(lake: Lake, tmp_path: Path) -> None:
    """Where the events are not beside each other, the placeholder output is not believed."""
    (tmp_path / "a.log").write_text(f"x {text(events()[0])} y\n" + text({"event": events()[0]}) + "\n")

    collect(lake, tmp_path)

    assert [row["complete"] for row in rows(lake, "calls")] == [False]


def test_gzip_data_is_read_up_to_where_it_is_damaged(lake: Lake, tmp_path: Path) -> None:
    """zlib gives nothing of a piece in which it meets damage; what lies before it is told all the same."""
    noise = random.Random(7)
    lines = [f"{cost(given=number)} {noise.randbytes(40).hex()}" for number in range(2_000)]
    data = bytearray(gzip.compress("\n".join(lines).encode()))
    half = len(data) // 2
    data[half : half + 64] = bytes(64)
    (tmp_path / "a.gz").write_bytes(data)

    result = collect(lake, tmp_path)

    assert result.to_json()["skipped_by_reason"].get("truncated") == 1
    assert 900 < result.new_calls < 1_100
