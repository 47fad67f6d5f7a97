"""Figures are pure: what they draw, their colours, and the sentence that stands for them."""

import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dashboard import charts, ink
from dashboard.ink import Look
from tests.support.fleet_lake import HOSTILE

CONFIG = Path(__file__).parents[2] / "dashboard" / ".streamlit" / "config.toml"
START = datetime(2026, 11, 1, tzinfo=UTC)
EN = Look("en")
DAY = timedelta(days=1)
TOTAL = {
    "no_cache_cost_usd": Decimal(10),
    "gross_savings_usd": Decimal(7),
    "write_premium_usd": Decimal(2),
    "cost_usd": Decimal(5),
}


def daily(name: str, values: Sequence[Any], **more: Any) -> list[dict[str, Any]]:
    """One row a day; None leaves the day out."""
    return [{"bucket": START + n * DAY, name: v, **more} for n, v in enumerate(values) if v is not None]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_has_the_same_ten_colours(theme: str) -> None:
    """With fewer than ten, Plotly drops the palette; the first four are the fixed ones."""
    assert tomllib.loads(CONFIG.read_text())["theme"][theme]["chartCategoricalColors"] == list(ink.PALETTE)


def test_the_waterfall_ends_at_the_actual_cost() -> None:
    """No-cache cost − read discount + write premium = actual cost."""
    figure, alt = charts.waterfall(TOTAL, EN)

    assert list(figure.data[0].y) == [Decimal(10), Decimal(-7), Decimal(2), Decimal(5)]
    assert alt == (
        "Savings waterfall. No-cache cost $10.00; Read discount -$7.00; Write premium +$2.00; Actual cost $5.00."
    )


def test_a_missing_day_is_a_gap() -> None:
    """A line is broken where nothing happened, not drawn straight across."""
    rows = daily("token_hit_rate", [0.5, 0.6, None, None, 0.9])

    line = charts.ratio_lines(rows, ["token_hit_rate"], EN).figure.data[0]

    assert list(line.y) == [0.5, 0.6, None, 0.9]
    assert line.connectgaps is False


def test_the_text_of_a_line_is_computed_from_its_data() -> None:
    """The alternative text tells range, lowest, highest and latest."""
    alt = charts.ratio_lines(daily("token_hit_rate", [0.5, 0.9, 0.7]), ["token_hit_rate"], EN).alt

    assert alt == "Read share (tokens) from 2026-11-01 to 2026-11-03: lowest 50.0%, highest 90.0%, latest 70.0%."


def test_a_line_without_points_says_so() -> None:
    """Nothing to draw is said, not invented."""
    assert charts.ratio_lines([], ["token_hit_rate"], EN).alt == "Read share (tokens): no data."


def test_the_prompt_store_never_wears_the_claude_caches_colour() -> None:
    """The two caches are told apart by colour too."""
    figure = charts.ratio_lines(daily("prompt_store_hit_rate", [1.0]), ["prompt_store_hit_rate"], EN).figure

    assert figure.data[0].line.color not in ink.PALETTE[:4]


def test_deploys_and_clears_are_marked() -> None:
    """Each marker is a rule in the chart and is named in the text."""
    marks = [
        {"ts": START + DAY, "kind": "deploy", "label": "bodo 2", "source": "s"},
        {"ts": START + 2 * DAY, "kind": "clear", "label": "all engines", "source": "s"},
    ]

    figure, alt = charts.ratio_lines(daily("token_hit_rate", [0.5] * 4), ["token_hit_rate"], EN, markers=marks)

    assert len(figure.layout.shapes) == 2
    assert [trace.name for trace in figure.data[1:]] == ["Deploy", "Prompt store cleared"]
    assert "Deploy 2026-11-02; Prompt store cleared 2026-11-03" in alt


def test_times_are_those_of_the_viewers_clock() -> None:
    """Midnight in Seoul is drawn as midnight."""
    rows = [{"bucket": datetime(2026, 11, 1, 15, 0, tzinfo=UTC), "token_hit_rate": 0.5}]

    figure = charts.ratio_lines(rows, ["token_hit_rate"], Look("ko", "Asia/Seoul")).figure

    assert figure.data[0].x[0].isoformat() == "2026-11-02T00:00:00"


def test_stacked_cost_keeps_the_eight_dearest_and_sums_the_rest() -> None:
    """Beyond eight groups, the others are one, and no dollar is lost."""
    rows = [{"bucket": START, "engine": f"e{n}", "cost_usd": Decimal(n)} for n in range(1, 13)]

    figure = charts.stacked_cost(rows, "engine", EN).figure

    assert [trace.name for trace in figure.data][-1] == "4 others"
    assert sum(sum(trace.y) for trace in figure.data) == sum(range(1, 13))


