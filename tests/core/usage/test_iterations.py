"""The beta's usage.iterations."""

import pytest

from core.errors import BadInput
from core.usage import from_any
from core.usage.iterations import read_steps_text, steps_text


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


def test_a_chain_of_fallbacks_bills_the_one_that_served():
    """A fallback that was itself declined before any output is as free as the first attempt."""
    usage = usage_with(
        step(model="claude-fable-5-2", output_tokens=0),
        step("fallback_message", model="claude-opus-5-5", output_tokens=0),
        step("fallback_message", model="claude-opus-5"),
    )
    assert [item.declined for item in usage.iterations] == [True, True, False]


def test_steps_that_tell_their_split_make_it_known():
    """Writes that every step tells as 5m stay 5m, whatever TTL the policy asked for."""
    told = {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 0}
    usage = usage_with(
        step(cache_creation_input_tokens=300, cache_creation=told), cache_creation_input_tokens=300
    ).with_write_ttl("1h")
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == (300, 0)
    assert usage.iterations[0].cache_write_5m_tokens == 300


def test_writes_of_unknown_lifetime_follow_the_policy_in_every_step():
    """The steps are what the call is billed by, so they take the policy's TTL with the call's own counts."""
    usage = usage_with(step(cache_creation_input_tokens=300), cache_creation_input_tokens=300).with_write_ttl("1h")
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == (0, 300)
    assert [(item.cache_write_5m_tokens, item.cache_write_1h_tokens) for item in usage.iterations] == [(0, 300)]


def test_steps_survive_being_written_down():
    """What a table keeps of the steps gives the same steps again, declined ones too."""
    usage = usage_with(
        step(model="claude-fable-5-2", output_tokens=0),
        step("fallback_message", model="claude-opus-5", cache_creation_input_tokens=7, cache_creation={
            "ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4}),
        step("compaction", input_tokens=900),
    )  # fmt: skip
    written = steps_text(usage.iterations)
    assert written is not None and read_steps_text(written) == usage.iterations
    assert steps_text(()) is None
