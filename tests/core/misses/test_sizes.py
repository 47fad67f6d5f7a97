"""What sizes alone tell of conversations: who went on from where, and the likeliest cause where none did."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from core import misses
from core.misses.ends import ends_of
from core.misses.weigh import Scales, habits
from tests.support.rows import Row
from tests.support.traffic import at, text, traffic_of, writes

HEAD = 2_000
TURNS = (400, 600, 500, 450, 550)
"""What the turns of the short conversation add: 500 tokens, give or take."""


def call(moment: datetime, *, read: int, size: int, ttl: str = "1h", **other: Any) -> Row:
    """A text line of a call that read so much and had cached this size in the end."""
    counts = {"cache_read_tokens": read, f"cache_write_{ttl}_tokens": size - read}
    return text(writes(moment, ttl=ttl, **counts, **other))


def two_conversations(*, ttl: str = "1h", **other: Any) -> list[Row]:
    """A short conversation that grows turn by turn until minute 10, and a long one that waits since minute 1."""
    rows = [call(at(minutes=0), read=0, size=3_000, ttl=ttl), call(at(minutes=1), read=HEAD, size=20_000, ttl=ttl)]
    size = 3_000
    for number, turn in enumerate(TURNS):
        rows.append(call(at(minutes=2 + 2 * number), read=size, size=size + turn, ttl=ttl, **other))
        size += turn
    return rows


def last_of(rows: list[Row]) -> tuple[str, str, str]:
    """The cause of the last call's prefix, how sure it is, and on what evidence."""
    lines = misses.of_traffic(traffic_of(rows)).to_pylist()
    line = [x for x in lines if x["cause"] != "dynamic_tail"][-1]
    assert line["call_id"] == rows[-1]["call_id"]
    return line["cause"], line["confidence"], line["evidence"]


def test_a_conversation_of_its_own() -> None:
    """It reads no more than all share and is as small as one turn: nobody had written it."""
    assert last_of([*two_conversations(), call(at(minutes=12), read=HEAD, size=2_550)])[:2] == (
        "first_touch", "inferred",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("since_ms", "cause"), [(3_600_000, "prefix_changed"), (3_600_001, "expired_1h"), (9_000_000, "expired_1h")]
)
def test_the_conversation_it_resembles_had_died(since_ms: int, cause: str) -> None:
    """The long one's size again, an hour and a moment after its call: expired; within the hour it was edited."""
    short = [call(at(minutes=10 + 20 * n), read=5_500, size=5_500) for n in range(1, 9)]
    again = at(minutes=1) + timedelta(milliseconds=since_ms)
    rows = [*two_conversations(), *(row for row in short if row["ts"] < again)]

    assert last_of([*rows, call(again, read=HEAD, size=20_000)])[:2] == (cause, "inferred")


def test_forgotten_conversations_explain_nothing() -> None:
    """Three hours are the most that a size is remembered."""
    short = [call(at(minutes=10 + 20 * n), read=5_500, size=5_500) for n in range(1, 10)]
    again = at(minutes=1) + timedelta(hours=3, milliseconds=1)

    assert last_of([*two_conversations(), *short, call(again, read=HEAD, size=20_000)]) == (
        "unknown", "unknown", "nothing",
    )  # fmt: skip


@pytest.mark.parametrize(("turns", "cause"), [(6, "unknown"), (8.4, "unknown"), (10, "lookback"), (12.5, "lookback")])
def test_ten_turns_longer_at_once(turns: float, cause: str) -> None:
    """Twenty blocks are ten turns: so much more than a conversation had, and its entry was not reached."""
    rows = [*two_conversations(), call(at(minutes=12), read=HEAD, size=round(5_500 + 500 * turns))]

    assert last_of(rows)[0] == cause


def test_what_all_share_has_changed() -> None:
    """The first call writes all anew; the other conversation then reads the new head and no more of it."""
    first = [*two_conversations(), call(at(minutes=12), read=0, size=6_300)]
    second = [*first, call(at(minutes=13), read=HEAD + 300, size=20_800)]

    assert last_of(first)[:2] == last_of(second)[:2] == ("prefix_changed", "inferred")
    assert last_of([*second, call(at(minutes=14), read=6_300, size=6_800)])[0] == "first_touch"


def test_what_all_share_has_changed_by_a_deploy() -> None:
    """With a new function version since the conversation's last call, that is the reason; not for what was edited."""
    old, new = {"function_version": "1"}, {"function_version": "2"}
    rows = [row | old for row in two_conversations()] + [call(at(minutes=12), read=0, size=6_300, **new)]

    assert last_of([*rows, call(at(minutes=13), read=HEAD + 300, size=20_800, **new)])[0] == "after_deploy"
    assert last_of([*rows, call(at(minutes=13), read=HEAD + 300, size=6_300, **new)])[0] == "prefix_changed"


def test_what_all_share_has_changed_by_a_clear() -> None:
    """Its invocation read the prompt anew."""
    rows = [*two_conversations(), call(at(minutes=12), read=0, size=6_300)]
    rows.append(call(at(minutes=13), read=HEAD + 300, size=20_800))
    lines = misses.of_traffic(traffic_of(rows, fetched={rows[-1]["call_id"]})).to_pylist()

    assert [x["cause"] for x in lines if x["call_id"] == rows[-1]["call_id"] and x["tokens"] > 5_000] == ["after_clear"]


def test_a_rewrite_of_what_had_died_anyway() -> None:
    """All is written anew while the engine is warm, but this conversation's call was seven minutes ago."""
    rows = two_conversations(ttl="5m")

    assert last_of([*rows, call(at(minutes=12), read=0, size=20_600, ttl="5m")])[0] == "expired_5m"
    assert last_of([*rows, call(at(minutes=12), read=0, size=6_000, ttl="5m")])[0] == "prefix_changed"


