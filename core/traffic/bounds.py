"""How much traffic is judged together: the newest calls of a range, so that memory does not grow with the range.

Calls are judged in memory, about a kilobyte each. A range with more calls than AT_ONCE is cut at a full hour, or at a
minute where one hour has more than that, and whoever shows figures of it says from when on they are. Reports judge a
whole range, some days at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

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
"""No entry lives for longer than an hour after its last use. Only traffic so dense that these two hours do not fit
beside what is judged (WITH_EARLIER + AT_ONCE) is looked back on for less: as far as it fits."""

_HOUR, _MINUTE = timedelta(hours=1), timedelta(minutes=1)


class _Bucket(NamedTuple):
    """An hour, or a minute of an hour with too many calls, and how many calls it has."""

    start: datetime
    length: timedelta
    calls: int

    @property
    def end(self) -> datetime:
        return self.start + self.length


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
    """Return the newest part of a range that is judged together: at least its last hour with calls, if that fits.

    Filters do not matter: the calls beside those asked for are read too, because they share the cache.
    """
    at_once, with_earlier = at_once or AT_ONCE, with_earlier or WITH_EARLIER
    counts = _counts(reader)
    asked = [bucket for bucket in counts if _touches(bucket, scope)]
    start = _newest(asked, at_once)
    if start is None:
        return Bounds(scope, LOOK_BACK, cut=False, at_once=at_once, calls=0)
    begin = start if scope.start is None else max(start, scope.start)
    cut = any(bucket.start < start for bucket in asked)
    judged = sum(bucket.calls for bucket in asked if bucket.start >= start)
    earlier = [bucket for bucket in counts if bucket.end > begin - LOOK_BACK and bucket.end <= begin]
    room = _room(earlier, begin, with_earlier - judged)
    if room < LEAST_LOOK_BACK:
        room = min(LEAST_LOOK_BACK, _room(earlier, begin, with_earlier + AT_ONCE - judged))
    judging = replace(scope, start=begin) if cut else scope
    return Bounds(judging, min(LOOK_BACK, room), cut, at_once, sum(bucket.calls for bucket in asked))


def _room(earlier: Sequence[_Bucket], begin: datetime, most: int) -> timedelta:
    """Return how far before a moment so many calls reach back; all the way where there are no more."""
    first = _newest(earlier, most)
    whole = first is None or not any(bucket.start < first for bucket in earlier)
    return LOOK_BACK if whole or first is None else begin - first


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

    An hour with more than AT_ONCE is cut at minutes. The pieces are in order, do not overlap, and hold every call of
    the range.
    """
    found: list[tuple[datetime, datetime]] = []
    held = 0
    for bucket in _counts(reader):
        if not _touches(bucket, Scope(start, end)):
            continue
        first, last = max(bucket.start, start or bucket.start), min(bucket.end, end or bucket.end)
        if found and held + bucket.calls <= at_once:
            found[-1], held = (found[-1][0], last), held + bucket.calls
        else:
            found, held = [*found, (first, last)], bucket.calls
    return found


def _counts(reader: Reader) -> list[_Bucket]:
    """Return every hour with calls, in order; of one with more than AT_ONCE every minute."""
    hours = [_Bucket(hour, _HOUR, n) for hour, n in _by(reader, "hour")]
    dense = {bucket.start for bucket in hours if bucket.calls > AT_ONCE}
    if not dense:
        return hours
    minutes = [_Bucket(at, _MINUTE, n) for at, n in _by(reader, "minute")]
    fine = [bucket for bucket in minutes if bucket.start.replace(minute=0) in dense]
    return sorted([*fine, *(bucket for bucket in hours if bucket.start not in dense)])


def _by(reader: Reader, unit: Literal["hour", "minute"]) -> list[tuple[datetime, int]]:
    """Return every hour, or minute, with calls, in order, and how many it has."""

    def build(rows: ir.Table) -> ir.Table:
        counted = rows.filter(rows.prompt_tokens > 0)
        at = counted.ts.truncate("h" if unit == "hour" else "m")
        return counted.group_by(counted.date, at=at).aggregate(calls=counted.count())

    found = reader.daily("calls", shape=f"calls by {unit}", build=build)
    return sorted((row["at"], row["calls"]) for row in found)


def _touches(bucket: _Bucket, scope: Scope) -> bool:
    return (scope.start is None or bucket.end > scope.start) and (scope.end is None or bucket.start < scope.end)


def _newest(counts: Sequence[_Bucket], most: int) -> datetime | None:
    """Return from where on there are at most so many calls; the last bucket whatever it holds, None of none."""
    start, whole = None, 0
    for bucket in reversed(counts):
        whole += bucket.calls
        if start is not None and whole > most:
            break
        start = bucket.start
    return start
