"""When requests come: Seoul's working day, its quiet nights and weekends, and each engine's own rhythm."""

from __future__ import annotations

import math
from datetime import datetime
from random import Random

from simulator.fleet.engines import Engine
from simulator.fleet.plan import SEOUL, from_ms

HOUR_MS = 3_600_000

# Share of a working day's requests by hour in Seoul; sums to 1.
_DAY = (
    0.008, 0.005, 0.004, 0.003, 0.003, 0.005, 0.012, 0.026, 0.052, 0.082, 0.088, 0.080,
    0.062, 0.078, 0.084, 0.082, 0.078, 0.070, 0.050, 0.038, 0.032, 0.028, 0.020, 0.010,
)  # fmt: skip
_WEEKEND = 0.42  # Saturday and Sunday against a working day
_BLAST_HOURS = (10, 16)  # the survey goes out at ten past, working days
_LIVE_PER_MINUTE = 7.0  # demo traffic never falls below about this, so that a visitor sees movement


def arrivals(engine: Engine, hour_ms: int, rng: Random, *, live_weight: float = 0.0) -> list[int]:
    """Return the request times (ms, ascending) of `engine` in the hour that starts at `hour_ms`.

    `live_weight` > 0 asks for live demo traffic: the engine's share of the floor.
    """
    seoul = from_ms(hour_ms).astimezone(SEOUL)
    match engine.rhythm:
        case "every_20_minutes":
            times = _every_20_minutes(hour_ms, seoul, rng)
        case "sparse":
            times = _sparse(engine, hour_ms, seoul, rng)
        case "blasts":
            times = _blasts(engine, hour_ms, seoul, rng)
        case _:
            per_hour = engine.weekday_calls * _DAY[seoul.hour] * _day_factor(seoul)
            times = _steady(hour_ms, max(per_hour, live_weight * _LIVE_PER_MINUTE * 60), rng)
    return sorted(times)


def live_weights(engines: tuple[Engine, ...]) -> dict[str, float]:
    """Share the live floor among the engines that keep busy, as their working days are."""
    busy = {engine.name: engine.weekday_calls for engine in engines if engine.live}
    total = sum(busy.values())
    return {name: calls / total for name, calls in busy.items()}


def _day_factor(seoul: datetime) -> float:
    return _WEEKEND if seoul.weekday() >= 5 else 1.0


def _steady(hour_ms: int, expected: float, rng: Random) -> list[int]:
    return [hour_ms + int(rng.random() * HOUR_MS) for _ in range(_poisson(expected, rng))]


def _every_20_minutes(hour_ms: int, seoul: datetime, rng: Random) -> list[int]:
    if not 7 <= seoul.hour < 23:
        return []
    return [hour_ms + int((minute + rng.uniform(-1.5, 1.5)) * 60_000) for minute in (4, 24, 44)]


def _sparse(engine: Engine, hour_ms: int, seoul: datetime, rng: Random) -> list[int]:
    """A visit now and then; one in seven comes back within minutes."""
    if rng.random() >= engine.weekday_calls * _DAY[seoul.hour] * _day_factor(seoul):
        return []
    first = hour_ms + int(rng.random() * HOUR_MS * 0.7)
    return [first, first + int(rng.uniform(120, 900) * 1000)] if rng.random() < 0.14 else [first]


def _blasts(engine: Engine, hour_ms: int, seoul: datetime, rng: Random) -> list[int]:
    """Everyone answers the same push message: a dozen within two seconds, the rest within minutes."""
    if seoul.hour not in _BLAST_HOURS or seoul.weekday() >= 5:
        return []
    start = hour_ms + 600_000
    rush = [start + int(rng.random() * 2_000) for _ in range(12)]
    rest = _poisson(engine.weekday_calls / 2 - len(rush), rng)
    return rush + [start + 2_000 + int(rng.expovariate(1 / 90) * 1000) for _ in range(rest)]


def _poisson(expected: float, rng: Random) -> int:
    """Draw a Poisson number (a rounded normal above 60, where the two look alike)."""
    if expected > 60:
        return max(0, round(rng.gauss(expected, math.sqrt(expected))))
    limit, product, count = math.exp(-expected), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count
