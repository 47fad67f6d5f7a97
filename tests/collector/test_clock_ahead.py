"""Calls dated ahead of the line that tells them: a wrong clock moves no call out of its time, and is counted."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from core.settings import LineDefaults
from core.store.lake import Lake
from tests.support.both_ways import assert_same
from tests.support.collecting import collect, rows
from tests.support.log_lines import NOW, T0, dressed, invocation, iso, payload, record, report, rid, start

HOUR_MS = 3_600_000
NOW_MS = round(NOW.timestamp() * 1000)
YEAR_2090 = 3_786_912_000_000


@pytest.mark.parametrize(
    ("ahead_ms", "kind"), [(-HOUR_MS, "start"), (4 * 60_000, "start"), (6 * 60_000, "logged"), (HOUR_MS, "logged")]
)
def test_a_record_ahead_of_its_event_is_taken_at_the_event_s_time(
    lake: Lake, tmp_path: Path, ahead_ms: int, kind: str
) -> None:
    """Up to five minutes a record's own start stands; beyond it the event's time, and it is counted once."""
    told = payload([(T0, start(rid(1))), (T0 + 5, record("msg_1", ms=T0 + ahead_ms)), (T0 + 9, report(rid(1)))])
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(told))

    first, again = collect(lake, path), collect(lake, path, name="again")

    (call,) = rows(lake, "calls")
    wanted = T0 + (ahead_ms if kind == "start" else 5)
    assert (round(call["ts"].timestamp() * 1000), call["ts_kind"]) == (wanted, kind)
    assert (first.clock_ahead, again.clock_ahead) == (kind == "logged", 0)
    assert first.to_json()["clock_ahead"] == first.clock_ahead


def test_where_lines_have_no_time_of_their_own_the_bound_is_now(lake: Lake, tmp_path: Path) -> None:
    """A bare record may be later than the line before it that told a time, and never later than the present."""
    path = tmp_path / "a.log"
    path.write_text(
        f"{iso(T0)} started\n{record('msg_1', ms=T0 + HOUR_MS)}\n{record('msg_2', ms=NOW_MS + HOUR_MS, given=2)}\n"
    )

    result = collect(lake, path)

    times = {call["call_id"]: (round(call["ts"].timestamp() * 1000), call["ts_kind"]) for call in rows(lake, "calls")}
    assert times == {"msg_1": (T0 + HOUR_MS, "start"), "msg_2": (T0, "logged")}
    assert result.clock_ahead == 1


def test_a_container_s_time_bounds_what_its_line_tells(lake: Lake, tmp_path: Path) -> None:
    """What stands around a line tells when it was written: a record dated an hour later is not believed."""
    path = tmp_path / "a.log"
    told = {"log": record("msg_1", ms=T0 + HOUR_MS) + "\n", "stream": "stdout", "time": iso(T0 + 7)}
    path.write_text(json.dumps(told) + "\n")

    assert collect(lake, path).clock_ahead == 1
    assert round(rows(lake, "calls")[0]["ts"].timestamp() * 1000) == T0 + 7


def test_a_session_dated_decades_ahead_is_taken_when_it_was_read(lake: Lake, tmp_path: Path) -> None:
    """A time that no log can have is none: the call stays among those of today."""
    usage = {"input_tokens": 4, "output_tokens": 2}
    message = {"id": "msg_s", "role": "assistant", "type": "message", "model": "claude-opus-4-5", "usage": usage}
    line = {"type": "assistant", "uuid": "u", "sessionId": "s", "timestamp": iso(YEAR_2090), "message": message}
    (tmp_path / "a.jsonl").write_text(json.dumps(line) + "\n")

    collect(lake, tmp_path)

    (call,) = rows(lake, "calls")
    assert (call["ts"] <= NOW + timedelta(minutes=1), call["ts_kind"]) == (True, "file")


def test_the_quick_lane_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many requests with records, some decades ahead: rows and counters are those of line by line."""
    lines: list[str] = []
    for number in range(60):
        at, name = T0 + number * 2_000, rid(number)
        ms = YEAR_2090 if number % 7 == 3 else at
        told = record(f"msg_{number}", ms=ms, given=number + 1)
        told = dressed(told, at + 5, name) if number % 2 else told
        lines += [start(name), dressed("x", at + 1, name), told, f"END RequestId: {name}", report(name)]
        lines += [line for _, line in invocation(1_000 + number, ms=at + 900)]
    path = tmp_path / "lambda.log"
    path.write_text("\n".join(lines) + "\n")

    assert_same(path, tmp_path, LineDefaults(), monkeypatch)
    assert collect(Lake(tmp_path / "more"), path).clock_ahead == 9
