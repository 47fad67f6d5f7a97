"""The formats that others write: what each line ends in, and what the good ones tell."""

from __future__ import annotations

import json
from dataclasses import fields
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.parsers import parse_message
from collector.parsers.claude_code import project_name
from collector.parsers.emf import named
from collector.parsers.facts import CallRecord, Parsed
from tests.support.formats import PLANTED, lines, names
from tests.support.log_lines import as_json_log, dressed, rid

OUTCOMES = {
    "bedrock_batch": [*["batch_result"] * 3, "-batch_input", "-other_model", "-other_model", "!no_usage", "!bad_count",
                      "!no_usage", "-other", "!broken_json"],
    "bedrock_log": ["bedrock_log"] * 5 + ["-other_model", "!bad_count", "!bad_time", "!no_usage", "!broken_json"],
    "emf": ["emf", "emf", "emf", "!uneven_metrics", "-other_metrics", "!no_usage", "!bad_count", "!bad_count",
            "!broken_json"],
    "otel": ["otel_span", "otel_span", "otel_span", "-other_span", "-other", "-other_model", "otel_span", "!bad_count",
             "!no_usage", "!bad_time", "otel_span", "!broken_json"],
    "otel_many_spans": ["otel_span"],
    "claude_code": ["-other", "-session", *["claude_code"] * 4, "-synthetic", "!bad_count", "-other", "!bad_time",
                    "!broken_json"],
    "litellm": ["litellm", "litellm", "litellm", "-litellm_cache_hit", "-other_model", "litellm", "-other_call",
                "!bad_count", "!bad_time", "!no_usage", "!broken_json"],
    "anthropic_responses": [*["anthropic_response"] * 3, "!bad_count", "-other", "!broken_json"],
    "batch_results": ["batch_result", "batch_result", "-batch_expired", "-batch_canceled", "!unknown_result",
                      "!bad_count", "!broken_json"],
}  # fmt: skip
_SIGNS = {"recognised": "", "ignored": "-", "skipped": "!"}


def told(line: str) -> CallRecord:
    """Return the one call a line tells."""
    (fact,) = parse_message(line).facts
    assert isinstance(fact, CallRecord)
    return fact


def counts(fact: CallRecord) -> tuple[int, ...]:
    """Return fresh, read, 5m write, 1h write and output tokens."""
    usage = fact.usage
    assert usage is not None
    return (usage.input_tokens, usage.cache_read_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens,
            usage.output_tokens)  # fmt: skip


def ending(parsed: Parsed) -> str:
    """Return outcome and kind in one word."""
    return f"{_SIGNS[parsed.outcome]}{parsed.kind}"


@pytest.mark.parametrize("name", names())
def test_every_line_ends_in_one_counter(name: str) -> None:
    """Good, foreign, impossible and damaged lines of every format are told apart, each with its reason."""
    assert [ending(parse_message(line)) for line in lines(name)] == OUTCOMES[name]


@pytest.mark.parametrize("name", names())
def test_the_blanks_that_json_allows_change_nothing(name: str) -> None:
    """Compact, Python's default separators, and spread over several lines: the same facts."""
    for line in lines(name):
        try:
            body = json.loads(line)
        except json.JSONDecodeError:
            continue
        forms = [json.dumps(body, separators=(",", ":")), json.dumps(body), json.dumps(body, indent=2)]
        assert len({repr(parse_message(form)) for form in forms}) == 1


@given(
    st.tuples(*[st.integers(0, 10**6)] * 5),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :  ")]),
    st.booleans(),
)
def test_any_counts_in_any_spacing_are_read(
    amounts: tuple[int, ...], separators: tuple[str, str], ascii_only: bool
) -> None:
    """What a session file says is what is read, however its JSON is spaced or escaped."""
    fresh, read, write_5m, write_1h, output = amounts
    usage = {"input_tokens": fresh, "cache_read_input_tokens": read, "output_tokens": output,
             "cache_creation_input_tokens": write_5m + write_1h,
             "cache_creation": {"ephemeral_5m_input_tokens": write_5m,
                                "ephemeral_1h_input_tokens": write_1h}}  # fmt: skip
    message = {"id": "msg_1", "model": "claude-opus-4-5", "content": "뽀도", "usage": usage}
    body = {"type": "assistant", "timestamp": "2026-11-20T10:00:00Z", "message": message}

    assert counts(told(json.dumps(body, separators=separators, ensure_ascii=ascii_only))) == amounts


