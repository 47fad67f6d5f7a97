from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from core import drift
from core.errors import FixSettings
from core.metrics.scope import Scope
from core.store.query import Reader
from tests.support.lakes import fill
from tests.support.rows import NOON, Row, make_call, make_invocation, make_store_event

MINUTE = timedelta(minutes=1)


def serve(stream: str, prompt: str | None, minutes: range, **fixed: object) -> list[Row]:
    """Calls of one environment, one a minute."""
    return [
        make_call(ts=NOON + n * MINUTE, log_stream=stream, prefix_fingerprint=prompt, cache_read_tokens=5_000, **fixed)
        for n in minutes
    ]


def behind(tmp_path: Path, calls: list[Row], *, now: datetime, events: list[Row] | None = None) -> list[drift.Drifted]:
    """Who is behind in a lake of these calls."""
    with Reader(fill(tmp_path, calls=calls, prompt_store_events=events or []), threads=1) as reader:
        return drift.prompts(reader, now=now)


def test_the_one_with_the_older_prompt_is_named(tmp_path: Path) -> None:
    """Two environments serve the new prompt from minute 20 on, the third goes on with the old one."""
    calls = [
        *serve("a", "old", range(20)), *serve("a", "new", range(20, 40)),
        *serve("b", "new", range(22, 40)), *serve("c", "old", range(41)),
    ]  # fmt: skip
    stored = make_store_event("miss", ts=NOON - MINUTE, engine="tutor", log_stream="c")
    (item,) = behind(tmp_path, calls, now=NOON + 45 * MINUTE, events=[stored])
    assert (item.log_stream, item.engine, item.holds, item.newest) == ("c", "tutor", "old", "new")
    assert item.newest_since == NOON + 20 * MINUTE
    assert item.held_since == NOON - MINUTE
    assert (item.sisters, item.calls_behind, item.same_version, item.known_by) == (2, 20, True, "fingerprint")


def test_text_lines_tell_prompts_apart_by_their_size(tmp_path: Path) -> None:
    """Without fingerprints, the number of cached tokens stands for the prompt."""
    calls = [
        *serve("a", None, range(10)),
        *[dict(row, cache_read_tokens=5_037) for row in serve("b", None, range(5, 12))],
        *serve("a", None, range(10, 15)),
    ]
    (item,) = behind(tmp_path, calls, now=NOON + 20 * MINUTE)
    assert (item.log_stream, item.holds, item.newest, item.known_by) == ("a", "5000 tokens", "5037 tokens", "size")


def test_a_prompt_that_changes_with_every_call_is_no_drift(tmp_path: Path) -> None:
    """That is a broken prefix, and told as a regression."""
    calls = [row for n in range(30) for row in serve("ab"[n % 2], f"p{n}", range(n, n + 1))]
    assert behind(tmp_path, calls, now=NOON + 40 * MINUTE) == []


def test_who_has_not_been_seen_for_an_hour_or_since_is_not_behind(tmp_path: Path) -> None:
    """An environment that served the old prompt before the new one came, or that is gone, holds up nobody."""
    calls = [*serve("a", "old", range(10)), *serve("b", "new", range(10, 30)), *serve("c", "old", range(15))]
    assert behind(tmp_path, calls, now=NOON + 120 * MINUTE) == []


def test_an_older_version_that_drains_is_marked(tmp_path: Path) -> None:
    """A prompt in the code changes with the deploy; the old version's environments pass by themselves."""
    calls = [*serve("a", "old", range(30)), *serve("b", "new", range(20, 30), function_version="2")]
    (item,) = behind(tmp_path, calls, now=NOON + 31 * MINUTE)
    assert (item.function_version, item.same_version) == ("1", False)


def test_memory_is_told_by_version_with_its_headroom(tmp_path: Path) -> None:
    """The fullest environment decides; growth is the median of environments that lived for an hour."""
    rows = [
        make_invocation(ts=NOON + n * 30 * MINUTE, log_stream="a", memory_mb=512, max_memory_mb=400 + 40 * n)
        for n in range(3)
    ] + [make_invocation(ts=NOON, log_stream="b", memory_mb=512, max_memory_mb=200)]
    calls = [make_call(ts=NOON, function_version="1", prompt_store_bytes=held) for held in (9_000, 48_000, None)]
    with Reader(fill(tmp_path, invocations=rows, calls=calls), threads=1) as reader:
        (use,) = drift.memory(reader, Scope())
        assert drift.memory(reader, Scope(models=("claude-opus-4-5",))) == []
    assert (use.environments, use.used_max_mb, use.headroom_mb, use.near_limit) == (2, 480, 32, True)
    assert use.growth_mb_per_hour == pytest.approx(80)
    assert use.store_max_bytes == 48_000


def test_what_no_record_tells_of_the_prompt_store_is_unknown(tmp_path: Path) -> None:
    """Text lines do not say how large it is: that is not zero."""
    rows = [make_invocation(ts=NOON, memory_mb=512, max_memory_mb=200)]
    with Reader(fill(tmp_path, invocations=rows, calls=[make_call(ts=NOON)]), threads=1) as reader:
        (use,) = drift.memory(reader, Scope())
    assert use.store_max_bytes is None


def test_cold_starts_cost_what_init_took(tmp_path: Path) -> None:
    """One cold start of a second in ten requests adds 100 ms to the average request; like is compared with like."""
    slow = [make_invocation(ts=NOON + n * MINUTE, engine="slow", duration_ms=9_000.0, cold=False) for n in range(5)]
    quick = [
        make_invocation(ts=NOON + n * MINUTE, engine="quick", cold=n == 0, init_ms=None if n else 1_000.0)
        for n in range(5)
    ]
    with Reader(fill(tmp_path, invocations=[*slow, *quick]), threads=1) as reader:
        (whole,) = drift.cold_starts(reader, Scope())
        engines = drift.cold_starts(reader, Scope(), by="engine")
    assert (whole.cold, whole.invocations, whole.share) == (1, 10, 0.1)
    assert whole.added_ms_per_request == 100
    assert whole.penalty_ms == 1_000
    assert [item.group for item in engines] == ["quick", "slow"]


def test_cold_starts_know_their_groups(tmp_path: Path) -> None:
    """A group that does not exist is refused with those that do."""
    with Reader(fill(tmp_path), threads=1) as reader, pytest.raises(FixSettings, match="REG-001"):
        drift.cold_starts(reader, Scope(), by="model")
