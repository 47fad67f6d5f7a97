"""The shapes on the wire: messages, streams, token counts, models, labels."""

import asyncio
import json
from typing import Any

import anthropic
import httpx2
import pytest

from core.usage import UsageStream
from simulator.messages import Fault, Simulator
from tests.support.prompts import HELLO, MODEL, ask, block, counts

Client = anthropic.Anthropic
CACHED: Any = [block(2000, cached="1h")]


def stream(client: Client, **parts: Any) -> list[Any]:
    """Return the raw events of a streamed answer."""
    request: dict[str, Any] = {"model": MODEL, "max_tokens": 16, "messages": HELLO, **parts}
    return list(client.messages.create(**request, stream=True))


def test_a_message_says_what_it_is(client: Client) -> None:
    """Ids are simulated, the answer has the tokens that are billed, and ends by itself."""
    answer = ask(client)

    assert answer.id.startswith("msg_sim_")
    assert (answer.role, answer.model, answer.stop_reason, answer.usage.output_tokens) == (
        "assistant",
        MODEL,
        "end_turn",
        12,
    )
    assert answer.content[0].type == "text"
    assert answer.usage.service_tier == "standard"


@pytest.mark.parametrize(("max_tokens", "output", "reason"), [(11, 11, "max_tokens"), (12, 12, "end_turn")])
def test_the_answer_is_cut_at_max_tokens(client: Client, max_tokens: int, output: int, reason: str) -> None:
    """An answer of 12 tokens fits into 12 and is cut at 11."""
    answer = ask(client, max_tokens=max_tokens)

    assert (answer.usage.output_tokens, answer.stop_reason) == (output, reason)


def test_a_stream_has_the_events_in_order(client: Client) -> None:
    """message_start, one block, message_delta, message_stop."""
    kinds = [event.type for event in stream(client)]

    assert kinds == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_the_split_is_told_at_the_start_and_the_totals_at_the_end(client: Client) -> None:
    """message_start knows the TTL split and a placeholder output; message_delta repeats totals without the split."""
    events = stream(client, system=CACHED)

    start, delta = events[0].message.usage, events[-2].usage
    assert (start.output_tokens, counts(start)) == (1, (5, 0, 0, 2000))
    assert delta.to_dict() == {
        "input_tokens": 5,
        "cache_creation_input_tokens": 2000,
        "cache_read_input_tokens": 0,
        "output_tokens": 12,
    }
    assert (events[0].message.stop_reason, events[-2].delta.stop_reason) == (None, "end_turn")


def test_a_stream_and_a_message_bill_the_same(client: Client) -> None:
    """The accumulated stream equals the plain answer, for the SDK and for our own reader of streams."""
    with client.messages.stream(model=MODEL, max_tokens=16, messages=HELLO, system=CACHED) as streamed:
        ours = UsageStream()
        for event in streamed:
            ours.feed(event.to_dict())
        final = streamed.get_final_message()
    plain = ask(client, system=CACHED)

    assert (counts(final), counts(plain)) == ((5, 0, 0, 2000), (5, 2000, 0, 0))
    texts = [[part.text for part in answer.content if part.type == "text"] for answer in (final, plain)]
    assert (texts[0], final.usage.output_tokens) == (texts[1], plain.usage.output_tokens)
    usage = ours.usage()
    assert (usage.input_tokens, usage.cache_write_1h_tokens, usage.output_tokens) == (5, 2000, 12)


def test_an_entry_can_be_read_while_its_writer_still_streams(client: Client) -> None:
    """The response has begun: that is enough for the next request to read."""
    request: dict[str, Any] = {"model": MODEL, "max_tokens": 16, "messages": HELLO, "system": CACHED}
    with client.messages.stream(**request) as first:
        next(iter(first))
        assert counts(ask(client, system=CACHED))[1] == 2000


def test_the_async_client_sees_the_same(simulator: Simulator) -> None:
    """Async, streamed and not: same counts."""

    async def both() -> tuple[Any, Any]:
        async with anthropic.AsyncAnthropic(api_key="sk-ant-sim-async", base_url=simulator.url) as client:
            request: dict[str, Any] = {"model": MODEL, "max_tokens": 16, "messages": HELLO, "system": CACHED}
            plain = await client.messages.create(**request)
            async with client.messages.stream(**request) as streamed:
                return counts(plain), counts(await streamed.get_final_message())

    assert asyncio.run(both()) == ((5, 0, 0, 2000), (5, 2000, 0, 0))


