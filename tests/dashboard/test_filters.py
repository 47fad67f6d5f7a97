"""Ranges, buckets, zones and the period before."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import filters

NOW = datetime(2026, 11, 20, 12, 2, 30, tzinfo=UTC)  # 21:02:30 in Seoul
MOMENTS = st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
SOON = datetime(2026, 11, 20, 12, 5, tzinfo=UTC)


def view(preset: str = "7d", **chosen: object) -> filters.View:
    """A view as of NOW, in Seoul."""
    return filters.build({"range": preset, **chosen}, now=NOW, zone="Asia/Seoul", first_ts=LONG_AGO)


@pytest.mark.parametrize(
    ("preset", "start", "bucket"),
    [
        ("1h", datetime(2026, 11, 20, 11, 5, tzinfo=UTC), "5m"),
        ("24h", datetime(2026, 11, 19, 13, 0, tzinfo=UTC), "hour"),
        ("7d", datetime(2026, 11, 13, 15, 0, tzinfo=UTC), "day"),  # midnight of the 14th in Seoul
        ("30d", datetime(2026, 10, 21, 15, 0, tzinfo=UTC), "day"),
        ("all", None, "day"),
    ],
)
def test_presets(preset: str, start: datetime | None, bucket: str) -> None:
    """Day ranges begin at the viewer's midnight; the end is the next full five minutes."""
    chosen = view(preset)

    assert (chosen.start, chosen.end, chosen.bucket) == (start, SOON, bucket)


def test_chosen_dates_are_whole_days_of_the_viewer() -> None:
    """From the first midnight to the last, in the viewer's zone."""
    chosen = view("custom", dates=(date(2026, 11, 1), date(2026, 11, 3)))

    assert chosen.start == datetime(2026, 10, 31, 15, tzinfo=UTC)
    assert chosen.end == datetime(2026, 11, 3, 15, tzinfo=UTC)


def test_a_half_chosen_date_range_is_one_day() -> None:
    """Between the two clicks on the calendar the page shows the first day."""
    chosen = view("custom", dates=(date(2026, 11, 1),))

    assert chosen.end - chosen.start == timedelta(days=1)


def test_nonsense_in_the_url_is_the_default_range() -> None:
    """A view always has a range."""
    assert filters.build({"range": None}, now=NOW, zone="UTC").preset == "7d"


def test_the_period_before_is_shifted_by_whole_days() -> None:
    """Seven days are compared with the seven before, at the same hours of the day."""
    now, before = view(), view().previous()

    assert before.end - before.start == now.end - now.start
    assert now.start - before.start == timedelta(days=7)


def test_a_period_before_the_data_began_is_not_compared() -> None:
    """Against a half-empty period every change would look enormous, so there is none."""
    young = filters.build({"range": "7d"}, now=NOW, zone="Asia/Seoul", first_ts=NOW - timedelta(days=10))

    assert young.previous() is None


def test_all_time_has_no_period_before() -> None:
    """Nothing lies before everything."""
    assert view("all").previous() is None


@given(st.sampled_from(filters.PRESETS), MOMENTS)
def test_every_range_is_half_open_and_forward(preset: str, moment: datetime) -> None:
    """Whatever the clock says, a range begins before it ends, and never ends before now's minute."""
    chosen = filters.build({"range": preset}, now=moment, zone="America/New_York")

    assert chosen.end > moment
    assert chosen.start is None or chosen.start < chosen.end


def test_the_scope_carries_every_filter() -> None:
    """What is chosen reaches core.metrics under its names."""
    chosen = view(engine=["a"], model=["m"], provider=["p"], version=["3"])

    scope = chosen.scope()

    assert (scope.engines, scope.models, scope.providers, scope.function_versions) == (("a",), ("m",), ("p",), ("3",))
    assert chosen.narrowed


def test_all_time_of_a_short_history_has_fine_buckets() -> None:
    """The first hour of a new service is not one single day."""
    chosen = filters.build({"range": "all"}, now=NOW, zone="UTC", first_ts=NOW - timedelta(minutes=30))

    assert chosen.bucket == "5m"


