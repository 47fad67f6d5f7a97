"""Lines outside any request: one log, read as columns and line by line, the same rows and counters."""

from __future__ import annotations

import gc
import json
import weakref
from pathlib import Path
from random import Random

import pytest

from collector.correlate import Correlator
from collector.lane.bare import BareRun
from core.settings import LineDefaults
from core.telemetry import (
    call_record,
    prompt_store_hit_line,
    prompt_store_miss_line,
    prompt_stored_line,
    record_line,
    with_metrics,
)
from tests.support.both_ways import assert_same, assert_same_while_it_grows, collect
from tests.support.collecting import DEFAULTS, files_source
from tests.support.log_lines import NOW, T0, cost, dressed, iso, record, report, rid, start


def told(draw: Random, number: int, ms: int) -> list[str]:
    """Return the lines of one call: a record, a cost line or both, in either order."""
    tokens = {"given": draw.randrange(1, 9), "read": draw.choice((0, 3000))}
    more = {"engine": draw.choice((None, None, "sales"))}
    line = record(f"msg_{draw.choice((number, number, number, number // 2))}", ms=ms, **tokens, **more)
    if draw.random() < 0.5:
        line = record_line(with_metrics(json.loads(line)))
    twins = [line, cost(**tokens)]
    draw.shuffle(twins)
    return draw.choice((twins, twins, [line], [cost(**tokens)], [*twins, *twins], []))


