"""Key figures, the answer sentence and downloads: pure parts of the screen."""

import csv
import io
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.metrics import money
from core.metrics.catalog import METRICS
from core.reports.csv import disarmed
from dashboard import answer, download, kpis
from dashboard.call_choice import asked
from dashboard.i18n import Language, translate
from dashboard.kpis import Kpi

GOOD: dict[str, Any] = {
    "calls": 100,
    "priced_calls": 100,
    "price_coverage": 1.0,
    "cache_read_tokens": 900,
    "prompt_tokens": 1000,
    "token_hit_rate": 0.9,
    "net_savings_usd": Decimal("12.5"),
    "no_cache_cost_usd": Decimal(50),
    "response_time_ms": {"p50": 900.0, "p95": 1500.0, "p99": 2000.0},
    "response_times": 80,
}


def test_a_ratio_shows_numerator_and_denominator() -> None:
    """ "90.0%" stands above "900 / 1,000 prompt tokens"."""
    card = kpis.card(Kpi("token_hit_rate", "ratio"), GOOD, None, [], "en")

    assert (card.value, card.parts) == ("90.0%", "900 / 1.00K prompt tokens")


def test_every_key_figure_says_what_it_is_of() -> None:
    """On no page does a number stand alone: it has numerator and denominator, or what it is counted over."""
    pages = Path(kpis.__file__).with_name("app_pages").glob("*.py")
    written = [found for page in pages for found in re.findall(r'Kpi\("(\w+)", ([^)]*)\)', page.read_text())]
    alone = [name for name, more in written if "over=" not in more and not METRICS[name].denominator]

    assert len(written) > 20
    assert alone == []


def test_unpriced_calls_lead_to_them_while_there_are_any() -> None:
    """None at all has no link, and no line of nothing but zeros."""
    some, none = (
        kpis.card(
            Kpi("unpriced_calls", "count", spark="n", over="calls"),
            GOOD | {"unpriced_calls": n},
            None,
            [{"n": n}] * 3,
            "en",
        )
        for n in (4, 0)
    )

    assert (some.parts, some.calls, bool(some.spark)) == ("of 100 calls", asked(status="ok", priced="no"), True)
    assert (none.parts, none.calls, none.spark) == ("of 100 calls", None, None)


def test_the_help_of_a_figure_prints_its_formula_and_its_cache() -> None:
    """Hovering a number leads to its definition."""
    text = kpis.formula_help("token_hit_rate", "en")

    assert "`Σ cache_read / Σ prompt`" in text
    assert "`token_hit_rate`" in text
    assert "Claude cache" in text


def test_a_percentile_is_picked_and_named() -> None:
    """One part of a nested figure, with how many invocations it is over."""
    card = kpis.card(Kpi("response_time_ms", "ms", part="p95", over="response_times"), GOOD, None, [], "en")

    assert (card.label, card.value, card.parts) == ("Response time p95", "1.50 s", "80 invocations")


def test_unknown_stays_unknown() -> None:
    """No value, no change, no sparkline; never a zero."""
    card = kpis.card(Kpi("net_savings_usd", "money", spark="v"), {}, GOOD, [{"v": 1}, {"v": 2}], "en")

    assert (card.value, card.delta, card.spark) == (None, None, None)


def test_a_rate_of_a_cache_that_is_not_used_is_said_so() -> None:
    """Without any cache tokens there is no 0 % to frighten anybody, and no change."""
    card = kpis.card(
        Kpi("token_hit_rate", "ratio"), {**GOOD, "cache_read_tokens": 0, "token_hit_rate": 0.0}, GOOD, [], "en"
    )

    assert (card.value, card.delta) == ("Not in use", None)


def test_no_change_is_a_grey_zero() -> None:
    """Streamlit colours the number 0 grey, and the text "0.0%" green."""
    assert kpis.delta(0.5, 0.5, "ratio", "en") == "0 pp"
    assert kpis.delta(Decimal(2), Decimal(2), "money", "en") == "0%"
    assert kpis.delta(Decimal(3), Decimal(2), "money", "en") == "+50.0%"


