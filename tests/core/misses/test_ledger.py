"""The miss ledger: one cause for every token that was not read, its price, and what could be had back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import advice, misses, ttl
from tests.support.rows import Row, make_unpriced_call
from tests.support.traffic import PREFIX, at, idle, reads, text, traffic_of, writes


def causes(rows: list[Row], **options: Any) -> list[str]:
    """The cause of each call's prefix miss, in order of time, the tail left out."""
    lines = misses.of_traffic(traffic_of(rows, **options)).to_pylist()
    return [line["cause"] for line in lines if line["cause"] != "dynamic_tail"]


def last(rows: list[Row], **options: Any) -> dict[str, Any]:
    """The last line that is not the tail."""
    lines = misses.of_traffic(traffic_of(rows, **options)).to_pylist()
    return [line for line in lines if line["cause"] != "dynamic_tail"][-1]


OTHER = {"prefix_fingerprint": "bbbb"}


def test_a_call_without_any_line_is_judged_all_the_same() -> None:
    """Read whole, with nothing behind the breakpoint: it missed nothing; a call that was not seen is not judged."""
    whole = reads(at(minutes=1), call_id="whole", input_tokens=0)
    calls = traffic_of([writes(at(minutes=0), call_id="first"), whole, reads(at(minutes=2), call_id="tail")])
    lines = misses.of_traffic(calls)
    left = misses.read_whole(calls)

    assert left.to_pylist() == ["whole"]
    assert misses.causes_by_id(["first", "whole", "tail", "unseen"], lines, left) == {
        "first": "first_touch", "whole": None, "tail": None,
    }  # fmt: skip


def test_first_touch_and_hit() -> None:
    """The first call writes; the one that reads has only its tail in the ledger."""
    lines = misses.of_traffic(traffic_of([writes(at(minutes=0)), reads(at(minutes=1))])).to_pylist()

    assert [(line["cause"], line["tokens"]) for line in lines] == [
        ("first_touch", PREFIX), ("dynamic_tail", 100), ("dynamic_tail", 100),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ttl", "seconds", "cause"),
    [("5m", 301, "expired_5m"), ("5m", 9_000, "expired_5m"), ("1h", 3_601, "expired_1h"), ("1h", 3_599, "unknown")],
)
def test_expired(ttl: str, seconds: int, cause: str) -> None:
    """A gap longer than the lifetime explains a write; a shorter one does not (evicted, perhaps)."""
    found = last([writes(at(seconds=0), ttl=ttl), writes(at(seconds=seconds), ttl=ttl)])

    assert found["cause"] == cause
    assert found["gap_ms"] == seconds * 1000
    assert found["confidence"] == ("unknown" if cause == "unknown" else "measured")


def test_the_entry_s_lifetime_counts_not_today_s() -> None:
    """An entry written for 5m expires after 5m, whatever the call that finds it dead asks for."""
    assert causes([writes(at(minutes=0), ttl="5m"), writes(at(minutes=20), ttl="1h")])[1] == "expired_5m"


def test_concurrent_first_write() -> None:
    """A call that starts before the first one's answer begins (900 ms) writes too."""
    found = causes([writes(at(milliseconds=0)), writes(at(milliseconds=899)), writes(at(milliseconds=901))])

    assert found == ["first_touch", "concurrent_first_write", "unknown"]


def test_a_moving_prefix() -> None:
    """Each call with a fingerprint of its own under one version: a part moves that should not."""
    rows = [writes(at(minutes=n), prefix_fingerprint=f"{n:04}") for n in range(4)]

    assert causes(rows)[1:] == ["prefix_changed"] * 3


def test_a_prefix_changed_by_a_deploy_once() -> None:
    """A new fingerprint with a new version, read afterwards."""
    rows = [
        writes(at(minutes=0)), reads(at(minutes=1)),
        writes(at(minutes=2), function_version="2", **OTHER), reads(at(minutes=3), function_version="2", **OTHER),
    ]  # fmt: skip

    assert causes(rows) == ["first_touch", "after_deploy"]


