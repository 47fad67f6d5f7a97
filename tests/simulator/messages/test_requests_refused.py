"""What the API refuses, with its words, as the SDK's exceptions."""

from collections.abc import Callable
from typing import Any

import anthropic
import pytest

from simulator.messages import Fault, Simulator, new_service, running_simulator
from tests.support.prompts import HELLO, MODEL, ask, block, counts, mark

Client = anthropic.Anthropic
ORDER = (
    "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. "
    "Note that blocks are processed in the following order: `tools`, `system`, `messages`."
)
THINKING = {"type": "thinking", "thinking": "so be it", "signature": "x", "cache_control": {"type": "ephemeral"}}


def user(*blocks: Any) -> list[Any]:
    """Return the messages of one user turn."""
    return [{"role": "user", "content": list(blocks)}]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "five breakpoints": (
        {"system": [block(9, cached="5m")] * 5},
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    "four and automatic": (
        {"system": [block(9, cached="5m")] * 4, "cache_control": mark()},
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    "1h after 5m": (
        {"system": [block(9, cached="5m")], "messages": user(block(9, cached="1h"))},
        f"messages.0.content.0.cache_control.ttl: {ORDER}",
    ),
    "automatic 1h after 5m": (
        {"system": [block(9, cached="5m")], "cache_control": mark("1h")},
        f"cache_control.ttl: {ORDER}",
    ),
    "automatic against the last block": (
        {"messages": user(block(9, cached="1h")), "cache_control": mark("5m")},
        "cache_control.ttl: automatic caching asks for ttl='5m' but messages.0.content.0 has ttl='1h'",
    ),
    "unknown ttl": (
        {"system": [{**block(9), "cache_control": {"type": "ephemeral", "ttl": "30m"}}]},
        "system.0.cache_control.ttl: Input should be '5m' or '1h'",
    ),
    "unknown cache type": (
        {"system": [{**block(9), "cache_control": {"type": "permanent"}}]},
        "system.0.cache_control.type: Input should be 'ephemeral'",
    ),
    "empty block marked": (
        {"system": [{"type": "text", "text": "", "cache_control": mark()}]},
        "system.0.text: cache_control cannot be set for empty text blocks",
    ),
    "empty block": (
        {"messages": user({"type": "text", "text": ""})},
        "messages: text content blocks must be non-empty",
    ),
    "thinking marked": (
        {"messages": [*HELLO, {"role": "assistant", "content": [THINKING]}]},
        "messages.1.content.0.thinking.cache_control: Extra inputs are not permitted",
    ),
    "no messages": ({"messages": []}, "messages: at least one message is required"),
    "unknown role": (
        {"messages": [{"role": "tool", "content": "x"}]},
        "messages.0.role: Input should be 'user', 'assistant' or 'system'",
    ),
    "negative max_tokens": ({"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0"),
    "pre-warm with tools forced": (
        {"max_tokens": 0, "tool_choice": {"type": "any"}},
        "max_tokens: 0 is not supported together with tool_choice",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_request_is_a_400_that_names_the_place(client: Client, name: str) -> None:
    """The refusal comes as BadRequestError with the API's type and message."""
    parts, message = REFUSED[name]
    with pytest.raises(anthropic.BadRequestError) as refused:
        ask(client, **parts)

    assert (refused.value.type, refused.value.api_message) == ("invalid_request_error", message)


def test_four_breakpoints_are_accepted(client: Client) -> None:
    """Three explicit ones and the automatic one fill the four slots."""
    answer = ask(client, system=[block(1100, cached="5m")] * 3, cache_control=mark())

    assert counts(answer) == (0, 0, 3305, 0)


def test_automatic_caching_on_a_block_marked_alike_is_a_no_op(client: Client) -> None:
    """The same lifetime twice on the last block is one breakpoint."""
    system = [block(9, cached="5m")] * 3
    ask(client, system=system, messages=user(block(9, cached="5m")), cache_control=mark("5m"))


def test_prewarming_cannot_stream(client: Client) -> None:
    """max_tokens 0 asks for no answer, so there is nothing to stream."""
    with pytest.raises(anthropic.BadRequestError, match="together with stream"):
        client.messages.create(model=MODEL, max_tokens=0, messages=HELLO, stream=True)


@pytest.mark.parametrize("key", ["sk-ant-api03-real-looking", "nonsense"])
def test_a_key_that_is_not_simulated_is_refused(connection: Client, key: str) -> None:
    """Only keys made for the simulator are accepted, so a real one sent here by mistake does nothing."""
    with pytest.raises(anthropic.AuthenticationError) as refused:
        ask(connection.with_options(api_key=key))

    assert (refused.value.type, refused.value.api_message) == ("authentication_error", "invalid x-api-key")
    assert refused.value.request_id is not None
    assert refused.value.request_id.startswith("req_sim_")


@pytest.mark.parametrize(
    "model", ["claude-nope-1", "claude-opus-4-1", "global.anthropic.claude-opus-4-5-20251101-v1:0"]
)
def test_a_model_that_is_not_served_is_not_found(client: Client, model: str) -> None:
    """Unknown, retired, or another platform's id: 404 with the model's name."""
    with pytest.raises(anthropic.NotFoundError) as refused:
        ask(client, model=model)

    assert (refused.value.type, refused.value.api_message) == ("not_found_error", f"model: {model}")


def test_a_refused_request_leaves_the_cache_alone(client: Client) -> None:
    """What the API refuses writes nothing."""
    system = [block(2000, cached="5m")]
    with pytest.raises(anthropic.NotFoundError):
        ask(client, model="claude-nope-1", system=system)

    assert counts(ask(client, system=system))[1] == 0


@pytest.mark.parametrize(
    ("kind", "error", "type_"),
    [
        ("rate_limit", anthropic.RateLimitError, "rate_limit_error"),
        ("overloaded", anthropic.OverloadedError, "overloaded_error"),
        ("api_error", anthropic.InternalServerError, "api_error"),
    ],
)
def test_ordered_faults_strike_once(
    client: Client, simulator: Simulator, kind: Any, error: type[anthropic.APIStatusError], type_: str
) -> None:
    """A fault replaces the next answer, touches no cache, and is used up."""
    system = [block(2000, cached="5m")]
    simulator.faults.add(Fault(kind, retry_after_s=7))
    with pytest.raises(error) as refused:
        ask(client, system=system)

    assert refused.value.type == type_
    assert refused.value.response.headers.get("retry-after") == ("7" if kind == "rate_limit" else None)
    assert counts(ask(client, system=system))[1] == 0


def test_the_sdk_retries_after_the_time_it_is_told(client: Client, simulator: Simulator) -> None:
    """Two refusals and an answer: one message for the caller, three tries for the simulator."""
    simulator.faults.add(Fault("rate_limit", times=2, retry_after_s=0.01))
    answer = ask(client.with_options(max_retries=2))

    tries = [(seen.status, seen.retry, seen.message_id) for seen in simulator.calls[-3:]]
    assert tries == [(429, 0, None), (429, 1, None), (200, 2, answer.id)]


def test_a_fault_can_spare_the_first_requests(make_client: Callable[[], Client], simulator: Simulator) -> None:
    """`skip` lets so many requests pass before the fault strikes."""
    simulator.faults.add(Fault("overloaded", skip=1))
    client = make_client()
    ask(client)
    with pytest.raises(anthropic.OverloadedError):
        ask(client)


def test_only_the_keys_that_were_named_are_accepted() -> None:
    """With a list of keys, a simulated key that is not on it is refused too."""
    with (
        running_simulator(new_service(api_keys=["mine"])) as own,
        anthropic.Anthropic(api_key="mine", base_url=own.url) as mine,
    ):
        ask(mine)
        with pytest.raises(anthropic.AuthenticationError):
            ask(mine.with_options(api_key=own.api_key))
