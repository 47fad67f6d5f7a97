"""Every policy replayed and priced over some of the lanes: sums in exact picodollars, by engine and day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from core.traffic.arrays import Bools, Ints, first_of_run
from core.ttl.arrivals import Arrivals
from core.ttl.replay import LONG_MS, SHORT_MS, Replayed, Sorted, replay, replay_kept_alive, replay_mixed, stop_rule

IN_FORCE, OBSERVED = "in_force", "observed"
DAY_MS = 86_400_000
GAP_EDGES_MS = tuple(
    int(seconds * 1000)
    for seconds in (
        0, 1, 5, 15, 30, 60, 120, 240, 300, 600, 1200, 1800, 2700, 3600, 7200, 14400, 28800, 86400,
    )
)  # fmt: skip
_ROWS = 1 << 18  # looked at together: their columns stay in the processor's cache
_SAMPLE = 5_000  # calls of an engine that its medians are taken from


@dataclass(frozen=True, slots=True)
class Frame:
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
    def of(cls, calls: Arrivals) -> Frame:
        """Say what range the calls span, and how many of each engine are counted."""
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
class Part:
    """The sums of one chunk."""

    costs: dict[str, Ints]  # policy → (engine, day), flat
    reads: dict[str, Ints]
    writes: dict[str, Ints]
    pings: Ints
    gaps: Ints
    bursts: tuple[Ints, ...]  # engine, start, saved by each first call's burst, its writes
    sample: tuple[Ints, ...]  # engine, prefix, four rates, gap


def chunks(lane: Ints, order: Ints) -> Iterator[Ints]:
    """Cut the sorted rows between lanes, into pieces of about _ROWS rows."""
    at = 0
    while at < len(order):
        end = min(at + _ROWS, len(order))
        last = lane[order[end - 1]]
        while end < len(order) and lane[order[end]] == last:
            step = lane[order[end : end + _ROWS]]
            end += int(np.argmax(step != last)) if step[-1] != last else len(step)
        yield order[at:end]
        at = end


class Chunk:
    """Replays and prices whole lanes."""

    def __init__(self, calls: Arrivals, frame: Frame, rows: Ints) -> None:
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
        self._grown = np.where(self._told, calls.fresh[self.rows], 0)
        self._costs: dict[str, Ints] = {OBSERVED: self._observed}
        self._reads: dict[str, Ints] = {}
        self._writes: dict[str, Ints] = {}

    def part(self) -> Part:
        """Return the sums of every policy."""
        self._sum("off", self._off, None, None)
        for policy, ttl_ms, price in (("5m", SHORT_MS, self._5m), ("1h", LONG_MS, self._1h)):
            done = replay(self.lanes, ttl_ms)
            self._sum(policy, np.where(done.read, self._reading(ttl_ms), price), done.read, ~done.read)
        alive = replay_kept_alive(self.lanes, stop_rule(self._rates[1], self._rates[2]), end_ms=self._frame.end_ms)
        assert alive.pings is not None
        spent = np.where(alive.read, self._reading(SHORT_MS), self._5m) + alive.pings * self._prefix * self._rates[1]
        self._sum("5m_keep_alive", spent, alive.read, ~alive.read)
        bursts = self._in_force()
        return Part(
            self._costs, self._reads, self._writes, self._segments.by_engine(alive.pings), self._gaps(), bursts,
            self._sample(),
        )  # fmt: skip

    def _sum(self, policy: str, spent: Ints, read: Bools | None, wrote: Bools | None) -> None:
        self._costs[policy] = self._base + self._segments.total(spent)
        none = np.zeros(len(self._calls.engines), dtype=np.int64)
        self._reads[policy] = none if read is None else self._segments.by_engine(read & self._told)
        self._writes[policy] = none if wrote is None else self._segments.by_engine(wrote & self._told)

    def _reading(self, ttl_ms: Ints | int) -> Ints:
        """Return what a call costs that reads its prefix: whatever has grown behind it is written all the same."""
        if not self._grown.any():
            return self._read
        _, read, short, long = self._rates
        write: Ints = np.where(np.asarray(ttl_ms) == LONG_MS, long, short)
        return self._read + self._grown * (write - read)

    def _in_force(self) -> tuple[Ints, ...]:
        """Replay what each call asked for, and look for bursts in it."""
        calls, rows = self._calls, self.rows
        marked, ttl_ms = calls.marked[rows], calls.ttl_ms[rows]
        write, reading = np.where(ttl_ms == LONG_MS, self._1h, self._5m), self._reading(ttl_ms)
        if marked.all():
            done = replay_mixed(self.lanes, ttl_ms)
            self._sum(IN_FORCE, np.where(done.read, reading, write), done.read, ~done.read)
            return self._bursts(rows, done, write - self._read, self._read)
        some = rows[marked]
        lanes = Sorted.of(calls.lane[some], calls.start_ms[some], calls.begin_ms[some])
        done = replay_mixed(lanes, ttl_ms[marked])
        read = np.zeros(len(rows), dtype=np.bool_)
        read[marked] = done.read
        spent = np.where(marked, np.where(read, reading, write), self._off)
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

    def __init__(self, calls: Arrivals, frame: Frame, rows: Ints) -> None:
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
