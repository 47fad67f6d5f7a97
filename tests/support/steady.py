"""Weeks of steady, invented traffic of one engine, in which a test changes one thing at one moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tests.support.rows import Row, make_call

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
DAYS = 12
CHANGE = datetime(2026, 11, 12, 10, 0, tzinfo=UTC)  # a Thursday, with ten days before it
END = MONDAY + timedelta(days=DAYS)
Mutate = Callable[[datetime, dict[str, Any], Random], None]

_BY_HOUR = (0.3, 0.2, 0.2, 0.2, 0.3, 0.5, 1, 3, 8, 12, 12, 12, 10, 12, 12, 12, 11, 9, 6, 4, 3, 2, 1, 0.5)


def traffic(mutate: Mutate | None = None, *, seed: int = 5, days: int = DAYS, **fixed: Any) -> list[Row]:
    """Return calls of `days` days: a prefix of 5,000 tokens that lives for an hour, quiet nights, half-quiet weekends.

    `mutate(ts, call, rng)` may change what a call shows, before its price is worked out.
    """
    rng = Random(seed)
    rows: list[Row] = []
    last: datetime | None = None
    for hour in range(days * 24):
        start = MONDAY + timedelta(hours=hour)
        expected = _BY_HOUR[start.hour] * (0.4 if start.weekday() >= 5 else 1.0)
        for ts in sorted(start + timedelta(seconds=rng.random() * 3600) for _ in range(_poisson(expected, rng))):
            expired = last is None or ts - last > timedelta(hours=1)
            last = ts
            call = {
                "ts": ts,
                "engine": "sales",
                "input_tokens": rng.randint(150, 400),
                "cache_read_tokens": 0 if expired else 5_000,
                "cache_write_1h_tokens": 5_000 if expired else 0,
                "output_tokens": max(10, int(250 * rng.lognormvariate(0, 0.4))),
                "ttft_ms": 800 * rng.lognormvariate(0, 0.15) * (1.6 if expired else 1.0),
                "latency_ms": 4_000.0,
                "prefix_fingerprint": "stable",
                **fixed,
            }
            if mutate is not None:
                mutate(ts, call, rng)
            rows.append(make_call(**call))
    return rows


def since(moment: datetime, change: Callable[[dict[str, Any], Random], None]) -> Mutate:
    """Apply `change` to calls from a moment on."""

    def mutate(ts: datetime, call: dict[str, Any], rng: Random) -> None:
        """Change the call if it is late enough."""
        if ts >= moment:
            change(call, rng)

    return mutate


def broken(call: dict[str, Any], rng: Random) -> None:
    """Let the prefix be new in every call."""
    call |= {
        "cache_read_tokens": 0,
        "cache_write_1h_tokens": 5_000,
        "prefix_fingerprint": f"{rng.getrandbits(64):x}",
        "ttft_ms": call["ttft_ms"] * 1.6 if call["cache_read_tokens"] else call["ttft_ms"],
    }


def _poisson(expected: float, rng: Random) -> int:
    total, count = 0.0, -1
    while total < expected:
        total += rng.expovariate(1.0)
        count += 1
    return count
