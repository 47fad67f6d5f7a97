"""The beta's usage.iterations."""

import pytest

from core.errors import BadInput
from core.usage import from_any


def step(kind: str = "message", **fields: object) -> dict[str, object]:
    return {
        "type": kind,
        "input_tokens": 1,
        "output_tokens": 1,
        "cache_read_input_tokens": 0,
        "cache_creation_input_tokens": 0,
        **fields,
    }


def usage_with(*steps: dict[str, object], **top: object):
    return from_any({"input_tokens": 1, "output_tokens": 1, **top, "iterations": list(steps)})


def test_each_step_keeps_its_model_and_counts():
    """Compaction and advisor entries stand beside the top-level counts, each with its own model."""
    usage = usage_with(step(), step("compaction", input_tokens=900), step("advisor_message", model="claude-opus-5"))
    assert [(item.kind, item.model, item.input_tokens) for item in usage.iterations] == [
        ("message", None, 1),
        ("compaction", None, 900),
        ("advisor_message", "claude-opus-5", 1),
    ]
    assert usage.input_tokens == 1


def test_a_declined_attempt_without_output_is_marked():
    """An attempt that a fallback replaced before any output is reported and free."""
    usage = usage_with(
        step(model="claude-fable-5-2", output_tokens=0),
        step(model="claude-opus-5-5", output_tokens=4),
        step("fallback_message", model="claude-opus-5-5"),
    )
    assert [item.declined for item in usage.iterations] == [True, False, False]


def test_an_attempt_without_output_is_billed_when_nothing_replaced_it():
    """max_tokens 0 warms a cache: no output, no fallback, billed."""
    assert not usage_with(step(output_tokens=0)).iterations[0].declined


def test_the_split_of_the_steps_is_the_split_of_the_call():
    """Streams with server tools repeat no top-level split; the steps know it."""
    usage = usage_with(
        step(
            cache_creation_input_tokens=300,
            cache_creation={"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 300},
        ),
        step(
            cache_creation_input_tokens=200,
            cache_creation={"ephemeral_5m_input_tokens": 150, "ephemeral_1h_input_tokens": 50},
        ),
        cache_creation_input_tokens=500,
        cache_creation={"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 300},
    )
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == (150, 350)


def test_steps_without_a_split_share_the_calls_1h_writes():
    """Where only the top level tells the split, its 1h writes are given to the steps in order."""
    usage = usage_with(
        step(cache_creation_input_tokens=300),
        step(cache_creation_input_tokens=200),
        cache_creation_input_tokens=500,
        cache_creation={"ephemeral_5m_input_tokens": 150, "ephemeral_1h_input_tokens": 350},
    )
    assert [item.cache_write_1h_tokens for item in usage.iterations] == [300, 50]
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == (150, 350)


def test_a_bad_count_is_named_with_its_step():
    """The message says which step holds the bad count."""
    with pytest.raises(BadInput, match=r"iterations\[1\]\.output_tokens = -2"):
        usage_with(step(), step(output_tokens=-2))
