"""One study of the traffic: every policy replayed and priced, in exact picodollars by engine and day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.misses.judge import judge
from core.traffic import Traffic
from core.traffic.arrays import Bools, Ints, by_lane, combined
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


@dataclass(frozen=True, slots=True)
class Lab:
    """What the replays gave: dollars (picodollars) by policy, engine and day, and how the calls came."""

    engines: tuple[str | None, ...]
    first_day: int  # days since 1970, UTC
    span_days: float
    costs: dict[str, Ints]  # policy → (engine, day); also "in_force" (replayed) and "observed"
    reads: dict[str, Ints]  # policy → calls that read, by engine
    writes: dict[str, Ints]
    pings: Ints
    calls: Ints
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


def of_traffic(calls: Traffic) -> Lab:
    """Study traffic already read."""
    return study(arrivals(calls))


def arrivals(calls: Traffic) -> Arrivals:
    """Return the arrivals of traffic: calls of one fingerprint share a prefix.

    Without fingerprints, calls of one engine share it until the miss ledger finds that it changed.
    """
    verdict = judge(calls)
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
    return Arrivals(
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
    )


def study(calls: Arrivals) -> Lab:
    """Replay and price every policy."""
    order = by_lane(calls.lane, calls.start_ms)
    bench = _Bench(calls, order)
    lanes = bench.sorted
    bench.add("off", None)
    bench.add("5m", replay(lanes, SHORT_MS), bench.price_5m)
    bench.add("1h", replay(lanes, LONG_MS), bench.price_1h)
    most = stop_rule(bench.rate_read, bench.rate_5m)
    alive = replay_kept_alive(lanes, most, end_ms=int(calls.start_ms.max(initial=0)))
    bench.add("5m_keep_alive", alive, bench.price_5m)
    bursts = bench.add_in_force(order)
    bench.add_observed(order)
    return bench.lab(bursts)


class _Bench:
    """Sums up replays by engine and day. Rows are the calls that could be cached, sorted; the rest cost the same."""

    def __init__(self, calls: Arrivals, order: Ints) -> None:
        self._calls = calls
        counted = calls.counted
        days = calls.start_ms[counted] // DAY_MS
        self.first_day = int(days.min()) if len(days) else 0
        self.n_days = int(days.max()) - self.first_day + 1 if len(days) else 1
        self.order = order[calls.eligible[order]]
        rows = self.order
        self.sorted = Sorted.of(calls.lane[rows], calls.start_ms[rows], calls.begin_ms[rows])
        self.rate_read, self.rate_5m = calls.rate_read[rows], calls.rate_5m[rows]
        self._prefix = calls.prefix[rows]
        self.price_off = self._prefix * calls.rate_input[rows]
        self.price_read = self._prefix * self.rate_read
        self.price_5m = self._prefix * self.rate_5m
        self.price_1h = self._prefix * calls.rate_1h[rows]
        self._segments = _Segments(calls, rows, self.first_day, self.n_days)
        same = calls.tail_cost + np.where(calls.eligible, 0, calls.prefix * calls.rate_input)
        self._base = _Segments(calls, order, self.first_day, self.n_days).total(same[order])
        self._costs: dict[str, Ints] = {}
        self._reads: dict[str, Ints] = {}
        self._writes: dict[str, Ints] = {}
        self._pings = np.zeros(len(calls.engines), dtype=np.int64)

    def add(self, policy: str, done: Replayed | None, price_write: Ints | None = None) -> None:
        """Price one policy; none replayed means that nothing is marked."""
        if done is None or price_write is None:
            self._costs[policy] = self._base + self._segments.total(self.price_off)
            none = np.zeros(len(self._calls.engines), dtype=np.int64)
            self._reads[policy] = self._writes[policy] = none
            return
        spent = np.where(done.read, self.price_read, price_write)
        if done.pings is not None:
            spent = spent + done.pings * self.price_read
            self._pings = self._segments.by_engine(done.pings)
        self._count(policy, spent, done.read, ~done.read)

    def add_in_force(self, order: Ints) -> tuple[Bursts, ...]:
        """Replay what each call asked for, and look for bursts in it."""
        calls, rows = self._calls, self.order
        marked = calls.marked[rows]
        some = rows[marked]
        lanes = Sorted.of(calls.lane[some], calls.start_ms[some], calls.begin_ms[some])
        done = replay_mixed(lanes, calls.ttl_ms[some])
        price_write = np.where(calls.ttl_ms[some] == LONG_MS, self.price_1h[marked], self.price_5m[marked])
        spent = self.price_off.copy()
        spent[marked] = np.where(done.read, self.price_read[marked], price_write)
        read = np.zeros(len(rows), dtype=np.bool_)
        read[marked] = done.read
        self._count(IN_FORCE, spent, read, marked & ~read)
        return self._bursts(some, lanes, done, price_write, self.price_read[marked])

    def add_observed(self, order: Ints) -> None:
        """Add up what was paid."""
        whole = _Segments(self._calls, order, self.first_day, self.n_days)
        self._costs[OBSERVED] = whole.total(self._calls.observed_cost[order])

    def lab(self, bursts: tuple[Bursts, ...]) -> Lab:
        """Return the study."""
        calls = self._calls
        inside = calls.start_ms[calls.counted]
        span = float(inside.max() - inside.min()) / DAY_MS if len(inside) else 0.0
        return Lab(
            engines=calls.engines,
            first_day=self.first_day,
            span_days=max(span, 1.0 / 24),
            costs=self._costs,
            reads=self._reads,
            writes=self._writes,
            pings=self._pings,
            calls=np.bincount(calls.engine[calls.counted], minlength=len(calls.engines)),
            configured=_configured(calls),
            gaps=self._gaps(),
            bursts=bursts,
            typical=self._typical(),
        )

    def _count(self, policy: str, spent: Ints, read: Bools, wrote: Bools) -> None:
        self._costs[policy] = self._base + self._segments.total(spent)
        self._reads[policy] = self._segments.by_engine(read)
        self._writes[policy] = self._segments.by_engine(wrote)

    def _bursts(self, rows: Ints, lanes: Sorted, done: Replayed, write: Ints, read: Ints) -> tuple[Bursts, ...]:
        """A pre-warming request writes in place of the first call, which reads: each of the others saves a write."""
        calls = self._calls
        beside = done.beside & calls.counted[rows]
        session = np.cumsum(~done.read & ~done.beside) - 1
        found = []
        engine = calls.engine[rows]
        for code in range(len(calls.engines)):
            here = np.flatnonzero(beside & (engine == code))
            first = here[np.unique(session[here], return_index=True)[1]]
            saving = int((write[here] - read[here]).sum()) - int(read[first].sum())
            found.append(Bursts(lanes.start_ms[first], len(here), saving))
        return tuple(found)

    def _gaps(self) -> Ints:
        """Count the gaps of each engine by length; the first call of a prefix has none."""
        lanes, bins = self.sorted, len(GAP_EDGES_MS)
        rows = ~lanes.opens & self._calls.counted[self.order]
        found = np.searchsorted(np.array(GAP_EDGES_MS), lanes.gap_ms[rows], side="left") - 1
        key = self._calls.engine[self.order[rows]] * bins + np.maximum(found, 0)
        return np.bincount(key, minlength=len(self._calls.engines) * bins).reshape(-1, bins)

    def _typical(self) -> tuple[Typical | None, ...]:
        """Return the medians of each engine, from at most some thousands of its calls."""
        calls, rows = self._calls, self.order
        engine, gaps = calls.engine[rows], self.sorted.gap_ms
        order = np.argsort(engine, kind="stable")
        ends = np.searchsorted(engine[order], np.arange(len(calls.engines) + 1))
        found: list[Typical | None] = []
        for code in range(len(calls.engines)):
            at = order[ends[code] : ends[code + 1]]
            at = at[:: max(1, len(at) // 5_000)]
            if not len(at):
                found.append(None)
                continue
            prefix, fresh, read, short, long = (
                int(np.median(column[rows[at]]))
                for column in (calls.prefix, calls.rate_input, calls.rate_read, calls.rate_5m, calls.rate_1h)
            )
            idle = gaps[at][(gaps[at] > SHORT_MS) & (gaps[at] <= LONG_MS)]
            found.append(Typical(prefix, fresh, read, short, long, int(np.median(idle)) if len(idle) else 0))
        return tuple(found)


class _Segments:
    """Exact sums by (engine, day): runs of one lane and day are added first, and those few sums then gathered."""

    def __init__(self, calls: Arrivals, rows: Ints, first_day: int, n_days: int) -> None:
        self._shape = (len(calls.engines), n_days)
        day = calls.start_ms[rows] // DAY_MS - first_day
        counted = calls.counted[rows] & (day >= 0)
        self._key = np.where(counted, calls.engine[rows] * n_days + day, -1)
        runs = np.ones(len(rows), dtype=np.bool_)
        runs[1:] = self._key[1:] != self._key[:-1]
        self._starts = np.flatnonzero(runs)
        self._cells = self._key[self._starts]

    def total(self, values: Ints) -> Ints:
        """Add values up by engine and day."""
        whole = np.zeros(self._shape[0] * self._shape[1], dtype=np.int64)
        if len(values):
            sums = np.add.reduceat(values, self._starts)
            kept = self._cells >= 0
            np.add.at(whole, self._cells[kept], sums[kept])
        return whole.reshape(self._shape)

    def by_engine(self, values: Ints | Bools) -> Ints:
        """Add values up by engine."""
        return self.total(values.astype(np.int64)).sum(axis=1)


def _configured(calls: Arrivals) -> tuple[str, ...]:
    """Return the policy each engine is set to, by most of its latest calls."""
    order = np.argsort(calls.start_ms, kind="stable")
    order = order[calls.counted[order] & calls.eligible[order]]
    order = order[np.argsort(calls.engine[order], kind="stable")]
    ends = np.searchsorted(calls.engine[order], np.arange(len(calls.engines) + 1))
    found = []
    for code in range(len(calls.engines)):
        last = order[max(ends[code], ends[code + 1] - _CONFIGURED_BY) : ends[code + 1]]
        asked = np.where(calls.marked[last], np.where(calls.ttl_ms[last] == LONG_MS, 2, 1), 0)
        found.append(POLICIES[int(np.bincount(asked, minlength=3).argmax())] if len(last) else "off")
    return tuple(found)
