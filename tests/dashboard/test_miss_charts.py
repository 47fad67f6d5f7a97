"""The figures of the miss ledger and of the TTL Lab, the words beside them, and words for whatever the ledger says."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from core import advice, ttl
from core.misses.causes import CAUSES, CONFIDENCES
from core.misses.judge import EVIDENCE
from dashboard import answer, ink, miss_charts, miss_words, ttl_charts
from dashboard.i18n import LANGUAGES, catalogue
from dashboard.ink import Look
from tests.support.fleet_lake import HOSTILE

START = datetime(2026, 11, 1, tzinfo=UTC)
EN = Look("en")


def missed(cause: str, engine: str | None, usd: str, tokens: int = 1000) -> dict[str, Any]:
    """A sum of the ledger."""
    return {"cause": cause, "engine": engine, "usd": Decimal(usd), "tokens": tokens}


def test_pareto_stands_dearest_first_with_dollars_and_tokens() -> None:
    """Causes are ordered by all engines together; each bar ends with its sum."""
    rows = [missed("dynamic_tail", "a", "4"), missed("expired_5m", "b", "3"), missed("expired_5m", "a", "2")]
    drawn = miss_charts.pareto(rows, EN)

    assert miss_charts.causes_shown(rows) == ["expired_5m", "dynamic_tail"]
    assert list(drawn.figure.data[-1].y) == ["Expired after 5 min", "Dynamic tail"]
    assert list(drawn.figure.data[-1].text) == [" $5.00<br> 2.00K", " $4.00<br> 1.00K"]
    assert drawn.alt.startswith("Misses by cause: Expired after 5 min $5.00 · 2.00K tokens;")


def test_a_bar_knows_its_cause_and_its_engine() -> None:
    """What was clicked can be told from the bar: its cause, and its engine by the number of its trace."""
    rows = [missed("expired_5m", HOSTILE, "3"), missed("expired_5m", None, "2"), missed("lookback", "a", "1")]
    drawn = miss_charts.pareto(rows, EN)

    assert miss_charts.engines_shown(rows) == [HOSTILE, None, "a"]
    assert [trace.name for trace in drawn.figure.data[1:3]] == ["unknown", "a"]
    assert [point[0] for point in drawn.figure.data[0].customdata] == ["expired_5m", "lookback"]
    assert "<b>" not in drawn.figure.to_json().replace("<br>", "")


def test_many_engines_share_the_last_colour() -> None:
    """Beyond eight engines the rest is one group, and no dollar is lost."""
    rows = [missed("expired_5m", f"e{n}", "1") for n in range(12)]
    figure = miss_charts.pareto(rows, EN).figure

    assert figure.data[ink.MAX_GROUPS].name == "4 others"
    assert sum(sum(trace.x) for trace in figure.data[:-1]) == 12


def test_causes_show_what_can_be_had_back() -> None:
    """Recoverable and the rest are stacked to the whole."""
    row = missed("expired_5m", None, "5") | {"recoverable_usd": Decimal(4), "rest_usd": Decimal(1)}
    drawn = miss_charts.causes([row], EN)

    assert [list(trace.x) for trace in drawn.figure.data[:2]] == [[4], [1]]
    assert "$5.00, of which $4.00 recoverable" in drawn.alt


def test_trend_has_a_series_for_each_cause_and_the_deploys() -> None:
    """Unpriced lines are left out, markers stay."""
    rows = [missed("expired_5m", None, "5") | {"bucket": START + timedelta(days=n)} for n in range(3)]
    rows.append({"cause": "lookback", "usd": None, "tokens": 5, "bucket": START})
    deploy = {"kind": "deploy", "label": "17", "ts": START, "source": "s"}
    drawn = miss_charts.trend(rows, EN, markers=[deploy])

    assert [trace.name for trace in drawn.figure.data] == ["Expired after 5 min", "Look-back overrun", "Deploy"]
    assert "Expired after 5 min $15.00" in drawn.alt


def test_every_cause_has_a_colour_of_its_own() -> None:
    """A new cause is given a colour."""
    assert set(miss_charts.CAUSE_COLOURS) == {cause.name for cause in CAUSES}
    assert len(set(miss_charts.CAUSE_COLOURS.values())) == len(CAUSES)


def policy(name: str, usd: str, **more: Any) -> dict[str, Any]:
    """An engine's month under a policy."""
    saving = Decimal(10) - Decimal(usd)
    return {
        "policy": name, "month_usd": Decimal(usd), "saving_month_usd": saving, "saving_low_usd": saving - 1,
        "saving_high_usd": saving + 2, "configured": False, "best": False,
    } | more  # fmt: skip


