"""One pass from lines to tables: what is stored, what is counted, what reading again changes."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.settings import LineDefaults
from core.store.lake import Lake
from core.telemetry import prompt_store_hit_line
from tests.support.collecting import DEFAULTS, adds_up, collect, collector, files_source, rows
from tests.support.log_lines import (
    GROUP,
    STREAM,
    T0,
    cost,
    dressed,
    invocation,
    payload,
    record,
    report,
    rid,
    start,
    text_of,
)  # fmt: skip


def write(path: Path, *payloads: object) -> Path:
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in payloads))
    return path


def test_a_request_becomes_a_call_an_invocation_and_a_store_event(lake: Lake, tmp_path: Path) -> None:
    """Everything a request says ends up in the three tables, priced and attributed."""
    lines = [
        (T0, start(rid(1))), (T0 + 1, prompt_store_hit_line("sales")),
        (T0 + 700, cost(given=10, output=200, read=3000, dollars="0.006550")),
        (T0 + 812, report(rid(1), ms=812.5, extra="Init Duration: 100.25 ms\t")),
    ]  # fmt: skip

    result = collect(lake, write(tmp_path / "a.jsonl", payload(lines)))

    (call,), (invocation_,), (event,) = (
        rows(lake, "calls"),
        rows(lake, "invocations"),
        rows(lake, "prompt_store_events"),
    )
    assert result.to_json()["recognised_by_kind"] == {"cost": 1, "prompt_store_hit": 1, "report": 1, "start": 1}
    assert (call["provider"], call["model_id"], call["model_known_by"], call["ttl_known_by"]) == (
        "anthropic", "claude-opus-4-5", "defaults", "defaults",
    )  # fmt: skip
    assert (call["invocation_id"], call["attribution"], call["engine"]) == (rid(1), "positional", "sales")
    assert (call["input_tokens"], call["cache_read_tokens"], call["output_tokens"], call["prompt_tokens"]) == (
        10,
        3000,
        200,
        3010,
    )
    assert call["cost_usd"] == Decimal("0.00655")  # 10 × $5 + 3000 × $0.50 + 200 × $25 per million
    assert call["no_cache_cost_usd"] == Decimal("0.02005")
    assert (call["price_check"], call["reported_cost_usd"]) == ("agrees", Decimal("0.00655"))
    assert (call["told_by"], call["id_kind"], call["ts_kind"], call["cacheable"]) == ("text", "event", "logged", True)
    assert (call["account"], call["log_group"], call["log_stream"], call["function_version"]) == (
        "123456789012", GROUP, STREAM, "12",
    )  # fmt: skip
    assert (invocation_["duration_ms"], invocation_["init_ms"], invocation_["cold"]) == (812.5, 100.25, True)
    assert invocation_["response_time_ms"] == 912.75
    assert (invocation_["function_name"], invocation_["engine"], invocation_["calls"], invocation_["status"]) == (
        "bodo-ws", "sales", 1, "ok",
    )  # fmt: skip
    assert (event["kind"], event["engine"], event["invocation_id"]) == ("hit", "sales", rid(1))


def test_a_record_and_its_line_are_one_call_told_by_the_record(lake: Lake, tmp_path: Path) -> None:
    """The record's id is the call's; the line adds the dollars the service itself reckoned."""
    lines = [(T0, start(rid(1))), (T0 + 5, record("msg_1", ms=T0 + 2)), (T0 + 6, cost()), (T0 + 9, report(rid(1)))]

    collect(lake, write(tmp_path / "a.jsonl", payload(lines)))

    (call,) = rows(lake, "calls")
    assert (call["call_id"], call["id_kind"], call["told_by"]) == ("msg_1", "message", "record")
    assert (call["reported_cost_usd"], call["price_check"], call["ts_kind"]) == (Decimal("0.00655"), "agrees", "start")


@pytest.mark.parametrize(
    ("defaults", "write_tokens", "reason"),
    [
        (LineDefaults(cache_ttl="1h"), 0, "model unknown: set defaults.model"),
        (LineDefaults(model="claude-opus-4-5"), 500, "cache_ttl unknown: set defaults.cache_ttl"),
    ],
)
def test_what_a_text_line_does_not_say_is_not_guessed(
    lake: Lake, tmp_path: Path, defaults: LineDefaults, write_tokens: int, reason: str
) -> None:
    """No model, or writes of unknown lifetime: unpriced, with the setting that mends it. The prompt is still known."""
    path = write(tmp_path / "a.jsonl", payload([(T0, cost(write=write_tokens))]))

    collector(files_source(path), lake, defaults=defaults).run_pass()

    (call,) = rows(lake, "calls")
    assert (call["price_status"], call["price_reason"], call["cost_usd"]) == ("unpriced", reason, None)
    assert call["prompt_tokens"] == 3010 + write_tokens


def test_an_unknown_model_is_unpriced_and_everything_else_goes_on(lake: Lake, tmp_path: Path) -> None:
    """One call of a model nobody knows stands beside priced ones."""
    path = write(
        tmp_path / "a.jsonl", payload([(T0, record("msg_1", model="claude-banana-9")), (T0 + 9, record("msg_2"))])
    )

    result = collect(lake, path)

    assert [(row["price_status"], row["model_id"]) for row in rows(lake, "calls")] == [
        ("unpriced", None), ("priced", "claude-opus-4-5"),
    ]  # fmt: skip
    assert "claude-banana-9" in (rows(lake, "calls")[0]["price_reason"] or "")
    assert result.status == "done"


def test_the_line_s_own_dollars_unmask_a_wrong_default(lake: Lake, tmp_path: Path) -> None:
    """Writes at the 5m price under a 1h default: the row says which model and TTL give the figure."""
    line = cost(given=100, output=0, read=0, write=1000, dollars="0.006750")  # 100 × $5 + 1000 × $6.25 per million

    collect(lake, write(tmp_path / "a.jsonl", payload([(T0, line)])))

    (call,) = rows(lake, "calls")
    assert call["price_check"].startswith("other:claude-opus-4-5/5m")


def test_reading_again_changes_nothing(lake: Lake, tmp_path: Path) -> None:
    """The same events from other files, whole or again, by a process that knows nothing: no row is added."""
    events = [line for number in range(5) for line in invocation(number)]
    collect(lake, write(tmp_path / "a.jsonl", payload(events)))
    before = {table: rows(lake, table) for table in ("calls", "invocations", "prompt_store_events")}

    compressed = tmp_path / "b.jsonl.gz"
    compressed.write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes()))
    again = collect(lake, compressed, name="elsewhere")

    assert (again.new_calls, again.new_invocations, again.new_prompt_store_events, again.duplicates) == (0, 0, 0, 15)
    assert {table: rows(lake, table) for table in before} == before


def test_an_unfinished_request_is_told_provisionally_and_mended(lake: Lake, tmp_path: Path) -> None:
    """Once: what is known so far. When the rest arrives, the same rows say more."""
    now_ms = T0 + 3_000
    from datetime import UTC, datetime

    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    path = write(tmp_path / "a.jsonl", payload([(T0, start(rid(1))), (T0 + 1, cost())]))
    collect(lake, path, now=now)
    (first,) = rows(lake, "invocations")

    with path.open("a") as handle:
        handle.write(json.dumps(payload([(T0 + 900, report(rid(1)))], put=8)) + "\n")
    second = collect(lake, path, now=now)

    assert (first["status"], len(rows(lake, "calls"))) == ("open", 1)
    assert [(row["status"], row["duration_ms"]) for row in rows(lake, "invocations")] == [("ok", 812.5)]
    assert (second.new_calls, second.replaced, second.lines_read) == (0, 2, 1)


def test_following_waits_for_the_end_of_a_request(lake: Lake, tmp_path: Path) -> None:
    """An open request is held back, read again with its end, counted once and written once."""
    from datetime import UTC, datetime

    now = datetime.fromtimestamp((T0 + 3_000) / 1000, UTC)
    path = write(tmp_path / "a.jsonl", payload([(T0, start(rid(1))), (T0 + 1, prompt_store_hit_line("a"))]))
    following = collector(files_source(path, final=False), lake, now=now)
    first = following.run_pass(final=False)

    with path.open("a") as handle:
        handle.write(json.dumps(payload([(T0 + 5, cost()), (T0 + 900, report(rid(1)))], put=8)) + "\n")
    second = following.run_pass(final=False)

    assert (first.lines_read, first.new_invocations, first.new_prompt_store_events) == (2, 0, 0)
    assert (second.lines_read, second.new_calls, second.new_invocations, second.replaced) == (2, 1, 1, 0)
    assert [row["engine"] for row in rows(lake, "calls")] == ["a"]


def test_a_quiet_pass_is_not_written_down(lake: Lake, tmp_path: Path) -> None:
    """Following an idle log leaves no trace in ingest_passes for a minute."""
    path = write(tmp_path / "a.jsonl", payload(invocation(1)))
    following = collector(files_source(path, final=False), lake)

    for _ in range(4):
        following.run_pass(final=False)

    assert len(rows(lake, "ingest_passes")) == 1


def test_a_pass_is_written_down_with_its_counters_and_cursor(lake: Lake, tmp_path: Path) -> None:
    """The row says what was read, how each line ended, and where the next pass goes on."""
    path = write(
        tmp_path / "a.jsonl",
        payload([*invocation(1), (T0, "💰 API Cost: $0.1 | input: -1, output: 1, cache_read: 0, cache_write: 0")]),
    )

    collect(lake, path)

    (row,) = rows(lake, "ingest_passes")
    outcomes = json.loads(row["outcomes_json"])
    assert (row["source"], row["kind"], row["status"]) == ("logs", "files", "done")
    assert (row["lines_read"], row["lines_recognised"], row["lines_ignored"], row["lines_skipped"]) == (7, 5, 1, 1)
    assert outcomes["skipped"] == {"bad_count": 1}
    assert row["cursor_json"] is not None
    assert row["complete_until"] is not None


def test_no_text_of_any_line_is_kept(lake: Lake, tmp_path: Path) -> None:
    """Prompts that happen to stand in a log, in broken lines or beside ours, are in no table."""
    secret = "the customer's own words"
    lines = [
        (T0, f"💰 API Cost: $0.1 | input: {secret}, output: 1, cache_read: 0, cache_write: 0"),
        (T0 + 1, record("msg_1")[:-5] + secret), (T0 + 2, dressed(f"{secret} {cost()} {secret}", T0, rid(1))),
    ]  # fmt: skip

    collect(lake, write(tmp_path / "a.jsonl", payload(lines)))

    for file in lake.path.rglob("*.parquet"):
        assert secret.encode() not in file.read_bytes()
    assert all(secret not in str(row) for table in ("calls", "ingest_passes") for row in rows(lake, table))


def test_dropped_logs_are_told(lake: Lake, tmp_path: Path) -> None:
    """The platform's own data loss is a problem of the pass, not a silence."""
    line = json.dumps({"type": "platform.logsDropped", "record": {"reason": "BufferFull", "droppedRecords": 4}})

    result = collect(lake, write(tmp_path / "a.jsonl", payload([(T0, line)])))

    assert [problem.code for problem in result.problems] == ["COL-305"]
    assert "4 log records" in result.problems[0].message


