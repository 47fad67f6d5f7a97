"""Bedrock: InvokeModel bodies, Converse, invocation metrics."""

import pytest

from core.errors import BadInput
from core.usage import Usage, from_any

METRICS = "amazon-bedrock-invocationMetrics"


def test_invoke_model_is_read_like_messages():
    """The body of InvokeModel carries Anthropic's own usage object."""
    body = {"type": "message", "usage": {"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": 5}}
    assert from_any(body) == Usage(input_tokens=3, output_tokens=4, cache_read_tokens=5)


def test_metrics_alone_are_read():
    """inputTokenCount excludes the cache; the TTL of writes is not told."""
    metrics = {
        "inputTokenCount": 3,
        "outputTokenCount": 4,
        "cacheReadInputTokenCount": 5,
        "cacheWriteInputTokenCount": 6,
    }
    expected = Usage(3, 5, 6, 0, 4, ttl_split_known=False)
    assert from_any({METRICS: metrics}) == from_any(metrics) == Usage.from_invocation_metrics(metrics) == expected


def test_metrics_never_replace_usage_with_cache_counts():
    """Usage that knows the cache wins over metrics that do not."""
    usage = {"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": 5000}
    assert from_any({"usage": usage, METRICS: {"inputTokenCount": 3, "outputTokenCount": 4}}).cache_read_tokens == 5000


def test_converse_excludes_the_cache_by_contract():
    """total = input + read + write + output: inputTokens is taken as it is."""
    usage = {
        "inputTokens": 10,
        "outputTokens": 5,
        "totalTokens": 1315,
        "cacheReadInputTokens": 1000,
        "cacheWriteInputTokens": 300,
    }
    read = from_any({"usage": usage, "serviceTier": {"type": "flex"}})
    assert (read.input_tokens, read.cache_read_tokens, read.cache_write_5m_tokens) == (10, 1000, 300)
    assert read.service_tier == "flex" and not read.ttl_split_known


def test_an_inclusive_gateway_is_detected_by_its_total():
    """total = input + output although there are cached tokens: they are inside inputTokens."""
    usage = {
        "inputTokens": 1310,
        "outputTokens": 5,
        "totalTokens": 1315,
        "cacheReadInputTokens": 1000,
        "cacheWriteInputTokens": 300,
    }
    assert from_any(usage).input_tokens == 10


def test_two_spellings_are_never_summed():
    """cacheReadInputTokens and cacheReadInputTokenCount are the same number told twice."""
    usage = {"inputTokens": 10, "outputTokens": 5, "cacheReadInputTokens": 7, "cacheReadInputTokenCount": 7}
    assert from_any(usage).cache_read_tokens == 7
    assert from_any({"inputTokens": 1, "outputTokens": 1, "cacheWriteInputTokenCount": 8}).cache_write_tokens == 8


def test_cache_details_split_the_writes():
    """cacheDetails tells how much was written for how long."""
    details = [{"ttl": "1h", "inputTokens": 200}, {"ttl": "5m", "inputTokens": 100}]
    read = from_any({"inputTokens": 1, "outputTokens": 1, "cacheWriteInputTokens": 300, "cacheDetails": details})
    assert (read.cache_write_5m_tokens, read.cache_write_1h_tokens, read.ttl_split_known) == (100, 200, True)


def test_an_unknown_ttl_is_refused():
    """Claude knows 5m and 1h only."""
    with pytest.raises(BadInput, match=r"USG-003.*30m"):
        from_any({"inputTokens": 1, "cacheDetails": [{"ttl": "30m", "inputTokens": 2}]})


def test_a_bad_count_is_named():
    """Converse counts are checked like all others."""
    with pytest.raises(BadInput, match="inputTokens = -1"):
        from_any({"inputTokens": -1, "outputTokens": 1})