def test_an_untold_version_is_no_deploy() -> None:
    """Nobody knows which version the first call ran under, so the second's is not a new one."""
    before = [writes(at(minutes=0), function_version=None), reads(at(minutes=1), function_version=None)]
    now = writes(at(minutes=2), function_version="2", **OTHER)

    assert causes([*before, now]) == ["first_touch", "prefix_changed"]
    assert causes([text(row) for row in [*before, now]]) == ["first_touch", "prefix_changed"]


def test_a_schedule_of_exactly_the_lifetime_finds_entries_expired() -> None:
    """Every five minutes, give or take 40 ms: one cause for all, and never measured so near to the limit."""
    late_ms = [0, -30, 20, -10, 0, 40, -40, 5]
    rows = [writes(at(seconds=300 * n, milliseconds=ms), ttl="5m") for n, ms in enumerate(late_ms)]

    for told in (rows, [text(row) for row in rows]):
        assert causes(told)[1:] == ["expired_5m"] * 7
    gaps = [line for line in misses.of_traffic(traffic_of(rows)).to_pylist() if line["cause"] == "expired_5m"]
    assert {line["confidence"] for line in gaps if line["gap_ms"] < 300_050} == {"inferred"}


@pytest.mark.parametrize(
    ("seconds", "recorded", "by_text"),
    [(299, "unknown", "prefix_changed"), (299.001, "expired_5m", "expired_5m"), (300, "expired_5m", "expired_5m"),
     (300.001, "expired_5m", "expired_5m")],
)  # fmt: skip
def test_only_the_last_second_is_at_the_limit(seconds: float, recorded: str, by_text: str) -> None:
    """Requests arrive a little further apart than they were sent; a write before that second was no expiry."""
    rows = [writes(at(seconds=0), ttl="5m"), writes(at(seconds=seconds), ttl="5m")]

    assert (causes(rows)[1], causes([text(row) for row in rows])[1]) == (recorded, by_text)


def test_two_models_by_turns_are_each_written_once() -> None:
    """Both prefixes are needed: that the second model's had to be written is no change to mend."""
    models = ("claude-opus-4-5", "claude-sonnet-5-5")
    rows = [(writes if n < 2 else reads)(at(minutes=n), model=models[n % 2]) for n in range(12)]

    assert causes(rows) == ["first_touch", "first_touch"]


def test_a_prefix_changed_by_a_fetch() -> None:
    """The same version, but the call's invocation fetched its prompt anew."""
    rows = [writes(at(minutes=0)), writes(at(minutes=2), call_id="anew", **OTHER), reads(at(minutes=3), **OTHER)]

    assert causes(rows, fetched={"anew"}) == ["first_touch", "after_clear"]


def test_an_old_prompt_that_comes_back() -> None:
    """Its own entry has died while another prompt of the engine was warm: the change is the cause."""
    rows = [writes(at(minutes=0))]
    rows += [(writes if n == 1 else reads)(at(minutes=30 * n), **OTHER) for n in range(1, 4)]
    rows += [writes(at(minutes=91))]

    assert causes(rows)[-1] == "prefix_changed"


def test_below_the_minimum_and_switched_off() -> None:
    """Opus 4.5 caches from 4,096 tokens; records say whether caching was on."""
    rows = [
        idle(at(minutes=0), input_tokens=4_100, prefix_tokens=4_095),
        idle(at(minutes=1), caching_enabled=False),
        idle(at(minutes=2)),
    ]
    assert causes(rows) == ["below_minimum", "caching_off", "unknown"]


def test_the_same_prefix_warm_elsewhere() -> None:
    """A first write on Bedrock while the engine was warm at Anthropic."""
    bedrock = {
        "provider": "bedrock",
        "model": "apac.anthropic.claude-opus-4-5-20251101-v1:0",
        "region": "ap-northeast-2",
    }

    assert causes([writes(at(minutes=0)), writes(at(minutes=5), **bedrock)])[1] == "region_workspace"


