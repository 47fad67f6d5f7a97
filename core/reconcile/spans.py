"""Cuts a range of days into the spans that one question to a provider may cover."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

LONGEST = timedelta(days=31)


def spans(start: date, end: date, longest: timedelta = LONGEST) -> Iterator[tuple[date, date]]:
    """Yield [first, last) after [first, last) until the range is covered."""
    while start < end:
        last = min(end, start + longest)
        yield start, last
        start = last
