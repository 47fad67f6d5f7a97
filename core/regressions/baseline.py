"""What is normal for a lane, as known on a given day: by gap, with the season of the day and of the weekend laid on.

Only earlier days count, none that a regression spoiled, and of those none that is unlike the others (median and MAD
over days). A lane is given a few calls of grace before it is judged at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from core.regressions.lane import GAP_CLASSES, Bools, Floats, Ints, Lane, summed

DAYS = 28
"""How many days back a baseline looks."""
ENOUGH_CALLS = 30
ENOUGH_DAYS = 2
_PER_GAP = 5  # fewer calls say nothing about a gap class
_SEASON_DAYS = 3
_SEASON_CALLS = 25.0  # the weight of "no season": a class with as many calls is believed half
_MAD = 1.4826
_US_PER_HOUR = 3_600_000_000
_SEASONS = 48  # hours of a working day, hours of a weekend day


@dataclass(frozen=True, slots=True)
class Calendar:
    """The local day (counted from the first) and the season (hour, weekend or not) of each row."""

    day: Ints
    season: Ints
    hour: Ints  # hours since 1970: blocks whose calls may hang together

    @staticmethod
    def of(at_us: Ints, zone: ZoneInfo) -> Calendar:
        """Work out days and seasons; an offset holds for a whole hour."""
        hour = at_us // _US_PER_HOUR
        distinct, inverse = np.unique(hour, return_inverse=True)
        local = [datetime.fromtimestamp(int(h) * 3600, UTC).astimezone(zone) for h in distinct.tolist()]
        days = np.array([moment.date().toordinal() for moment in local], dtype=np.int64)
        seasons = np.array([moment.hour + (24 if moment.weekday() >= 5 else 0) for moment in local], dtype=np.int64)
        return Calendar((days - days.min())[inverse], seasons[inverse], hour)

    def rows(self, day: int) -> Ints:
        """Return the rows of a day."""
        return np.arange(*self.between(day, day + 1))

    def between(self, day: int, end: int) -> tuple[int, int]:
        """Return the first row of a day, and the first that is not before another."""
        first, last = np.searchsorted(self.day, (day, end)).tolist()
        return first, last


@dataclass(frozen=True, slots=True)
class Sums:
    """One metric's sums by row: how many values, their sum, and the sum of their squares."""

    n: Floats
    total: Floats
    squares: Floats

    @staticmethod
    def of(n: Ints, total: Floats | Ints, squares: Floats | Ints) -> Sums:
        """Take them as floats."""
        return Sums(n.astype(np.float64), np.asarray(total, dtype=np.float64), np.asarray(squares, dtype=np.float64))


class Past:
    """One metric's sums by hour and gap, without the rows that a regression spoiled: all that a baseline asks for."""

    def __init__(self, sums: Sums, lane: Lane, calendar: Calendar) -> None:
        """Add up every row."""
        self.sums = sums
        cell = (calendar.hour - calendar.hour[0]) * GAP_CLASSES + lane.gap
        self._first = np.unique(cell, return_index=True)[1]
        self._cell = np.unique(cell, return_inverse=True)[1].reshape(-1)
        self._good = np.ones(len(lane), dtype=bool)
        self.day, self.season, self.hour = (
            part[self._first] for part in (calendar.day, calendar.season, calendar.hour)
        )
        self.gap = lane.gap[self._first]
        self.n, self.total, self.squares = (summed(self._cell, part) for part in self._parts)

    @property
    def _parts(self) -> tuple[Floats, Floats, Floats]:
        return self.sums.n, self.sums.total, self.sums.squares

    def spoil(self, start: int, end: int) -> None:
        """Leave rows out from now on."""
        rows = start + np.flatnonzero(self._good[start:end])
        if not len(rows):
            return
        self._good[rows] = False
        cells = np.unique(self._cell[rows])
        low, high = int(cells[0]), int(cells[-1]) + 1
        own = np.flatnonzero((self._cell >= low) & (self._cell < high) & self._good)
        for whole, part in zip((self.n, self.total, self.squares), self._parts, strict=True):
            whole[low:high] = summed(self._cell[own] - low, part[own], high - low)

    def before(self, day: int) -> Ints:
        """Return the cells of the four weeks before a day that hold anything."""
        early, late = np.searchsorted(self.day, (day - DAYS, day)).tolist()
        return early + np.flatnonzero(self.n[early:late] > 0)


@dataclass(frozen=True, slots=True)
class Baseline:
    """Mean and variance of one value by gap, and what the season adds."""

    mean: Floats  # by gap class; nan where too little is known
    variance: Floats
    season: Floats
    spread: float  # how far whole days differ from each other, beyond what chance explains
    clumping: float  # how much more hours vary than as many independent calls would

    def expected(self, gap: Ints, season: Ints) -> Floats:
        """Return what one call of each row is expected to show; nan where nothing is known."""
        return self.mean[gap] + self.season[season]


