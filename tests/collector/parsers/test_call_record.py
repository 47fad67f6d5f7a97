"""The structured record of one call."""

from __future__ import annotations

import json
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from collector.parsers import call_record, parse_message
from collector.parsers.facts import CallRecord
from tests.support.log_lines import T0, as_json_log, dressed, record, rid

NAME = rid(2)


def read(message: str) -> CallRecord:
    parsed = parse_message(message)
    assert (parsed.outcome, parsed.kind) == ("recognised", "record")
    (fact,) = parsed.facts
    assert isinstance(fact, CallRecord)
    return fact


def test_a_record_tells_everything_it_holds() -> None:
    """Ids, times, policy, prefix and counts; the request id is the record's own."""
    fact = read(
        record(
            "msg_7", request_id=NAME, latency_ms=812.4, ttft_ms=300.0, stop_reason="end_turn", prefix_tokens=3000,
            prefix_fingerprint="f1", cost_usd=Decimal("0.0123"), caching_enabled=False, cache_ttl="5m",
        )
    )  # fmt: skip

    assert (fact.call_id, fact.request_id, fact.started_ms) == ("msg_7", NAME, T0)
    assert (fact.provider, fact.model, fact.engine) == ("anthropic", "claude-opus-4-5", "sales")
    assert (fact.caching_enabled, fact.cache_ttl, fact.prefix_tokens, fact.prefix_fingerprint) == (
        False,
        "5m",
        3000,
        "f1",
    )
    assert (fact.latency_ms, fact.ttft_ms, fact.stop_reason) == (812.4, 300.0, "end_turn")
    assert fact.usage is not None
    assert (fact.usage.input_tokens, fact.usage.output_tokens, fact.usage.cache_read_tokens) == (10, 200, 3000)
    assert fact.reported_cost_usd == Decimal("0.0123")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda line: line,
        lambda line: json.dumps(json.loads(line), indent=2),
        lambda line: dressed(line, T0, NAME),
        lambda line: as_json_log(line, T0, NAME),
        lambda line: as_json_log(as_json_log(line, T0, NAME), T0, NAME),
        lambda line: json.dumps(
            {"timestamp": "2026-11-20T00:00:00Z", "message": "usage", "requestId": NAME, **json.loads(line)}
        ),
        lambda line: json.dumps({"message": json.loads(line), "requestId": NAME}),
    ],
    ids=["printed", "pretty", "text log", "json log", "json in json", "spread", "inside"],
)
def test_a_record_is_read_in_every_dress(wrap: Any) -> None:
    """Printed, logged as text, logged as JSON, escaped inside JSON, or spread over the JSON log line itself."""
    fact = read(wrap(record("msg_9")))

    assert fact.call_id == "msg_9"
    assert fact.usage is not None and fact.usage.cache_read_tokens == 3000
    assert fact.request_id in (NAME, None)


def test_values_in_one_element_lists_are_taken_out() -> None:
    """Metric libraries put values into lists; a list of one is that value."""
    body = json.loads(record("msg_3", latency_ms=8.5))
    body |= {"latency_ms": [8.5], "engine": ["sales"], "_aws": {"Timestamp": T0, "CloudWatchMetrics": []}}
    body["usage"] = {key: [float(value)] for key, value in body["usage"].items()}

    fact = read(json.dumps(body))

    assert (fact.latency_ms, fact.engine) == (8.5, "sales")
    assert fact.usage is not None and fact.usage.cache_read_tokens == 3000


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"usage": {"input_tokens": -1}}, "bad_count"),
        ({"usage": {"input_tokens": 1.5}}, "bad_count"),
        ({"usage": {"input_tokens": "many"}}, "bad_count"),
        ({"usage": {"input_tokens": [1, 2]}}, "bad_count"),
        ({"usage": {"input_tokens": 10**15}}, "bad_count"),
        ({"usage": 3}, "bad_count"),
        ({"usage": None}, "no_usage"),
        ({"v": 2}, "unknown_version"),
        ({"ts": "yesterday"}, "bad_time"),
        ({"ts": True}, "bad_time"),
        ({"ts": 0}, "bad_time"),
        ({"ts": -1}, "bad_time"),
        ({"ts": 10**30}, "bad_time"),
        ({"ts": 4_102_444_800_000}, "bad_time"),
        ({"ts": "1970-01-01T00:00:00Z"}, "bad_time"),
    ],
)
def test_a_record_that_cannot_be_used_says_why(change: dict[str, Any], reason: str) -> None:
    """Counts that are none, an unknown version, a time that is none: skipped, each with its reason."""
    parsed = parse_message(json.dumps(json.loads(record()) | change))

    assert (parsed.outcome, parsed.kind) == ("skipped", reason)


