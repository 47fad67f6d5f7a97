"""How numbers, times and names are written."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import format as fmt

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        (Decimal(0), "$0.00"),
        (Decimal("1234.567"), "$1,234.57"),
        (Decimal("0.5"), "$0.50"),
        (Decimal("0.0123456"), "$0.0123"),
        (Decimal("0.004321"), "$0.004321"),
        (Decimal("0.0000004"), "<$0.000001"),
        (Decimal("-0.0000004"), "-<$0.000001"),
        (Decimal("-3.2"), "-$3.20"),
    ],
)
def test_money(value: Decimal | None, text: str) -> None:
    """Dollars have two places, more where the amount is small, and unknown is a dash."""
    assert fmt.money(value) == text


@given(st.decimals(min_value="0.000000000001", max_value="1000000", places=12))
def test_a_dollar_amount_never_reads_as_zero(value: Decimal) -> None:
    """However small, an amount that is not zero does not print as zero."""
    assert any(digit in "123456789" for digit in fmt.money(value))


def test_a_gain_can_carry_its_sign() -> None:
    """In a list of gains and losses both have a sign, zero has none."""
    assert [fmt.money(Decimal(n), signed=True) for n in (2, 0, -2)] == ["+$2.00", "$0.00", "-$2.00"]


@pytest.mark.parametrize(
    ("value", "english", "korean"),
    [
        (None, "—", "—"),
        (0, "0", "0"),
        (9_999, "10.0K", "9,999"),
        (999_600, "1,000K", "100만"),
        (16_820_000, "16.8M", "1,682만"),
        (1_234_567_890, "1.23B", "12.3억"),
    ],
)
def test_large_counts(value: int | None, english: str, korean: str) -> None:
    """Large counts are shortened by thousands in English and by ten thousands in Korean."""
    assert (fmt.compact(value, "en"), fmt.compact(value, "ko")) == (english, korean)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(None, "—"), (0, "0.0%"), (1, "100.0%"), (0.842, "84.2%"), (0.99999, ">99.9%"), (0.00001, "<0.1%")],
)
def test_percent_is_whole_only_when_it_is(ratio: float | None, text: str) -> None:
    """All and nothing are exact words: nearly all is not 100 %, and a little is not 0 %."""
    assert fmt.percent(ratio) == text


def test_changes_against_the_period_before() -> None:
    """Ratios change by points, amounts by percent, and without a past there is no change."""
    assert fmt.points(0.84, 0.80, "en") == "+4.0 pp"
    assert fmt.points(0.84, 0.80, "ko") == "+4.0%p"
    assert fmt.change(Decimal(3), Decimal(2)) == "+50.0%"
    assert fmt.change(Decimal(1), Decimal(-2)) == "+150.0%"
    assert fmt.change(Decimal(3), Decimal(0)) is None
    assert fmt.points(None, 0.5, "en") is None


@pytest.mark.parametrize(
    ("ms", "english", "korean"),
    [
        (None, "—", "—"),
        (0.4, "0.4 ms", "0.4 ms"),
        (812.4, "812 ms", "812 ms"),
        (1420, "1.42 s", "1.42초"),
        (90_000, "1.5 min", "1.5분"),
        (7_200_000, "2 h", "2시간"),
        (259_199_999, "72.0 h", "72.0시간"),
        (259_200_000, "3 d", "3일"),
        (2_545_200_000, "29.5 d", "29.5일"),
    ],
)
def test_durations(ms: float | None, english: str, korean: str) -> None:
    """A duration is given in the unit that reads best."""
    assert (fmt.duration_ms(ms, "en"), fmt.duration_ms(ms, "ko")) == (english, korean)


@pytest.mark.parametrize(
    ("ago", "english", "korean"),
    [
        (timedelta(seconds=5), "just now", "방금"),
        (timedelta(minutes=3), "3 min ago", "3분 전"),
        (timedelta(hours=5), "5 h ago", "5시간 전"),
        (timedelta(days=4), "4 days ago", "4일 전"),
    ],
)
def test_how_long_ago(ago: timedelta, english: str, korean: str) -> None:
    """Relative times are short in both languages."""
    assert (fmt.relative(NOW - ago, NOW, "en"), fmt.relative(NOW - ago, NOW, "ko")) == (english, korean)


def test_moments_are_told_in_the_viewers_zone() -> None:
    """Storage is UTC; Seoul reads nine hours more."""
    assert fmt.moment(NOW, "Asia/Seoul") == "2026-11-20 21:00 KST"


def test_names_are_shortened_and_printable() -> None:
    """A name from a log is at most 64 characters, without control characters; none is "unknown"."""
    assert fmt.plain("a" * 100, "en") == "a" * 63 + "…"
    assert fmt.plain("a\x1b[31mb", "en") == "a�[31mb"
    assert fmt.plain(None, "ko") == "알 수 없음"


@given(st.text(max_size=80))
def test_escaped_markdown_has_no_live_punctuation(text: str) -> None:
    """Every character that Markdown could act on has a backslash before it."""
    safe = fmt.markdown_safe(text)

    assert all(safe[at - 1 : at] == "\\" for at, ch in enumerate(safe) if ch in "[<$`*_")


def test_plotly_sees_no_tags_and_no_templates() -> None:
    """HTML and %{…} in a name are shown, not obeyed."""
    assert fmt.plotly_safe('<a href="x">%{y}</a>') == '&lt;a href="x"&gt;%\u2060{y}&lt;/a&gt;'


def test_small_amounts_widen_their_column() -> None:
    """A column shows four or six places when its smallest amount needs them; among dollars, cents are enough."""
    assert fmt.money_places([Decimal("0.0001"), Decimal(5), None]) == 4
    assert fmt.money_places([Decimal("0.00001"), Decimal(5)]) == 6
    assert fmt.money_places([Decimal("0.05"), Decimal(5)]) == 2
    assert fmt.money_places([Decimal("0.05"), Decimal("0.5")]) == 4
    assert fmt.money_places([Decimal(0), Decimal(5)]) == 2


def test_prices_of_a_column_have_the_places_of_the_finest() -> None:
    """At least cents; an unknown price asks for none."""
    assert fmt.price_places([5.0, 0.5, None]) == 2
    assert fmt.price_places([6.25, 6.875]) == 3
    assert fmt.price_places([]) == 2


def test_a_whole_duration_has_no_places() -> None:
    """A lifetime is 1 h or 5 min, a pause 1.5 min, a week of calls 7 days."""
    assert [fmt.duration_ms(ms, "en") for ms in (3_600_000, 300_000, 90_000)] == ["1 h", "5 min", "1.5 min"]
    assert [fmt.days(value) for value in (7.0, 6.96, 6.12)] == ["7", "7", "6.1"]


def test_a_tiny_difference_has_no_sign() -> None:
    """A model's error of a millionth is under a hundredth of a percent, to whichever side."""
    assert fmt.signed_percent(-0.000001, places=2) == fmt.signed_percent(0.000001, places=2) == "<0.01%"
    assert fmt.signed_percent(-0.0026, places=2) == "−0.26%"
