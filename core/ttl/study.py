"""One study of the traffic: every policy replayed and priced, in exact picodollars by engine and day."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from core.misses.judge import Verdict, judge
from core.traffic import Traffic
from core.traffic.arrays import Bools, Ints, by_lane, combined, first_of_run
from core.ttl.replay import LONG_MS, SHORT_MS, Replayed, Sorted, replay, replay_kept_alive, replay_mixed, stop_rule

POLICIES = ("off", "5m", "1h", "5m_keep_alive")
IN_FORCE, OBSERVED = "in_force", "observed"
DAY_MS = 86_400_000
GAP_EDGES_MS = tuple(
    int(seconds * 1000)
    for seconds in (
        0, 1, 5, 15, 30, 60, 120, 240, 300, 600, 1200, 1800, 2700, 3600, 7200, 14400, 28800, 86400,
    )
)  # fmt: skip
_CONFIGURED_BY = 200  # the last so many calls say which policy an engine is set to
_CHUNK = 1 << 18  # rows looked at together: their columns stay in the processor's cache
_SAMPLE = 5_000  # calls of an engine that its medians are taken from
_THREADS = 2
_SURELY_BEGUN = 3  # times the usual wait: by then an answer has begun


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Calls as the replay needs them, in any order. Tokens are whole numbers, rates picodollars a token."""

    engine: Ints  # codes into `engines`
    engines: tuple[str | None, ...]
    lane: Ints  # calls that share one prefix
    start_ms: Ints
    begin_ms: Ints
    prefix: Ints
    eligible: Bools  # long enough to be cached
    marked: Bools  # had a breakpoint
    ttl_ms: Ints  # lifetime asked for
    tail_cost: Ints  # what comes after the breakpoint, and the output: the same under every policy
    observed_cost: Ints
    rate_input: Ints
    rate_read: Ints
    rate_5m: Ints
    rate_1h: Ints
    counted: Bools  # in scope and priced
    in_range: Bools  # of the time asked about, whatever the filters: how long the range is
    told: Bools  # False: nobody saw its answer; it writes and refreshes, and only its keep-alives cost anything here
    unpriced: int = 0  # calls in scope without a price: in no figure

    def extended(self, like: Ints, start_ms: Ints) -> Arrivals:
        """Add requests without an answer, each like the call in a row, after whose usual wait it was readable."""
        changed = {
            "start_ms": start_ms,
            "begin_ms": start_ms + np.maximum(self.begin_ms[like] - self.start_ms[like], 0),
            "tail_cost": np.zeros(len(like), dtype=np.int64),
            "observed_cost": np.zeros(len(like), dtype=np.int64),
            "told": np.zeros(len(like), dtype=np.bool_),
        }
        columns: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        plain: dict[str, Any] = {name: columns.pop(name) for name in ("engines", "unpriced")}
        whole: dict[str, Any] = {
            name: np.concatenate((held, changed.get(name, held[like]))) for name, held in columns.items()
        }
        return Arrivals(**plain, **whole)


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


def arrivals(calls: Traffic, verdict: Verdict | None = None) -> Arrivals:
    """Return the arrivals of traffic: calls of one fingerprint share a prefix.

    Without fingerprints, calls of one engine share it until the miss ledger finds that it changed.
    """
    verdict = verdict or judge(calls)
    prefix = verdict.prefix
    rates = calls.rates
    known = calls.fingerprint.codes >= 0
    engine = calls.engine.codes + 1
    lane = combined(
        calls.fingerprint.codes,
        np.where(known, -1, combined(calls.lane, verdict.generation)),
        calls.model.codes,
        calls.place.codes,
        engine,
    )
    eligible = (calls.minimum < 0) | (prefix >= calls.minimum)
    idle = calls.cached == 0
    marked = eligible & ~(idle & (calls.by_text | (calls.enabled != 1)))
    usual = np.where(calls.ttl_ms > 0, calls.ttl_ms, SHORT_MS)
    ttl_ms = np.where(calls.write_1h > 0, LONG_MS, np.where(calls.write_5m > 0, SHORT_MS, usual))
    output = calls.output * rates.output
    prompt = (
        calls.input * rates.input + calls.read * rates.read
        + calls.write_5m * rates.write_5m + calls.write_1h * rates.write_1h
    )  # fmt: skip
    seen = Arrivals(
        engine=engine,
        engines=(None, *calls.engine.values),
        lane=lane,
        start_ms=calls.start_ms,
        begin_ms=calls.begin_ms,
        prefix=prefix,
        eligible=eligible,
        marked=marked,
        ttl_ms=ttl_ms,
        tail_cost=(calls.prompt - prefix) * rates.input + output,
        observed_cost=prompt + output,
        rate_input=rates.input,
        rate_read=rates.read,
        rate_5m=rates.write_5m,
        rate_1h=rates.write_1h,
        counted=calls.in_scope & rates.known,
        in_range=calls.in_range,
        unpriced=int(np.count_nonzero(calls.in_scope & ~rates.known)),
        told=np.ones(len(calls), dtype=np.bool_),
    )
    sent = _sent(calls, seen)
    return seen.extended(calls.unseen.like[sent], calls.unseen.start_ms[sent])