def test_no_fact_keeps_what_a_user_wrote() -> None:
    """Whatever a fixture plants in prompts, answers, errors and ids of requests stays out of the facts."""
    facts = [fact for name in names() for line in lines(name) for fact in parse_message(line).facts]

    assert len(facts) > 25
    assert not [fact for fact in facts if PLANTED in repr(fact)]


# Bedrock


def test_a_stream_in_bedrock_s_log_tells_the_ttl_of_its_writes() -> None:
    """Stream events and envelope tell the same counts; they are taken once, with the split of the body."""
    fact = told(lines("bedrock_log")[0])

    assert counts(fact) == (12, 18_000, 150, 800, 420)
    assert (fact.call_id, fact.other_id, fact.request_id) == (
        "msg_bdrk_stream1", "req-stream", "79b5e81f-9cdd-4145-b1f6-7c50ef8a2a36",
    )  # fmt: skip
    assert (fact.engine, fact.provider, fact.latency_ms, fact.ttft_ms) == ("sales", "bedrock", 3037.0, 635.0)
    assert fact.model is not None and fact.model.endswith("us.anthropic.claude-sonnet-4-5-20250929-v1:0")


def test_a_refusal_in_bedrock_s_log_keeps_its_category() -> None:
    """The category decides whether a refusal is billed."""
    fact = told(lines("bedrock_log")[1])

    assert (fact.stop_reason, fact.stop_category, fact.call_id) == ("refusal", "cyber", "msg_bdrk_whole1")


def test_converse_s_two_spellings_are_one_number() -> None:
    """cacheReadInputTokens and cacheReadInputTokenCount are the same tokens, and the envelope's too."""
    fact = told(lines("bedrock_log")[2])

    assert counts(fact) == (30, 2000, 0, 600, 90)
    assert (fact.call_id, fact.other_id, fact.cache_ttl, fact.latency_ms) == ("req-converse", None, "1h", 302.0)


def test_bodies_kept_elsewhere_leave_the_counts_and_no_ttl() -> None:
    """With the bodies on S3 the envelope counts; for how long was written, nobody says."""
    fact = told(lines("bedrock_log")[3])

    assert fact.usage is not None
    assert (fact.usage.input_tokens, fact.usage.cache_write_tokens, fact.usage.output_tokens) == (7, 5000, 11)
    assert (fact.usage.ttl_split_known, fact.cache_ttl) == (False, None)


def test_a_converse_stream_in_bedrock_s_log_tells_its_latency() -> None:
    """It stands in the stream's last event, beside the usage, and not where InvokeModel's stream says it."""
    body = json.loads(lines("bedrock_log")[2])
    output = body["output"]["outputBodyJson"]
    body["operation"] = "ConverseStream"
    body["output"]["outputBodyJson"] = [
        {"messageStart": {"role": "assistant"}},
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": {"usage": output["usage"], "metrics": {"latencyMs": 1275}}},
    ]

    fact = told(json.dumps(body))

    assert (fact.latency_ms, counts(fact)) == (1275.0, counts(told(lines("bedrock_log")[2])))


def test_a_failed_bedrock_call_is_an_error_without_usage() -> None:
    """errorCode is its error type."""
    fact = told(lines("bedrock_log")[4])

    assert (fact.status, fact.error_type, fact.usage) == ("error", "ThrottlingException", None)


# metrics


def test_metrics_in_lists_and_as_scalars_are_the_same() -> None:
    """Powertools writes lists of floats, aws-embedded-metrics plain numbers."""
    listed, scalar = told(lines("emf")[0]), told(lines("emf")[1])

    assert counts(listed) == (10, 3000, 0, 0, 200)
    assert (listed.call_id, listed.engine, listed.reported_cost_usd, listed.latency_ms) == (
        "msg_emf1", "sales", Decimal("0.0065"), 812.4,
    )  # fmt: skip
    assert (scalar.model, scalar.usage and scalar.usage.cache_write_tokens) == ("claude-opus-4-5", 40)
    assert scalar.usage is not None and not scalar.usage.ttl_split_known


