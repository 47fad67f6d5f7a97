"""Each rule of the prompt cache, at its boundary, seen through the SDK."""

import threading
from collections.abc import Callable
from typing import Any

import anthropic
import pytest

from simulator.messages import Simulator
from tests.support.prompts import HELLO, HELLO_TOKENS, MINIMUM, ask, block, counts, mark

Client = anthropic.Anthropic


def test_the_first_request_writes_and_the_second_reads(client: Client) -> None:
    """A marked prefix is written once, then read; what follows the breakpoint is plain input both times."""
    system = [block(2000, cached="1h")]

    assert counts(ask(client, system=system)) == (HELLO_TOKENS, 0, 0, 2000)
    assert counts(ask(client, system=system)) == (HELLO_TOKENS, 2000, 0, 0)


def test_without_cache_control_nothing_is_cached(client: Client) -> None:
    """An unmarked prompt is all input, however often it comes."""
    for _ in range(2):
        assert counts(ask(client, system=[block(2000)])) == (2000 + HELLO_TOKENS, 0, 0, 0)


@pytest.mark.parametrize(
    ("tokens", "expected"), [(MINIMUM - 1, (MINIMUM - 1 + HELLO_TOKENS, 0, 0, 0)), (MINIMUM, (5, 0, MINIMUM, 0))]
)
def test_a_prefix_below_the_minimum_is_silently_not_cached(
    client: Client, tokens: int, expected: tuple[int, int, int, int]
) -> None:
    """1,023 tokens are not cached, 1,024 are; neither is an error."""
    assert counts(ask(client, system=[block(tokens, cached="5m")])) == expected


@pytest.mark.parametrize(
    ("model", "minimum"),
    [("claude-opus-5", 512), ("claude-opus-4-7", 2048), ("claude-opus-4-5", 4096), ("claude-opus-4-5-20251101", 4096)],
)
def test_each_model_has_its_own_minimum(client: Client, model: str, minimum: int) -> None:
    """The smallest cacheable prefix is the one of the model asked for, by alias or dated name."""
    assert counts(ask(client, model=model, system=[block(minimum - 1, cached="5m")]))[2] == 0
    assert counts(ask(client, model=model, system=[block(minimum, cached="5m")]))[2] == minimum


@pytest.mark.parametrize(("ttl", "lifetime_s"), [("5m", 300), ("1h", 3600)])
def test_an_entry_lives_its_ttl_from_the_start_of_the_request(
    client: Client, simulator: Simulator, ttl: Any, lifetime_s: int
) -> None:
    """At the end of its lifetime an entry is still read; a millisecond later it has to be written again."""
    system = [block(2000, cached=ttl)]
    ask(client, system=system)

    simulator.clock.advance(lifetime_s)
    assert counts(ask(client, system=system))[1] == 2000  # and this read has refreshed it
    simulator.clock.advance(lifetime_s)
    assert counts(ask(client, system=system))[1] == 2000
    simulator.clock.advance(lifetime_s + 0.001)
    assert counts(ask(client, system=system))[1] == 0


def test_a_later_change_keeps_the_earlier_prefix(client: Client) -> None:
    """tools → system → messages: a changed system block leaves the tools readable, changed tools leave nothing."""
    tools = [{"name": "look", "description": block(1500)["text"], "input_schema": {}, "cache_control": mark()}]
    other = [{**tools[0], "name": "seek"}]
    first = ask(client, tools=tools, system=[block(1200, cached="5m")])
    tools_tokens = counts(first)[2] - 1200

    assert counts(ask(client, tools=tools, system=[block(1200, "else", cached="5m")]))[1:3] == (tools_tokens, 1200)
    assert counts(ask(client, tools=other, system=[block(1200, cached="5m")]))[1] == 0


def test_the_key_order_of_a_tool_is_part_of_the_prefix(client: Client) -> None:
    """The same tool with its JSON keys in another order is another prefix."""
    tool = {"name": "look", "description": block(1500)["text"], "input_schema": {"type": "object"}}
    turned = dict(reversed(list(tool.items())))
    ask(client, tools=[{**tool, "cache_control": mark()}])

    assert counts(ask(client, tools=[{**turned, "cache_control": mark()}]))[1] == 0


def test_speed_breaks_the_system_but_not_the_tools(client: Client) -> None:
    """Switching to fast mode keeps what was cached of the tools only."""
    tools = [{"name": "look", "description": block(1500)["text"], "input_schema": {}, "cache_control": mark()}]
    system = [block(1200, cached="5m")]
    tools_tokens = counts(ask(client, model="claude-opus-5", tools=tools, system=system))[2] - 1200

    fast = ask(client, model="claude-opus-5", tools=tools, system=system, speed="fast")
    assert counts(fast)[1:3] == (tools_tokens, 1200)
    assert fast.usage.speed == "fast"


@pytest.mark.parametrize(
    "change",
    [
        {"tool_choice": {"type": "none"}},
        {"thinking": {"type": "adaptive"}},
        {"output_config": {"effort": "low"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_options_break_the_messages_but_not_the_system(client: Client, change: dict[str, Any]) -> None:
    """tool_choice, thinking and effort re-write what was cached of the messages; the system is still read."""
    parts = {
        "system": [block(1200, cached="5m")],
        "messages": [{"role": "user", "content": [block(1300, cached="5m")]}],
    }
    ask(client, **parts)

    assert counts(ask(client, **parts, **change))[1:3] == (1200, 1303)


@pytest.mark.parametrize(
    ("added", "read"),
    [
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "eA=="}}, 1100),
        (
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "word"},
                "citations": {"enabled": True},
            },
            0,
        ),
    ],
    ids=["image", "citations"],
)
def test_images_break_the_messages_and_citations_the_system_too(client: Client, added: Any, read: int) -> None:
    """The first image anywhere re-writes the messages; citations, once on, re-write the system as well."""
    system = [block(1100, cached="5m")]
    ask(client, system=system, messages=[{"role": "user", "content": [block(1200, cached="5m"), block(9)]}])

    with_it = [{"role": "user", "content": [block(1200, cached="5m"), added]}]
    assert counts(ask(client, system=system, messages=with_it))[1] == read