def test_policies_carry_their_interval_and_say_which_is_in_force() -> None:
    """A saving that could be $1 less means a month that could be $1 dearer."""
    drawn = ttl_charts.policies([policy("5m", "10", configured=True), policy("1h", "4", best=True)], EN)
    bar = drawn.figure.data[0]

    assert list(bar.x) == ["5m<br>$10.00<br>in force", "1h<br>$4.00<br>cheapest"]
    assert (list(bar.error_y.array), list(bar.error_y.arrayminus)) == ([1, 1], [2, 2])
    assert "1h $4.00 (saves +$5.00 to +$8.00)" in drawn.alt


def test_pauses_are_parted_by_the_two_rules() -> None:
    """Both lifetimes are edges of the histogram: what each would have kept has its own colour."""
    edges = [*ttl.GAP_EDGES_MS, None]
    rows = [
        {"from_ms": low, "to_ms": high, "gaps": 1, "share": 1 / len(ttl.GAP_EDGES_MS)}
        for low, high in itertools.pairwise(edges)
    ]
    drawn = ttl_charts.gap_histogram(rows, EN)

    assert [trace.x[0] for trace in drawn.figure.data] == ["0 s–1 s", "5 min–10 min", "1 h–2 h"]
    assert sum(sum(trace.y) for trace in drawn.figure.data) == len(rows)
    assert drawn.figure.data[-1].x[-1] == "over 24 h"


def test_the_crossover_marks_the_engine_and_the_meeting_point() -> None:
    """Four lines, where the engine stands, and from where an hour is cheaper; a point beyond 100 % is not drawn."""
    curve = [{"pause_share": share, **dict.fromkeys(ttl.POLICIES, 1.0)} for share in (0.0, 1.0)]
    found = {"curve": curve, "medium_share": 0.2, "crossover_share": 1.7}
    figure = ttl_charts.crossover(found, EN).figure

    assert [trace.name for trace in figure.data] == ["Off", "5m", "1h", "5m + keep-alive", "This engine 20.0%"]


FOUND = {"usd": Decimal(9), "recoverable_usd": Decimal(5), "top_cause": "expired_5m", "top_engine": "a_b"}


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ({}, r"\$5.00 more is recoverable; top cause: Expired after 5 min (a\_b)."),
        ({"recoverable_usd": Decimal(0)}, "No avoidable miss was found."),
        ({"usd": None}, ""),
    ],
)
def test_the_answer_goes_on_with_what_is_recoverable(found: dict[str, Any], text: str) -> None:
    """Dollars and top cause; nothing to be had back; nothing known."""
    assert answer.more(FOUND | found, "en") == text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_whatever_the_ledger_says_has_words(lang: Any) -> None:
    """Causes, evidence, confidence, mends, efforts and policies are in the catalogue."""
    keys = {f"cause.{cause.name}" for cause in CAUSES} | {f"meaning.{cause.name}" for cause in CAUSES}
    keys |= {f"mend.{name}" for name in {cause.mend_key for cause in CAUSES} | set(advice.EFFORTS)}
    keys |= {f"change.{name}" for name in advice.EFFORTS} | {f"effort.{name}" for name in advice.EFFORTS.values()}
    keys |= {f"evidence.{name}" for name in EVIDENCE} | {f"confidence.{name}" for name in CONFIDENCES}
    keys |= {f"policy.{name}" for name in ttl.POLICIES}

    assert keys - set(catalogue(lang)) == set()


def test_the_change_is_code_to_copy() -> None:
    """Braces are braces."""
    assert miss_words.change("set_off", "en").startswith('system = [{"type": "text", "text": STATIC}]')
    assert miss_words.change("calm_deploy", "en") == ""


def test_a_long_legend_takes_nothing_from_the_drawing() -> None:
    """On a phone its names stand in one column: a figure with many is taller by about as much."""
    few = [missed("expired_5m", engine, "3") for engine in "ab"]
    many = [missed("expired_5m", engine, "3") for engine in "abcdefgh"]

    assert miss_charts.pareto(many, EN).figure.layout.height >= miss_charts.pareto(few, EN).figure.layout.height + 50
