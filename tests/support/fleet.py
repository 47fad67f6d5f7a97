"""A week of the demo fleet, lived once, and readers of what it writes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from core.pricing import default_book
from simulator.fleet.arrivals import HOUR_MS
from simulator.fleet.plan import plan_for
from simulator.fleet.world import Invocation, World

ANCHOR = date(2026, 11, 23)  # a Monday
NOON_MS = int(datetime(2026, 11, 23, 3, tzinfo=UTC).timestamp()) * 1000  # noon of that day in Seoul
DAY_MS = 24 * HOUR_MS
SEED = 7


def world(seed: int = SEED) -> World:
    """A fleet whose last day of history is ANCHOR."""
    return World(seed=seed, plan=plan_for(ANCHOR), book=default_book())


def live_through(hours: int, *, until_ms: int = NOON_MS, seed: int = SEED) -> list[Invocation]:
    """Let a fresh fleet live the hours before `until_ms`."""
    fleet = world(seed)
    return [
        invocation
        for hour_ms in range(until_ms - hours * HOUR_MS, until_ms, HOUR_MS)
        for invocation in fleet.hour(hour_ms)
    ]


@cache
def week() -> tuple[Invocation, ...]:
    """The eight days before noon of ANCHOR: the tutor's break, the clear's aftermath, the Bedrock stretch."""
    return tuple(live_through(8 * 24))


@cache
def json_hours() -> tuple[Invocation, ...]:
    """Some working hours of the stretch in which the function logged JSON."""
    return tuple(live_through(8, until_ms=NOON_MS - 20 * DAY_MS))


def week_truths(engine: str | None = None) -> list[dict[str, Any]]:
    """The truth of the week's calls."""
    truths = [truth for invocation in week() for truth in invocation.truths]
    return [truth for truth in truths if engine is None or truth["engine"] == engine]


def payloads(folder: Path) -> Iterator[dict[str, Any]]:
    """Every DATA_MESSAGE under `folder`, in the order of its files."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for line in data.splitlines():
            yield json.loads(line)
