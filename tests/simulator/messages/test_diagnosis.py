"""Cache diagnosis: what changed since the request before, named by the API."""

from collections.abc import Callable
from typing import Any

import anthropic
import pytest

from simulator.messages import Fault, Simulator
from tests.support.prompts import ask, block, mark

Client = anthropic.Anthropic
TOOLS: Any = [{"name": "look", "input_schema": {"type": "object"}}]
FIRST: dict[str, Any] = {
    "tools": TOOLS,
    "system": [block(1500, cached="5m")],
    "messages": [{"role": "user", "content": [block(20)]}],
}


def diagnosed(client: Client, previous: str | None, **parts: Any) -> Any:
    """Send a request that names the one before; return its `diagnostics`."""
    return ask(client, **{**FIRST, **parts}, diagnostics={"previous_message_id": previous}).diagnostics


def opening(client: Client, **parts: Any) -> str:
    """Send the first request of a conversation and return its id."""
    return ask(client, **{**FIRST, **parts}, diagnostics={"previous_message_id": None}).id


def test_nothing_is_said_unasked_or_at_the_start(client: Client) -> None:
    """Without `diagnostics`, or with no request before, the answer's diagnostics are null."""
    assert ask(client, **FIRST).diagnostics is None
    assert diagnosed(client, None) is None


def test_a_conversation_that_only_grows_has_not_diverged(client: Client) -> None:
    """Appended turns are no change, wherever the breakpoints stand."""
    grown = [*FIRST["messages"], {"role": "assistant", "content": "yes"}, {"role": "user", "content": "more"}]

    assert diagnosed(client, opening(client), messages=grown, cache_control=mark()) is None


def test_the_same_request_has_not_diverged_even_when_its_entry_expired(client: Client, simulator: Simulator) -> None:
    """Diagnosis compares requests, not hits: null beside no read means that the entry expired."""
    previous = opening(client)
    simulator.clock.advance(301)
    answer = ask(client, **FIRST, diagnostics={"previous_message_id": previous})

    assert (answer.diagnostics, answer.usage.cache_read_input_tokens) == (None, 0)


@pytest.mark.parametrize(
    ("change", "reason", "tokens"),
    [
        ({"model": "claude-opus-5"}, "model_changed", None),
        ({"tools": [*TOOLS, {"name": "seek", "input_schema": {"type": "object"}}]}, "tools_changed", None),
        ({"tools": [{"name": "look", "input_schema": {"type": "object"}, "description": "x"}]}, "tools_changed", None),
        ({"system": [block(1499), block(1, "else", cached="5m")]}, "system_changed", 1523),
        ({"system": [block(1499, cached="5m")], "tools": []}, "tools_changed", None),
        ({"messages": [{"role": "user", "content": [block(20, "else")]}]}, "messages_changed", 23),
        ({"thinking": {"type": "adaptive"}}, "unavailable", None),
        ({"tool_choice": {"type": "none"}}, "unavailable", None),
    ],
)
def test_the_first_change_is_named(client: Client, change: dict[str, Any], reason: str, tokens: int | None) -> None:
    """Model, tools, system, other options, messages: the earliest divergence, with the tokens behind it."""
    found = diagnosed(client, opening(client), **change).cache_miss_reason

    assert found.type == reason
    assert hasattr(found, "cache_missed_input_tokens") is (reason != "unavailable")
    if tokens is not None:
        assert found.cache_missed_input_tokens == tokens


def test_the_speed_counts_as_the_model(client: Client) -> None:
    """Fast mode after standard speed is `model_changed`."""
    previous = opening(client, model="claude-opus-5")

    found = diagnosed(client, previous, model="claude-opus-5", speed="fast").cache_miss_reason
    assert found.type == "model_changed"


def test_only_requests_that_asked_are_remembered(client: Client) -> None:
    """A request without `diagnostics` left no fingerprints to compare with."""
    assert diagnosed(client, ask(client, **FIRST).id).cache_miss_reason.type == "previous_message_not_found"


def test_another_workspace_finds_nothing(make_client: Callable[[], Client]) -> None:
    """Fingerprints stay in their workspace."""
    previous = opening(make_client())

    assert diagnosed(make_client(), previous).cache_miss_reason.type == "previous_message_not_found"


def test_a_comparison_can_still_be_pending(client: Client, simulator: Simulator) -> None:
    """Diagnostics with a null reason mean "not known yet", not "nothing changed"."""
    previous = opening(client)
    simulator.faults.add(Fault("diagnosis_pending"))
    found = diagnosed(client, previous)

    assert found is not None
    assert found.cache_miss_reason is None


def test_a_stream_tells_it_at_the_start(client: Client) -> None:
    """In a stream the diagnosis comes with message_start."""
    request: dict[str, Any] = {**FIRST, "system": "else", "diagnostics": {"previous_message_id": opening(client)}}
    with client.messages.stream(model="claude-opus-4-8", max_tokens=5, **request) as streamed:
        start = next(event for event in streamed if event.type == "message_start")

    assert start.message.diagnostics is not None
    assert start.message.diagnostics.cache_miss_reason is not None
    assert start.message.diagnostics.cache_miss_reason.type == "system_changed"