def told(**changes: Any) -> tuple[str, str]:
    """The answer for the last seven days."""
    total = {**GOOD, **changes}
    return answer.sentence({**total, "net_savings_share": money.net_savings_share.of(total)}, "7d", "en")


def test_the_answer_to_a_gain() -> None:
    """Dollars, share and what it is a share of."""
    text, tone = told()

    assert tone == "good"
    assert text == (
        "Caching saved $12.50 net in the last 7 days: 25.0% of the $50.00 the same calls would have cost without it."
    )


def test_the_answer_to_a_loss_is_a_loss() -> None:
    """A negative net is not dressed up."""
    text, tone = told(net_savings_usd=Decimal(-5))

    assert tone == "bad"
    assert text.startswith("Caching lost $5.00 net in the last 7 days, 10.0% on top of the $50.00")


@pytest.mark.parametrize(
    ("lang", "told"), [("en", "80 / 100 calls · 30 by defaults"), ("ko", "호출 80 / 100 · 기본값 30건")]
)
def test_the_coverage_says_what_its_prices_rest_on(lang: Language, told: str) -> None:
    """Where the settings told models, that stands beside the share of calls with a price; else nothing does."""
    rests = {"calls_by_defaults": 30, "cost_by_defaults_usd": Decimal("5.36")}
    total = GOOD | {"priced_calls": 80, "price_coverage": 0.8} | rests

    card = kpis.card(Kpi("price_coverage", "ratio"), total, None, [], lang)
    assert card.parts == told
    assert f"{translate(lang, 'metric.cost_by_defaults_usd.label')}** \\$5.36" in card.help
    alone = kpis.card(Kpi("price_coverage", "ratio"), total | {"calls_by_defaults": 0}, None, [], lang)
    assert alone.parts == told.partition(" · ")[0]
    assert alone.help == kpis.formula_help("price_coverage", lang)


def test_the_answer_without_prices_is_unknown() -> None:
    """Without a price nothing is claimed."""
    assert told(net_savings_usd=None, no_cache_cost_usd=None, price_coverage=0.0) == (
        "What caching saved in the last 7 days is not known: none of 100 calls has a known price.",
        "unknown",
    )


def test_the_answer_when_caching_is_off() -> None:
    """Caching not in use is said so."""
    text, tone = told(cache_read_tokens=0)

    assert tone == "flat"
    assert text.startswith("Caching is not in use in the last 7 days")


def test_the_answer_tells_how_much_it_covers() -> None:
    """With unpriced calls, the sentence says which share it counts."""
    assert told(price_coverage=0.8)[0].endswith("This counts the 80.0% of calls that have a known price.")


def rows_of(content: bytes) -> list[list[str]]:
    """A CSV read back as a spreadsheet would."""
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_csv_keeps_every_digit_and_leaves_unknown_empty() -> None:
    """Decimals are exact, times are ISO UTC, nested figures are left out."""
    at = datetime(2026, 11, 20, tzinfo=UTC)
    content = download.csv_bytes([{"engine": "가", "cost": Decimal("0.000000000001"), "at": at, "n": None, "p": {}}])

    assert content.startswith(b"\xef\xbb\xbf")
    assert rows_of(content) == [
        ["engine", "cost", "at", "n"],
        ["가", "0.000000000001", "2026-11-20T00:00:00Z", ""],
    ]


def test_csv_text_is_never_a_formula() -> None:
    """The guard is that of the reports: text gets an apostrophe, a negative amount is none."""
    told = rows_of(download.csv_bytes([{"engine": "  =1+1", "cost": Decimal("-1.5")}]))

    assert told[1] == ["'  =1+1", "-1.5"]


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b"]), st.text(), min_size=2, max_size=2), min_size=1))
def test_csv_reads_back(rows: list[dict[str, str]]) -> None:
    """Whatever the text holds, cells stay in their cells."""
    read = rows_of(download.csv_bytes(rows, ["a", "b"]))

    assert read[1:] == [[disarmed(row["a"]), disarmed(row["b"])] for row in rows]
