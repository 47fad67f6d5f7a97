"""The provider's cache rules, each at its edge, and against a naive model."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.caching.cache_model import Block, CacheModel, Outcome, Ttl
from core.errors import BadInput
from tests.support.naive_cache import NaiveCache

SYSTEM_1H = (Block("system", 5_000, "1h"), Block("question", 100))
SYSTEM_5M = (Block("system", 5_000, "5m"), Block("question", 100))


def counts(outcome: Outcome) -> tuple[int, int, int, int]:
    """The four counts."""
    return outcome.read, outcome.write_5m, outcome.write_1h, outcome.uncached


def chat(turns: int, ttl: Ttl = "5m") -> list[Block]:
    """A conversation of so many one-block turns, marked at its end."""
    return [Block(f"t{i}", 100) for i in range(turns - 1)] + [Block(f"t{turns - 1}", 100, ttl)]


def test_first_request_writes_and_the_next_reads() -> None:
    """The prefix is written once and read afterwards; what follows the breakpoint is never cached."""
    cache = CacheModel()

    first, second = (cache.request(at, blocks=SYSTEM_1H) for at in (0, 1))

    assert (counts(first), first.cause) == ((0, 0, 5_000, 100), "first_touch")
    assert (counts(second), second.cause, second.gap_ms) == ((5_000, 0, 0, 100), "hit", 1)


@pytest.mark.parametrize(
    ("blocks", "gap_ms", "read", "cause"),
    [
        (SYSTEM_5M, 299_999, 5_000, "hit"),
        (SYSTEM_5M, 300_000, 5_000, "hit"),
        (SYSTEM_5M, 300_001, 0, "expired"),
        (SYSTEM_1H, 3_600_000, 5_000, "hit"),
        (SYSTEM_1H, 3_600_001, 0, "expired"),
    ],
)
def test_lifetime_edge(blocks: tuple[Block, ...], gap_ms: int, read: int, cause: str) -> None:
    """Exactly one lifetime after the last use is still read; a millisecond later it has expired."""
    cache = CacheModel()
    cache.request(0, blocks=blocks)

    outcome = cache.request(gap_ms, blocks=blocks)

    assert (outcome.read, outcome.cause, outcome.gap_ms) == (read, cause, gap_ms)


def test_lifetime_counts_from_the_start_of_the_request() -> None:
    """A slow answer eats lifetime: begun at 200 s, the entry still dies 300 s after the request began."""
    cache = CacheModel()
    cache.request(0, blocks=SYSTEM_5M, response_begins_ms=200_000)

    assert cache.request(300_001, blocks=SYSTEM_5M).cause == "expired"


def test_an_answer_slower_than_the_lifetime_leaves_nothing_to_read() -> None:
    """An entry that becomes readable after it expired is never read."""
    cache = CacheModel()
    cache.request(0, blocks=SYSTEM_5M, response_begins_ms=400_000)

    assert cache.request(400_000, blocks=SYSTEM_5M).read == 0


def test_a_read_refreshes() -> None:
    """Reads every four minutes keep a 5m entry alive for ever, at no charge."""
    cache = CacheModel()
    cache.request(0, blocks=SYSTEM_5M)

    outcomes = [cache.request(at, blocks=SYSTEM_5M) for at in range(240_000, 3_600_000, 240_000)]

    assert {outcome.cause for outcome in outcomes} == {"hit"}


def test_concurrent_first_requests_both_write() -> None:
    """Until the first answer begins nobody can read; from that very millisecond on everybody can."""
    cache = CacheModel()
    cache.request(0, blocks=SYSTEM_1H, response_begins_ms=900)

    second = cache.request(899, blocks=SYSTEM_1H, response_begins_ms=2_000)
    third = cache.request(900, blocks=SYSTEM_1H)

    assert (second.write_1h, second.cause) == (5_000, "concurrent_first_write")
    assert third.cause == "hit"


@pytest.mark.parametrize(("tokens", "cause"), [(4_095, "below_minimum"), (4_096, "first_touch")])
def test_minimum_edge(tokens: int, cause: str) -> None:
    """A prefix one token short of the minimum is silently neither written nor read."""
    cache = CacheModel(minimum_tokens=4_096)
    blocks = (Block("system", tokens, "1h"), Block("question", 9_000))

    outcome = cache.request(0, blocks=blocks)

    assert outcome.cause == cause
    assert outcome.missed == tokens
    assert outcome.write_1h == (tokens if cause == "first_touch" else 0)


def test_minimum_may_depend_on_the_model() -> None:
    """The minimum is asked for by model name."""
    cache = CacheModel(minimum_tokens=lambda model: {"small": 512, "big": 8_192}[model])

    assert cache.request(0, blocks=SYSTEM_1H, model="small").write_1h == 5_000
    assert cache.request(0, blocks=SYSTEM_1H, model="big").cause == "below_minimum"


def test_nothing_marked_is_nothing_cached() -> None:
    """Without a breakpoint the whole prompt is uncached."""
    outcome = CacheModel().request(0, blocks=(Block("system", 5_000), Block("question", 100)))

    assert (counts(outcome), outcome.cause) == ((0, 0, 0, 5_100), "off")


def test_workspaces_and_models_do_not_share() -> None:
    """Another workspace or another model writes its own entry."""
    cache = CacheModel()
    cache.request(0, blocks=SYSTEM_1H, workspace="a", model="m")

    assert cache.request(1, blocks=SYSTEM_1H, workspace="b", model="m").read == 0
    assert cache.request(1, blocks=SYSTEM_1H, workspace="a", model="n").read == 0
    assert cache.request(1, blocks=SYSTEM_1H, workspace="a", model="m").read == 5_000


def test_a_changed_block_breaks_everything_after_it() -> None:
    """The longest common prefix that was written is read; the changed rest is written anew."""
    cache = CacheModel()
    tools, system, changed = Block("tools", 1_000, "1h"), Block("system", 2_000, "1h"), Block("other", 2_000, "1h")
    cache.request(0, blocks=(tools, system))

    outcome = cache.request(1, blocks=(tools, changed))

    assert (counts(outcome), outcome.cause) == ((1_000, 0, 2_000, 0), "first_touch")


def test_mixed_ttl_is_billed_at_a_b_c() -> None:
    """Read up to A, 1h write from A to B, 5m write from B to C, the rest uncached."""
    cache = CacheModel()
    tools, system, turn = Block("tools", 1_000, "1h"), Block("system", 2_000, "1h"), Block("turn", 400, "5m")
    cache.request(0, blocks=(tools,))

    outcome = cache.request(1, blocks=(tools, system, turn, Block("question", 50)))

    assert counts(outcome) == (1_000, 400, 2_000, 50)


@pytest.mark.parametrize(("added", "read", "cause"), [(19, 100, "first_touch"), (20, 0, "lookback")])
def test_look_back_covers_twenty_positions(added: int, read: int, cause: str) -> None:
    """The breakpoint's own position counts as the first of the twenty."""
    cache = CacheModel()
    cache.request(0, blocks=chat(1))

    outcome = cache.request(1, blocks=chat(1 + added))

    assert (outcome.read, outcome.cause) == (read, cause)


