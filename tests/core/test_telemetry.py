"""The text lines and the record that is an EMF document at once."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from core import telemetry
from core.client.account import as_messages_usage
from core.usage import Usage, from_any

USAGE = {
    "input_tokens": 100,
    "cache_read_input_tokens": 800,
    "cache_creation_input_tokens": 100,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 100},
    "output_tokens": 50,
}


def _record(**members: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "call_id": "msg_01",
        "started_ms": 1_795_000_000_000,
        "provider": "anthropic",
        "model": "claude-opus-4-5",
        "engine": "sales",
        "usage": USAGE,
        "latency_ms": 1234.5,
        "cost_usd": Decimal("0.003150"),
    }
    return telemetry.call_record(**(told | members))


def emf_faults(document: dict[str, Any]) -> list[str]:
    """Check a document against the embedded metric format's rules; return what is wrong.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    faults = []
    metadata = document["_aws"]
    if not isinstance(metadata["Timestamp"], int):
        faults.append("Timestamp is no integer of milliseconds")
    if len(json.dumps(document)) > 1_000_000:
        faults.append("over 1 MB")
    for directive in metadata["CloudWatchMetrics"]:
        if not 1 <= len(directive["Namespace"]) <= 1024:
            faults.append("Namespace length")
        if not 1 <= len(directive["Metrics"]) <= 100:
            faults.append("number of metrics")
        for names in directive["Dimensions"]:
            if len(names) > 30:
                faults.append("over 30 dimensions")
            faults += [f"dimension {name}" for name in names if not isinstance(document.get(name), str)]
        for metric in directive["Metrics"]:
            if metric["Unit"] not in {"Percent", "Milliseconds", "Count", "None"}:
                faults.append(f"unit {metric['Unit']}")
            value = document.get(metric["Name"])
            if isinstance(value, bool) or not isinstance(value, int | float):
                faults.append(f"metric {metric['Name']} is no number at the root")
    return faults


def test_text_lines_are_verbatim() -> None:
    """The four lines, to the letter."""
    assert telemetry.prompt_store_hit_line("sales") == ("✅ Cache HIT for [sales] - DB query skipped (permanent cache)")
    assert telemetry.prompt_store_miss_line("sales") == "❌ Cache MISS for [sales] - fetching from DB"
    assert telemetry.prompt_stored_line("sales") == "💾 Permanently cached prompt for [sales]"
    line = telemetry.api_cost_line(
        cost_usd=Decimal("0.0012345"), input_tokens=10, output_tokens=200, cache_read=3000, cache_write=0
    )
    assert line == "💰 API Cost: $0.001235 | input: 10, output: 200, cache_read: 3000, cache_write: 0"


def test_record_is_a_valid_emf_document_with_the_four_metrics() -> None:
    """Cache hit rate, cost per request, response time and the token breakdown, as scalars at the root."""
    document = json.loads(telemetry.record_line(telemetry.with_metrics(_record())))

    assert emf_faults(document) == []
    assert document["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["engine", "provider"]]
    assert {name: document[name] for name in telemetry.METRIC_UNITS} == {
        "ClaudeCacheHitRate": 80.0,
        "ApiCostPerRequest": 0.00315,
        "ResponseTime": 1234.5,
        "InputTokens": 100,
        "CacheReadTokens": 800,
        "CacheWriteTokens": 100,
        "OutputTokens": 50,
    }
    assert document["cost_usd"] == "0.003150"


def test_the_line_is_one_line() -> None:
    """A record is printed as exactly one line, whatever its values hold."""
    line = telemetry.record_line(telemetry.with_metrics(_record(error_type="a\nb\u2028c")))

    assert "\n" not in line


def test_unknown_values_are_left_out() -> None:
    """An unpriced, unmeasured call has no zero cost and no zero time."""
    document = telemetry.with_metrics(_record(cost_usd=None, latency_ms=None, engine=None))

    assert emf_faults(document) == []
    assert "ApiCostPerRequest" not in document
    assert "ResponseTime" not in document
    assert document["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["provider"]]


def test_incomplete_call_gives_no_output_cost_or_time() -> None:
    """A broken stream's output is a lower bound: no metric may average it in."""
    document = telemetry.with_metrics(_record(complete=False))

    names = [metric["Name"] for metric in document["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
    assert names == ["ClaudeCacheHitRate", "InputTokens", "CacheReadTokens", "CacheWriteTokens"]


def test_failed_call_is_a_plain_record() -> None:
    """Without metrics there is no `_aws`: CloudWatch would refuse an empty directive."""
    record = _record(status="error", error_type="overloaded_error", usage=None, cost_usd=None)

    assert telemetry.with_metrics(record) == record


def test_usage_is_written_in_the_shape_it_is_read_in() -> None:
    """What the record says of the tokens reads back as the same Usage."""
    usage = Usage(
        input_tokens=1,
        cache_read_tokens=2,
        cache_write_5m_tokens=3,
        cache_write_1h_tokens=4,
        output_tokens=9,
        thinking_tokens=5,
        web_search_requests=1,
        service_tier="standard",
        speed="fast",
        inference_geo="us",
    )

    assert from_any(as_messages_usage(usage)) == usage
