"""Buckets begin where the viewer's clock says, on the days the clocks change too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.errors import FixSettings
from core.metrics import series
from core.metrics.scope import Scope
from core.store.query import Reader
from tests.support.lakes import fill
from tests.support.rows import make_call


def counted(path: Path, moments: list[datetime], bucket: str, zone: str) -> list[tuple[str, int]]:
    with Reader(fill(path, calls=[make_call(ts=ts) for ts in moments])) as reader:
        rows = series(reader, Scope(), bucket, zone=zone).to_pylist()
    return [(f"{row['bucket']:%m-%d %H:%M}", row["calls"]) for row in rows]


def hourly(first: str, count: int) -> list[datetime]:
    return [datetime.fromisoformat(first).replace(tzinfo=UTC) + timedelta(hours=n, minutes=5) for n in range(count)]


def test_days_of_seoul_begin_at_15_utc(tmp_path: Path) -> None:
    """A constant offset."""
    moments = hourly("2026-11-20", 48)

    assert counted(tmp_path, moments, "day", "Asia/Seoul") == [
        ("11-19 15:00", 15),
        ("11-20 15:00", 24),
        ("11-21 15:00", 9),
    ]


def test_the_day_of_the_spring_change_has_23_hours(tmp_path: Path) -> None:
    """New York, 8 March 2026: from 05:00 UTC to 04:00 UTC of the next day."""
    moments = hourly("2026-03-08T05:00", 24)

    assert counted(tmp_path, moments, "day", "America/New_York") == [("03-08 05:00", 23), ("03-09 04:00", 1)]


def test_the_day_of_the_autumn_change_has_25_hours(tmp_path: Path) -> None:
    """New York, 1 November 2026."""
    moments = hourly("2026-11-01T04:00", 26)

    assert counted(tmp_path, moments, "day", "America/New_York") == [("11-01 04:00", 25), ("11-02 05:00", 1)]


def test_the_hour_told_twice_is_two_buckets(tmp_path: Path) -> None:
    """01:30 happens twice on 1 November in New York; the two hours stay apart."""
    moments = [datetime(2026, 11, 1, hour, 30, tzinfo=UTC) for hour in (5, 6)]

    assert counted(tmp_path, moments, "hour", "America/New_York") == [("11-01 05:00", 1), ("11-01 06:00", 1)]


def test_hours_of_a_half_hour_zone_begin_at_half_past(tmp_path: Path) -> None:
    """India is 5:30 ahead."""
    moments = [datetime(2026, 11, 20, 12, minute, 59, 999_999, tzinfo=UTC) for minute in (29, 30)]

    assert counted(tmp_path, moments, "hour", "Asia/Kolkata") == [("11-20 11:30", 1), ("11-20 12:30", 1)]


def test_five_minutes_end_before_the_next_begin(tmp_path: Path) -> None:
    """To the microsecond."""
    edge = datetime(2026, 11, 20, 12, 5, tzinfo=UTC)

    assert counted(tmp_path, [edge - timedelta(microseconds=1), edge], "5m", "UTC") == [
        ("11-20 12:00", 1),
        ("11-20 12:05", 1),
    ]


@pytest.mark.parametrize(("bucket", "zone", "code"), [("week", "UTC", "MET-003"), ("day", "Mars/Olympus", "MET-002")])
def test_unknown_buckets_and_zones_are_refused(tmp_path: Path, bucket: str, zone: str, code: str) -> None:
    """With what is accepted."""
    with Reader(fill(tmp_path)) as reader, pytest.raises(FixSettings, match=f"{code}.*Accepted"):
        series(reader, Scope(), bucket, zone=zone)
