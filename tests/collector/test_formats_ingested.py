"""Files in the formats that others write, from the folder to the tables."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from core.settings import LineDefaults
from core.store.lake import Lake
from core.store.schema import TABLES
from tests.support.collecting import adds_up, collect, collector, files_source, rows
from tests.support.formats import CALLS, FIXTURES, PLANTED, lines, names
from tests.support.log_lines import T0, payload


@pytest.mark.parametrize("name", names())
def test_each_call_of_a_format_is_one_row_and_every_line_is_counted(lake: Lake, name: str) -> None:
    """The counters add up, reading again adds nothing, and what was told outside an invocation makes none."""
    first = collect(lake, FIXTURES / f"{name}.jsonl")
    again = collect(lake, FIXTURES / f"{name}.jsonl", name="elsewhere")

    assert adds_up(first) and first.status == "done"
    assert len(rows(lake, "calls")) == CALLS[name]
    assert (again.new_calls, again.replaced) == (0, 0)
    assert first.lines_read == (5 if name == "otel_many_spans" else len(lines(name)))
    if name not in ("emf", "anthropic_responses"):  # these are written by the service itself, inside a request
        assert rows(lake, "invocations") == []


def test_nothing_that_was_planted_reaches_tables_logs_or_output(
    lake: Lake, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Prompts and answers stand in every fixture; no column of any table, log line or report holds one."""
    caplog.set_level(logging.DEBUG)

    result = collect(lake, FIXTURES)

    stored = {table: rows(lake, table) for table in TABLES}
    said = json.dumps(result.to_json())
    out, err = capfd.readouterr()
    assert result.new_calls > 25
    assert PLANTED not in repr(stored)
    assert not [text for text in (said, caplog.text, out, err) if "PLANTED" in text]
    for folder in Path(lake.path).rglob("*.json"):
        assert "PLANTED" not in folder.read_text()


def test_an_answer_written_line_by_line_is_one_call(lake: Lake) -> None:
    """Three lines of one message, the last with its end: that one counts, whole and under its project."""
    collect(lake, FIXTURES / "claude_code.jsonl")

    first, sidechain = rows(lake, "calls")
    assert (first["call_id"], first["output_tokens"], first["cache_write_1h_tokens"]) == ("msg_cc1", 350, 15_000)
    assert (first["told_by"], first["engine"], first["provider"], first["id_kind"]) == (
        "claude_code", "src", "anthropic", "message",
    )  # fmt: skip
    assert (first["ts"], first["ts_kind"]) == (datetime(2026, 11, 20, 10, 0, 2, tzinfo=UTC), "logged")
    assert first["cost_usd"] == Decimal("0.15877")  # 4 × $5 + 15000 × $10 + 350 × $25 per million
    assert sidechain["call_id"] == "msg_cc2"


def test_a_message_that_grows_between_two_passes_is_told_by_its_last_line(lake: Lake, tmp_path: Path) -> None:
    """A follower sees the beginning first; what came later replaces it, what came earlier never does."""
    path = tmp_path / "projects" / "-home-me-shop-assistant" / "0f8c.jsonl"
    path.parent.mkdir(parents=True)
    told = lines("claude_code")
    path.write_text(told[2] + "\n")
    early = collect(lake, path, final=False)
    path.write_text("\n".join(told[2:5]) + "\n")
    late = collect(lake, path, final=False)
    path.with_name("copy.jsonl").write_text(told[3] + "\n")
    collect(lake, path.with_name("copy.jsonl"), name="copy")

    (call,) = rows(lake, "calls")
    assert (early.new_calls, late.new_calls, late.replaced) == (1, 0, 1)
    assert (call["output_tokens"], call["stop_reason"], call["engine"]) == (350, "end_turn", "shop-assistant")


def test_a_job_of_bedrock_costs_half_and_takes_from_the_settings_what_it_does_not_name(lake: Lake) -> None:
    """An answer of Converse names no model and takes the source's; one of InvokeModel leaves open where it ran."""
    named = LineDefaults(provider="bedrock", model="global.anthropic.claude-opus-4-5-20251101-v1:0", cache_ttl="1h")
    source = files_source(FIXTURES / "bedrock_batch.jsonl")

    collector(source, lake, defaults=named).run_pass()

    told = {row["model_known_by"]: row for row in rows(lake, "calls") if row["status"] == "ok"}
    conversed, invoked = told["defaults"], told["record"]
    full = (10 * 5 + 3000 * Decimal("0.5") + 200 * 25) / 1_000_000
    assert Decimal(conversed["cost_usd"]) == full / 2
    assert (invoked["cost_usd"], "global and a regional price" in invoked["price_reason"]) == (None, True)