def test_cost_of_no_group_wears_one_of_the_four_colours() -> None:
    """The four colours mean kinds of tokens, and never an engine."""
    rows = [{"bucket": START, "engine": f"e{n}", "cost_usd": Decimal(1)} for n in range(8)]

    colours = {trace.marker.color for trace in charts.stacked_cost(rows, "engine", EN).figure.data}

    assert colours.isdisjoint(ink.PALETTE[:4])


def test_the_token_mix_uses_the_four_colours_in_order() -> None:
    """Read, 5m write, 1h write, uncached: as a share of all prompt tokens."""
    row = {
        "bucket": START,
        "cache_read_tokens": 70,
        "cache_write_5m_tokens": 10,
        "cache_write_1h_tokens": 10,
        "input_tokens": 10,
    }

    figure, alt = charts.token_mix([row], EN)

    assert [trace.line.color for trace in figure.data] == list(ink.PALETTE[:4])
    assert figure.data[0].groupnorm == "percent"
    assert "Cache read 70.0%; 5-minute write 10.0%" in alt


def test_cost_parts_leave_out_what_cost_nothing() -> None:
    """A kind without a dollar has no bar."""
    figure = charts.cost_parts({"input_cost_usd": Decimal(1), "output_cost_usd": Decimal(0)}, EN).figure

    assert list(figure.data[0].y) == ["Uncached input"]


def test_losses_are_drawn_to_the_left_in_their_own_colour() -> None:
    """A negative net is visible as such."""
    rows = [{"engine": "a", "net": Decimal(2)}, {"engine": "b", "net": Decimal(-1)}, {"engine": "c", "net": None}]

    figure, alt = charts.signed_bars(rows, "engine", "net", EN)

    assert list(figure.data[0].x) == [Decimal(-1), Decimal(2)]
    assert list(figure.data[0].marker.color) == [ink.LOSS, ink.GAIN]
    assert alt == "Net savings by engine: a +$2.00; b -$1.00."


def test_the_running_total_adds_up() -> None:
    """Every point is the sum so far; a day without a price changes nothing."""
    rows = [
        {"bucket": START + n * DAY, "net": value} for n, value in enumerate([Decimal(-2), None, Decimal(1), Decimal(4)])
    ]

    figure, alt = charts.cumulative(rows, "net", EN)

    assert list(figure.data[0].y) == [Decimal(-2), Decimal(-1), Decimal(3)]
    assert alt == "Running net savings over 3 points, ending at $3.00."


def test_dumbbells_leave_out_what_is_unknown() -> None:
    """A group without any measurement is not drawn at zero."""
    known = {"p50": 100.0, "p95": 200.0, "count": 7}

    figure, alt = charts.ranges([("Cold", known), ("Warm", {"p50": None, "p95": None, "count": 0})], EN)

    assert list(figure.data[-1].y) == ["Cold"]
    assert alt == "Cold: p50 100 ms, p95 200 ms, n = 7"


def test_percentiles_have_three_lines() -> None:
    """p50, p95 and p99 of the response time."""
    rows = [{"bucket": START + n * DAY, "p50": 1.0, "p95": 2.0, "p99": 3.0} for n in range(3)]

    assert [trace.name for trace in charts.percentiles(rows, EN).figure.data] == ["p50", "p95", "p99"]


@pytest.mark.parametrize(("longest", "suffix", "drawn"), [(900.0, " ms", 900.0), (24_000.0, " s", 24.0)])
def test_response_times_are_drawn_in_the_unit_that_reads_best(longest: float, suffix: str, drawn: float) -> None:
    """An axis of 25,000 ms is one of 25 s; the words beside the figure stay right."""
    rows = [{"bucket": START + n * DAY, "p50": 1.0, "p95": 2.0, "p99": longest} for n in range(3)]

    figure, alt = charts.percentiles(rows, EN)

    assert (figure.layout.yaxis.ticksuffix, figure.data[2].y[0]) == (suffix, drawn)
    assert "highest 24.00 s" in alt or "highest 900 ms" in alt


def test_labels_outside_bars_have_room_on_a_phone() -> None:
    """A third of the axis on either side is left for the dollars beside the longest bars."""
    rows = [{"engine": "a", "net": Decimal(100)}, {"engine": "b", "net": Decimal(-80)}]

    low, high = charts.signed_bars(rows, "engine", "net", EN).figure.layout.xaxis.range

    assert low <= -80 - 180 / 3 and high >= 100 + 180 / 3


