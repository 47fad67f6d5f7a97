"""A range beside another: dashed lines on charts over time, and key figures that change against it."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import charts, components, filters, key_figures
from dashboard.ink import Before, Look
from tests.support.screens import opened

START = datetime(2026, 11, 15, tzinfo=UTC)
DAY = timedelta(days=1)
EN = Look("en")


def before(name: str, *values: object) -> Before:
    """Rows of a week earlier, laid on the chart's days."""
    rows = [{"bucket": START + n * DAY, "was": START + (n - 7) * DAY, name: value} for n, value in enumerate(values)]
    return Before("prior 7 days", tuple(rows))


def test_the_line_before_is_dashed_and_tells_its_own_days() -> None:
    """It lies under the days of the view; hovering and the words beside the chart tell when it really was."""
    rows = [{"bucket": START + n * DAY, "token_hit_rate": 0.9} for n in range(2)]
    figure, alt = charts.ratio_lines(rows, ["token_hit_rate"], EN, before=before("token_hit_rate", 0.4, 0.6))
    line = figure.data[1]

    assert (line.line.dash, line.name) == ("dash", "prior 7 days")
    assert [moment.day for moment in line.x] == [15, 16]
    assert [point[2] for point in line.customdata] == ["2026-11-08", "2026-11-09"]
    assert "prior 7 days" in alt and "2026-11-08" in alt and "40.0%" in alt


def test_a_running_total_is_compared_with_a_running_total() -> None:
    """Both lines add up from their own beginning."""
    name = "net_savings_usd"
    rows = [{"bucket": START + n * DAY, name: Decimal(2)} for n in range(3)]
    figure, _ = charts.cumulative(rows, name, EN, before=before(name, Decimal(1), None, Decimal(3)))

    assert list(figure.data[0].y) == [2, 4, 6]
    assert list(figure.data[1].y) == [1, 4]


def test_nothing_known_before_draws_nothing() -> None:
    """A compared range without values is left out, not drawn as zero."""
    rows = [{"bucket": START, "cost_usd": Decimal(1), "engine": "tutor"}]

    assert len(charts.stacked_cost(rows, "engine", EN, before=before("cost_usd", None)).figure.data) == 1


def test_days_lie_on_days_when_the_clocks_changed_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """A week before the hour was turned back, each midnight is laid on a midnight."""
    now = datetime(2026, 11, 7, 17, tzinfo=UTC)
    view = filters.build({"range": "7d"}, now=now, zone="America/New_York", first_ts=START - 300 * DAY)
    earlier = view.compared()
    assert earlier is not None and earlier.start is not None
    days = [earlier.start + n * DAY for n in range(7)]
    monkeypatch.setattr(key_figures, "t", lambda key, **_: key)

    laid = components.before(lambda *_, **__: pa.table({"bucket": pa.array(days)}), view)

    assert laid is not None
    shown = [row["bucket"].astimezone(ZoneInfo(view.zone)) for row in laid.rows]
    assert [(moment.day, moment.hour) for moment in shown] == [(n, 0) for n in range(1, 8)]


def dashes(app: AppTest) -> list[str]:
    """The dashed lines of every chart, by name."""
    traces = [trace for chart in app.get("plotly_chart") for trace in json.loads(chart.proto.spec)["data"]]
    return [trace["name"] for trace in traces if trace.get("line", {}).get("dash") == "dash" and "customdata" in trace]


@pytest.mark.parametrize(
    ("compare", "words"), [("previous", "prior 7 days"), ("last_week", "same weekdays before"), ("none", None)]
)
def test_the_choice_reaches_lines_and_key_figures(compare: str, words: str | None, on_fleet: Path) -> None:
    """The page's dashed lines and the changes of its key figures are against what was chosen."""
    app = opened("savings")
    app.selectbox(key="compare").select(compare).run()

    assert not app.exception
    assert dashes(app) == ([words] if words else [])
    assert {bool(metric.delta) for metric in app.metric} == ({True} if words else {False})


def test_two_chosen_ranges(on_fleet: Path) -> None:
    """Any two ranges can be held against each other."""
    app = opened("savings")
    today = datetime.now(UTC).date()
    app.selectbox(key="compare").select("custom").run()
    app.date_input(key="compare_dates").set_value((today - 12 * DAY, today - 9 * DAY)).run()

    first, last = today - 12 * DAY, today - 9 * DAY
    assert not app.exception
    assert dashes(app) == [f"{first:%m-%d} – {last:%m-%d}"]
