"""One study of the traffic: every policy replayed and priced, in exact picodollars by engine and day."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from core.misses.judge import Verdict
from core.traffic import Traffic
from core.traffic.arrays import Ints, by_lane
from core.ttl.arrivals import Arrivals, arrivals
from core.ttl.chunks import GAP_EDGES_MS, IN_FORCE, OBSERVED, Chunk, Frame, Part, chunks
from core.ttl.replay import LONG_MS, SHORT_MS

POLICIES = ("off", "5m", "1h", "5m_keep_alive")
_CONFIGURED_BY = 200  # the last so many calls say which policy an engine is set to
_THREADS = 2


@dataclass(frozen=True, slots=True)
class Lab:
    """What the replays gave: dollars (picodollars) by policy, engine and day, and how the calls came."""

    engines: tuple[str | None, ...]
    first_day: int  # days since 1970, UTC
    from_ms: int  # first and last call of the range, whatever the filters
    to_ms: int
    span_days: float
    unpriced_calls: int  # in scope, and in no figure
    costs: dict[str, Ints]  # policy → (engine, day); also "in_force" (replayed) and "observed"
    reads: dict[str, Ints]  # policy → calls that read, by engine
    writes: dict[str, Ints]
    pings: Ints
    calls: Ints
    cacheable: Ints  # of them, those whose prefix reaches the model's minimum
    configured: tuple[str, ...]
    gaps: Ints  # (engine, bin of GAP_EDGES_MS)
    bursts: tuple[Bursts, ...]
    typical: tuple[Typical | None, ...]


@dataclass(frozen=True, slots=True)
class Bursts:
    """Moments at which several calls wrote the same prefix side by side, under the policy in force."""

    starts_ms: Ints
    writes_beside: int
    saving: int  # picodollars that a pre-warming request before each would have saved


@dataclass(frozen=True, slots=True)
class Typical:
    """An engine's usual prefix and rates (medians), for the crossover."""

    prefix: int
    input: int
    read: int
    write_5m: int
    write_1h: int
    idle_ms: int  # median pause between 5 minutes and 1 hour; 0 when there is none


def of_traffic(calls: Traffic, verdict: Verdict | None = None) -> Lab:
    """Study traffic already read, and judged where the verdict is given."""
    return study(arrivals(calls, verdict))


def study(calls: Arrivals) -> Lab:
    """Replay and price every policy, a chunk of lanes at a time: what a lane does concerns no other lane."""
    frame = Frame.of(calls)
    order = by_lane(calls.lane, calls.start_ms)
    with ThreadPoolExecutor(_THREADS) as pool:
        parts = list(pool.map(lambda rows: Chunk(calls, frame, rows).part(), chunks(calls.lane, order)))
    return _lab(calls, frame, parts)


def _lab(calls: Arrivals, frame: Frame, parts: list[Part]) -> Lab:
    """Add the chunks up."""
    names, shape = len(calls.engines), (len(calls.engines), frame.n_days)
    nothing = np.zeros(shape[0] * shape[1], dtype=np.int64)

    def whole(name: str, policy: str, start: Ints) -> Ints:
        return sum((getattr(part, name)[policy] for part in parts), start)

    none = np.zeros(names, dtype=np.int64)
    return Lab(
        engines=calls.engines,
        first_day=frame.first_day,
        from_ms=frame.from_ms,
        to_ms=frame.to_ms,
        span_days=frame.span_days,
        unpriced_calls=calls.unpriced,
        costs={policy: whole("costs", policy, nothing).reshape(shape) for policy in (*POLICIES, IN_FORCE, OBSERVED)},
        reads={policy: whole("reads", policy, none) for policy in (*POLICIES, IN_FORCE)},
        writes={policy: whole("writes", policy, none) for policy in (*POLICIES, IN_FORCE)},
        pings=sum((part.pings for part in parts), none),
        calls=frame.counts,
        cacheable=np.bincount(calls.engine[calls.counted & calls.eligible & calls.told], minlength=names),
        configured=_configured(calls),
        gaps=sum((part.gaps for part in parts), np.zeros(names * len(GAP_EDGES_MS), dtype=np.int64)).reshape(names, -1),
        bursts=_gathered_bursts([part.bursts for part in parts], names),
        typical=_medians([part.sample for part in parts], names),
    )


def _gathered_bursts(parts: list[tuple[Ints, ...]], engines: int) -> tuple[Bursts, ...]:
    if not parts:
        return (Bursts(np.zeros(0, dtype=np.int64), 0, 0),) * engines
    engine, start, saved, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
    found = []
    for code in range(engines):
        here = engine == code
        found.append(Bursts(np.sort(start[here]), int(counts[here].sum()), int(saved[here].sum())))
    return tuple(found)


def _medians(parts: list[tuple[Ints, ...]], engines: int) -> tuple[Typical | None, ...]:
    if not parts:
        return (None,) * engines
    engine, *columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(engine, kind="stable")
    ends = np.searchsorted(engine[order], np.arange(engines + 1))
    found: list[Typical | None] = []
    for code in range(engines):
        at = order[ends[code] : ends[code + 1]]
        if not len(at):
            found.append(None)
            continue
        prefix, fresh, read, short, long = (int(np.median(column[at])) for column in columns[:5])
        gap = columns[5][at]
        idle = gap[(gap > SHORT_MS) & (gap <= LONG_MS)]
        found.append(Typical(prefix, fresh, read, short, long, int(np.median(idle)) if len(idle) else 0))
    return tuple(found)


def _configured(calls: Arrivals) -> tuple[str, ...]:
    """Return the policy each engine is set to, by most of its latest calls."""
    order = by_lane(calls.engine, calls.start_ms)
    order = order[(calls.counted & calls.eligible & calls.told)[order]]
    ends = np.searchsorted(calls.engine[order], np.arange(len(calls.engines) + 1))
    found = []
    for code in range(len(calls.engines)):
        last = order[max(ends[code], ends[code + 1] - _CONFIGURED_BY) : ends[code + 1]]
        asked = np.where(calls.marked[last], np.where(calls.ttl_ms[last] == LONG_MS, 2, 1), 0)
        found.append(POLICIES[int(np.bincount(asked, minlength=3).argmax())] if len(last) else "off")
    return tuple(found)
