"""Promised beside realised: bars with their intervals, and no bar where nothing is known yet."""

from datetime import UTC, datetime
from decimal import Decimal

from core.promises import Promise, Realised
from dashboard import promise_charts
from dashboard.ink import Look
from tests.support.fleet_lake import HOSTILE

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def promise(name: str, *, low: Decimal | None = None, high: Decimal | None = None) -> Promise:
    """An action that promised ten dollars a month."""
    return Promise(name, HOSTILE, "prefix_changed", "stable_prefix", Decimal(10), low, high, NOW, NOW, "kim")


def test_what_is_not_known_has_no_bar() -> None:
    """Unknown is neither zero nor drawn, and the words beside the chart say so; names from logs are inert."""
    done = [promise("a", low=Decimal(8), high=Decimal(13)), promise("b")]
    found = {"a": Realised("measured", "cause", 4.0, 90, 7.0, 200, month_usd=Decimal("9.5"))}
    rows = promise_charts.rows(done, found)
    figure, alt = promise_charts.kept(rows, [HOSTILE, "b"], Look("en"))
    promised, realised = figure.data

    assert list(realised.x) == [Decimal("9.5"), None]
    assert (list(promised.error_x.array), list(promised.error_x.arrayminus)) == ([3.0, 0.0], [2.0, 0.0])
    assert "realised $9.50" in alt and "realised Not known yet" in alt
    assert all("<b>" not in name and "%{y}" not in name for name in promised.y)
    assert (rows[1]["status"], rows[1]["realised_month_usd"]) == (None, None)