def test_rows_exported_as_one_array_are_read_one_by_one(lake: Lake, tmp_path: Path) -> None:
    """The proxy's spend logs as its API gives them: an array, indented or not."""
    good = [json.loads(line) for line in lines("litellm")[:3]]
    (tmp_path / "flat.json").write_text(json.dumps(good[:2]))
    (tmp_path / "indented.json").write_text(json.dumps(good[2:], indent=2))

    result = collect(lake, tmp_path)

    assert (result.lines_read, result.new_calls, result.status) == (3, 3, "done")
    assert rows(lake, "calls")[0]["reported_cost_usd"] == Decimal("0.0123")


def test_an_indented_trace_is_read_span_by_span(lake: Lake, tmp_path: Path) -> None:
    """A collector's debug export is one document over many lines."""
    (tmp_path / "trace.json").write_text(json.dumps(json.loads(lines("otel_many_spans")[0]), indent=2))

    result = collect(lake, tmp_path)

    assert (result.lines_read, result.new_calls) == (5, 3)
    assert result.to_json()["recognised_by_kind"] == {"otel_span": 3}


def test_python_s_default_json_is_counted_like_any_other(lake: Lake, tmp_path: Path) -> None:
    """The spacing that makes other tools lose whole files: every line is read."""
    body = json.loads(lines("claude_code")[4])
    with (tmp_path / "session.jsonl").open("w") as handle:
        for number in range(50):
            body["message"]["id"] = f"msg_{number}"
            handle.write(json.dumps(body) + "\n")

    assert collect(lake, tmp_path).new_calls == 50


def test_a_refusal_keeps_its_category_in_the_table(lake: Lake) -> None:
    """stop_category is a column: billing by category needs it."""
    collect(lake, FIXTURES / "bedrock_log.jsonl")

    assert {row["call_id"]: row["stop_category"] for row in rows(lake, "calls") if row["stop_reason"] == "refusal"} == {
        "msg_bdrk_whole1": "cyber"
    }


def test_writes_of_unknown_lifetime_are_not_priced_by_guess(lake: Lake) -> None:
    """With the bodies on S3 and no default TTL the split is unknown, and the row says how to mend that."""
    collector(files_source(FIXTURES / "bedrock_log.jsonl"), lake, defaults=LineDefaults()).run_pass()

    (row,) = (row for row in rows(lake, "calls") if row["call_id"] == "req-offloaded")
    assert (row["cache_write_5m_tokens"], row["cache_write_1h_tokens"], row["prompt_tokens"]) == (None, None, 5007)
    assert (row["price_status"], row["price_reason"]) == ("unpriced", "cache_ttl unknown: set defaults.cache_ttl")


def test_bedrock_s_log_in_cloudwatch_is_read_as_in_s3(lake: Lake, tmp_path: Path) -> None:
    """Its one stream is no environment: no invocation is made of it, and its calls keep where they were found."""
    told = payload([(T0 + n, line) for n, line in enumerate(lines("bedrock_log")[:4])],
                   stream="aws/bedrock/modelinvocations", group="/aws/bedrock/modelinvocations")  # fmt: skip
    (tmp_path / "a.jsonl").write_text(json.dumps(told))

    result = collect(lake, tmp_path)

    assert (result.new_calls, result.new_invocations) == (4, 0)
    assert {row["log_group"] for row in rows(lake, "calls")} == {"/aws/bedrock/modelinvocations"}
    assert {row["function_name"] for row in rows(lake, "calls")} == {None}


def test_bedrock_s_own_model_names_are_priced(lake: Lake) -> None:
    """An inference profile's ARN names its model: it is priced at the regional price."""
    collect(lake, FIXTURES / "bedrock_log.jsonl")

    (row,) = (row for row in rows(lake, "calls") if row["call_id"] == "msg_bdrk_stream1")
    assert (row["model_id"], row["price_status"], row["other_id"]) == ("claude-sonnet-4-5", "priced", "req-stream")


def test_objects_joined_without_a_newline_are_read_one_by_one(lake: Lake, tmp_path: Path) -> None:
    """A delivery stream puts no newline between records: each is a call of its own, and a cut one is still told."""
    answers = [
        json.loads(line) | {"id": f"msg_{number}"} for number, line in enumerate(lines("anthropic_responses")[:3])
    ]
    joined = "".join(json.dumps(answer) for answer in answers)
    (tmp_path / "whole").write_text(joined + "\n")
    (tmp_path / "cut").write_text(joined[:-20] + "\n" + joined.replace("msg_1", "\\ud800") + "\n")

    whole, cut = collect(lake, tmp_path / "whole"), collect(lake, tmp_path / "cut", name="cut")

    assert (whole.lines_read, whole.new_calls, adds_up(whole)) == (1, 3, True)
    assert cut.to_json()["skipped_by_reason"] == {"broken_json": 2}
    assert collect(lake, tmp_path / "whole", name="again").new_calls == 0
