"""The small parts: tokenizer, clock, latency, fault plan."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.messages import Fault, Latency, SimulatedClock, text_of_tokens
from simulator.messages.faults import FaultPlan
from simulator.messages.tokens import count_block, count_text
from simulator.messages.wire import reply_text

NINE = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), (" \n\t", 0), ("word", 1), ("words", 2), ("12345678", 2), ("a.b", 3), ("안녕", 2), ("👋", 1)],
)
def test_text_is_counted_by_the_written_rule(text: str, tokens: int) -> None:
    """Four characters of a word are a token, so is every other visible character; space is free."""
    assert count_text(text) == tokens


@given(tokens=st.integers(0, 1000))
def test_a_text_can_be_made_to_measure(tokens: int) -> None:
    """Prompts and answers have exactly the tokens asked for."""
    assert count_text(text_of_tokens(tokens)) == count_text(reply_text(tokens)) == tokens


@given(first=st.text(), second=st.text())
def test_counts_add_up_over_white_space(first: str, second: str) -> None:
    """Two texts count the same together as apart, when white space stands between."""
    assert count_text(f"{first} {second}") == count_text(first) + count_text(second)


@pytest.mark.parametrize(
    ("block", "tokens"),
    [
        ({"type": "image", "source": {}}, 1500),
        ({"type": "document", "source": {"type": "text", "data": "word word"}}, 2),
        ({"type": "document", "source": {"type": "base64", "data": "x"}}, 1500),
        ({"type": "tool_result", "tool_use_id": "x", "content": "word"}, 1),
        ({"type": "tool_result", "tool_use_id": "x", "content": [{"type": "text", "text": "word word"}]}, 2),
    ],
)
def test_blocks_are_counted_by_what_they_hold(block: dict[str, Any], tokens: int) -> None:
    """Media cost a round figure, results what they say."""
    assert count_block(block) == tokens


def test_a_word_for_a_text_to_measure_must_be_one_token() -> None:
    """A long word would count twice, so it is refused."""
    with pytest.raises(ValueError, match="1 to 4 ASCII letters or digits, got 'longer'"):
        text_of_tokens(3, word="longer")


def test_a_frozen_clock_moves_only_when_told() -> None:
    """It starts where it is put, in UTC, and goes forward by what it is given."""
    clock = SimulatedClock(NINE.astimezone(timezone(timedelta(hours=9))))

    assert (clock.frozen, clock.now()) == (True, NINE)
    assert clock.advance(1.5) == NINE + timedelta(seconds=1.5)


def test_a_running_clock_keeps_its_lead() -> None:
    """Without a start it follows real time, ahead of it by what it was moved."""
    clock = SimulatedClock(wall=lambda: NINE)
    clock.advance(60)

    assert (clock.frozen, clock.now()) == (False, NINE + timedelta(seconds=60))


def test_the_clock_refuses_to_go_back_or_without_a_zone() -> None:
    """A cache never sees time go back, and a naive time means nothing."""
    with pytest.raises(ValueError, match="only moves forward, got -1"):
        SimulatedClock(NINE).advance(-1)
    with pytest.raises(ValueError, match="must be time-zone aware"):
        SimulatedClock(NINE.replace(tzinfo=None))


def test_reading_is_quicker_than_working_out() -> None:
    """The same prompt answers sooner from the cache; a scale of 0 answers at once."""
    cold = Latency().time_to_first_token_ms(processed_tokens=10_000, read_tokens=0)
    warm = Latency().time_to_first_token_ms(processed_tokens=0, read_tokens=10_000)

    assert (cold, warm) == (350 + 900, 350 + 60)
    assert Latency(scale=0).time_to_first_token_ms(processed_tokens=10_000, read_tokens=0) == 0
    assert Latency(scale=0.5).generation_ms(10) == 60


def test_faults_strike_in_order_and_are_used_up() -> None:
    """One is spared, two are hit by the first fault, one by the second, then all is well."""
    plan = FaultPlan([Fault("overloaded", times=2, skip=1), Fault("api_error")])

    struck = [plan.next_fault() for _ in range(5)]
    assert [fault.kind if fault else None for fault in struck] == [None, "overloaded", "overloaded", "api_error", None]


def test_a_cleared_plan_is_empty() -> None:
    """Clearing forgets also the half-used fault."""
    plan = FaultPlan([Fault("overloaded", times=2)])
    plan.next_fault()
    plan.clear()

    assert (plan.as_json(), plan.next_fault()) == ([], None)


@pytest.mark.parametrize("wrong", [{"kind": "flood"}, {"times": 2}, {"kind": "overloaded", "often": True}])
def test_a_fault_that_is_not_known_is_refused(wrong: dict[str, Any]) -> None:
    """An unknown kind or member is named together with what is known."""
    with pytest.raises(ValueError, match=r"known|a fault has"):
        Fault.from_json(wrong)
