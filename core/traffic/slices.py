"""Long ranges some days at a time, so that memory does not grow with the range: for who judges every call of it.

Each slice is judged with the eight days before it, so a prefix idle for longer counts there as touched first. How many
days a slice has follows the traffic.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from core.metrics.scope import Scope
from core.store.query import Reader
from core.traffic import bounds
from core.traffic.calls import LOOK_BACK

AT_ONCE = 420_000
"""Calls of a slice, the eight days before it among them: below 700 MB of memory."""

_DAY = timedelta(days=1)


def slices(reader: Reader, scope: Scope, calls: int) -> list[Scope]:
    """Cut a scope of so many calls at midnights of UTC, so that a slice and what it looks back on are AT_ONCE at most.

    Where the traffic is so dense that the days before alone are more, a slice has one day, or as many hours of it as
    are judged together anywhere.
    """
    span = reader.span("calls", scope.start, scope.end)
    if span is None:
        return []
    begin, end = max(scope.start or span[0], span[0]), min(scope.end or span[1], span[1])
    a_day = calls / max((end - begin) / _DAY, 1)
    length = max(_DAY, _DAY * int(AT_ONCE / a_day - LOOK_BACK / _DAY))
    edges = [begin]
    while (edge := midnight(edges[-1]) + length) < end:
        edges.append(edge)
    parts = [replace(scope, start=start, end=stop) for start, stop in pairwise([*edges, end])]
    parts = [part for part in parts if reader.span("calls", part.start, part.end)]
    if length > _DAY:
        return parts
    return [hours for part in parts for hours in _hours(reader, part)]


def _hours(reader: Reader, day: Scope) -> list[Scope]:
    """Return a day as it is, or in pieces where it has too many calls."""
    if not bounds.bounded(reader, day).cut:
        return [day]
    found = bounds.pieces(reader, day.start, day.end, at_once=bounds.AT_ONCE)
    return [replace(day, start=start, end=end) for start, end in found]


def midnight(moment: datetime) -> datetime:
    """Return the midnight of UTC with which a moment's day began."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
