"""Lambda's JSON log format, the quick way and line by line: the same rows and counters."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from core.settings import LineDefaults
from core.telemetry import prompt_store_hit_line, prompt_store_miss_line
from tests.support.both_ways import assert_same
from tests.support.collecting import DEFAULTS, files_source
from tests.support.log_lines import NOW, T0, cost, dressed, iso, record, report, rid, start


def platform(kind: str, ms: int, name: str, **more: Any) -> dict[str, Any]:
    return {"time": iso(ms), "type": f"platform.{kind}", "record": {"requestId": name, **more}}


def app(draw: Random, message: Any, ms: int, name: str | None) -> dict[str, Any]:
    """Return a line of the application as the runtimes write it: members in one order or another."""
    said = {"timestamp": draw.choice((iso(ms), iso(ms)[:19] + "Z")), "level": "INFO", "message": message}
    if name is not None:
        said["requestId"] = name
    return said if draw.random() < 0.8 else {"level": "INFO", **said, "logger": "root"}


def request(draw: Random, number: int, ms: int) -> list[str]:
    """Return the lines of a request: most in the exact form, some in any other that a log may hold."""
    name = rid(draw.choice((number, number, number, number // 2)))
    named = draw.choice((name, name, None))
    tokens = {"given": draw.randrange(1, 400), "read": draw.choice((0, 3000))}
    told = record(f"msg_{number}", ms=ms, request_id=draw.choice((None, name)), **tokens)

    def said(message: Any, after: int = 0) -> Any:
        printed = isinstance(message, str) and draw.random() < 0.15
        return message if printed else app(draw, message, ms + after, named)

    logged: Any = draw.choice((told, said(told, 5), said(json.loads(told), 5)))
    middle: list[Any] = [
        said("Found credentials"), said(prompt_store_hit_line(draw.choice(("sales", "한국어", "a b"))), 2),
        *draw.choice(([said(cost(**tokens), 4)], [logged], [logged, said(cost(**tokens), 6)], [said(cost())], [])),
        said({"a": "plain"}),
    ]  # fmt: skip
    odd: Any = draw.choice(
        (
            None, None, None, None, None, None,
            said(prompt_store_miss_line("sales")), said("Cost of RequestId"), said("a\n" + cost()), said(cost() + "\n"),
            app(draw, cost(), ms, rid(number + 1)), {"eventId": "1", "message": cost(), "timestamp": ms},
            {"logEvents": [{"id": "9", "timestamp": ms, "message": cost()}]}, "2026 is a year", "[x] {", "", "\r",
            dressed(cost(), ms, name), {"time": "2001-01-01T00:00:00.000Z", "message": cost()}, {"msg": cost()},
            {"message": cost()}, {"message": cost(), "at": iso(ms + 7)}, {"message": cost(), "type": "x"},
            {"message": cost(), "type": None}, {"message": cost(), "aws_request_id": rid(number)}, b"\xff Cost",
            '{"message": "Cost', platform("initStart", ms, name), platform("runtimeDone", ms, name),
            platform("logsDropped", ms, name), {"message": {"input_tokens": 3, "event": "llm_usage"}}, start(name),
            report(name), {"usage": {"input_tokens": 3}, "type": "message", "role": "assistant"},
            f"{iso(ms)} {name} Task timed out after 3.00 seconds", said(["Cost"]), {"timestamp": 5, "message": cost()},
        )
    )  # fmt: skip
    if odd is not None:
        middle.insert(draw.randrange(len(middle) + 1), odd)
    metrics: dict[str, Any] = {
        "durationMs": draw.uniform(3, 900), "billedDurationMs": 13, "memorySizeMB": 512, "maxMemoryUsedMB": 123,
    }  # fmt: skip
    if draw.random() < 0.1:
        metrics[draw.choice(list(metrics))] = draw.choice((None, "7", True, -1, 1e13, 2.5, [1]))
    if draw.random() < 0.1:
        metrics["initDurationMs"] = 80.5
    status = draw.choice(("success",) * 12 + ("timeout", "error", 1))
    last = platform("report", ms + 1000, name, metrics=metrics, status=status)
    done = [platform("runtimeDone", ms + 990, name, status="success")] if draw.random() < 0.7 else []
    version = draw.choice(("12", "$LATEST", "", None, 7)) if draw.random() < 0.1 else "12"
    whole = [platform("start", ms, name, version=version), *middle, *done, last]
    cut = draw.random()
    whole = whole[1:] if cut < 0.04 else whole[:-1] if cut < 0.08 else whole
    return [line if isinstance(line, str | bytes) else as_line(draw, line) for line in whole]


def as_line(draw: Random, body: Any) -> str:
    spaced = (",", ":") if draw.random() < 0.7 else (", ", ": ")
    return json.dumps(body, ensure_ascii=draw.random() < 0.3, separators=spaced)


@pytest.mark.parametrize("seed", range(4))
def test_json_lines_tell_what_they_tell_one_by_one(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests in the JSON format, a third of them with a line in another form: every row and counter is the same."""
    draw = Random(seed)
    lines: list[str | bytes] = []
    for number in range(150):
        lines += request(draw, number, T0 + number * draw.choice((0, 40, 3000)))
        if draw.random() < 0.05:
            lines.append(draw.choice((cost(), "between", as_line(draw, app(draw, cost(), T0, None)), record("msg_3"))))
    monkeypatch.setattr("collector.sources.file_bytes.CHUNK", (1_000_000, 9_000)[seed % 2])
    path = tmp_path / "lambda.log"
    path.write_bytes(b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines))
    defaults = (DEFAULTS, LineDefaults(), LineDefaults(model="claude-haiku-4-5", cache_ttl="5m"))[seed % 3]

    assert_same(path, tmp_path, defaults, monkeypatch)


@pytest.mark.parametrize("done", [True, False])
def test_requests_in_the_exact_form_are_taken_as_columns(done: bool, tmp_path: Path) -> None:
    """With or without the record of the runtime's end, which the log level decides; otherwise it would be no help."""
    draw, lines = Random(1), []
    for number in range(50):
        ms, name = T0 + 2000 * number, rid(number)
        told = [platform("start", ms, name, version="12"), app(draw, cost(), ms + 5, name)]
        told += [platform("runtimeDone", ms + 9, name, status="success")] if done else []
        metrics = {"durationMs": 9.5, "billedDurationMs": 10, "memorySizeMB": 512, "maxMemoryUsedMB": 99}
        told.append(platform("report", ms + 10, name, metrics=metrics, status="success"))
        lines += [json.dumps(line) for line in told]
    path = tmp_path / "lambda.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    (batch,) = files_source(path).read(None, NOW)

    assert batch.lane.count == 50
    assert batch.events == []
