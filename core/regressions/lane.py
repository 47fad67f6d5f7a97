"""One engine on one model as sums over five minutes: what change points are looked for in.

Rows are split by how long the lane had been quiet before the call (`gap`), because that, more than the clock, decides
what can be read: a call two hours after the last one writes anew however healthy the service is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from core.traffic.arrays import Bools, Coded, Floats, Ints, coded, combined, integers

__all__ = [
    "GAP_CLASSES",
    "KINDS",
    "SWITCHES",
    "Bools",
    "Floats",
    "Ints",
    "Lane",
    "added",
    "lane_of",
    "moment",
    "summed",
]

BIN_US = 300_000_000
GAPS_US = (5_000_000, 300_000_000, 3_600_000_000)
"""Bounds of the gap classes: at once (the first may still be writing), within 5 m, within 1 h, later."""
GAP_CLASSES = len(GAPS_US) + 1

_HALF = 10**9
KINDS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
SWITCHES = ("provider", "caching_enabled", "cache_ttl", "service_tier", "speed", "price_book")
WORDS = ("function_name", "function_version", *SWITCHES)
Key = tuple[str, str | None, str | None]
"""Source, engine, model."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One engine on one model: rows in order of time, each a sum over calls of one five minutes, gap and version."""

    source: str
    engine: str | None
    model: str | None
    first_us: Ints
    last_us: Ints
    bin: Ints
    gap: Ints
    calls: Ints
    misses: Ints
    read: Ints
    prompt: Ints
    share: Floats  # Σ read ÷ prompt of each call
    share_sq: Floats
    priced: Ints
    cost: Ints  # picodollars
    log_cost: Floats
    log_cost_sq: Floats
    timed: Ints
    log_ms: Floats
    log_ms_sq: Floats
    ms: Floats
    tokens: dict[str, Ints]
    costs: dict[str, Ints]
    renewed: Ints  # calls whose prefix fingerprint is not that of the lane's call before
    fingerprints: Ints  # calls that tell one, and whose predecessor did
    written: Ints  # calls that wrote and read nothing
    words: dict[str, Coded]
    latency_of: str  # ttft_ms | latency_ms | duration_ms: what `ms` measures

    def __len__(self) -> int:
        return len(self.first_us)

    @property
    def version(self) -> Coded:
        """Return the function version of each row."""
        return self.words["function_version"]


def lane_of(key: Key, rows: pa.Table, durations: pa.Table | None) -> Lane:
    """Lay the sums of one lane out as numbers, with its engine's invocations where the calls tell no time."""
    calls = integers(rows["calls"])
    words = {name: coded(rows[name]) for name in WORDS}
    latency_of, timed, log_ms, log_ms_sq, ms = _latency(rows, calls, durations)
    return Lane(
        source=key[0],
        engine=key[1],
        model=key[2],
        first_us=integers(rows["first_us"]),
        last_us=integers(rows["last_us"]),
        bin=integers(rows["bin"]),
        gap=integers(rows["gap"]),
        calls=calls,
        misses=integers(rows["misses"]),
        read=integers(rows["read"]),
        prompt=integers(rows["prompt"]),
        share=_floats(rows, "share_sum"),
        share_sq=_floats(rows, "share_sq"),
        priced=integers(rows["priced"]),
        cost=integers(rows["cost_all"]),
        log_cost=_floats(rows, "log_cost_sum"),
        log_cost_sq=_floats(rows, "log_cost_sq"),
        timed=timed,
        log_ms=log_ms,
        log_ms_sq=log_ms_sq,
        ms=ms,
        tokens={kind: integers(rows[f"{kind}_n"]) for kind in KINDS},
        costs={kind: integers(rows[f"{kind}_usd"]) for kind in KINDS},
        renewed=integers(rows["renewed"]),
        fingerprints=integers(rows["fingerprints"]),
        written=integers(rows["written"]),
        words=words,
        latency_of=latency_of,
    )


def _latency(rows: pa.Table, calls: Ints, durations: pa.Table | None) -> tuple[str, Ints, Floats, Floats, Floats]:
    """Return the sharpest latency most calls tell: time to first token, the call's, else the invocation's duration."""
    for name in ("ttft", "latency"):
        timed = integers(rows[f"log_{name}_n"])
        if timed.sum() * 2 > calls.sum():
            sums = (_floats(rows, f"log_{name}_sum"), _floats(rows, f"log_{name}_sq"), _floats(rows, f"{name}_ms_sum"))
            return f"{name}_ms", timed, *sums
    if durations is None:
        nothing = np.zeros(len(calls))
        return "latency_ms", np.zeros(len(calls), dtype=np.int64), nothing, nothing, nothing
    return "duration_ms", *_laid_on(rows, durations)


def _laid_on(rows: pa.Table, durations: pa.Table) -> tuple[Ints, Floats, Floats, Floats]:
    """Put each five minutes' durations on the first of its rows with the same version."""
    both = pa.concat_tables([part.select(["bin", "function_version"]) for part in (rows, durations)])
    keys = combined(coded(both["bin"].cast(pa.string())).codes, coded(both["function_version"]).codes)
    own, others = keys[: rows.num_rows], keys[rows.num_rows :]
    first = np.full(int(keys.max(initial=0)) + 1, -1)
    first[own[::-1]] = np.arange(len(own))[::-1]
    at = first[others]
    found = at >= 0
    sums = np.zeros((4, len(own)))
    for row, name in enumerate(("n", "log_sum", "log_sq", "ms_sum")):
        np.add.at(sums[row], at[found], _floats(durations, name)[found])
    return sums[0].astype(np.int64), sums[1], sums[2], sums[3]


def _floats(table: pa.Table, name: str) -> Floats:
    return table[name].cast(pa.float64()).fill_null(0.0).to_numpy()


def summed(codes: Ints, values: Floats | Ints, size: int = 0) -> Floats:
    """Add up the values of each code."""
    return np.bincount(codes, values, size).astype(np.float64)


def added(values: Ints) -> int:
    """Add up whole numbers to the last digit: picodollars of a large engine's year are more than 63 bits hold."""
    high, low = np.divmod(values, _HALF)
    return int(high.sum()) * _HALF + int(low.sum())


def moment(at_us: int) -> datetime:
    """Return microseconds since 1970 as a UTC time."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(at_us))
