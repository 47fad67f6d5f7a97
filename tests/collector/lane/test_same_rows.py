"""The quick lane and the ordinary way: one log, two ways, the same rows and counters."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from core.settings import LineDefaults
from core.telemetry import prompt_store_hit_line, prompt_store_miss_line, prompt_stored_line
from tests.support.both_ways import assert_same, collect
from tests.support.collecting import DEFAULTS, files_source
from tests.support.log_lines import NOW, T0, cost, dressed, iso, record, report, rid, start


def lines_of(draw: Random, number: int, ms: int) -> list[str]:
    """Return the lines of a request: most in the exact form, some in any other that a log may hold."""
    name = rid(draw.choice((number, number, number, number // 2)))  # Lambda retries under the same id
    said = draw.choice((lambda text: dressed(text, ms + draw.randrange(900), name), str))
    tokens = {"given": draw.randrange(1, 400), "read": draw.choice((0, 3000))}
    told = record(f"msg_{number}", ms=ms, request_id=draw.choice((None, name)), **tokens)
    middle: list[str] = [
        draw.choice((f"[INFO]\t{iso(ms)}\t{name}\tapplication", "2026 is a year", "", "plain text", "{not json}")),
        said(prompt_store_hit_line(draw.choice(("sales", "한국어", "a b")))),
        *draw.choice(([said(cost(**tokens))], [told], [told, said(cost(**tokens))], [said(cost()), said(cost())], [])),
        f"[INFO]\t{iso(ms + 1000)}\t{name}\tposted",
    ]
    odd = draw.choice(
        (
            "", "", "", "", "",
            said(prompt_store_miss_line("sales")), said(prompt_stored_line("sales")),
            said("✅ Cache HIT for sales - DB query skipped"), said("Cache HIT for [] - DB query skipped"),
            dressed(cost(), ms, rid(number + 1)), said("💰 API Cost: $0.01 | input: 1, output: x"),
            f"{iso(ms)} {name} Task timed out after 3.00 seconds", "Read timed out", '{"eventId": "1"}',
            said("💰 API Cost: $1,000.5 | input: 1,000, output: 5, cache_read: 0, cache_write: 0"),
            f"[INFO]\t2001-01-01T00:00:00.000Z\t{name}\t{cost()}", f"[INFO]\t2026-13-01T00:00:00.000Z\t{name}\tx",
            "XRAY TraceId: 1-2-3\tSegmentId: 4\tSampled: true", '{"a": {"output_tokens": 3}}', "Cost of RequestId",
        )
    )  # fmt: skip
    if odd:
        middle.insert(draw.randrange(len(middle) + 1), odd)
    end = [
        f"END RequestId: {name}",
        report(name, ms=draw.uniform(3, 900), extra=draw.choice(("", "", "", "Init Duration: 5 ms\t"))),
    ]
    whole = [start(name, draw.choice(("12", "$LATEST"))), *middle, *end]
    cut = draw.random()
    if cut < 0.04:
        return whole[1:]
    return whole[:-1] if cut < 0.08 else whole


BETWEEN = (
    cost(), "between", f"{iso(T0)} between", prompt_store_hit_line("faq"), "[x] {", "[nothing]", cost(given=5, read=0),
    record("msg_3", ms=T0, given=5, read=0), "[abc] 2026-11-20T15:00:00 z", "[INFO]\t2026-11-20T15:00:00.000Z\tq\tx",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_the_lane_tells_what_the_ordinary_way_tells(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of requests, a third of them with a line in another form: every row and every counter is the same."""
    draw = Random(seed)
    lines: list[str] = []
    for number in range(150):
        lines += lines_of(draw, number, T0 + number * draw.choice((0, 40, 3000)))
        if draw.random() < 0.05:
            lines.append(draw.choice(BETWEEN))
    monkeypatch.setattr("collector.sources.file_bytes.CHUNK", (1_000_000, 9_000)[seed % 2])
    path = tmp_path / "lambda.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    defaults = (DEFAULTS, LineDefaults(), LineDefaults(model="claude-haiku-4-5", cache_ttl="5m"))[seed % 3]

    assert_same(path, tmp_path, defaults, monkeypatch)


