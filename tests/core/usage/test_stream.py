"""Usage followed through a stream."""

import json

import pytest
from anthropic.types import RawMessageDeltaEvent, RawMessageStartEvent, RawMessageStopEvent

from core.errors import BadInput
from core.usage import Usage, UsageStream

START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [],
        "model": "claude-opus-5-5",
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 300,
            "cache_read_input_tokens": 1000,
            "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
            "output_tokens": 1,
            "service_tier": "standard",
            "inference_geo": "us",
        },
    },
}
TEXT = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}}
DELTA = {
    "type": "message_delta",
    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
    "usage": {
        "input_tokens": 12,
        "cache_creation_input_tokens": 500,
        "cache_read_input_tokens": 2300,
        "output_tokens": 15,
        "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
    },
}
STOP = {"type": "message_stop"}
WHOLE = Usage(
    input_tokens=12,
    cache_read_tokens=2300,
    cache_write_5m_tokens=300,
    cache_write_1h_tokens=200,
    output_tokens=15,
    web_search_requests=1,
    service_tier="standard",
    inference_geo="us",
)


def fed(*events: object) -> UsageStream:
    stream = UsageStream()
    for event in events:
        stream.feed(event)
    return stream


def test_deltas_overwrite_and_never_add():
    """message_delta holds running totals; what server tools add to the writes is written for 5 minutes."""
    stream = fed(START, TEXT, DELTA, STOP)
    assert stream.usage() == WHOLE
    assert (stream.message_id, stream.model, stream.stop_reason) == ("msg_1", "claude-opus-5-5", "end_turn")
    assert stream.has_output


def test_sdk_events_give_the_same():
    """The SDK's event objects are read like the JSON they came from."""
    events = (
        RawMessageStartEvent.model_validate(START),
        RawMessageDeltaEvent.model_validate(DELTA),
        RawMessageStopEvent.model_validate(STOP),
    )
    assert fed(*events).usage() == WHOLE


def test_raw_lines_give_the_same():
    """Server-sent event lines can be fed as they come over the wire."""
    lines = [
        line for event in (START, DELTA, STOP) for line in (f"event: {event['type']}", f"data: {json.dumps(event)}", "")
    ]
    assert fed(*lines).usage() == WHOLE


def test_fields_that_a_delta_leaves_out_or_nulls_keep_their_start_value():
    """Optional counts absent from message_delta stay what message_start said."""
    delta = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": 20, "input_tokens": None},
    }
    usage = fed(START, delta, STOP).usage()
    assert (usage.input_tokens, usage.cache_read_tokens, usage.cache_write_1h_tokens) == (10, 1000, 200)
    assert usage.output_tokens == 20


def test_the_last_of_several_deltas_wins():
    """Several message_delta events may come; each holds totals so far."""
    later = {
        "type": "message_delta",
        "delta": {},
        "usage": {"output_tokens": 40, "output_tokens_details": {"thinking_tokens": 9}},
    }
    usage = fed(START, DELTA, later, STOP).usage()
    assert (usage.output_tokens, usage.thinking_tokens, usage.cache_read_tokens) == (40, 9, 2300)


@pytest.mark.parametrize(
    "events",
    [(START,), (START, TEXT), (START, STOP), (), (START, {"type": "error", "error": {"type": "overloaded_error"}})],
)
def test_a_broken_stream_is_incomplete(events: tuple[object, ...]):
    """Without the final output count the usage says that it is a lower bound."""
    assert not fed(*events).usage().complete


def test_a_refusal_carries_its_category():
    """stop_details.category decides whether a refusal is billed."""
    delta = {
        "type": "message_delta",
        "delta": {"stop_reason": "refusal", "stop_details": {"category": "bio"}},
        "usage": {"output_tokens": 0},
    }
    stream = fed(START, delta, STOP)
    assert (stream.stop_reason, stream.stop_category, stream.has_output) == ("refusal", "bio", False)


def test_bedrock_chunks_and_metrics_never_replace_the_usage():
    """Invocation metrics on message_stop leave cache counts and the TTL split alone."""
    stop = {**STOP, "amazon-bedrock-invocationMetrics": {"inputTokenCount": 12, "outputTokenCount": 15}}
    chunks = [{"chunk": {"bytes": json.dumps(event).encode()}} for event in (START, DELTA, stop)]
    assert fed(*chunks).usage() == WHOLE


def test_bedrock_metrics_fill_in_cache_counts_that_the_usage_lacks():
    """A stream whose usage says nothing of the cache takes it from the metrics."""
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 12, "output_tokens": 1}}}
    delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 15}}
    metrics = {
        "inputTokenCount": 12,
        "outputTokenCount": 15,
        "cacheReadInputTokenCount": 900,
        "cacheWriteInputTokenCount": 30,
    }
    usage = fed(start, delta, {**STOP, "amazon-bedrock-invocationMetrics": metrics}).usage()
    assert (usage.input_tokens, usage.cache_read_tokens, usage.cache_write_5m_tokens) == (12, 900, 30)
    assert usage.complete and not usage.ttl_split_known


def test_a_converse_stream_ends_with_metadata():
    """ConverseStream puts the usage into its final metadata event."""
    metadata = {"usage": {"inputTokens": 5, "outputTokens": 2, "totalTokens": 107, "cacheReadInputTokens": 100}}
    stream = fed(
        {"contentBlockDelta": {"delta": {"text": "x"}}},
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": metadata},
    )
    assert stream.usage() == Usage(input_tokens=5, cache_read_tokens=100, output_tokens=2)
    assert stream.stop_reason == "end_turn"


def test_a_torn_event_is_bad_input_without_its_text():
    """Half an event is refused, and the message does not repeat what it held."""
    with pytest.raises(BadInput) as caught:
        fed('data: {"type":"content_block_delta","delta":{"text":"secret')
    assert caught.value.code == "USG-004" and "secret" not in str(caught.value)


def test_a_whole_message_is_a_stream_of_one_event():
    """An unstreamed response can be fed to the same accumulator."""
    message = {**START["message"], "stop_reason": "end_turn", "content": [{"type": "text", "text": "x"}]}
    stream = fed(message)
    assert stream.usage().complete and stream.usage().output_tokens == 1 and stream.has_output
