"""Session files in columns and line by line: one folder, two ways, the same rows and counters."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from collector.result import PassResult
from collector.sessions.scan import SessionLane
from collector.sources import files
from core.settings import LineDefaults
from core.store.lake import Lake
from tests.support.collecting import DEFAULTS, adds_up, collector, files_source
from tests.support.log_lines import T0, iso

SPLIT = {"ephemeral_5m_input_tokens": 1200, "ephemeral_1h_input_tokens": 300}
STEP = {"type": "message", "input_tokens": 4, "output_tokens": 9, "cache_read_input_tokens": 50,
        "cache_creation_input_tokens": 1500, "cache_creation": SPLIT}  # fmt: skip


def usage_of(draw: Random) -> Any:
    """Return a usage object: mostly the usual one, or any other that a file may hold."""
    usual: dict[str, Any] = {
        "input_tokens": draw.randrange(1, 400), "cache_read_input_tokens": draw.choice((0, 3000)),
        "cache_creation_input_tokens": 1500, "cache_creation": SPLIT, "output_tokens": draw.randrange(1, 900),
        "service_tier": "standard",
    }  # fmt: skip
    return draw.choice(
        (
            usual, usual, usual, usual,
            {**usual, "cache_creation": None}, {**usual, "cache_creation_input_tokens": 0, "cache_creation": None},
            {**usual, "cache_creation": {"ephemeral_1h_input_tokens": 9000}}, {**usual, "cache_creation": 7},
            {**usual, "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1}, "speed": "fast"},
            {**usual, "iterations": [], "inference_geo": "us", "speed": "standard"}, {**usual, "iterations": [STEP]},
            {**usual, "output_tokens_details": {"thinking_tokens": 3}}, {**usual, "service_tier": 5},
            {**usual, "input_tokens": -1}, {**usual, "input_tokens": 10**12}, {**usual, "output_tokens": None},
            {**usual, "output_tokens": 1.5}, {**usual, "server_tool_use": []}, {"output_tokens": 5}, {}, [], None,
            {"input_tokens": 3, "output_tokens": 0, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0},
        )
    )  # fmt: skip


def turn(draw: Random, number: int, ms: int) -> list[str]:
    """Return what one turn leaves: a question, then the lines of an answer that grows; some in a strange form."""
    around: dict[str, Any] = {
        "cwd": draw.choice(("/home/me/shop", "/home/me/shop/src", "C:\\work\\shop", None)), "sessionId": "s",
        "uuid": f"u{number}", "timestamp": iso(ms),
    }  # fmt: skip
    talk = draw.choice(
        (
            {**around, "type": "user", "message": {"role": "user", "content": "Cost of RequestId and output_tokens"}},
            {**around, "type": "system"}, {"type": "summary", "summary": "x", "leafUuid": "y"},
            {"type": "file-history-snapshot", "snapshot": {}}, {**around, "type": "assistant"}, ["type"], 5, {},
            {**around, "type": ["user"]}, {"type": "user", "level": "INFO", "message": "💰 API Cost: $1.5"},
        )
    )  # fmt: skip
    name = draw.choice((f"msg_{number}", f"msg_{number}", f"msg_{number - 1}", f"msg_bdrk_{number}", "gen-1", None, 7))
    model = draw.choice(("claude-opus-4-5", "claude-opus-4-5", "<synthetic>", "eu.anthropic.claude-opus-4-5", None))
    usage, lines = usage_of(draw), [talk]
    for block in range(draw.randrange(1, 4)):
        message = {"id": name, "role": "assistant", "model": model, "content": [{"text": "한국어 \" \\n"}],
                   "stop_reason": draw.choice((None, None, "end_turn", ["end_turn"], "")), "usage": usage}  # fmt: skip
        odd = draw.choice(
            ({}, {}, {}, {}, {}, {"costUSD": 0.25}, {"costUSD": "x"}, {"isApiErrorMessage": True}, {"eventId": "1"},
             {"timestamp": "2026-13-01"}, {"timestamp": ms}, {"timestamp": "2026-11-20T10:00:00+09:00"},
             {"timestamp": "1999-01-01T00:00:00Z"}, {"timestamp": "2026-11-20T10:00:00"}, {"requestId": ""})
        )  # fmt: skip
        if draw.random() < 0.1:
            message["stop_details"] = {"category": "cyber"}
        lines.append({**around, "requestId": f"req_{number}", **odd, "type": "assistant", "message": message})
        if draw.random() < 0.3:
            usage = usage_of(draw)
        elif draw.random() < 0.5 and isinstance(usage, dict) and isinstance(usage.get("output_tokens"), int):
            usage = {**usage, "output_tokens": usage["output_tokens"] + block}
    told = [json.dumps(line, ensure_ascii=draw.random() < 0.5, separators=draw.choice(((",", ":"), (", ", ": "))))
            for line in lines]  # fmt: skip
    if draw.random() < 0.1:
        told.insert(draw.randrange(len(told) + 1), draw.choice(("", "text", told[-1][:-9], "{", "  " + told[-1])))
    return told


def write(folder: Path, seed: int) -> None:
    """Write the sessions of two projects; the second resumes, and so repeats, what the first said last."""
    draw, earlier = Random(seed), list[str]()
    for number in range(6):
        path = folder / "-home-me-shop" / f"{number}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [line for turned in range(40) for line in turn(draw, number * 100 + turned, T0 + turned * 1000)]
        path.write_text("\n".join([*earlier, *lines]) + draw.choice(("\n", "")), encoding="utf-8")
        earlier = lines[-10:]


def collected(folder: Path, tables: Path, defaults: LineDefaults) -> tuple[PassResult, dict[str, dict[str, Any]]]:
    """Read a folder twice; the second time tells nothing."""
    lake = Lake(tables)
    reader = collector(files_source(folder), lake, defaults=defaults)
    result, again = reader.run_pass(), reader.run_pass()
    assert adds_up(result)
    assert again.new_calls == again.replaced == 0
    return result, {row["call_id"]: row for row in lake.read("calls").to_pylist()}


@pytest.mark.parametrize("seed", range(3))
def test_both_ways_through_a_session_lead_to_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Whatever a session's lines hold; every line is counted once, and as a call or a fault by both alike."""
    defaults = (DEFAULTS, LineDefaults(), LineDefaults(model="claude-haiku-4-5", cache_ttl="5m"))[seed]
    write(tmp_path / "logs", seed)

    quick, quick_rows = collected(tmp_path / "logs", tmp_path / "quick", defaults)
    monkeypatch.setattr(files, "is_session_head", lambda head: False)
    plain, plain_rows = collected(tmp_path / "logs", tmp_path / "plain", defaults)

    assert len(quick_rows) > 100
    assert quick_rows.keys() == plain_rows.keys()
    for call_id, row in quick_rows.items():
        assert row == plain_rows[call_id]
    assert (quick.recognised, quick.skipped) == (plain.recognised, plain.skipped)
    assert (quick.lines_read, quick.window_end_ms) == (plain.lines_read, plain.window_end_ms)


def test_what_claude_code_writes_takes_the_quick_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line of an ordinary session is left to be read one by one."""
    left: list[bytes] = []
    monkeypatch.setattr(SessionLane, "_leave", lambda self, file, offset, line: left.append(line))
    around = {"sessionId": "s", "uuid": "u", "cwd": "/home/me/shop", "timestamp": iso(T0)}
    usage = {"input_tokens": 3, "output_tokens": 1, "cache_read_input_tokens": 9, "cache_creation_input_tokens": 1500}
    lines = [
        {**around, "type": "user", "message": {"role": "user", "content": "hello"}},
        {**around, "type": "assistant", "message": {"id": "msg_1", "model": "claude-opus-4-5", "usage": usage}},
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    result = collector(files_source(tmp_path / "a.jsonl"), Lake(tmp_path / "tables")).run_pass()

    assert left == []
    assert (result.lines_read, result.recognised["claude_code"], result.ignored["session"]) == (2, 1, 1)