def test_three_calls_of_one_invocation_stay_three() -> None:
    """Powertools gathers them in one document: the first values are one call, the second ones the next."""
    facts = parse_message(lines("emf")[2]).facts

    assert [counts(fact)[:2] for fact in facts if isinstance(fact, CallRecord)] == [(10, 0), (11, 3000), (12, 3000)]
    assert {fact.call_id for fact in facts if isinstance(fact, CallRecord)} == {None}


def test_a_service_s_own_metric_names_can_be_told() -> None:
    """[sources.metrics] names what stands for a role; case and separators do not matter."""
    metrics = [{"Name": name} for name in ("tok-in", "tok-out", "Spend")]
    body = {"_aws": {"Timestamp": 1795384671978, "CloudWatchMetrics": [{"Metrics": metrics}]},
            "tok-in": 5, "tok-out": 6, "Spend": 0.5}  # fmt: skip
    own = named((("input", "Tok_In"), ("output", "tok-out"), ("cost", "spend")))

    parsed = parse_message(json.dumps(body), own)

    assert [counts(fact) for fact in parsed.facts if isinstance(fact, CallRecord)] == [(5, 0, 0, 0, 6)]
    assert ending(parse_message(json.dumps(body))) == "-other_metrics"


def test_metrics_without_the_input_are_no_call() -> None:
    """Output alone would be a call that sent nothing, at a price too low: it is skipped, with its reason."""
    metrics = [{"Name": name} for name in ("PromptTokens", "CompletionTokens")]
    body = {"_aws": {"Timestamp": 1795384671978, "CloudWatchMetrics": [{"Metrics": metrics}]},
            "PromptTokens": 900, "CompletionTokens": 6}  # fmt: skip

    assert ending(parse_message(json.dumps(body))) == "!no_usage"


# spans


@pytest.mark.parametrize("dress", [float, str], ids=["12.0", '"12"'])
def test_a_span_s_counts_may_have_been_rewritten_on_the_way(dress: Any) -> None:
    """Exporters turn 64-bit integers into floats or strings; a count is a count, and what is none is none."""
    span = json.loads(lines("otel_many_spans")[0])["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    plain = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-opus-4-5"}
    usage = {"input_tokens": 4110, "output_tokens": 200, "cache_read.input_tokens": 3000}
    named = {f"gen_ai.usage.{name}": dress(count) for name, count in usage.items()}

    assert counts(told(json.dumps(span | {"attributes": plain | named}))) == (1110, 3000, 0, 0, 200)
    damaged = plain | named | {"gen_ai.usage.input_tokens": "many"}
    assert ending(parse_message(json.dumps(span | {"attributes": damaged}))) == "!bad_count"


def test_a_span_s_inclusive_input_is_converted() -> None:
    """4110 tokens of input of which 3000 were read and 1100 written leave 10; both names of the writes are known."""
    sdk, conventions = told(lines("otel")[0]), told(lines("otel")[1])

    assert counts(sdk) == (10, 3000, 0, 1100, 200)
    assert counts(conventions) == (10, 3000, 1100, 0, 200)
    assert conventions.usage is not None and not conventions.usage.ttl_split_known
    assert (sdk.call_id, sdk.other_id, sdk.engine) == ("msg_otel1", "req_otel1", "ws-chat")
    assert (sdk.started_ms, sdk.latency_ms, sdk.ttft_ms, sdk.stop_reason) == (
        1_795_168_800_000, 2500.0, 400.0, "end_turn",
    )  # fmt: skip


def test_a_span_that_cannot_be_inclusive_is_taken_as_it_is() -> None:
    """More tokens read than there were: the instrumentation wrote Anthropic's raw count."""
    assert counts(told(lines("otel")[2])) == (10, 3000, 0, 0, 200)


def test_spans_of_agents_are_not_added_to_the_calls_below_them() -> None:
    """A document of five spans tells its three requests; the agent's sum is not one."""
    facts = parse_message(lines("otel_many_spans")[0]).facts

    assert [fact.status for fact in facts if isinstance(fact, CallRecord)] == ["ok", "ok", "error"]


def test_a_span_as_cloudwatch_keeps_it_is_read() -> None:
    """Attributes as a plain object, times as numbers."""
    fact = told(lines("otel")[10])

    assert (fact.provider, counts(fact)) == ("bedrock", (10, 0, 0, 0, 200))
    assert fact.call_id == "5b8efff798038103d269b633813fc60c/eee19b7ec3c1b17e"