def test_the_same_prefix_warm_in_another_workspace() -> None:
    """Each workspace has a cache of its own: a key of another one writes anew, and then reads its own entry."""
    one, two = ({"workspace": f"wrkspc_{n}"} for n in (1, 2))

    assert causes([writes(at(minutes=0), **one), writes(at(minutes=5), **two)])[1] == "region_workspace"
    rows = [writes(at(minutes=0), **one), writes(at(minutes=5), **two), reads(at(minutes=6), **two)]
    assert causes(rows).count("region_workspace") == 1


def test_calls_that_tell_no_workspace_are_not_set_apart() -> None:
    """Text lines and older records say nothing of it: they are in the commonest, and alone they are in one."""
    told = [reads(at(minutes=n), workspace="wrkspc_1") for n in range(3)]

    assert "region_workspace" not in causes([writes(at(minutes=-5)), *told, text(writes(at(minutes=5)))])
    both = [*told, writes(at(minutes=4), workspace="wrkspc_2", engine="other"), writes(at(minutes=5))]
    assert "region_workspace" not in causes(both)


def test_a_model_change() -> None:
    """The cache is kept per model."""
    assert causes([writes(at(minutes=0)), writes(at(minutes=5), model="claude-opus-4-6")])[1] == "prefix_changed"


def test_a_speed_change_is_named() -> None:
    """Fast mode has entries of its own: same fingerprint, other speed."""
    found = last([writes(at(minutes=0)), writes(at(minutes=5), speed="fast")])

    assert (found["cause"], found["detail"]) == ("prefix_changed", "speed")


def test_a_speed_change_is_named_beside_listed_blocks() -> None:
    """Blocks that are all alike take nothing away from what the speed says."""
    blocks = {"prefix_blocks": "tools:1 system:2"}
    found = last([writes(at(minutes=0), **blocks), writes(at(minutes=5), speed="fast", **blocks)])

    assert (found["cause"], found["detail"]) == ("prefix_changed", "speed")


def test_the_api_s_diagnosis_names_the_part() -> None:
    """What the provider itself says changed is taken over."""
    found = last([writes(at(minutes=0)), writes(at(minutes=5), cache_miss_reason="tools_changed", **OTHER)])

    assert (found["cause"], found["detail"], found["evidence"]) == ("prefix_changed", "tools", "diagnosis")


@pytest.mark.parametrize(
    ("before", "now", "cause", "detail"),
    [
        ("system:2", " ".join(["system:2", *(f"messages:{n}" for n in range(21))]), "lookback", None),
        ("tools:1 system:2", "tools:9 system:2", "prefix_changed", "tools"),
        ("tools:1 system:2", "tools:1 system:9", "prefix_changed", "system"),
        ("system:2 messages:3", "system:2 messages:9", "prefix_changed", "messages"),
        ("system:2", " ".join(["system:2", *(f"messages:{n}" for n in range(20))]), "lookback", None),
    ],
)
def test_blocks_name_the_part(before: str, now: str, cause: str, detail: str | None) -> None:
    """The first block that differs names the part; a prefix that grew by 20 blocks overran the look-back."""
    found = last([writes(at(minutes=0), prefix_blocks=before), writes(at(minutes=5), prefix_blocks=now, **OTHER)])

    assert (found["cause"], found["detail"]) == (cause, detail)


@pytest.mark.parametrize(
    ("added", "cause"), [(0, "unknown"), (1, "unknown"), (19, "unknown"), (20, "lookback"), (21, "lookback")]
)
def test_a_conversation_that_grew_within_reach_did_not_change(added: int, cause: str) -> None:
    """Twenty blocks on, its last entry is out of reach; up to nineteen, what was not read was not there any more."""
    before = "system:1 messages:a messages:b messages:c"
    now = " ".join([before, *(f"messages:{n}" for n in range(added))])
    found = last([writes(at(minutes=0), prefix_blocks=before), writes(at(minutes=2), prefix_blocks=now, **OTHER)])

    assert found["cause"] == cause


