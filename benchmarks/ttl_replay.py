"""How long the TTL Lab takes over ten million calls of a thousand prefixes: every policy replayed and priced."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time

import numpy as np

from core import ttl
from core.ttl import Arrivals

DAYS = 30
PREFIXES = 1_000


def arrivals(calls: int, prefixes: int = PREFIXES, *, seed: int = 0) -> Arrivals:
    """Make arrivals of busy and quiet prefixes, each an engine of its own, in the order of their starts."""
    rng = np.random.default_rng(seed)
    busy = 1 / np.arange(1, prefixes + 1) ** 1.1
    lane = rng.choice(prefixes, calls, p=busy / busy.sum())
    start = np.sort(rng.integers(0, DAYS * 86_400_000, calls)) + 1_790_000_000_000
    size = 2_000 + 7 * np.arange(prefixes)

    def all_of(value: int | bool) -> np.ndarray:
        return np.full(calls, value)

    return Arrivals(
        engine=lane, engines=tuple(f"engine-{n}" for n in range(prefixes)), lane=lane, start_ms=start,
        begin_ms=start + rng.integers(400, 2_500, calls), prefix=size[lane], fresh=all_of(0), eligible=all_of(True),
        marked=all_of(True), ttl_ms=all_of(300_000), tail_cost=all_of(2_000_000_000),
        observed_cost=all_of(5_000_000_000), rate_input=all_of(5_000_000), rate_read=all_of(500_000),
        rate_5m=all_of(6_250_000), rate_1h=all_of(10_000_000), counted=all_of(True), in_range=all_of(True),
        told=all_of(True),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    calls = arrivals(given.calls)
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cores")
    studied, told = [], []
    for _ in range(given.runs):
        began = time.perf_counter()
        lab = ttl.study(calls)
        studied.append(time.perf_counter() - began)
        began = time.perf_counter()
        advice = ttl.advise(lab)
        told.append(time.perf_counter() - began)
    print(f"{given.calls:,} calls, {PREFIXES:,} prefixes, {len(ttl.POLICIES)} policies and the one in force:")
    print(f"replayed and priced in {statistics.median(studied):.2f} s (median of {given.runs})")
    print(f"advice with intervals for {len(advice):,} engines in {statistics.median(told):.2f} s")


if __name__ == "__main__":
    main()