def test_an_older_end_is_read() -> None:
    """The conversation had gone on from there: what came after it was changed."""
    assert last_of([*two_conversations(), call(at(minutes=12), read=4_000, size=5_600)]) == (
        "prefix_changed", "inferred", "size",
    )  # fmt: skip


def test_a_switch_back() -> None:
    """Under another model it had grown; back under the first, it finds what it had left there."""
    rows = [
        *two_conversations(),
        call(at(minutes=12), read=0, size=6_000),
        call(at(minutes=13), read=6_000, size=6_500),
    ]

    assert last_of([*rows, call(at(minutes=14), read=5_500, size=7_000)])[0] == "prefix_changed"


@pytest.mark.parametrize(
    ("beside", "size", "told"),
    [
        (5_700, 5_800, ("prefix_changed", "inferred", "size")),
        (5_700, 5_400, ("expired_5m", "inferred", "likeliest")),
        (5_700, 6_000, ("expired_5m", "inferred", "gap")),
        (5_500, 5_800, ("unknown", "unknown", "nothing")),
    ],
)
def test_the_likeliest_is_named_as_such(beside: int, size: int, told: tuple[str, str, str]) -> None:
    """One conversation of 5,500 has died, one beside it is warm: the likelier one's cause, if it clearly is."""
    rows = [*two_conversations(ttl="5m"), call(at(minutes=11), read=HEAD, size=beside, ttl="5m")]
    rows += [call(at(minutes=12 + n), read=beside, size=beside, ttl="5m") for n in range(1, 6)]

    assert last_of([*rows, call(at(minutes=17.5), read=HEAD, size=size, ttl="5m")]) == told


def test_no_conversation_ever_grew() -> None:
    """Then no size says anything about another."""
    rows = [call(at(minutes=0), read=0, size=3_000), call(at(minutes=1), read=HEAD, size=20_000)]

    assert last_of(rows) == ("unknown", "unknown", "nothing")


def ends(*calls: tuple[int, int]) -> Any:
    read, size = np.array(calls).T
    moments = np.arange(len(calls)) * 10_000
    return ends_of(read, size, moments, moments + 900)


def test_who_went_on_from_where() -> None:
    """The latest call that left the size read; it has one heir, the first that read it."""
    found = ends((0, 3_000), (3_000, 3_400), (2_000, 5_000), (3_000, 3_300), (3_400, 3_400))

    assert found.origin.tolist() == [-1, 0, -1, 0, 1]
    assert found.heir.tolist() == [1, 4, -1, -1, -1]
    assert found.chain.tolist() == [0, 0, 2, 3, 0]
    assert found.latest(np.array([0]), np.array([4])).tolist() == [1]


def test_a_size_that_a_later_call_leaves_anew_is_that_call_s() -> None:
    """What is read of it then is the later call's entry."""
    found = ends((0, 3_000), (0, 3_000), (3_000, 3_500))

    assert (found.origin.tolist(), found.heir.tolist()) == ([-1, -1, 1], [-1, 2, -1])


def test_the_head_in_force() -> None:
    """It is what was read though no call had left it; an epoch without one takes the last that is known."""
    found = ends((0, 3_000), (2_000, 9_000), (0, 3_300), (2_300, 9_300), (0, 8_000), (8_000, 8_500))

    assert found.head.tolist() == [2_000, 2_000, 2_300, 2_300, 2_300, 2_300]
    assert found.guessed.tolist() == [False] * 4 + [True] * 2
    assert found.epoch.tolist() == [1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(("readers", "common"), [(3, False), (4, True)])
def test_an_end_that_many_went_on_from_is_a_head(readers: int, common: bool) -> None:
    """A first call had cached the system prompt alone: what reads it goes on from no conversation."""
    found = ends((0, 2_000), *((2_000, 2_500 + 10 * n) for n in range(readers)))

    assert bool((found.origin[1:] < 0).all()) is common


@pytest.mark.parametrize(("apart_ms", "twin"), [(899, 0), (900, -1)])
def test_written_side_by_side(apart_ms: int, twin: int) -> None:
    """Only while the first one's answer had not begun."""
    read, size, moments = np.array([2_000, 2_000]), np.array([3_000, 3_000]), np.array([0, apart_ms])

    assert ends_of(read, size, moments, moments + 900).twin[1] == twin


def test_from_one_end_only_one_call_can_have_gone_on() -> None:
    """Shares of a call sum to one at most, and so do those of an end: what one claims, the others give up."""
    calls = [(0, 3_000), (3_000, 3_500), (3_500, 4_000), (2_000, 9_000), (2_000, 9_400), (2_000, 9_420), (2_000, 4_500)]
    found = ends(*calls)
    read, size = np.array(calls).T
    moments, lives = np.arange(len(calls)) * 4_000_000, np.full(len(calls), 3_600_000)
    usual = habits(found, read, size, moments, lives)
    assert usual is not None
    asked = np.array([4, 5, 6])
    ((places, weighed),) = Scales(found, usual, size, moments, lives, np.zeros(len(calls), dtype=np.bool_)).weigh(asked)

    assert places.tolist() == asked.tolist()
    assert (weighed.share.sum(axis=1) + weighed.new <= 1 + 1e-9).all()
    for end in np.unique(weighed.end):
        assert weighed.share[weighed.end == end].sum() <= 1.1  # a few rounds come near


def test_text_lines_of_nothing() -> None:
    """An engine that never used the cache has no sizes to weigh."""
    assert misses.of_traffic(traffic_of([])).num_rows == 0