def test_a_prefix_that_grew() -> None:
    """What was there is read, the new end is written for the first time."""
    grown = writes(at(minutes=1), cache_read_tokens=PREFIX, cache_write_1h_tokens=500, prefix_tokens=6_500, **OTHER)
    lines = misses.of_traffic(traffic_of([writes(at(minutes=0)), grown])).to_pylist()

    assert [(line["cause"], line["tokens"]) for line in lines][2] == ("first_touch", 500)


def test_text_lines_alone() -> None:
    """Gaps, counts and versions are all there is; nothing but the tail is called measured."""
    rows = [
        writes(at(minutes=0)), reads(at(minutes=10)), writes(at(minutes=75)), writes(at(minutes=80)),
        writes(at(minutes=81)), writes(at(minutes=90), function_version="2"),
        reads(at(minutes=91), function_version="2"), idle(at(minutes=95), function_version="2"),
    ]  # fmt: skip
    lines = misses.of_traffic(traffic_of([text(row) for row in rows])).to_pylist()
    prefix = [line for line in lines if line["cause"] != "dynamic_tail"]

    assert [line["cause"] for line in prefix] == [
        "first_touch", "expired_1h", "prefix_changed", "prefix_changed", "after_deploy", "caching_off",
    ]  # fmt: skip
    assert {line["confidence"] for line in prefix} == {"inferred"}
    assert prefix[-1]["tokens"] == PREFIX


def test_text_lines_of_a_short_prompt() -> None:
    """Never cached, and too short to be: the smallest prompt bounds the prefix."""
    rows = [text(idle(at(minutes=n), input_tokens=2_000 + n)) for n in range(3)]
    lines = misses.of_traffic(traffic_of(rows)).to_pylist()

    assert [(line["cause"], line["tokens"]) for line in lines] == [
        ("below_minimum", 2_000), ("below_minimum", 2_000), ("dynamic_tail", 1), ("below_minimum", 2_000),
        ("dynamic_tail", 2),
    ]  # fmt: skip


def test_dollars_are_what_a_read_would_have_saved() -> None:
    """1h write at $10, read at $0.50, input at $5 a million."""
    lines = misses.of_traffic(traffic_of([writes(at(minutes=0))])).to_pylist()

    assert [line["usd"] for line in lines] == [Decimal("0.057000000000"), Decimal("0.000450000000")]


def test_without_a_price_there_are_tokens_and_no_dollars() -> None:
    """Unknown is not zero."""
    lines = misses.of_traffic(traffic_of([make_unpriced_call(model="claude-nobody", input_tokens=50)]))

    assert misses.total(lines)["tokens"] == 50
    assert misses.total(lines)["usd"] is None


def test_calls_before_the_range_only_explain() -> None:
    """They make an expiry of what else would be a first touch, and have no lines."""
    rows = [writes(at(minutes=0), call_id="old"), writes(at(minutes=100))]
    lines = misses.of_traffic(traffic_of(rows, before={"old"})).to_pylist()

    assert [line["cause"] for line in lines] == ["expired_1h", "dynamic_tail"]


def test_recoverable_switching_on() -> None:
    """Off-calls would have read while warm: the first would have written, which costs more than it did."""
    rows = [idle(at(minutes=n), caching_enabled=False) for n in range(3)]
    found = misses.recoverable(misses.of_traffic(traffic_of(rows)))

    saved = 2 * PREFIX * Decimal("0.0000045") - PREFIX * Decimal("0.000005")
    assert [(row["cause"], row["recoverable_usd"], row["mend_key"]) for row in found] == [
        ("caching_off", saved, "switch_on")
    ]