@pytest.mark.parametrize("cut", [3, 20, 90])
def test_a_cut_record_is_broken_json(cut: int) -> None:
    """A record that lost its end looks like ours and is counted as such, bare or escaped."""
    for line in (record(), as_json_log(record(), T0, NAME)):
        parsed = parse_message(line[:-cut])
        assert (parsed.outcome, parsed.kind) == ("skipped", "broken_json")


def test_a_record_s_own_writes_prove_their_ttl_where_it_names_none() -> None:
    """Else the row would say that settings knew it."""
    body = json.loads(record("msg_8"))
    body["caching"] = {"enabled": True}
    usage = {"input_tokens": 3, "output_tokens": 1, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 900}
    split = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 900}

    assert read(json.dumps({**body, "usage": {**usage, "cache_creation": split}})).cache_ttl == "1h"
    assert read(json.dumps({**body, "usage": usage})).cache_ttl is None


def test_a_failed_call_needs_no_usage() -> None:
    """A request that Claude refused or could not serve is a call that failed."""
    fact = read(record("msg_4", usage=None, status="error", error_type="overloaded_error"))

    assert (fact.status, fact.error_type, fact.usage) == ("error", "overloaded_error", None)


def test_a_record_lists_its_blocks_and_the_api_s_diagnosis() -> None:
    """The parts and keyed hashes of the prefix in order, and why the API says that the cache was missed."""
    blocks = [
        {"part": "tools", "index": 0, "fingerprint": "ab12"},
        {"part": "system", "index": 0, "fingerprint": "cd34"},
    ]
    fact = read(record(prefix_blocks=blocks, diagnosis={"type": "system_changed", "missed_tokens": 3000}))

    assert (fact.prefix_blocks, fact.cache_miss_reason) == ("tools:ab12 system:cd34", "system_changed")


@pytest.mark.parametrize(
    "blocks",
    [
        [{"part": "system", "fingerprint": "You are a helpful assistant"}],
        [{"part": "secret", "fingerprint": "ab12"}],
        [{"part": "system", "fingerprint": "ab12"}, "cd34"],
        [{"part": "system", "fingerprint": "ab12"}] * 201,
    ],
)
def test_blocks_that_are_no_fingerprints_are_left_out(blocks: list[Any]) -> None:
    """Text that came where a hash belongs is not kept; the call is."""
    fact = read(json.dumps({**json.loads(record()), "prefix": {"blocks": blocks}, "diagnosis": {"type": "because"}}))

    assert (fact.prefix_blocks, fact.cache_miss_reason) == (None, None)


def test_the_quick_look_at_a_record_sees_what_the_careful_one_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each record has one or two members of another kind, or lacks them: both ways tell the same fact, or refuse it."""
    draw = Random(11)
    odd = (None, "", "text", 0, 7, -1, 3.5, True, [3], ["x"], {}, {"a": 1}, 10**12, "x" * 400, "5m", "1h", "error")
    more = ("service_tier", "has_output", "type", "diagnosis", "blocks", "server_tool_use", "tenant", "requestId",
            "request_id", "iterations", "aws_request_id", "stop_category")  # fmt: skip
    lines = []
    for number in range(600):
        body = json.loads(record(f"msg_{number}", ms=T0 + number, request_id=draw.choice((None, rid(number)))))
        write = draw.choice((0, 9))
        split = draw.choice(((0, write), (write, 0), (4, 5)))
        body["usage"] |= {"cache_creation_input_tokens": write, "cache_creation": {
            "ephemeral_5m_input_tokens": split[0], "ephemeral_1h_input_tokens": split[1]}}  # fmt: skip
        body |= {"latency_ms": 3, "ttft_ms": 1.5, "stop_reason": "end_turn", "cost_usd": "0.01", "api_request_id": "r"}
        for _ in range(draw.choice((0, 1, 1, 2))):
            place = draw.choice((body, body, body["usage"], body.get("caching") or body, body.get("prefix") or body))
            place = place if isinstance(place, dict) else body
            name = draw.choice([*place, *more])
            if name in ("usage", "caching", "prefix") or draw.random() < 0.2:
                place.pop(name, None)
                body.setdefault("usage", {})
            else:
                place[name] = draw.choice(odd)
        lines.append(json.dumps(body))
        lines.append(json.dumps({"requestId": rid(number + 1), "message": lines[-1]}))

    quick = [parse_message(line) for line in lines]
    monkeypatch.setattr(call_record, "plain_row", lambda body, around: None)
    careful = [parse_message(line) for line in lines]

    assert quick == careful
    assert len({one.kind for one in quick}) > 2
