"""Anthropic's usage object, as a mapping or as the SDK's object."""

import pytest
from anthropic.types import Message
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput
from core.usage import Usage, from_any

COUNTS = st.integers(0, 2_000_000)


def test_every_field_is_read():
    """All counts and switches of a Messages usage object land under our names."""
    usage = from_any(
        {
            "input_tokens": 10,
            "cache_creation_input_tokens": 300,
            "cache_read_input_tokens": 1000,
            "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
            "output_tokens": 40,
            "output_tokens_details": {"thinking_tokens": 15},
            "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
            "service_tier": "batch",
            "speed": "standard",
            "inference_geo": "us",
        }
    )
    assert usage == Usage(
        input_tokens=10,
        cache_read_tokens=1000,
        cache_write_5m_tokens=100,
        cache_write_1h_tokens=200,
        output_tokens=40,
        thinking_tokens=15,
        web_search_requests=2,
        service_tier="batch",
        speed="standard",
        inference_geo="us",
    )
    assert (usage.prompt_tokens, usage.cache_write_tokens) == (1310, 300)


def test_an_sdk_message_reads_like_its_json():
    """The SDK's Message and the JSON it came from give the same usage."""
    raw = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-4-5",
        "content": [],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 7,
            "output_tokens": 3,
            "cache_creation_input_tokens": 50,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 50},
        },
    }
    message = Message.model_validate(raw)
    assert Usage.from_messages(message) == Usage.from_messages(raw) == Usage.from_messages(message.usage)
    assert Usage.from_messages(message).cache_write_1h_tokens == 50


@given(creation=COUNTS, split_5m=COUNTS, split_1h=COUNTS)
def test_the_1h_part_never_exceeds_the_total(creation: int, split_5m: int, split_1h: int):
    """w1h = min(split.1h, creation), and what remains of the total was written for 5 minutes."""
    split = {"ephemeral_5m_input_tokens": split_5m, "ephemeral_1h_input_tokens": split_1h}
    usage = from_any({"input_tokens": 1, "cache_creation_input_tokens": creation, "cache_creation": split})
    assert usage.cache_write_1h_tokens == min(split_1h, creation)
    assert usage.cache_write_tokens == creation


def test_the_split_alone_gives_the_total():
    """Without cache_creation_input_tokens the split is the total."""
    usage = from_any({"input_tokens": 1, "cache_creation": {"ephemeral_1h_input_tokens": 9}})
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == (0, 9)


def test_writes_without_a_split_are_marked():
    """Writes whose TTL is not told stand under 5m, say so, and can be booked under the policy's TTL."""
    usage = from_any({"input_tokens": 1, "cache_creation_input_tokens": 9, "output_tokens": 1})
    assert (usage.cache_write_5m_tokens, usage.ttl_split_known) == (9, False)
    booked = usage.with_write_ttl("1h")
    assert (booked.cache_write_5m_tokens, booked.cache_write_1h_tokens, booked.ttl_split_known) == (0, 9, True)
    assert booked.with_write_ttl("5m") == booked


def test_no_writes_leave_nothing_unknown():
    """A call that wrote nothing has no split to be unknown."""
    assert from_any({"input_tokens": 1, "output_tokens": 1}).ttl_split_known


@pytest.mark.parametrize("value", [-1, True, 1.5, 2.0, "12", [1], 2**60])
@pytest.mark.parametrize(
    "field", ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]
)
def test_a_bad_count_names_field_and_value(field: str, value: object):
    """A negative, fractional, boolean, textual or absurd count is an error that names the field."""
    with pytest.raises(BadInput) as caught:
        from_any({"input_tokens": 1, "output_tokens": 1, field: value})
    assert caught.value.code == "USG-001"
    assert f"{field} = {value!r}" in str(caught.value)


def test_a_bad_count_inside_the_split_is_named_with_its_place():
    """Nested counts are named with the object they stand in."""
    with pytest.raises(BadInput, match=r"cache_creation\.ephemeral_1h_input_tokens = -5"):
        from_any({"input_tokens": 1, "cache_creation": {"ephemeral_1h_input_tokens": -5}})


@pytest.mark.parametrize("shape", [{}, {"usage": {}}, {"prompt": 1}, {"usage": "none"}, 7, None])
def test_an_unknown_shape_is_bad_input(shape: object):
    """A mapping without any known token count is refused, not read as zero."""
    with pytest.raises(BadInput) as caught:
        from_any(shape)
    assert caught.value.code == "USG-002"


def test_our_own_column_names_are_read():
    """Counts that carry the names of the calls table are taken as they are."""
    usage = from_any({"input_tokens": 1, "cache_read_tokens": 2, "cache_write_1h_tokens": 3, "output_tokens": 4})
    assert usage == Usage(input_tokens=1, cache_read_tokens=2, cache_write_1h_tokens=3, output_tokens=4)


def test_depth_of_hostile_input_does_not_matter():
    """Fields that nobody reads may be nested as deep as they like."""
    deep: object = 1
    for _ in range(5_000):
        deep = [{"x": deep}]
    assert from_any({"input_tokens": 1, "output_tokens": 2, "novelty": deep}).output_tokens == 2


@pytest.mark.parametrize("field", ["service_tier", "speed", "inference_geo"])
def test_a_switch_that_is_not_a_string_is_refused(field: str):
    """What decides the price is never dropped in silence."""
    with pytest.raises(BadInput, match=rf"USG-005: {field} = \['fast'\]"):
        from_any({"input_tokens": 1, "output_tokens": 2, field: ["fast"]})
