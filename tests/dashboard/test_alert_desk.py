"""Alerts on the Actions page and in the head of every page: what is open, in the words of the viewer's language."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.alert_settings import ALERT_METRICS
from core.alerts.state import Alert, keep
from core.store.lake import Lake
from dashboard import alert_desk
from dashboard.i18n import catalogue
from tests.support.rows import make_call, table_of
from tests.support.screens import LANGUAGES, opened, words

NOW = datetime.now(UTC)
both_languages = pytest.mark.parametrize("lang", LANGUAGES)


def make_alert(rule: str, metric: str, **more: Any) -> Alert:
    """An alert that opened an hour ago, of which one target was told and one was not."""
    at = NOW - timedelta(hours=1)
    values = {
        "alert_id": f"{rule}/x", "rule": rule, "metric": metric, "subject": "sales", "state": "open", "opened_at": at,
        "resolved_at": None, "ts": at, "value": 0.42, "threshold": 0.8, "message": "sales: in English",
        "delivered": ("ops",), "undelivered": ("pager",),
    }  # fmt: skip
    return Alert(**values | more)


def over(ago: timedelta) -> dict[str, Any]:
    return {"state": "resolved", "resolved_at": NOW - ago, "ts": NOW - ago}


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A store with a call and no alerts."""
    lake = Lake(tmp_path / "tables")
    lake.commit("calls", table_of("calls", [make_call(ts=NOW)]))
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))
    return lake


@both_languages
def test_open_alerts_come_first_and_every_page_counts_them(lake: Lake, lang: str) -> None:
    """What, about whom, how much against which limit, since when, and who was told; in Korean no English sentence."""
    keep(lake, [make_alert("low", "hit_rate"), make_alert("dear", "cost", **over(timedelta(days=2)))])

    app, other = opened("actions", lang), opened("cost", lang)

    said = catalogue(lang)
    assert not app.exception
    assert app.subheader[0].value == said["alerts.title"]
    table = app.dataframe[0].value
    assert list(table["state_text"]) == [said["alerts.state.open"], said["alerts.state.resolved"]]
    assert list(table["what"]) == [said["alerts.metric.hit_rate"], said["alerts.metric.cost"]]
    assert (table["seen"][0], table["limit"][0], table["told"][0], table["untold"][0]) == (
        "42.0%", "80.0%", "ops", "pager",
    )  # fmt: skip
    assert "in English" not in words(app)
    assert said["alerts.badge"].format(n=1) in words(other)


@both_languages
def test_a_source_that_brings_nothing_does_not_hide_its_alert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    """Where no call was ever read, the alert that says so is seen all the same."""
    keep(Lake(tmp_path / "tables"), [make_alert("late", "source_behind", value=None, threshold=3600.0)])
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))

    app = opened("actions", lang)

    assert not app.exception
    table = app.dataframe[0].value
    assert (table["seen"][0], table["limit"][0]) == ("—", "1 h" if lang == "en" else "1시간")


@both_languages
def test_where_nothing_is_open_that_is_said_by_what_watches(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    """Without a rule, no open alert is no good news."""
    unwatched = opened("actions", lang)
    settings = tmp_path / "cachewise.toml"
    settings.write_text('[[alerts]]\nname = "low"\nmetric = "hit_rate"\nbelow = 0.8\n')
    monkeypatch.setenv("CACHEWISE_CONFIG", str(settings))
    alert_desk.data.reopen()

    watched = opened("actions", lang)

    said = catalogue(lang)
    assert said["alerts.no_rules"] in words(unwatched)
    assert said["alerts.none"] in words(watched)
    assert said["alerts.no_rules"] not in words(watched)


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_every_metric_has_its_name_and_its_unit(lang: Any) -> None:
    """Dollars, shares, spans of time and counts; what is over for long is left out."""
    found = [make_alert(metric, metric, value=0.5, threshold=90.0) for metric in ALERT_METRICS]
    old = make_alert("old", "cost", **over(timedelta(days=8)))

    shown = {row["metric"]: row for row in alert_desk.rows([*found, old], lang, now=NOW)}

    assert set(shown) == set(ALERT_METRICS)
    assert all(row["what"] == catalogue(lang)[f"alerts.metric.{name}"] for name, row in shown.items())
    assert [shown[name]["seen"] for name in ("hit_rate", "cost", "probe_failed")] == ["50.0%", "$0.50", "0"]
    assert shown["source_behind"]["limit"] == ("1.5 min" if lang == "en" else "1.5분")
    assert shown["regression"]["seen"] == ("$0.50 a day" if lang == "en" else "하루 $0.50")


def test_an_alert_about_a_hostile_name_is_inert(lake: Lake) -> None:
    """Subjects are names out of logs."""
    keep(lake, [make_alert("low", "hit_rate", subject="![x](http://evil.example)\x00")])

    app = opened("actions")

    assert not app.exception
    assert "evil" not in words(app)
    assert app.dataframe[0].value["about"][0] == "![x](http://evil.example)�"