def learn(past: Past, day: int, *, floor: float, tolerance: float) -> Baseline | None:
    """Learn from the days before `day`; None while they are too few.

    `floor` is the least standard deviation of one value, `tolerance` how far off a day may be and count as usual.
    """
    rows = past.before(day)
    if not len(rows):
        return None
    days, gap, n = past.day[rows], past.gap[rows], past.n[rows]
    days = days - days.min()
    if n.sum() < ENOUGH_CALLS or np.count_nonzero(np.bincount(days)) < ENOUGH_DAYS:
        return None
    total, squares = past.total[rows], past.squares[rows]
    usual = _usual_days(days, gap, n, total, tolerance)
    rows, days, gap, n, total, squares = _kept(usual, rows, days, gap, n, total, squares)
    count = summed(gap, n, GAP_CLASSES)
    known = count >= _PER_GAP
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, summed(gap, total, GAP_CLASSES) / count, np.nan)
        variance = summed(gap, squares, GAP_CLASSES) / count - mean * mean
    variance = np.maximum(np.nan_to_num(variance), floor * floor) * (1 + 2 / np.maximum(count, 1))
    judged = known[gap]
    rows, days, gap, n, total = _kept(judged, rows, days, gap, n, total)
    left = total - n * mean[gap]
    season = _season(left, n, days, past.season[rows])
    left = left - n * season[past.season[rows]]
    return Baseline(
        mean=mean,
        variance=variance,
        season=season,
        spread=_spread(left, n, n * variance[gap], days),
        clumping=_clumping(left, n * variance[gap], past.hour[rows]),
    )


def _kept(which: Bools, *parts: Any) -> tuple[Any, ...]:
    return tuple(part[which] for part in parts)


def _usual_days(day: Ints, gap: Ints, n: Floats, total: Floats, tolerance: float) -> Bools:
    """Mark the rows of days that are like the others: within four MAD of the weighted median, gap for gap."""
    mean = summed(gap, total, GAP_CLASSES) / np.maximum(summed(gap, n, GAP_CLASSES), 1)
    size = int(day.max()) + 1
    calls = summed(day, n, size)
    off = summed(day, total - n * mean[gap], size) / np.maximum(calls, 1)
    there = calls >= _PER_GAP
    if there.sum() < 4:
        return np.ones(len(day), dtype=bool)
    middle = _weighted_median(off[there], calls[there])
    mad = _MAD * _weighted_median(np.abs(off[there] - middle), calls[there])
    strange = there & (np.abs(off - middle) > max(4 * mad, tolerance))
    return ~strange[day]


def _season(left: Floats, n: Floats, day: Ints, season: Ints) -> Floats:
    """Return what each hour of a working day or weekend day adds, drawn towards nothing where little is known."""
    found = np.zeros(_SEASONS)
    count = summed(season, n, _SEASONS)
    seen = np.bincount(day * _SEASONS + season, minlength=(int(day.max(initial=0)) + 1) * _SEASONS) > 0
    days = seen.reshape(-1, _SEASONS).sum(axis=0)
    known = days >= _SEASON_DAYS
    medians = _cell_medians(left, n, day, season)
    found[known] = medians[known] * count[known] / (count[known] + _SEASON_CALLS)
    return found


def _cell_medians(left: Floats, n: Floats, day: Ints, season: Ints) -> Floats:
    """Return, for each season, the median over days (weighted by calls) of the mean that is left."""
    length = int(day.max(initial=0)) + 1
    cell = season * length + day
    calls, off = summed(cell, n, _SEASONS * length), summed(cell, left, _SEASONS * length)
    there = np.flatnonzero(calls)
    calls, off, group = calls[there], off[there] / calls[there], there // length
    order = np.lexsort((off, group))
    group, off, calls = group[order], off[order], calls[order]
    upto = np.cumsum(calls)
    ends = np.searchsorted(group, np.arange(_SEASONS), side="right")
    starts = np.searchsorted(group, np.arange(_SEASONS), side="left")
    found = np.zeros(_SEASONS)
    for code in np.flatnonzero(ends > starts).tolist():
        low = upto[starts[code] - 1] if starts[code] else 0.0
        half = low + (upto[ends[code] - 1] - low) / 2
        found[code] = off[min(int(np.searchsorted(upto, half)), int(ends[code]) - 1)]
    return found


def _spread(left: Floats, n: Floats, variance: Floats, day: Ints) -> float:
    calls = summed(day, n)
    there = calls >= 10
    if there.sum() < 3:
        return 0.0
    off = summed(day, left)[there] / calls[there]
    middle = _weighted_median(off, calls[there])
    mad = _MAD * _weighted_median(np.abs(off - middle), calls[there])
    chance = float(np.median(summed(day, variance)[there] / calls[there] ** 2))
    return float(np.sqrt(max(0.0, mad * mad - chance)))


def _clumping(left: Floats, variance: Floats, hour: Ints) -> float:
    block = hour - hour.min(initial=hour[0] if len(hour) else 0)
    chance = summed(block, variance)
    there = np.flatnonzero(chance)
    if not len(there):
        return 1.0
    chance, squared = chance[there], summed(block, left)[there] ** 2
    kept = squared / chance <= np.quantile(squared / chance, 0.99)
    return max(1.0, float(squared[kept].sum() / max(chance[kept].sum(), 1e-12)))


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values)
    upto = np.cumsum(weights[order])
    return float(values[order][min(int(np.searchsorted(upto, upto[-1] / 2)), len(values) - 1)])
