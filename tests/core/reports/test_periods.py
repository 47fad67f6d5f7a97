"""The last complete day, week and month, on the clock of a zone, and the period before each."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.report_settings import SCHEDULES, Schedule
from core.reports.periods import last_complete

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "zone", "now", "first", "end", "before"),
    [
        ("daily", "UTC", "2026-11-26T00:00", date(2026, 11, 25), date(2026, 11, 26), date(2026, 11, 24)),
        ("daily", "Asia/Seoul", "2026-11-26T15:00", date(2026, 11, 26), date(2026, 11, 27), date(2026, 11, 25)),
        ("weekly", "UTC", "2026-11-22T23:59", date(2026, 11, 9), date(2026, 11, 16), date(2026, 11, 2)),
        ("weekly", "UTC", "2026-11-23T00:00", date(2026, 11, 16), date(2026, 11, 23), date(2026, 11, 9)),
        ("weekly", "Asia/Seoul", "2026-11-22T15:00", date(2026, 11, 16), date(2026, 11, 23), date(2026, 11, 9)),
        ("monthly", "UTC", "2026-03-31T12:00", date(2026, 2, 1), date(2026, 3, 1), date(2026, 1, 1)),
        ("monthly", "America/New_York", "2026-01-01T04:59", date(2025, 11, 1), date(2025, 12, 1), date(2025, 10, 1)),
    ],
)
def test_the_newest_period_that_is_over(
    schedule: Schedule, zone: str, now: str, first: date, end: date, before: date
) -> None:
    """To the minute of the zone's midnight."""
    period = last_complete(schedule, zone, datetime.fromisoformat(now).replace(tzinfo=UTC))

    assert (period.first, period.end_day, period.before().first) == (first, end, before)
    assert period.before().end == period.start


def test_a_day_may_have_23_hours() -> None:
    """Where the clock goes forward; its bounds are midnights all the same."""
    period = last_complete("daily", "Europe/Berlin", datetime(2026, 3, 30, 6, tzinfo=UTC))

    assert period.end.astimezone(UTC) - period.start.astimezone(UTC) == timedelta(hours=23)


@given(
    st.sampled_from(SCHEDULES),
    st.sampled_from(["UTC", "Asia/Seoul", "America/New_York", "Pacific/Apia"]),
    st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes)),
)
def test_it_is_over_and_nothing_newer_is(schedule: Schedule, zone: str, now: datetime) -> None:
    """For any moment: it has ended, and the period that began when it ended has not."""
    period = last_complete(schedule, zone, now)
    longest = {"daily": 1, "weekly": 7, "monthly": 31}[schedule]

    assert period.end <= now
    assert now - period.end < timedelta(days=longest, hours=2)
    assert period.start < period.end