def _sent(calls: Traffic, known: Arrivals) -> Bools:
    """Say which requests without an answer reached Claude: those that what came next does not deny.

    Had it been sent, it would have kept the prefix warm; a call soon after that wrote it anew denies it.
    """
    like, start = calls.unseen.like, calls.unseen.start_ms
    order = by_lane(known.lane, known.start_ms)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    following = order[np.minimum(place[like] + 1, len(order) - 1)] if len(order) else like
    same = (known.lane[following] == known.lane[like]) & (known.start_ms[following] > start)
    since = known.start_ms[following] - start
    begun = known.begin_ms[like] - known.start_ms[like]
    wrote = calls.cached[following] > calls.read[following]
    denied = (
        same & wrote & (calls.read[following] == 0) & (since > _SURELY_BEGUN * begun) & (since <= known.ttl_ms[like])
    )
    return ~denied


def study(calls: Arrivals) -> Lab:
    """Replay and price every policy, a chunk of lanes at a time: what a lane does concerns no other lane."""
    frame = _Frame.of(calls)
    order = by_lane(calls.lane, calls.start_ms)
    with ThreadPoolExecutor(_THREADS) as pool:
        parts = list(pool.map(lambda rows: _Chunk(calls, frame, rows).part(), _chunks(calls.lane, order)))
    return _lab(calls, frame, parts)