@pytest.mark.parametrize(
    ("lang", "browser", "zone"),
    [
        ("ko", "Europe/Berlin", "Asia/Seoul"),
        ("en", "Europe/Berlin", "Europe/Berlin"),
        ("en", "Not/A", "UTC"),
        ("en", None, "UTC"),
    ],
)
def test_the_zone_follows_language_and_browser(lang: str, browser: str | None, zone: str) -> None:
    """The Korean screen reads Seoul time, the English one the browser's."""
    assert filters.viewer_zone(lang, browser) == zone


def test_the_same_weekdays_before_do_not_overlap() -> None:
    """Seven days go back one week, thirty go back five: weekdays face weekdays."""
    week, month = view(compare="last_week").compared(), view("30d", compare="last_week").compared()

    assert week is not None and week.start == datetime(2026, 11, 6, 15, tzinfo=UTC)
    assert month is not None and month.start == datetime(2026, 9, 16, 15, tzinfo=UTC)
    assert month.end <= view("30d").start  # type: ignore[operator]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", date(2026, 11, 1), 25),
        ("America/New_York", date(2026, 3, 8), 23),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Africa/Cairo", date(2026, 4, 24), 23),  # begins at one o'clock: its midnight is skipped
        ("Asia/Kolkata", date(2026, 11, 1), 24),
    ],
)
def test_a_day_of_another_length_is_compared_with_the_day_before(zone: str, day: date, hours: float) -> None:
    """However long the clocks made it: from midnight to midnight of the day before, and of the week before."""
    now = datetime(2026, 11, 20, tzinfo=UTC)
    chosen = filters.build({"range": "custom", "dates": (day, day)}, now=now, zone=zone, first_ts=LONG_AGO)

    for earlier, days in ((chosen.previous(), 1), (replace(chosen, compare="last_week").compared(), 7)):
        other = day - timedelta(days=days)
        as_chosen = filters.build({"range": "custom", "dates": (other, other)}, now=now, zone=zone)
        assert earlier is not None
        assert (earlier.start, earlier.end) == (as_chosen.start, as_chosen.end)
    assert chosen.start is not None
    assert chosen.end - chosen.start == timedelta(hours=hours)


def test_weeks_across_a_change_of_the_clocks_begin_at_midnight() -> None:
    """Seven days before a Tuesday night after the change are seven days, from midnight to the same time of the day."""
    now = datetime(2026, 11, 4, 4, 58, tzinfo=UTC)  # the 3rd, 23:58 in New York
    chosen = filters.build({"range": "7d"}, now=now, zone="America/New_York", first_ts=LONG_AGO)
    before = chosen.previous()

    assert before is not None
    assert before.start == datetime(2026, 10, 21, 4, tzinfo=UTC)  # midnight, an hour earlier in UTC
    assert before.end == chosen.start == datetime(2026, 10, 28, 4, tzinfo=UTC)


@given(st.sampled_from(filters.PRESETS), MOMENTS, st.sampled_from(["America/New_York", "Asia/Seoul", "Africa/Cairo"]))
def test_what_is_compared_never_overlaps(preset: str, moment: datetime, zone: str) -> None:
    """The period before ends before the range begins, or as it does."""
    chosen = filters.build({"range": preset}, now=moment, zone=zone, first_ts=datetime(1960, 1, 1, tzinfo=UTC))
    before = chosen.previous()

    assert (before is None) == (preset == "all")
    assert before is None or (before.start < before.end <= chosen.start)  # type: ignore[operator]


def test_any_two_ranges_can_be_compared() -> None:
    """Chosen dates are whole days of the viewer, and may be compared with all time too."""
    other = view("all", compare="custom", compare_dates=(date(2026, 10, 1), date(2026, 10, 2))).compared()

    assert other is not None
    assert other.start == datetime(2026, 9, 30, 15, tzinfo=UTC)
    assert other.end == datetime(2026, 10, 2, 15, tzinfo=UTC)


@pytest.mark.parametrize("chosen", [{"compare": "none"}, {"compare": "custom"}, {"compare": "nonsense"}])
def test_nothing_to_compare_with_is_nothing(chosen: dict[str, object]) -> None:
    """Without a comparison there is no change and no line."""
    assert view(**chosen).compared() is None


def test_a_compared_range_keeps_the_filters() -> None:
    """The same engines are looked at in both ranges."""
    other = view(engine=["tutor"], compare="last_week").compared()

    assert other is not None and other.engines == ("tutor",)