def odd(draw: Random, number: int, ms: int) -> str:
    """Return a line in another form, or of another kind."""
    failed = call_record(
        call_id=f"msg_{number}", started_ms=ms, provider="anthropic", model="claude-opus-4-5", engine="sales",
        usage=None, status="error", error_type="rate_limit_error",
    )  # fmt: skip
    body = json.loads(record(f"msg_{number}", ms=ms, given=3))
    return draw.choice(
        (
            prompt_store_miss_line("sales"), prompt_stored_line("sales"), record_line(failed),
            json.dumps(body), json.dumps({"level": "info", **body}), json.dumps(body | {"v": 2}),
            json.dumps(body | {"usage": {"input_tokens": 1.5}}), json.dumps(body | {"request_id": rid(number // 9)}),
            json.dumps({"time": f"{iso(ms)}", **body}), json.dumps({"message": cost(given=3)}), json.dumps(body)[:-9],
            json.dumps(body | {"tenant": draw.choice(("a", 7, "x" * 400))}), json.dumps(body | {"eventId": "1"}),
            json.dumps(body | {"note": "2026-11-20T01:02:03Z"}), f" {json.dumps(body)}", f"{json.dumps(body)}\r",
            json.dumps(body | {"log": "x"}), json.dumps(body | {"log": cost(given=2)}), json.dumps({"data": [body]}),
            json.dumps(body | {"results": [body]}), '{"data": [{"@timestamp": "x"}, {"a": "@ptr"}]}',
            json.dumps({"resourceLogs": [body]}), '{"results": [{"@ptr": "x"}]}', '{"event":"llm_usage"}',
            '{"event":"llm_usage", NaN', f"{record('msg_x', ms=ms)}{record('msg_y', ms=ms)}",
            "💰 API Cost: $1,000.5 | input: 1,000, output: 5, cache_read: 0, cache_write: 0",
            "💰 API Cost: $0.01 | input: 1, output: x", cost(given=10**11), f"  {cost(given=2)}", f"{cost(given=2)}\r",
            dressed(cost(given=draw.randrange(1, 9)), ms, rid(number // 9)), f"{iso(ms)} {cost(given=1, read=0)}",
            "Cache HIT for [] - DB query skipped", "✅ Cache HIT for sales - DB query skipped", "Read timed out",
            '{"a": {"output_tokens": 3}}', "Cost of RequestId", "{not json}", "[x] {", "한국어 로그", "",
            '{"type":"message","id":"msg_3","usage":{"input_tokens":3,"output_tokens":200}}',
        )
    )  # fmt: skip


def streamed(draw: Random, number: int) -> list[str]:
    """Return the events of an answer as they are streamed, perhaps broken off."""
    events = [
        {"type": "message_start", "message": {"id": f"msg_s{number}", "model": "claude-opus-4-5", "role": "assistant",
                                              "usage": {"input_tokens": 3, "output_tokens": 1}}},
        {"type": "content_block_delta", "index": 0}, {"type": "ping"},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]  # fmt: skip
    front = draw.choice(("data: ", ""))
    return [f"{front}{json.dumps(event)}" for event in events[: draw.choice((5, 5, 5, 4, 2))]]


def a_request(draw: Random, number: int, ms: int) -> list[str]:
    """Return a request of a Lambda function, or a part of one: its log went into the same file."""
    name = rid(number)
    whole = [
        start(name), dressed(cost(given=draw.randrange(1, 9)), ms, name), f"END RequestId: {name}",
        report(name, ms=draw.choice((3.0, 90_000.0))),
    ]  # fmt: skip
    return draw.choice((whole, whole[-1:], whole[:2], whole[1:2]))


def log(draw: Random, *, odd_share: float, requests: float, timed: float, calls: int = 260) -> list[str]:
    """Return a log with so many lines in another form, lines of requests, and lines that tell a time."""
    lines: list[str] = []
    ms = T0
    for number in range(calls):
        ms += draw.choice((0, 40, 900, 4_000, 20_000))
        if draw.random() < timed:
            form = draw.choice(
                (f"{iso(ms)} a request", f"[INFO]\t{iso(ms)}\tx", f"[y] {iso(ms)[:19]},5", "[z]", "2 is even")
            )
            lines.append(form)
        if draw.random() < 0.5:
            lines.append(prompt_store_hit_line(draw.choice(("sales", "한국어", "a b"))))
        lines += told(draw, number, ms)
        if draw.random() < 0.2:
            lines.append(draw.choice(("GET /health 200", "application", "{}")))
        if draw.random() < odd_share:
            lines.append(odd(draw, number, ms))
        if draw.random() < odd_share / 4:
            lines += streamed(draw, number)
        if draw.random() < odd_share / 8:
            lines += json.dumps(json.loads(record(f"msg_i{number}", ms=ms)), indent=2).split("\n")[
                : draw.choice((99, 99, 5))
            ]
        if draw.random() < requests:
            lines += a_request(draw, number, ms)
    return lines


@pytest.mark.parametrize("seed", range(8))
def test_the_lane_tells_what_the_ordinary_way_tells(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls among odd lines, times and requests, read in small pieces and batches: all rows are the same."""
    draw = Random(seed)
    lines = log(
        draw, odd_share=draw.choice((0, 0.05, 0.05, 0.4)), requests=draw.choice((0, 0, 0, 0.004)),
        timed=draw.choice((0, 0.1, 0.7)),
    )  # fmt: skip
    monkeypatch.setattr("collector.sources.file_bytes.CHUNK", draw.choice((1_000_000, 9_000, 5_000)))
    monkeypatch.setattr("collector.correlate._GAP_LIMIT", draw.choice((2_000, 20)))
    for name in ("BATCH_EVENTS", "_BATCH_BARE"):
        monkeypatch.setattr(f"collector.sources.gathering.{name}", 90 if seed % 2 else 10_000)
    path = tmp_path / "service.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    defaults = (DEFAULTS, LineDefaults(), LineDefaults(model="claude-haiku-4-5", cache_ttl="5m"))[seed % 3]

    assert_same(path, tmp_path, defaults, monkeypatch)


@pytest.mark.parametrize("seed", range(3))
def test_the_lane_tells_the_same_of_a_log_that_grows(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read again and again while it is written, with the newest lines left for the next pass."""
    draw = Random(100 + seed)
    lines = log(draw, odd_share=0.05, requests=0, timed=0.4, calls=300)
    text = "\n".join(lines).encode() + b"\n"
    cuts = sorted(draw.randrange(len(text)) for _ in range(3))

    assert_same_while_it_grows([text[:cut] for cut in (*cuts, len(text))], tmp_path, DEFAULTS, monkeypatch)


def test_the_lane_takes_what_a_service_writes(tmp_path: Path) -> None:
    """Nearly all lines in the exact form go the quick way, lines of others beside them: else it would be no help."""
    lines: list[str] = []
    for number in range(60):
        told = json.loads(record(f"msg_{number}", ms=T0 + number, given=number))
        lines += [prompt_store_hit_line("sales"), cost(given=number), record_line(with_metrics(told)), "GET / 200"]
    path = tmp_path / "service.log"
    path.write_text("\n".join([*lines, prompt_store_miss_line("sales"), *lines]) + "\n", encoding="utf-8")

    (batch,) = files_source(path).read(None, NOW)

    assert batch.lane.bare.count == 360
    assert len(batch.events) == 1
    assert batch.ignored["other"] == 120


def test_a_cost_line_behind_a_batch_goes_with_the_record_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch ends between a record and its cost line: it is one call, and its engine is the one spoken of before."""
    for name in ("BATCH_EVENTS", "_BATCH_BARE"):
        monkeypatch.setattr(f"collector.sources.gathering.{name}", 40)
    monkeypatch.setattr("collector.sources.file_bytes.CHUNK", 5_000)
    lines = [prompt_store_hit_line("faq")]
    for number in range(90):
        lines += [record(f"msg_{number}", ms=T0 + number, given=number, engine=None), cost(given=number)]
    path = tmp_path / "service.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    _, rows = collect(path, tmp_path / "tables", DEFAULTS)

    assert [row["checked_by"] for row in rows["calls"]] == ["text"] * 90
    assert {row["engine"] for row in rows["calls"]} == {"faq"}


def test_no_batch_is_held_beyond_its_own_storing(tmp_path: Path) -> None:
    """Nothing of a batch hangs together in a circle: it is given back at once, so that memory stays bounded."""
    lines = [line for n in range(60) for line in (record(f"msg_{n}", ms=T0 + n, given=n), cost(given=n))]
    path = tmp_path / "service.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    correlator = Correlator()
    gc.disable()
    try:
        (batch,) = files_source(path).read(None, NOW)
        (run,) = batch.lane.runs
        assert isinstance(run, BareRun) and correlator.take_bare(run, batch.lane)
        told, _ = correlator.finish(round(NOW.timestamp() * 1000), final=True)
        held = weakref.ref(told[0].bare[0].lines)
        correlator.take_lots()
        del batch, run, told
        assert held() is None
    finally:
        gc.enable()