def test_recoverable_by_another_lifetime_is_the_ttl_lab_s_to_say() -> None:
    """Expired entries are worth what the replay says, never more than they cost."""
    lines = misses.of_traffic(traffic_of([writes(at(minutes=20 * n), ttl="5m") for n in range(4)]))
    advice = [{"engine": "tutor", "policy_saving_usd": Decimal("0.05"), "best": "1h"}]

    assert misses.recoverable(lines)[0]["recoverable_usd"] is None
    assert misses.recoverable(lines, advice)[0]["recoverable_usd"] == Decimal("0.05")


CALL = st.tuples(
    st.integers(0, 20_000), st.sampled_from(["read", "write", "part", "idle"]), st.sampled_from("ab"),
    st.sampled_from(["aaaa", "bbbb", None]), st.booleans(), st.sampled_from(["5m", "1h"]), st.sampled_from("12"),
    st.sampled_from([True, False, None]), st.integers(1, 9_000),
)  # fmt: skip


def _row(call: tuple[Any, ...]) -> Row:
    seconds, kind, engine, fingerprint, by_text, ttl, version, enabled, tokens = call
    counts = {
        "read": {"cache_read_tokens": tokens}, "write": {f"cache_write_{ttl}_tokens": tokens},
        "part": {"cache_read_tokens": tokens, f"cache_write_{ttl}_tokens": 77}, "idle": {"input_tokens": tokens},
    }[kind]  # fmt: skip
    row = idle(
        at(seconds=seconds), engine=engine, prefix_fingerprint=fingerprint, cache_ttl=ttl, function_version=version,
        caching_enabled=enabled, prefix_tokens=None if fingerprint is None else tokens,
        **({"input_tokens": 50} | counts),
    )  # fmt: skip
    return text(row) if by_text else row


@given(st.lists(CALL, max_size=40))
def test_causes_sum_to_the_total(calls: list[tuple[Any, ...]]) -> None:
    """Whatever came: the ledger's tokens are the prompts less what was read, call by call, and all groupings agree."""
    rows = [_row(call) for call in calls]
    lines = misses.of_traffic(traffic_of(rows))
    found: dict[str, int] = {}
    for line in lines.to_pylist():
        assert line["tokens"] > 0
        found[line["call_id"]] = found.get(line["call_id"], 0) + line["tokens"]

    missed = {row["call_id"]: row["prompt_tokens"] - row["cache_read_tokens"] for row in rows}
    assert found == {call: tokens for call, tokens in missed.items() if tokens}
    whole = misses.total(lines)
    for name in misses.GROUPS:
        assert sum(row["tokens"] for row in misses.groups(lines, (name,))) == whole["tokens"]
        assert sum((row["usd"] for row in misses.groups(lines, (name,))), Decimal(0)) == (whole["usd"] or 0)
    for bucket in ("5m", "hour", "day"):
        assert sum(misses.series(lines, bucket, zone="Asia/Seoul")["tokens"].to_pylist()) == whole["tokens"]


@given(st.lists(CALL, max_size=40))
def test_recoverable_is_never_more_than_missed(calls: list[tuple[Any, ...]]) -> None:
    """Whatever came: each mend brings back some of what its cause cost, and all groupings tell the same sum."""
    traffic = traffic_of([_row(call) for call in calls])
    lines, lab = misses.of_traffic(traffic), ttl.of_traffic(traffic)
    whole = advice.findings(lines, lab)["recoverable_usd"] or Decimal(0)

    for row in advice.mends(lines, lab):
        assert 0 < row["recoverable_usd"] <= row["usd"]
    assert sum((row["recoverable_usd"] for row in advice.mends(lines, lab)), Decimal(0)) == whole
    assert whole <= (misses.total(lines)["usd"] or 0)
    for by in (("cause",), ("engine",), ("engine", "cause"), ("cause", "engine")):
        rows = advice.groups(lines, lab, by)
        assert sum((row["recoverable_usd"] or Decimal(0) for row in rows), Decimal(0)) == whole
