"""OpenTelemetry GenAI attributes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput
from core.usage import Usage, from_any

PREFIX = "gen_ai.usage."


@given(fresh=st.integers(0, 10**6), read=st.integers(0, 10**6), write=st.integers(0, 10**6))
def test_inclusive_input_is_converted(fresh: int, read: int, write: int):
    """gen_ai.usage.input_tokens includes cached tokens; ours never does."""
    usage = from_any(
        {
            f"{PREFIX}input_tokens": fresh + read + write,
            f"{PREFIX}output_tokens": 5,
            f"{PREFIX}cache_read.input_tokens": read,
            f"{PREFIX}cache_creation.input_tokens": write,
        }
    )
    assert (usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens) == (fresh, read, write)
    assert usage.prompt_tokens == fresh + read + write


@pytest.mark.parametrize("name", ["cache_creation.input_tokens", "cache_write.input_tokens"])
def test_both_names_of_the_write_count_are_known(name: str):
    """The convention says cache_creation, Anthropic's spans say cache_write."""
    assert from_any({f"{PREFIX}input_tokens": 10, f"{PREFIX}output_tokens": 1, f"{PREFIX}{name}": 4}) == Usage(
        input_tokens=6, cache_write_5m_tokens=4, output_tokens=1, ttl_split_known=False
    )


def test_both_write_names_together_count_once():
    """A span that carries both names is not charged twice."""
    both = {f"{PREFIX}cache_creation.input_tokens": 4, f"{PREFIX}cache_write.input_tokens": 4}
    assert from_any({f"{PREFIX}input_tokens": 10, **both}).cache_write_tokens == 4


def test_anthropics_own_attributes_give_the_split_and_tier():
    """The SDK's spans add the TTL split and the service tier."""
    usage = Usage.from_otel(
        {
            f"{PREFIX}input_tokens": 310,
            f"{PREFIX}output_tokens": 1,
            f"{PREFIX}cache_write.input_tokens": 300,
            "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 100,
            "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 200,
            "anthropic.response.service_tier": "batch",
        }
    )
    assert usage == Usage(10, 0, 100, 200, 1, service_tier="batch")


def test_a_record_that_cannot_be_inclusive_is_taken_as_raw():
    """More cached tokens than input tokens: the writer kept Anthropic's own, exclusive count."""
    usage = from_any(
        {f"{PREFIX}input_tokens": 10, f"{PREFIX}output_tokens": 1, f"{PREFIX}cache_read.input_tokens": 900}
    )
    assert usage.input_tokens == 10


def test_attributes_may_be_nested_and_a_span_without_output_is_incomplete():
    """A span of a broken stream has no output count."""
    usage = from_any({"attributes": {f"{PREFIX}input_tokens": 10}})
    assert usage == Usage(input_tokens=10, complete=False)


def test_a_compaction_is_its_own_step():
    """Compaction tokens are not inside the span's input tokens, and are billed."""
    usage = from_any(
        {
            f"{PREFIX}input_tokens": 10,
            f"{PREFIX}output_tokens": 1,
            "anthropic.usage.compaction.input_tokens": 5000,
            "anthropic.usage.compaction.output_tokens": 70,
        }
    )
    assert [(step.kind, step.input_tokens, step.output_tokens) for step in usage.iterations] == [
        ("message", 10, 1),
        ("compaction", 5000, 70),
    ]


def test_a_bad_attribute_is_named():
    """Counts in attributes are checked like all others."""
    with pytest.raises(BadInput, match=r"gen_ai\.usage\.input_tokens = '10'"):
        from_any({f"{PREFIX}input_tokens": "10"})