def test_reading_a_conversation_keeps_its_system_prompt_alive() -> None:
    """Every entry inside what was read is used, and so refreshed."""
    cache = CacheModel()
    system, turn = Block("system", 2_000, "5m"), Block("turn", 400, "5m")
    cache.request(0, blocks=(system, turn))
    cache.request(200_000, blocks=(system, turn))

    assert cache.request(450_000, blocks=(system, Block("other turn", 1, "5m"))).read == 2_000


@pytest.mark.parametrize(
    ("blocks", "code"),
    [
        ([Block(str(i), 1, "1h") for i in range(5)], "CAC-001"),
        ([Block("a", 1, "30m")], "CAC-002"),  # type: ignore[arg-type]
        ([Block("a", 1, "5m"), Block("b", 1, "1h")], "CAC-003"),
        ([Block("a", -1, "5m")], "CAC-004"),
    ],
)
def test_what_the_api_refuses(blocks: list[Block], code: str) -> None:
    """Five breakpoints, an unknown TTL, 1h after 5m and negative tokens are each named."""
    with pytest.raises(BadInput) as refused:
        CacheModel().request(0, blocks=blocks)

    assert refused.value.code == code


def test_forgetting_drops_old_entries_only() -> None:
    """What was used since stays readable; what was dropped is a first touch again."""
    cache = CacheModel()
    cache.request(0, blocks=(Block("old", 100, "5m"),))
    cache.request(10_000_000, blocks=(Block("common", 1), Block("new", 100, "1h")))

    assert cache.forget(5_000_000) == 1
    assert cache.request(10_000_001, blocks=(Block("old", 100, "5m"),)).cause == "first_touch"
    assert cache.request(10_000_002, blocks=(Block("common", 1), Block("new", 100, "1h"))).cause == "hit"


