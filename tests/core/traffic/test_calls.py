"""Observed traffic: starts worked out for text lines, models and TTLs told by dollars."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.metrics.scope import Scope
from core.pricing import default_book
from core.store.query import Reader
from core.traffic import Traffic, load
from tests.support.lakes import fill
from tests.support.rows import NOON, Row, make_call, make_failed_call, make_invocation, make_store_event
from tests.support.traffic import at, idle, reads, text, traffic_of, writes


def loaded(path: Path, scope: Scope | None = None, **tables: list[Row]) -> Traffic:
    with Reader(fill(path, **tables)) as reader:
        return load(reader, scope or Scope(), default_book())


def seconds(moments: np.ndarray) -> list[float]:
    return ((moments - NOON.timestamp() * 1000) / 1000).tolist()


def test_a_record_tells_its_start(tmp_path: Path) -> None:
    """Start, first token and end as recorded."""
    calls = loaded(tmp_path, calls=[reads(at(seconds=5))])

    assert (seconds(calls.start_ms), seconds(calls.begin_ms), seconds(calls.end_ms)) == ([5.0], [5.9], [7.0])
    assert calls.start_known.tolist() == [True]


def test_a_text_line_s_start_is_worked_out(tmp_path: Path) -> None:
    """Not before its invocation, its look-up of the prompt, or the invocation's previous call."""
    one = {"invocation_id": "one"}
    rows = [text(reads(at(seconds=10), **one)), text(reads(at(seconds=18), **one)), text(reads(at(seconds=30)))]
    calls = loaded(
        tmp_path,
        calls=rows,
        invocations=[make_invocation(ts=at(seconds=4), **one)],
        prompt_store_events=[make_store_event("hit", ts=at(seconds=5), **one)],
    )

    assert seconds(calls.start_ms) == [5.0, 10.0, 30.0]
    assert seconds(calls.end_ms)[:2] == [10.0, 18.0]
    assert not calls.start_known.any()


def test_a_call_knows_that_its_prompt_was_fetched(tmp_path: Path) -> None:
    """A MISS of the prompt store in its invocation."""
    rows = [reads(at(seconds=n), invocation_id=f"i{n}") for n in range(2)]
    events = [
        make_store_event("miss", ts=NOON, invocation_id="i1"),
        make_store_event("hit", ts=NOON, invocation_id="i0"),
    ]
    calls = loaded(tmp_path, calls=rows, prompt_store_events=events)

    assert calls.fetched.tolist() == [False, True]


def test_failed_calls_touch_nothing(tmp_path: Path) -> None:
    """Only calls that returned usage are traffic."""
    assert len(loaded(tmp_path, calls=[reads(at(seconds=0)), make_failed_call(ts=at(seconds=1))])) == 1


def test_a_stream_that_failed_half_way_touched_the_cache(tmp_path: Path) -> None:
    """It told its usage: what it read and wrote is part of the arrivals, as it is of the sums."""
    broken = make_failed_call(ts=at(seconds=1)) | {"prompt_tokens": 100, "input_tokens": 100, "cache_read_tokens": 0}
    broken |= {"cache_write_5m_tokens": 0, "cache_write_1h_tokens": 0, "output_tokens": 1}
    assert len(loaded(tmp_path, calls=[reads(at(seconds=0)), broken])) == 2


def test_a_scope_keeps_what_came_before_and_beside(tmp_path: Path) -> None:
    """Older calls and other engines say what the cache held, and are marked as outside."""
    rows = [reads(at(days=-9)), reads(at(days=-1)), reads(at(hours=1)), reads(at(hours=2), engine="legal")]
    calls = loaded(tmp_path, Scope(start=NOON, engines=("tutor",)), calls=rows)

    assert calls.in_scope.tolist() == [False, True, False]


def test_dollars_tell_the_ttl() -> None:
    """A line that fits 5m and not the default 1h was a 5m write; the others of its engine follow."""
    check = {"price_check": "other:claude-opus-4-5/5m,claude-opus-5/5m"}
    rows = [text(writes(at(minutes=0), **check)), text(reads(at(minutes=1), price_check="agrees"))]
    calls = traffic_of(rows)

    assert calls.ttl_ms.tolist() == [300_000, 300_000]
    assert (calls.write_5m.tolist(), calls.write_1h.tolist()) == ([6_000, 0], [0, 0])


def test_a_version_whose_dollars_were_not_looked_at_keeps_the_lifetime_of_the_others() -> None:
    """Not every figure is explained where there are very many."""
    check = {"price_check": "other:claude-opus-4-5/5m,claude-opus-5/5m"}
    rows = [text(writes(at(minutes=0), **check)), text(writes(at(minutes=9), price_check=None, function_version="2"))]

    assert traffic_of(rows).ttl_ms.tolist() == [300_000, 300_000]


def test_dollars_tell_the_model() -> None:
    """Two models fit the call without cached tokens; the one that fits the others too is it, in every version."""
    sonnet, either = "other:claude-sonnet-5-5/1h", "other:claude-sonnet-5/1h,claude-sonnet-5-5/1h"
    rows = [text(writes(at(minutes=0), price_check=sonnet)), text(reads(at(minutes=1), price_check=sonnet))]
    rows += [text(idle(at(minutes=2), price_check=either, function_version="2"))]
    calls = traffic_of(rows)

    assert [calls.model.values[code] for code in calls.model.codes] == ["claude-sonnet-5-5"] * 3
    assert calls.rates.read.tolist() == [100_000] * 3


def test_records_are_believed() -> None:
    """What a record says of model and TTL stands, whatever its figure fits."""
    calls = traffic_of([writes(at(minutes=0), price_check="other:claude-haiku-4-5/5m")])

    assert (calls.ttl_ms.tolist(), calls.model.values) == ([3_600_000], ("claude-opus-4-5",))


@pytest.mark.parametrize("provider", ["anthropic", "bedrock"])
def test_minimum_and_place(provider: str) -> None:
    """Bedrock keeps a cache per region, and sometimes another minimum."""
    calls = traffic_of([make_call(provider=provider, model="claude-opus-4-7", region="eu-west-1")])

    assert calls.minimum.tolist() == [4_096 if provider == "bedrock" else 2_048]
    assert calls.place.values == ("bedrock eu-west-1" if provider == "bedrock" else "anthropic",)