def test_records_in_any_form_are_told_as_the_parser_tells_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each record has one member of another kind, or lacks it: whatever the parser makes of it is what is stored."""
    draw = Random(5)
    odd = (
        None,
        "",
        "text",
        7,
        -1,
        3.5,
        True,
        [3],
        ["x"],
        {},
        {"a": 1},
        10**12,
        "x" * 400,
        "5m",
        "2026-11-20T01:02:03Z",
    )
    more = ("service_tier", "has_output", "type", "diagnosis", "blocks", "server_tool_use", "tenant", "tenantId")
    lines: list[str] = []
    for number in range(300):
        body = json.loads(record(f"msg_{number}", ms=T0 + number, request_id=draw.choice((None, rid(number)))))
        written = draw.choice((0, 0, 12))
        body["usage"] |= {"cache_creation_input_tokens": written}
        body["usage"]["cache_creation"] = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": written}
        body |= {"latency_ms": 3.5, "ttft_ms": 1, "stop_reason": "end_turn", "cost_usd": "0.01", "api_request_id": "r"}
        place = draw.choice(
            (body, body, body["usage"], body["usage"]["cache_creation"], body["caching"], body["prefix"])
        )
        name = draw.choice([*place, *more])
        place[name] = draw.choice(odd)
        if draw.random() < 0.1:
            del place[name]
        told = json.dumps(body, ensure_ascii=draw.random() < 0.5)
        lines += [start(rid(number)), told, f"END RequestId: {rid(number)}", report(rid(number))]
    path = tmp_path / "lambda.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    assert_same(path, tmp_path, LineDefaults(cache_ttl="1h"), monkeypatch)


def test_a_line_behind_a_run_is_joined_with_the_record_in_it(tmp_path: Path) -> None:
    """A cost line that comes after REPORT tells a call that a record told: it is one call, checked by its line."""
    lines = [
        line
        for n in range(30)
        for line in (
            start(rid(n)), record(f"msg_{n}", ms=T0 + n, given=n + 1, read=0), f"END RequestId: {rid(n)}",
            report(rid(n)),
        )
    ]  # fmt: skip
    path = tmp_path / "lambda.log"
    path.write_text("\n".join([*lines, cost(given=30, read=0)]) + "\n", encoding="utf-8")

    _, rows = collect(path, tmp_path / "tables", DEFAULTS)

    assert [row["call_id"] for row in rows["calls"] if row["checked_by"] == "text"] == ["msg_29"]
    assert len(rows["calls"]) == 30


def test_calls_of_engines_that_no_other_line_names(tmp_path: Path) -> None:
    """Two records of one request name an engine that no prompt-store line speaks of: the request has it too."""
    lines = []
    for number in range(40):
        told = [record(f"msg_{number}_{call}", ms=T0 + number, engine="alone") for call in range(2)]
        lines += [start(rid(number)), *told, f"END RequestId: {rid(number)}", report(rid(number))]
    path = tmp_path / "lambda.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    _, rows = collect(path, tmp_path / "tables", DEFAULTS)

    assert {(row["engine"], row["calls"]) for row in rows["invocations"]} == {("alone", 2)}
    assert {row["engine"] for row in rows["calls"]} == {"alone"}
    assert len(rows["calls"]) == 80


def test_the_lane_takes_the_requests_of_an_ordinary_log(tmp_path: Path) -> None:
    """Nearly all requests written in the exact form go the quick way: otherwise it would be no help."""
    lines: list[str] = []
    for number in range(50):
        lines += [start(rid(number)), dressed(cost(), T0 + number, rid(number)), f"END RequestId: {rid(number)}",
                  report(rid(number))]  # fmt: skip
    path = tmp_path / "lambda.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    (batch,) = files_source(path).read(None, NOW)

    assert batch.lane.count == 50
    assert batch.events == []
