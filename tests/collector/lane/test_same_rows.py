"""The quick lane and the ordinary way: one log, two ways, the same rows and counters."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from collector.pipeline import Collector
from collector.result import PassResult
from collector.sources.file_events import Telling
from core.pricing import default_book
from core.settings import LineDefaults
from core.store.lake import Lake
from core.telemetry import prompt_store_hit_line, prompt_store_miss_line, prompt_stored_line
from tests.support.collecting import DEFAULTS, adds_up, files_source
from tests.support.log_lines import NOW, T0, cost, dressed, iso, record, report, rid, start

TABLES = {"calls": "call_id", "invocations": "invocation_id", "prompt_store_events": "event_key"}


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


def collect(path: Path, tables: Path, defaults: LineDefaults) -> tuple[PassResult, dict[str, list[dict[str, Any]]]]:
    lake = Lake(tables)
    result = Collector(files_source(path), lake, default_book(), defaults=defaults, clock=lambda: NOW).run_pass()
    told = {name: sorted(lake.read(name).to_pylist(), key=lambda row: row[key]) for name, key in TABLES.items()}
    return result, told


@pytest.mark.parametrize("seed", range(4))
def test_the_lane_tells_what_the_ordinary_way_tells(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of requests, a third of them with a line in another form: every row and every counter is the same."""
    draw = Random(seed)
    lines: list[str] = []
    for number in range(150):
        lines += lines_of(draw, number, T0 + number * draw.choice((0, 40, 3000)))
        if draw.random() < 0.05:
            lines.append(draw.choice((cost(), "between", f"{iso(T0 + number)} between", prompt_store_hit_line("faq"))))
    path = tmp_path / "lambda.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    defaults = (DEFAULTS, LineDefaults(), LineDefaults(model="claude-haiku-4-5", cache_ttl="5m"))[seed % 3]

    quick, quick_rows = collect(path, tmp_path / "quick", defaults)
    monkeypatch.setattr(Telling, "lines", Telling._each_line)
    slow, slow_rows = collect(path, tmp_path / "slow", defaults)

    assert quick.to_json() == slow.to_json()
    assert adds_up(quick)
    for name in TABLES:
        assert quick_rows[name] == slow_rows[name]


def test_the_lane_takes_the_requests_of_an_ordinary_log(tmp_path: Path) -> None:
    """Nearly all requests written in the exact form go the quick way: otherwise it would be no help."""
    lines: list[str] = []
    for number in range(50):
        lines += [start(rid(number)), dressed(cost(), T0 + number, rid(number)), f"END RequestId: {rid(number)}",
                  report(rid(number))]  # fmt: skip
    path = tmp_path / "lambda.log"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    (batch,) = files_source(path).read(None, NOW)

    assert len(batch.lane.rows) == 50
    assert batch.events == []