PIECES = st.sampled_from(
    [
        *(line for _, line in invocation(1)), cost(), record("msg_1"), record("msg_2")[:-7], "application line", "",
        "{", '{"message": "x"}', "💰 API Cost: $1 | input: -1, output: 1, cache_read: 1, cache_write: 1",
        "a line of the application with a \x00 in it, as some write",
        "한국어",
    ]
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES, max_size=25), st.integers(0, 25))
@example(["{", ""], 25)
def test_counters_add_up_and_reading_in_two_goes_equals_one(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], cut: int
) -> None:
    """Every line ends in one counter, and a file read in two passes gives what it gives in one."""
    folder = tmp_path_factory.mktemp("law")
    head = [f"{start(rid(50))}", *lines]
    whole, grown = folder / "whole.log", folder / "grown.log"
    whole.write_text("".join(f"{line}\n" for line in head))
    at_once, in_two = Lake(folder / "a"), Lake(folder / "b")

    once = collect(at_once, whole)
    grown.write_text("".join(f"{line}\n" for line in head[: cut + 1]))
    first = collect(in_two, grown)
    with grown.open("a") as handle:
        handle.write("".join(f"{line}\n" for line in head[cut + 1 :]))
    second = collect(in_two, grown)

    assert adds_up(once) and once.lines_read == len(head)
    assert first.lines_read + second.lines_read == len(head)
    assert {row["call_id"] for row in rows(at_once, "calls") if row["id_kind"] == "message"} == {
        row["call_id"] for row in rows(in_two, "calls") if row["id_kind"] == "message"
    }


