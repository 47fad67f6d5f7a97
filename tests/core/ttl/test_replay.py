"""The vectorised replay answers exactly what the provider's model answers, call by call."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.caching.cache_model import TTL_MS, Block, CacheModel, Ttl
from core.traffic.arrays import by_lane
from core.ttl.replay import PING_MS, Sorted, replay, replay_kept_alive, replay_mixed, stop_rule

GAPS = st.one_of(
    st.integers(0, 3_000),
    st.sampled_from([299_999, 300_000, 300_001, 3_600_000, 3_600_001, PING_MS, PING_MS + 1, 2 * PING_MS]),
    st.integers(0, 8_000_000),
)
CALLS = st.lists(
    st.tuples(GAPS, st.integers(0, 3), st.integers(0, 5_000), st.sampled_from(["5m", "1h"])), min_size=1, max_size=60
)
Calls = list[tuple[int, int, int, Ttl]]


def columns(calls: Calls) -> dict[str, Any]:
    """Gaps between successive starts become starts."""
    gaps, lanes, waits, ttls = zip(*calls, strict=True)
    start = np.cumsum(np.array(gaps, dtype=np.int64))
    return {"lane": np.array(lanes), "start": start, "begin": start + np.array(waits), "ttl": ttls}


def model_reads(calls: Calls, ttls: list[Ttl]) -> list[bool]:
    """What the scalar model answers, in the order of starts."""
    data, model = columns(calls), CacheModel()
    return [
        model.request(
            int(start), blocks=[Block(f"lane-{lane}", 1_000, ttl)], response_begins_ms=int(begin)
        ).read == 1_000
        for start, lane, begin, ttl in zip(data["start"], data["lane"], data["begin"], ttls, strict=True)
    ]  # fmt: skip


def sorted_of(calls: Calls) -> tuple[Sorted, Any]:
    data = columns(calls)
    order = by_lane(data["lane"], data["start"])
    return Sorted.of(data["lane"][order], data["start"][order], data["begin"][order]), order


def in_order(read: Any, order: Any) -> list[bool]:
    whole = np.zeros(len(order), dtype=bool)
    whole[order] = read
    return whole.tolist()


@pytest.mark.parametrize("ttl", ["5m", "1h"])
@given(calls=CALLS)
def test_one_lifetime(ttl: Ttl, calls: Calls) -> None:
    """Reads and writes under one lifetime are the model's, at the limits too."""
    lanes, order = sorted_of(calls)

    assert in_order(replay(lanes, TTL_MS[ttl]).read, order) == model_reads(calls, [ttl] * len(calls))


@given(calls=CALLS)
def test_lifetimes_that_change(calls: Calls) -> None:
    """An entry keeps the lifetime it was written with, of two writers side by side the longer."""
    lanes, order = sorted_of(calls)
    ttls = columns(calls)["ttl"]

    done = replay_mixed(lanes, np.array([TTL_MS[ttls[row]] for row in order]))

    assert in_order(done.read, order) == model_reads(calls, list(ttls))


@given(calls=CALLS, most=st.integers(0, 6))
def test_keep_alive(calls: Calls, most: int) -> None:
    """Pings sent by the rule, as requests to the model, give the same reads, and as many pings as were counted."""
    lanes, order = sorted_of(calls)
    data, model = columns(calls), CacheModel()
    end = int(data["start"].max())
    due: list[tuple[int, int, int]] = []
    last: dict[int, int] = {}
    reads, pings = [], 0

    def ask(at_ms: int, lane: int, begins: int) -> bool:
        blocks = [Block(f"lane-{lane}", 1_000, "5m")]
        return model.request(at_ms, blocks=blocks, response_begins_ms=begins).read > 0

    def ping_until(now: int) -> int:
        sent = 0
        while due and due[0][0] < now:
            at_ms, call, count = heapq.heappop(due)
            lane = int(data["lane"][call])
            if last[lane] == call and count <= most:
                ask(at_ms, lane, at_ms)
                sent += 1
                heapq.heappush(due, (at_ms + PING_MS, call, count + 1))
        return sent

    for call, (start, lane, begin) in enumerate(zip(data["start"], data["lane"], data["begin"], strict=True)):
        pings += ping_until(int(start))
        reads.append(ask(int(start), int(lane), int(begin)))
        last[int(lane)] = call
        heapq.heappush(due, (int(start) + PING_MS, call, 1))
    pings += ping_until(end)

    done = replay_kept_alive(lanes, np.full(len(order), most), end_ms=end)

    assert done.pings is not None
    assert (in_order(done.read, order), int(done.pings.sum())) == (reads, pings)


def test_stop_rule_is_the_break_even() -> None:
    """A write at 1.25 and a read at 0.1 of the input price: eleven pings cost less than the write they save."""
    read, write = np.array([100, 50, 25]), np.array([1_250, 1_250, 1_250])

    assert stop_rule(read, write).tolist() == [11, 24, 49]