# Claude Code


def test_a_session_line_tells_its_answer() -> None:
    """Message id, request id, split of the writes, and the time it was written."""
    fact = told(lines("claude_code")[4])

    assert counts(fact) == (4, 0, 0, 15_000, 350)
    assert (fact.call_id, fact.other_id, fact.cache_ttl) == ("msg_cc1", "req_msg_cc1", "1h")
    assert (fact.logged_ms, fact.started_ms) == (1_795_168_802_000, None)


@pytest.mark.parametrize(
    ("cwd", "path", "expected"),
    [
        ("/home/me/shop-assistant/src", "/h/.claude/projects/-home-me-shop-assistant/0f8c.jsonl", "shop-assistant"),
        ("/home/me/shop-assistant", "somewhere/else.jsonl", "shop-assistant"),
        ("C:\\work\\shop", "C:\\Users\\me\\.claude\\projects\\C--work-shop\\0f8c.jsonl", "shop"),
        (None, "/h/projects/-home-me-shop/0f8c.jsonl", None),
        ("/", None, None),
    ],
)
def test_the_engine_of_a_session_is_its_project(cwd: str | None, path: str | None, expected: str | None) -> None:
    """The folder the session was opened in, not the one it wandered to."""
    assert project_name(cwd, path) == expected


def test_a_chat_service_s_own_session_id_makes_no_session_file() -> None:
    """A JSON log line of the service with a sessionId is still read for its cost line."""
    line = {"timestamp": "2026-11-20T10:00:00Z", "level": "INFO", "sessionId": "ws-1", "type": "chat", "uuid": "x",
            "message": "💰 API Cost: $0.006550 | input: 10, output: 200, cache_read: 3000, cache_write: 0"}  # fmt: skip

    assert ending(parse_message(json.dumps(line, ensure_ascii=False))) == "cost"


# LiteLLM


def test_the_proxy_s_prompt_tokens_are_taken_apart() -> None:
    """prompt_tokens include what was cached; what cannot be inside them never was."""
    inclusive, exclusive, plain = (told(line) for line in lines("litellm")[:3])

    assert counts(inclusive) == (10, 3000, 0, 1100, 200)
    assert counts(exclusive) == (10, 3000, 0, 0, 200)
    assert (counts(plain), plain.provider) == ((50, 0, 0, 0, 200), "bedrock")
    assert (inclusive.engine, exclusive.engine) == ("sales", "support")
    assert (inclusive.reported_cost_usd, inclusive.latency_ms, inclusive.ttft_ms) == (Decimal("0.0123"), 2500.0, 400.0)


def test_a_spend_log_tells_everything_that_decides_its_price() -> None:
    """The proxy keeps tier, speed, geography, searches and steps of the answer beside the counts."""
    row = json.loads(lines("litellm")[2])
    step = {"type": "message", "input_tokens": 50, "output_tokens": 200}
    extra = {"type": "compaction", "input_tokens": 1000, "output_tokens": 30}
    row["metadata"] = {
        "usage_object": {
            "service_tier": "batch", "speed": "standard", "inference_geo": "us",
            "server_tool_use": {"web_search_requests": 3, "tool_search_requests": None}, "iterations": [step, extra],
        }
    }  # fmt: skip
    usage = told(json.dumps(row)).usage

    assert usage is not None
    assert (usage.service_tier, usage.speed, usage.inference_geo) == ("batch", "standard", "us")
    assert usage.web_search_requests == 3
    assert [(one.kind, one.input_tokens) for one in usage.iterations] == [("message", 50), ("compaction", 1000)]


def test_a_vendor_without_a_price_list_of_ours_is_not_taken_for_anthropic() -> None:
    """Other clouds sell Claude at prices of their own: their name stays, so that the call is unpriced and says why."""
    row = json.loads(lines("litellm")[0])
    named = [told(json.dumps(row | {"custom_llm_provider": name})).provider for name in ("databricks", "vertex_ai", "")]
    answer = json.loads(lines("anthropic_responses")[0]) | {"id": "msg_vrtx_01"}

    assert named == ["databricks", "vertex", None]
    assert told(json.dumps(answer)).provider == "vertex"


