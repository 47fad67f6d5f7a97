from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from core.alert_settings import Budget
from core.alerts.budget import forecast, month_of, project
from core.store.query import Reader
from tests.support.lakes import fill
from tests.support.rows import make_call, make_unpriced_call

HOUR = timedelta(hours=1)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)  # a Friday
END = datetime(2026, 12, 1, tzinfo=UTC)
SEOUL = ZoneInfo("Asia/Seoul")


def history(days: int, cost: float = 1.0, *, weekend: float = 1.0) -> dict[datetime, float]:
    """Costs by hour of the days before."""
    hours = [NOON - n * HOUR for n in range(1, days * 24)]
    return {hour: cost * (weekend if hour.weekday() >= 5 else 1.0) for hour in hours}


def test_steady_hours_are_simply_carried_on() -> None:
    """A dollar an hour: as many dollars as hours are left, and no doubt about it."""
    hours = (END - NOON) / HOUR
    assert project(history(14), now=NOON, end=END, zone=ZoneInfo("UTC")) == pytest.approx((hours, hours, hours))


def test_weekends_are_forecast_as_weekends() -> None:
    """Nothing on Saturdays and Sundays: only working hours count."""
    drawn = project(history(21, weekend=0.0), now=NOON, end=END, zone=ZoneInfo("UTC"))
    assert drawn is not None
    assert drawn[0] == pytest.approx(12 + 5 * 24 + 24)  # rest of Friday, Monday to Friday, Monday the 30th


def test_the_interval_holds_what_days_differ_by() -> None:
    """Days of one and of three dollars an hour alternate: the interval is wide and the middle is two."""
    costs = {hour: 1.0 + 2 * (hour.toordinal() % 2) for hour in history(28)}
    drawn = project(costs, now=NOON, end=END, zone=ZoneInfo("UTC"))
    assert drawn is not None
    expected, low, high = drawn
    assert expected == pytest.approx(2 * (END - NOON) / HOUR, rel=0.1)
    assert low < expected * 0.9
    assert high > expected * 1.1


def test_a_day_of_history_is_no_forecast() -> None:
    """Two whole days at least."""
    assert project(history(2), now=NOON, end=END, zone=ZoneInfo("UTC")) is None


def test_a_month_is_the_zones_month() -> None:
    """In Seoul, December begins at 15:00 UTC of 30 November."""
    start, end = month_of(datetime(2026, 11, 30, 14, 59, tzinfo=UTC), SEOUL)
    assert (start, end) == (datetime(2026, 10, 31, 15, tzinfo=UTC), datetime(2026, 11, 30, 15, tzinfo=UTC))
    assert month_of(datetime(2026, 11, 30, 15, tzinfo=UTC), SEOUL)[0] == end


def test_what_is_spent_is_exact_and_only_of_the_month(tmp_path: Path) -> None:
    """October's calls feed the forecast, not the sum; unpriced calls are counted."""
    rows = [make_call(ts=NOON - n * HOUR, input_tokens=1_000) for n in range(1, 25 * 24)]
    rows.append(make_unpriced_call(ts=NOON - HOUR, model_known_by="defaults"))
    rows[0] |= {"ttl_known_by": "defaults"}
    with Reader(fill(tmp_path, calls=rows), threads=1) as reader:
        told = forecast(reader, Budget(Decimal("10")), now=NOON)
    november = [row for row in rows if row["ts"] >= datetime(2026, 11, 1, tzinfo=UTC) and row["cost_usd"] is not None]
    assert told.month == "2026-11"
    assert told.spent_usd == sum(row["cost_usd"] for row in november)
    assert told.calls_unpriced == 1
    assert told.by_defaults_usd == rows[0]["cost_usd"]
    assert told.expected_usd is not None
    each = november[0]["cost_usd"]
    assert float(told.expected_usd) == pytest.approx(float(told.spent_usd + each * 252), rel=0.01)
    assert told.expected_share == pytest.approx(float(told.expected_usd) / 10)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York"])
@pytest.mark.parametrize("month", [2, 3, 11, 12])
def test_a_month_begins_to_the_minute_in_every_zone(tmp_path: Path, zone: str, month: int) -> None:
    """Also where zones are half an hour off UTC: the last minute before the month is not of it, the first one is."""
    start = datetime(2026, month, 1, tzinfo=ZoneInfo(zone))
    end = datetime(2026 + month // 12, month % 12 + 1, 1, tzinfo=ZoneInfo(zone))
    minute = timedelta(minutes=1)
    moments = [start - minute, start, start + 20 * minute, end - minute]
    rows = [make_call(ts=moment.astimezone(UTC), input_tokens=1_000) for moment in moments]
    budget = Budget(Decimal("10"), zone)
    with Reader(fill(tmp_path, calls=rows), threads=1) as reader:
        first = forecast(reader, budget, now=(start + 30 * minute).astimezone(UTC))
        last = forecast(reader, budget, now=(end - minute / 2).astimezone(UTC))
    assert (first.month_start, first.month_end) == (start.astimezone(UTC), end.astimezone(UTC))
    assert first.spent_usd == 2 * rows[0]["cost_usd"]
    assert last.spent_usd == 3 * rows[0]["cost_usd"]
    assert first.month == last.month == f"2026-{month:02}"


def test_the_hours_to_come_are_those_of_the_zone() -> None:
    """Costs between 09:00 and 10:00 in Kolkata only: half of today's is left, and each day's."""
    place = ZoneInfo("Asia/Kolkata")
    now = datetime(2026, 11, 20, 9, 30, tzinfo=place).astimezone(UTC)
    spent = {now - timedelta(days=n, minutes=30): 1.0 for n in range(1, 28)}
    drawn = project(spent, now=now, end=datetime(2026, 12, 1, tzinfo=place).astimezone(UTC), zone=place)
    assert drawn is not None
    assert drawn[0] == pytest.approx(10.5)


def test_no_calls_no_forecast(tmp_path: Path) -> None:
    """Nothing spent, nothing expected, no budget: all of it is said."""
    with Reader(fill(tmp_path), threads=1) as reader:
        told = forecast(reader, None, now=NOON, zone="Asia/Seoul")
    assert (told.spent_usd, told.expected_usd, told.budget_usd, told.spent_share) == (Decimal(0), None, None, None)