def test_no_line_has_more_than_two_thousand_points() -> None:
    """Long series are thinned on the server, keeping first and last."""
    rows = daily("token_hit_rate", [0.5] * 9000)

    kept = ink.thin(rows)

    assert len(kept) <= ink.MAX_POINTS
    assert (kept[0], kept[-1]) == (rows[0], rows[-1])


def test_every_figure_has_an_explicit_height() -> None:
    """Pages do not jump while charts load."""
    rows = daily("token_hit_rate", [0.5])
    figures = [charts.waterfall(TOTAL, EN).figure, charts.ratio_lines(rows, ["token_hit_rate"], EN).figure]

    assert all(figure.layout.height and figure.layout.margin.l for figure in figures)


def test_hostile_names_are_text_in_figures_and_plain_in_sentences() -> None:
    """A name from a log cannot add HTML or templates to a figure."""
    rows = [{"bucket": START, "engine": HOSTILE, "cost_usd": Decimal(1)}]

    figure, alt = charts.stacked_cost(rows, "engine", EN)

    assert "<b>" not in figure.to_json()
    assert '%{y}"' not in figure.data[0].name
    assert "<b>" in alt


def test_sparklines_need_two_points() -> None:
    """One value is no trend."""
    assert ink.spark(daily("v", [1]), "v") is None
    assert ink.spark(daily("v", [1, 2]), "v") == [1.0, 2.0]


@pytest.mark.parametrize(("bucket", "hours"), [("day", 24), ("hour", 1)])
def test_a_stretch_of_time_is_drawn_over_that_stretch(bucket: Any, hours: int) -> None:
    """A day's bar and point lie between its midnights, not around the first; a deploy stays at its moment."""
    rows = daily("cost_usd", [Decimal(1), Decimal(2)], engine="a", token_hit_rate=0.5)
    look, deploys = Look("en", bucket=bucket), [{"ts": START + DAY * 0.9, "kind": "deploy", "label": "17"}]
    for drawn in (
        charts.stacked_cost(rows, "engine", look, markers=deploys),
        charts.ratio_lines(rows, ["token_hit_rate"], look, markers=deploys),
    ):
        series, mark = drawn.figure.data[0], drawn.figure.data[-1]
        assert (series.xperiod, series.xperiodalignment) == (hours * 3_600_000, "middle")
        assert mark.mode == "markers"
        assert mark.xperiod is None
        assert drawn.figure.layout.xaxis.ticklabelmode == ("period" if bucket == "day" else None)


def test_a_day_is_written_below_its_middle() -> None:
    """By "%e" Plotly knows that a label is of a day; "%-d %b" it takes for a month, and leaves most days out."""
    for lang in ("en", "ko"):
        figure = charts.ratio_lines(daily("token_hit_rate", [0.5, 0.6]), ["token_hit_rate"], Look(lang)).figure
        assert "%e" in figure.layout.xaxis.tickformatstops[-1].value


def test_a_few_days_are_ticked_at_their_midnights() -> None:
    """Left to itself, Plotly ticks two to five daily bars at their noons, and writes each day's word a day too late."""
    midnight = START.replace(tzinfo=None)  # of the viewer's zone
    for days, mode, first in ((3, "linear", midnight), (5, "linear", midnight), (6, None, None)):
        rows = daily("cost_usd", [Decimal(1)] * days, engine="a", token_hit_rate=0.5)
        for figure in (
            charts.stacked_cost(rows, "engine", EN).figure,
            charts.ratio_lines(rows, ["token_hit_rate"], EN).figure,
        ):
            axis = figure.layout.xaxis
            assert (axis.tickmode, axis.tick0, axis.dtick) == (mode, first, mode and 86_400_000)


def test_areas_begin_and_end_with_their_days() -> None:
    """The running total has no room beside it: its axis goes from the first midnight to the last."""
    figure = charts.cumulative(
        daily("net_savings_usd", [Decimal(1), Decimal(2), None, Decimal(3)]), "net_savings_usd", EN
    ).figure

    assert list(figure.layout.xaxis.range) == [EN.local(START), EN.local(START + 4 * DAY)]


@pytest.mark.parametrize(("bucket", "words"), [("day", "%e %b"), ("hour", None)])
def test_a_lone_day_is_written_without_an_hour(bucket: Any, words: str | None) -> None:
    """One day's bar has the day below it, not its midnight."""
    rows = daily("cost_usd", [Decimal(1)], engine="a")
    axis = charts.stacked_cost(rows, "engine", Look("en", bucket=bucket)).figure.layout.xaxis

    assert axis.tickformat == words
    assert bool(axis.tickformatstops) == (words is None)