def test_a_profile_that_does_not_name_its_model_is_no_other_vendor() -> None:
    """An application inference profile in a span or a spend log is a call without a price until its ARN is mapped."""
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
    span = json.loads(lines("otel_many_spans")[0])["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    usage = {"gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 6}
    named = span | {"attributes": {"gen_ai.operation.name": "chat", "gen_ai.request.model": arn} | usage}
    answered = span | {"attributes": {**named["attributes"], "gen_ai.request.model": "fast-one",
                                      "gen_ai.response.model": "claude-opus-4-5"}}  # fmt: skip
    row = json.loads(lines("litellm")[2]) | {"model": f"bedrock/{arn}"}

    assert [told(json.dumps(one)).model for one in (named, answered, row)] == [arn, "fast-one", f"bedrock/{arn}"]


def test_a_call_the_proxy_could_not_make_is_an_error() -> None:
    """Status and error class are kept, the message is not."""
    fact = told(lines("litellm")[5])

    assert (fact.status, fact.error_type, fact.usage) == ("error", "RateLimitError", None)


# raw answers


def test_a_raw_answer_tells_everything_that_decides_its_price() -> None:
    """Tier, searches and the split of the writes; the wrapper around it says when and for whom."""
    bare, wrapped, refused = (told(line) for line in lines("anthropic_responses")[:3])

    assert bare.usage is not None
    assert (bare.usage.service_tier, bare.usage.web_search_requests, counts(bare)) == (
        "priority", 2, (10, 3000, 0, 1100, 200),
    )  # fmt: skip
    assert (bare.call_id, bare.other_id) == ("msg_raw1", "req_raw1")
    assert (wrapped.engine, wrapped.logged_ms) == ("sales", 1_795_168_800_000)
    assert (refused.stop_category, refused.request_id) == ("cbrn", "79b5e81f-9cdd-4145-b1f6-7c50ef8a2a36")


@pytest.mark.parametrize("dress", [dressed, as_json_log], ids=["text log", "json log"])
def test_a_raw_answer_may_be_logged_by_a_lambda(dress: Any) -> None:
    """Behind level, time and request id, or escaped inside a JSON log line."""
    fact = told(dress(lines("anthropic_responses")[0], 1_795_168_800_000, rid(3)))

    assert (fact.call_id, fact.request_id) == ("msg_raw1", rid(3))


def test_a_batch_s_answers_are_priced_as_a_batch() -> None:
    """Results do not always say their tier; the file does. Failed requests are calls that failed."""
    answer, failed = (told(line) for line in lines("batch_results")[:2])

    assert answer.usage is not None and answer.usage.service_tier == "batch"
    assert (failed.status, failed.error_type, failed.call_id) == ("error", "invalid_request_error", None)


def test_a_job_of_bedrock_tells_its_answers_and_its_errors() -> None:
    """InvokeModel's answer names its model, Converse's does not; an error has a code; what was asked tells nothing."""
    invoked, conversed, failed = (told(line) for line in lines("bedrock_batch")[:3])

    assert (invoked.call_id, invoked.model, invoked.provider) == (
        "msg_bdrk_job1", "claude-opus-4-5-20251101", "bedrock",
    )  # fmt: skip
    assert (conversed.call_id, conversed.model, conversed.provider) == (None, None, "bedrock")
    assert (counts(invoked), counts(conversed)) == ((10, 3000, 0, 1100, 200), (10, 3000, 0, 0, 200))
    assert {fact.usage.service_tier for fact in (invoked, conversed) if fact.usage} == {"batch"}
    assert (failed.status, failed.error_type, failed.usage) == ("error", "400", None)


def test_a_dictionary_printed_by_python_is_not_json() -> None:
    """A line that shows a usage in single quotes is not ours, and not damaged."""
    assert ending(parse_message("usage={'input_tokens': 3, 'output_tokens': 4}")) == "-other"


def test_facts_have_room_for_numbers_and_names_only() -> None:
    """No field of a call could hold a prompt: texts are ids, names and reasons."""
    texts = {item.name for item in fields(CallRecord) if "str" in str(item.type)}

    assert texts == {"call_id", "provider", "model", "engine", "request_id", "cache_ttl", "prefix_fingerprint",
                     "stop_reason", "status", "error_type", "stop_category", "other_id", "prefix_blocks",
                     "cache_miss_reason", "tenant", "workspace"}  # fmt: skip
