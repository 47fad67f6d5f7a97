"""The periods of scheduled reports: the last complete day, week or month on the clock of a zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.report_settings import Schedule


@dataclass(frozen=True, slots=True)
class Period:
    """The local days of [first, end), which begin at midnight of the zone whatever the clock does in between."""

    schedule: Schedule
    first: date
    end_day: date
    zone: str

    @property
    def start(self) -> datetime:
        """Return the first moment, on the zone's clock."""
        return _midnight(self.first, self.zone)

    @property
    def end(self) -> datetime:
        """Return the first moment after it."""
        return _midnight(self.end_day, self.zone)

    @property
    def last(self) -> date:
        """Return its last day."""
        return self.end_day - timedelta(days=1)

    def before(self) -> Period:
        """Return the period before it: as many days, or the calendar month before."""
        if self.schedule == "monthly":
            return Period(self.schedule, _first_of_month(self.first - timedelta(days=1)), self.first, self.zone)
        return Period(self.schedule, self.first - (self.end_day - self.first), self.first, self.zone)


def last_complete(schedule: Schedule, zone: str, now: datetime) -> Period:
    """Return the newest period of the schedule that is over: weeks begin on Monday, months on the first."""
    today = now.astimezone(ZoneInfo(zone)).date()
    if schedule == "daily":
        return Period(schedule, today - timedelta(days=1), today, zone)
    if schedule == "weekly":
        monday = today - timedelta(days=today.weekday())
        return Period(schedule, monday - timedelta(days=7), monday, zone)
    first = today.replace(day=1)
    return Period(schedule, _first_of_month(first - timedelta(days=1)), first, zone)


def _first_of_month(day: date) -> date:
    return day.replace(day=1)


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, datetime.min.time(), tzinfo=ZoneInfo(zone))