def test_an_explicit_default_effort_is_the_same_prompt(client: Client) -> None:
    """Saying `effort: high` changes nothing against leaving it out."""
    messages = [{"role": "user", "content": [block(1300, cached="5m")]}]
    ask(client, messages=messages)

    assert counts(ask(client, messages=messages, output_config={"effort": "high"}))[1] == 1303


@pytest.mark.parametrize(("added", "read"), [(19, 1103), (20, 0)])
def test_a_breakpoint_looks_back_over_twenty_blocks(client: Client, added: int, read: int) -> None:
    """The entry under 19 further blocks is the 20th position and found; one more block and it is not."""
    first = block(1100)
    ask(client, messages=[{"role": "user", "content": [{**first, "cache_control": mark()}]}])

    grown = [first, *(block(10) for _ in range(added - 1)), block(10, cached="5m")]
    assert counts(ask(client, messages=[{"role": "user", "content": grown}]))[1] == read


def test_only_breakpoints_are_written(client: Client) -> None:
    """A stable block before a changing one that carries the breakpoint is never read."""
    for word in ("one", "two"):
        content = [block(1500), block(10, word, cached="5m")]
        assert counts(ask(client, messages=[{"role": "user", "content": content}]))[1] == 0


def test_mixed_lifetimes_are_billed_apart(client: Client, simulator: Simulator) -> None:
    """Read up to A, 1h write from A to B, 5m write from B to C; after 5 minutes only the 1h part is still there."""
    system = [block(1100, cached="1h"), block(200, cached="5m")]
    assert counts(ask(client, system=system)) == (HELLO_TOKENS, 0, 200, 1100)

    simulator.clock.advance(301)
    assert counts(ask(client, system=system)) == (HELLO_TOKENS, 1100, 200, 0)


def test_automatic_caching_marks_the_last_block_and_moves_on(client: Client) -> None:
    """A top-level cache_control writes the whole prompt, and the next turn reads it."""
    turns: list[Any] = [{"role": "user", "content": [block(1200)]}]
    assert counts(ask(client, messages=turns, cache_control=mark("1h"))) == (0, 0, 0, 1203)

    turns += [{"role": "assistant", "content": "yes"}, {"role": "user", "content": "more"}]
    assert counts(ask(client, messages=turns, cache_control=mark("1h"))) == (0, 1203, 0, 8)


def test_automatic_caching_steps_over_what_cannot_be_marked(client: Client) -> None:
    """A thinking block at the end carries no breakpoint: the block before it does."""
    turns: list[Any] = [
        {"role": "user", "content": [block(1200)]},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "so be it", "signature": "x"}]},
    ]
    assert counts(ask(client, messages=turns, cache_control=mark())) == (6, 0, 1203, 0)


def test_a_string_is_short_for_one_text_block(client: Client) -> None:
    """The same system as a string and as a block is one prefix."""
    long = block(1500)["text"]
    ask(client, system=long, messages=[{"role": "user", "content": "hello"}], cache_control=mark())

    as_block = [{"role": "user", "content": [{"type": "text", "text": "hello"}]}]
    assert counts(ask(client, system=[block(1500)], messages=as_block, cache_control=mark()))[1] == 1505


def test_workspaces_do_not_share(make_client: Callable[[], Client]) -> None:
    """Another API key, another workspace, another cache."""
    system = [block(2000, cached="1h")]
    ask(make_client(), system=system)

    assert counts(ask(make_client(), system=system))[1] == 0


def test_models_do_not_share_but_aliases_do(client: Client) -> None:
    """A fallback to another model writes the prefix again; the dated name of the same model reads it."""
    system = [block(5000, cached="1h")]
    ask(client, system=system, model="claude-opus-4-5")

    assert counts(ask(client, system=system, model="claude-opus-4-6"))[1] == 0
    assert counts(ask(client, system=system, model="claude-opus-4-5-20251101"))[1] == 5000


def test_concurrent_first_requests_all_write(client: Client, simulator: Simulator) -> None:
    """An entry can be read only once the first answer has begun; until then everybody pays for the write."""
    system = [block(2000, cached="1h")]
    answers: list[anthropic.types.Message] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(client, system=system))) for _ in range(3)]
    with simulator.holding_answers():
        for thread in threads:
            thread.start()
        simulator.wait_for_held(3)
    for thread in threads:
        thread.join()

    assert [counts(answer)[3] for answer in answers] == [2000, 2000, 2000]
    assert counts(ask(client, system=system))[1] == 2000


def test_prewarming_writes_without_an_answer(client: Client) -> None:
    """max_tokens 0 fills the cache: no content, no output tokens, and the next request reads."""
    system = [block(2000, cached="5m")]
    warm = ask(client, system=system, max_tokens=0)

    assert (warm.content, warm.stop_reason, warm.usage.output_tokens) == ([], "max_tokens", 0)
    assert counts(warm) == (HELLO_TOKENS, 0, 2000, 0)
    assert counts(ask(client, system=system, messages=HELLO))[1] == 2000
