"""What the month has cost and will cost by its end: spent so far, plus each hour to come at its own usual rate.

The rate of an hour of the week is the mean of the same hour over the last four weeks; hours of which too little is
known take the mean of their kind of day. The interval comes from drawing whole past weekdays and weekend days anew.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from core.alert_settings import Budget
from core.metrics import series
from core.metrics.buckets import zone_of
from core.metrics.scope import Scope
from core.store.query import Reader

HISTORY = timedelta(days=28)
_DRAWS = 400
_LEVELS = (0.05, 0.95)
_MICRO = Decimal("0.000001")
_LEAST_DAYS = 2


@dataclass(frozen=True, slots=True)
class Forecast:
    """A month's cost: exact so far, expected at its end, with a 90 % interval."""

    month: str  # "2026-11", in the budget's zone
    month_start: datetime
    month_end: datetime
    spent_usd: Decimal  # exact
    expected_usd: Decimal | None  # at month's end; None: less than two days of history
    low_usd: Decimal | None
    high_usd: Decimal | None
    budget_usd: Decimal | None
    by_defaults_usd: Decimal  # of what is spent: calls whose model or TTL their source's defaults tell
    calls_unpriced: int  # cost unknown: the figures are too low by these

    @property
    def spent_share(self) -> float | None:
        """Return spent ÷ budget."""
        return float(self.spent_usd / self.budget_usd) if self.budget_usd else None

    @property
    def expected_share(self) -> float | None:
        """Return expected ÷ budget."""
        if self.budget_usd is None or self.expected_usd is None:
            return None
        return float(self.expected_usd / self.budget_usd)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        names = {name: getattr(self, name) for name in self.__slots__}
        return {**names, "spent_share": self.spent_share, "expected_share": self.expected_share}


def forecast(reader: Reader, budget: Budget | None, *, now: datetime, zone: str | None = None) -> Forecast:
    """Return the month that `now` is in, by the budget's zone (or `zone`, where there is no budget)."""
    place = zone_of(budget.zone if budget else zone or "UTC")
    start, end = month_of(now, place)
    rows = series(reader, Scope(start=min(start, now - HISTORY), end=now), "hour", zone=place.key).to_pylist()
    month = [row for row in rows if row["bucket"] >= start]
    spent, by_defaults = (
        sum((row[name] or Decimal(0) for row in month), Decimal(0)) for name in ("cost_usd", "cost_by_defaults_usd")
    )
    unpriced = sum(row["unpriced_calls"] or 0 for row in month)
    expected = low = high = None
    by_hour = {row["bucket"]: float(row["cost_usd"] or 0) for row in rows if row["bucket"] >= now - HISTORY}
    drawn = project(by_hour, now=now, end=end, zone=place)
    if drawn is not None:
        expected, low, high = ((spent + Decimal(repr(value))).quantize(_MICRO) for value in drawn)
    return Forecast(
        month=f"{start.astimezone(place):%Y-%m}",
        month_start=start,
        month_end=end,
        spent_usd=spent,
        expected_usd=expected,
        low_usd=low,
        high_usd=high,
        budget_usd=budget.monthly_usd if budget else None,
        by_defaults_usd=by_defaults,
        calls_unpriced=unpriced,
    )


def month_of(now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the start and end of the month in that zone, in UTC."""
    local = now.astimezone(zone)
    start = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (start.replace(day=28) + timedelta(days=4)).replace(day=1)
    return start.astimezone(UTC), following.astimezone(UTC)


def project(
    by_hour: dict[datetime, float], *, now: datetime, end: datetime, zone: ZoneInfo, seed: int = 7
) -> tuple[float, float, float] | None:
    """Return what the time from `now` to `end` is expected to cost, and the bounds of a 90 % interval.

    Costs of hours without calls are zero from the first hour seen on. None: less than two whole days are known.
    """
    days = _days(by_hour, now, zone)
    if sum(map(len, days.values())) < _LEAST_DAYS:
        return None
    coming = _coming(now, end, zone)
    expected = sum(weight * _usual(days, weekend)[hour] for (_, weekend, hour), weight in coming.items())
    rng = np.random.default_rng(seed)
    totals = np.zeros(_DRAWS)
    ahead: dict[tuple[int, bool], np.ndarray] = defaultdict(lambda: np.zeros(24))
    for (day, weekend, hour), weight in coming.items():
        ahead[day, weekend][hour] += weight
    for (_, weekend), weights in ahead.items():
        pool = _pool(days, weekend)
        totals += pool[rng.integers(len(pool), size=_DRAWS)] @ weights
    slack = 1 + 1 / max(sum(map(len, days.values())), 1)  # the pool itself is a sample
    low, high = (float(np.quantile(totals, level)) for level in _LEVELS)
    expected = float(expected)
    return expected, max(0.0, expected - (expected - low) * slack), expected + (high - expected) * slack


def _days(by_hour: dict[datetime, float], now: datetime, zone: ZoneInfo) -> dict[bool, list[np.ndarray]]:
    """Return the costs by hour of each whole past day, weekend days apart."""
    if not by_hour:
        return {}
    first, today = min(by_hour).astimezone(zone).date(), now.astimezone(zone).date()
    found: dict[int, np.ndarray] = {}
    for moment, cost in by_hour.items():
        local = moment.astimezone(zone)
        found.setdefault(local.date().toordinal(), np.zeros(24))[local.hour] += cost
    whole = range(first.toordinal() + 1, today.toordinal())
    days: dict[bool, list[np.ndarray]] = {}
    for ordinal in whole:
        weekend = (ordinal - 1) % 7 >= 5  # ordinal 1 was a Monday
        days.setdefault(weekend, []).append(found.get(ordinal, np.zeros(24)))
    return days


def _pool(days: dict[bool, list[np.ndarray]], weekend: bool) -> np.ndarray:
    """Return past days of that kind, or of the other where there are none."""
    return np.array(days.get(weekend) or days[not weekend])


def _usual(days: dict[bool, list[np.ndarray]], weekend: bool) -> np.ndarray:
    return _pool(days, weekend).mean(axis=0)


def _coming(now: datetime, end: datetime, zone: ZoneInfo) -> dict[tuple[int, bool, int], float]:
    """Return the hours to come (day, weekend or not, hour), the one that has begun by what is left of it."""
    coming: dict[tuple[int, bool, int], float] = defaultdict(float)
    moment = now.astimezone(UTC)
    while moment < end:
        local = moment.astimezone(zone)  # hours begin with the zone's, which may be half an hour off
        into = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        following = min(moment - into + timedelta(hours=1), end)
        coming[local.toordinal(), local.weekday() >= 5, local.hour] += (following - moment).total_seconds() / 3600
        moment = following
    return coming
