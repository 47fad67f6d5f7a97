"""How much traffic is judged together: the newest calls of a range, so that memory does not grow with the range.

Calls are judged in memory, about a kilobyte each. A range with more calls than AT_ONCE is cut at a full hour, and
whoever shows figures of it says from when on they are. Reports judge a whole range, some days at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import ibis.expr.types as ir

from core.metrics.scope import Scope
from core.pricing import PriceBook
from core.store.query import Reader
from core.traffic.calls import LOOK_BACK, Traffic, load

AT_ONCE = 1_000_000
"""Calls of a range that are judged together: below 2 GB of memory with those before it."""
WITH_EARLIER = 2 * AT_ONCE
"""The same with the calls before it, which say what the cache held."""
EVERY = 2**62
"""As a limit: none."""
LEAST_LOOK_BACK = timedelta(hours=2)
"""However dense traffic is: no entry lives for longer than an hour after its last use."""

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is judged: the range from which on, and how far before it is read."""

    scope: Scope
    look_back: timedelta
    cut: bool
    """Does the range that was asked for hold more."""
    at_once: int
    """The limit."""
    calls: int
    """All calls of the range, those outside its filters too."""


def bounded(reader: Reader, scope: Scope, *, at_once: int | None = None, with_earlier: int | None = None) -> Bounds:
    """Return the newest part of a range that is judged together: at least its last hour with calls.

    Filters do not matter: the calls beside those asked for are read too, because they share the cache.
    """
    at_once, with_earlier = at_once or AT_ONCE, with_earlier or WITH_EARLIER
    counts = _by_hour(reader)
    asked = [(hour, n) for hour, n in counts if _touches(hour, scope)]
    start = _newest(asked, at_once)
    if start is None:
        return Bounds(scope, LOOK_BACK, cut=False, at_once=at_once, calls=0)
    begin = start if scope.start is None else max(start, scope.start)
    cut = any(hour < start for hour, _ in asked)
    judged = sum(n for hour, n in asked if hour >= start)
    earlier = [
        (hour, n)
        for hour, n in counts
        if begin - LOOK_BACK - _HOUR < hour < begin.replace(minute=0, second=0, microsecond=0)
    ]
    first = _newest(earlier, with_earlier - judged)
    room = LOOK_BACK if first is None or not any(hour < first for hour, _ in earlier) else begin - first
    judging = replace(scope, start=begin) if cut else scope
    return Bounds(judging, max(LEAST_LOOK_BACK, min(LOOK_BACK, room)), cut, at_once, sum(n for _, n in asked))


def load_bounded(
    reader: Reader, scope: Scope, book: PriceBook, *, at_once: int | None = None, with_earlier: int | None = None
) -> tuple[Traffic, Bounds]:
    """Read the calls of a range that are judged together, with those before them, and say which they are."""
    bounds = bounded(reader, scope, at_once=at_once, with_earlier=with_earlier)
    return load(reader, bounds.scope, book, look_back=bounds.look_back), bounds


def pieces(
    reader: Reader, start: datetime | None, end: datetime | None, *, at_once: int
) -> list[tuple[datetime, datetime]]:
    """Cut a range at full hours into pieces of so many calls at most, or of one hour; hours without calls are in none.

    The pieces are in order, do not overlap, and hold every call of the range.
    """
    found: list[tuple[datetime, datetime]] = []
    held = 0
    for hour, n in _by_hour(reader):
        if not _touches(hour, Scope(start, end)):
            continue
        first, last = max(hour, start or hour), min(hour + _HOUR, end or hour + _HOUR)
        if found and held + n <= at_once:
            found[-1], held = (found[-1][0], last), held + n
        else:
            found, held = [*found, (first, last)], n
    return found


def _by_hour(reader: Reader) -> list[tuple[datetime, int]]:
    """Return every hour with calls, in order, and how many it has."""

    def build(rows: ir.Table) -> ir.Table:
        counted = rows.filter(rows.prompt_tokens > 0)
        return counted.group_by(counted.date, hour=counted.ts.truncate("h")).aggregate(calls=counted.count())

    found = reader.daily("calls", shape="calls by hour", build=build)
    return sorted((row["hour"], row["calls"]) for row in found)


def _touches(hour: datetime, scope: Scope) -> bool:
    return (scope.start is None or hour + _HOUR > scope.start) and (scope.end is None or hour < scope.end)


def _newest(counts: Sequence[tuple[datetime, int]], most: int) -> datetime | None:
    """Return the hour from which on there are at most so many calls; the last one whatever it holds, None of none."""
    start, whole = None, 0
    for hour, n in reversed(counts):
        whole += n
        if start is not None and whole > most:
            break
        start = hour
    return start