def test_a_stream_can_break_with_an_error_event(client: Client, simulator: Simulator) -> None:
    """After the first words an error event comes; the SDK raises it, and the prompt has been paid for."""
    simulator.faults.add(Fault("stream_error"))
    with pytest.raises(anthropic.APIStatusError) as broken:
        stream(client, system=CACHED)

    assert broken.value.type == "overloaded_error"
    assert counts(ask(client, system=CACHED))[1] == 2000


def test_a_stream_can_be_cut_off(client: Client, simulator: Simulator) -> None:
    """The connection ends in the middle, without message_delta and message_stop."""
    simulator.faults.add(Fault("stream_cut", after_deltas=0))
    seen = []
    with pytest.raises(httpx2.RemoteProtocolError):
        for event in client.messages.create(model=MODEL, max_tokens=16, messages=HELLO, stream=True):
            seen.append(event.type)

    assert seen == ["message_start", "content_block_start"]


def test_count_tokens_is_what_the_message_bills(client: Client) -> None:
    """The count before the request equals input, read and written tokens of the request."""
    parts: dict[str, Any] = {"system": CACHED, "tools": [{"name": "look", "input_schema": {"type": "object"}}]}
    counted = client.messages.count_tokens(model=MODEL, messages=HELLO, **parts)

    assert counted.input_tokens == sum(counts(ask(client, **parts)))


def test_the_models_are_listed_as_simulated(client: Client) -> None:
    """Every model's name says that it is simulated; one can be asked for by its alias."""
    models = client.models.list().data

    assert "claude-opus-4-5" in [model.id for model in models]
    assert all(model.display_name.endswith("(simulated)") for model in models)
    one = client.models.retrieve("claude-opus-4-5-20251101")
    assert (one.id, one.display_name, one.lifecycle) == ("claude-opus-4-5", "Claude Opus 4.5 (simulated)", "active")
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("claude-nope-1")


def test_every_response_carries_the_label_and_an_id(simulator: Simulator) -> None:
    """Answers, refusals, unknown paths and the control routes all say that they are simulated."""
    headers = {"x-api-key": "sk-ant-sim-raw"}
    with httpx2.Client(base_url=simulator.url, headers=headers) as raw:
        responses = [
            raw.post("/v1/messages", json={"model": MODEL, "max_tokens": 1, "messages": HELLO}),
            raw.post("/v1/messages", content=b"{broken"),
            raw.post("/v1/messages", json={"max_tokens": 1}),
            raw.get("/v1/nothing"),
            raw.get("/v1/messages"),
            raw.get("/_simulator/state"),
        ]

    assert [response.headers["x-cachewise-simulated"] for response in responses] == ["true"] * 6
    assert [response.status_code for response in responses] == [200, 400, 400, 404, 405, 200]
    assert all(response.headers["request-id"].startswith("req_sim_") for response in responses[:5])
    assert responses[2].json()["error"] == {"type": "invalid_request_error", "message": "model: Field required"}


def test_no_text_stays_behind(client: Client, simulator: Simulator) -> None:
    """Neither the prompt nor the key can be found in what the simulator keeps or shows."""
    secret = "Zq7SecretWord"
    ask(client, system=[{"type": "text", "text": secret}], messages=[{"role": "user", "content": secret}])
    with httpx2.Client(base_url=simulator.url) as raw:
        shown = raw.get("/_simulator/state").text

    kept = list(_strings(simulator.service, set()))
    assert len(kept) > 10
    assert not [text for text in [*kept, shown] if secret in text or str(client.api_key) in text]
    assert json.loads(shown)["calls"][-1]["usage"]["input_tokens"] == simulator.calls[-1].usage["input_tokens"]  # type: ignore[index]


def _strings(value: Any, visited: set[int]) -> Any:
    """Yield every text reachable from an object of ours."""
    if id(value) in visited:
        return
    visited.add(id(value))
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _strings(pair, visited)
    elif isinstance(value, (list, tuple, set, frozenset)) or type(value).__name__ == "deque":
        for item in list(value):
            yield from _strings(item, visited)
    elif type(value).__module__.startswith(("simulator", "core")):
        names = [*getattr(value, "__dict__", {}), *getattr(type(value), "__slots__", ())]
        for name in names:
            yield from _strings(getattr(value, name, None), visited)