def test_defaults_are_the_source_s_own(lake: Lake, tmp_path: Path) -> None:
    """A text line takes provider and switches from its source."""
    path = tmp_path / "a.log"
    path.write_text(text_of(invocation(1)))
    given_ = LineDefaults(provider="bedrock", model="global.anthropic.claude-opus-4-5-20251101-v1:0", cache_ttl="1h",
                          caching_enabled=False, function_name="mine")  # fmt: skip

    collector(files_source(path), lake, defaults=given_).run_pass()

    (call,) = rows(lake, "calls")
    assert (call["provider"], call["model_id"], call["caching_enabled"], call["function_name"]) == (
        "bedrock", "claude-opus-4-5", False, "mine",
    )  # fmt: skip
    assert DEFAULTS.provider == "anthropic"


def test_a_call_is_billed_by_its_steps(lake: Lake, tmp_path: Path) -> None:
    """Compaction is billed beside the top-level counts; a declined attempt is free and the fallback's model is paid."""
    compacted = {
        "input_tokens": 10,
        "output_tokens": 10,
        "iterations": [
            {"type": "compaction", "input_tokens": 100_000, "output_tokens": 1_000},
            {"type": "message", "input_tokens": 10, "output_tokens": 10},
        ],
    }
    fell_back = {
        "input_tokens": 10,
        "output_tokens": 10,
        "iterations": [
            {"type": "message", "model": "claude-fable-5-2", "input_tokens": 1_000, "output_tokens": 0},
            {"type": "fallback_message", "model": "claude-opus-5", "input_tokens": 10, "output_tokens": 10},
        ],
    }
    lines = [
        record("msg_1", ms=T0 + 5, provider="anthropic", model="claude-opus-4-5", usage=compacted),
        record("msg_2", ms=T0 + 6, provider="anthropic", model="claude-opus-4-5", usage=fell_back),
    ]
    refused = record("msg_3", ms=T0 + 7, given=1_000, output=3, read=0, stop_reason="refusal", has_output=False)
    lines.append(refused)

    collect(lake, write(tmp_path / "a.jsonl", payload([(T0 + 5 + place, one) for place, one in enumerate(lines)])))

    first, second, third = rows(lake, "calls")
    assert first["cost_usd"] == Decimal("0.5253")  # 100,010 × $5 + 1,010 × $25 per million
    assert (first["input_tokens"], first["output_tokens"]) == (10, 10)
    assert second["cost_usd"] == Decimal("0.0003")  # 10 × $5 + 10 × $25 per million, on Opus 5
    assert second["price_row"] == "anthropic/claude-opus-5/2026-07-24"
    assert (third["cost_usd"], third["price_reason"]) == (0, "refusal without output: not billed")


def test_what_a_failed_call_used_is_unknown_and_not_zero(lake: Lake, tmp_path: Path) -> None:
    """A call that failed before any usage has no tokens and no dollars, and its reason blames no setting."""
    line = record("msg_1", usage=None, status="error", error_type="overloaded_error")

    collect(lake, write(tmp_path / "a.jsonl", payload([(T0 + 5, line)])))

    (call,) = rows(lake, "calls")
    unknown = ("input_tokens", "cache_write_5m_tokens", "output_tokens", "prompt_tokens", "cost_usd")
    assert [call[name] for name in unknown] == [None] * len(unknown)
    assert (call["price_status"], call["price_reason"]) == ("unpriced", "no token counts were told")