TOKENS = {"a": 700, "b": 300, "c": 0}
LAPSES = st.sampled_from([0, 1, 500, 299_999, 300_000, 300_001, 1_200_000, 3_600_000, 3_600_001])


@st.composite
def prompts(draw: st.DrawFn) -> list[Block]:
    """A prompt of up to eight blocks over three contents, with up to four breakpoints, 1h before 5m."""
    contents = draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=8))
    marks = sorted(draw(st.sets(st.integers(0, len(contents) - 1), max_size=4)))
    long_ones = draw(st.integers(0, len(marks)))
    ttls: dict[int, Ttl] = {mark: "1h" if order < long_ones else "5m" for order, mark in enumerate(marks)}
    return [Block(content, TOKENS[content], ttls.get(i)) for i, content in enumerate(contents)]


REQUESTS = st.lists(
    st.tuples(LAPSES, prompts(), st.sampled_from(["w1", "w2"]), st.sampled_from(["m1", "m2"]), LAPSES), max_size=14
)


@settings(max_examples=150, deadline=None)
@given(requests=REQUESTS, minimum=st.sampled_from([0, 500, 1_000]), lookback=st.sampled_from([2, 3, 20]))
def test_equals_the_naive_model(
    requests: list[tuple[int, list[Block], str, str, int]], minimum: int, lookback: int
) -> None:
    """Whatever the requests, the counts are those of a model that knows no shortcuts, and sum to the prompt."""
    cache, naive, at = CacheModel(minimum_tokens=minimum, lookback=lookback), NaiveCache(minimum, lookback), 0
    for lapse, blocks, workspace, model, delay in requests:
        at += lapse
        outcome = cache.request(at, blocks=blocks, workspace=workspace, model=model, response_begins_ms=at + delay)

        assert counts(outcome) == naive.request(at, blocks, workspace, model, at + delay)
        assert outcome.prompt == sum(block.tokens for block in blocks)
        assert (outcome.cause == "hit") <= (outcome.missed == 0)


@settings(max_examples=60, deadline=None)
@given(lapses=st.lists(LAPSES, min_size=1, max_size=30))
def test_a_longer_ttl_never_reads_less(lapses: list[int]) -> None:
    """The same arrivals under 1h read at least what they read under 5m."""
    read = {}
    for ttl, blocks in (("5m", SYSTEM_5M), ("1h", SYSTEM_1H)):
        cache, at, read[ttl] = CacheModel(), 0, 0
        for lapse in lapses:
            at += lapse
            read[ttl] += cache.request(at, blocks=blocks).read

    assert read["1h"] >= read["5m"]