@dataclass(frozen=True, slots=True)
class _Frame:
    """What all chunks share."""

    from_ms: int
    to_ms: int
    first_day: int
    n_days: int
    span_days: float
    end_ms: int
    counts: Ints  # counted calls by engine
    stride: Ints  # every so many-th call of an engine is in its sample

    @classmethod
    def of(cls, calls: Arrivals) -> _Frame:
        inside = calls.start_ms[calls.counted | calls.in_range]
        first, last = (int(inside.min()), int(inside.max())) if len(inside) else (0, 0)
        counts = np.bincount(calls.engine[calls.counted & calls.told], minlength=len(calls.engines))
        return cls(
            from_ms=first,
            to_ms=last,
            first_day=first // DAY_MS,
            n_days=last // DAY_MS - first // DAY_MS + 1,
            span_days=max((last - first) / DAY_MS, 1.0 / 24),
            end_ms=int(calls.start_ms.max(initial=0)),
            counts=counts,
            stride=np.maximum(counts // _SAMPLE, 1),
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """The sums of one chunk."""

    costs: dict[str, Ints]  # policy → (engine, day), flat
    reads: dict[str, Ints]
    writes: dict[str, Ints]
    pings: Ints
    gaps: Ints
    bursts: tuple[Ints, ...]  # engine, start, saved by each first call's burst, its writes
    sample: tuple[Ints, ...]  # engine, prefix, four rates, gap


def _chunks(lane: Ints, order: Ints) -> Iterator[Ints]:
    """Cut the sorted rows between lanes, into pieces of about _CHUNK rows."""
    at = 0
    while at < len(order):
        end = min(at + _CHUNK, len(order))
        last = lane[order[end - 1]]
        while end < len(order) and lane[order[end]] == last:
            step = lane[order[end : end + _CHUNK]]
            end += int(np.argmax(step != last)) if step[-1] != last else len(step)
        yield order[at:end]
        at = end


class _Chunk:
    """Replays and prices whole lanes."""

    def __init__(self, calls: Arrivals, frame: _Frame, rows: Ints) -> None:
        self._calls, self._frame = calls, frame
        self._whole = _Segments(calls, frame, rows)
        eligible = calls.eligible[rows]
        self._observed = self._whole.total(calls.observed_cost[rows])
        prefix, fresh = calls.prefix[rows], calls.rate_input[rows]
        billed = calls.told[rows]
        self._base = self._whole.total(calls.tail_cost[rows] + np.where(eligible | ~billed, 0, prefix * fresh))
        whole = bool(eligible.all())
        self.rows = rows if whole else rows[eligible]
        self._prefix = prefix if whole else prefix[eligible]
        self._segments = self._whole if whole else _Segments(calls, frame, self.rows)
        fresh = fresh if whole else fresh[eligible]
        self.lanes = Sorted.of(calls.lane[self.rows], calls.start_ms[self.rows], calls.begin_ms[self.rows])
        self._rates = (fresh, calls.rate_read[self.rows], calls.rate_5m[self.rows], calls.rate_1h[self.rows])
        self._told = calls.told[self.rows]
        costing = self._prefix if self._told.all() else np.where(self._told, self._prefix, 0)
        self._off, self._read, self._5m, self._1h = (costing * rate for rate in self._rates)
        self._costs: dict[str, Ints] = {OBSERVED: self._observed}
        self._reads: dict[str, Ints] = {}
        self._writes: dict[str, Ints] = {}

    def part(self) -> _Part:
        """Return the sums of every policy."""
        self._sum("off", self._off, None, None)
        for policy, ttl_ms, price in (("5m", SHORT_MS, self._5m), ("1h", LONG_MS, self._1h)):
            done = replay(self.lanes, ttl_ms)
            self._sum(policy, np.where(done.read, self._read, price), done.read, ~done.read)
        alive = replay_kept_alive(self.lanes, stop_rule(self._rates[1], self._rates[2]), end_ms=self._frame.end_ms)
        assert alive.pings is not None
        spent = np.where(alive.read, self._read, self._5m) + alive.pings * self._prefix * self._rates[1]
        self._sum("5m_keep_alive", spent, alive.read, ~alive.read)
        bursts = self._in_force()
        return _Part(
            self._costs, self._reads, self._writes, self._segments.by_engine(alive.pings), self._gaps(), bursts,
            self._sample(),
        )  # fmt: skip

    def _sum(self, policy: str, spent: Ints, read: Bools | None, wrote: Bools | None) -> None:
        self._costs[policy] = self._base + self._segments.total(spent)
        none = np.zeros(len(self._calls.engines), dtype=np.int64)
        self._reads[policy] = none if read is None else self._segments.by_engine(read & self._told)
        self._writes[policy] = none if wrote is None else self._segments.by_engine(wrote & self._told)

    def _in_force(self) -> tuple[Ints, ...]:
        """Replay what each call asked for, and look for bursts in it."""
        calls, rows = self._calls, self.rows
        marked, ttl_ms = calls.marked[rows], calls.ttl_ms[rows]
        write = np.where(ttl_ms == LONG_MS, self._1h, self._5m)
        if marked.all():
            done = replay_mixed(self.lanes, ttl_ms)
            self._sum(IN_FORCE, np.where(done.read, self._read, write), done.read, ~done.read)
            return self._bursts(rows, done, write - self._read, self._read)
        some = rows[marked]
        lanes = Sorted.of(calls.lane[some], calls.start_ms[some], calls.begin_ms[some])
        done = replay_mixed(lanes, ttl_ms[marked])
        read = np.zeros(len(rows), dtype=np.bool_)
        read[marked] = done.read
        spent = np.where(marked, np.where(read, self._read, write), self._off)
        self._sum(IN_FORCE, spent, read, marked & ~read)
        return self._bursts(some, done, (write - self._read)[marked], self._read[marked])

    def _bursts(self, rows: Ints, done: Replayed, saves: Ints, read: Ints) -> tuple[Ints, ...]:
        """A pre-warming request writes in place of the first call, which reads: each of the others saves a write."""
        calls = self._calls
        beside = np.flatnonzero(done.beside & calls.counted[rows] & calls.told[rows])
        session = np.cumsum(~done.read & ~done.beside, dtype=np.int64)[beside]
        first = first_of_run(session)
        starts = np.flatnonzero(first)
        counts = np.diff(np.append(starts, len(beside)))
        saved = np.add.reduceat(saves[beside], starts) if len(beside) else counts
        head = rows[beside[starts]]
        return calls.engine[head], calls.start_ms[head], saved - read[beside[starts]], counts

    def _gaps(self) -> Ints:
        """Count the gaps of each engine by length; the first call of a prefix has none."""
        bins = len(GAP_EDGES_MS)
        rows = ~self.lanes.opens & self._calls.counted[self.rows] & self._told
        found = np.searchsorted(np.array(GAP_EDGES_MS), self.lanes.gap_ms[rows], side="left") - 1
        key = self._calls.engine[self.rows[rows]] * bins + np.maximum(found, 0)
        return np.bincount(key, minlength=len(self._calls.engines) * bins)

    def _sample(self) -> tuple[Ints, ...]:
        engine = self._calls.engine[self.rows]
        some = np.flatnonzero(np.arange(len(engine)) % self._frame.stride[engine] == 0)
        return engine[some], self._prefix[some], *(rate[some] for rate in self._rates), self.lanes.gap_ms[some]


class _Segments:
    """Exact sums by (engine, day): runs of one lane and day are added first, and those few sums then gathered."""

    def __init__(self, calls: Arrivals, frame: _Frame, rows: Ints) -> None:
        self._shape = (len(calls.engines), frame.n_days)
        day = calls.start_ms[rows] // DAY_MS - frame.first_day
        key = np.where(calls.counted[rows] & (day >= 0), calls.engine[rows] * frame.n_days + day, -1)
        self._starts = np.flatnonzero(first_of_run(key))
        self._cells = key[self._starts]

    def total(self, values: Ints) -> Ints:
        """Add values up by engine and day."""
        whole = np.zeros(self._shape[0] * self._shape[1], dtype=np.int64)
        if len(values):
            sums = np.add.reduceat(values, self._starts)
            kept = self._cells >= 0
            np.add.at(whole, self._cells[kept], sums[kept])
        return whole

    def by_engine(self, values: Ints | Bools) -> Ints:
        """Add values up by engine."""
        return self.total(values.astype(np.int64)).reshape(self._shape).sum(axis=1)


def _lab(calls: Arrivals, frame: _Frame, parts: list[_Part]) -> Lab:
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
