"""Misses and TTL Lab as a reader uses them: picking a bar, unknown prices, nothing to judge, few days."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.store.lake import Lake
from dashboard.i18n import catalogue
from tests.support import fleet_lake
from tests.support.rows import make_call, make_unpriced_call, table_of
from tests.support.screens import opened, words


@pytest.mark.usefixtures("on_fleet")
def test_the_calls_behind_a_cause_can_be_chosen() -> None:
    """Cause and engine narrow the table of calls; each says how sure it is and on what evidence."""
    app = opened("misses")
    app.selectbox(key="miss_cause").select("dynamic_tail")
    app.selectbox(key="miss_engine").select("tutor").run()
    calls = next(table.value for table in app.dataframe if "call_id" in table.value.columns)

    assert not app.exception
    assert set(calls["engine"]) == {"tutor"}
    assert len(calls) and "cause" not in calls  # it is the one that was chosen
    assert set(calls["confidence"]) <= {"measured", "inferred", "unknown"}
    assert set(calls["evidence"]) == {"The API's token counts"}


@pytest.mark.usefixtures("on_fleet")
def test_an_engine_without_that_cause_says_so() -> None:
    """An empty choice is words, not an empty table."""
    app = opened("misses")
    app.selectbox(key="miss_cause").select("prefix_changed")
    app.selectbox(key="miss_engine").select(fleet_lake.HOSTILE).run()

    assert not app.exception
    assert app.info[0].value == "This engine has no miss of this cause in this view."


@pytest.mark.usefixtures("on_fleet")
def test_a_choice_that_a_filter_removes_falls_back() -> None:
    """A cause or engine that is no longer there does not break the page."""
    app = opened("misses")
    app.selectbox(key="miss_engine").select("tutor").run()
    app.multiselect(key="engine").select("writer").run()

    assert not app.exception
    assert app.selectbox(key="miss_engine").value == ("every",)


def test_unpriced_misses_have_tokens_and_no_dollars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a price the Misses page shows tokens and a dash, and the lab says that it cannot replay."""
    now = datetime.now(UTC)
    rows = [make_unpriced_call(engine="tutor", ts=now - timedelta(minutes=n), input_tokens=900) for n in range(5)]
    Lake(tmp_path / "tables").commit("calls", table_of("calls", rows))
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))

    app, lab, first = (opened(name) for name in ("misses", "ttl_lab", "overview"))

    assert not app.exception and not lab.exception and not first.exception
    assert {metric.label: metric.value for metric in app.metric}["Cost of misses"] == "—"
    assert lab.info[0].value.startswith("No priced calls")
    assert "more is recoverable" not in words(first)


def test_what_was_all_read_is_no_miss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that read their whole prompt leave nothing to explain and nothing to do."""
    now = datetime.now(UTC)
    told = {"input_tokens": 0, "cache_read_tokens": 5000, "cache_write_5m_tokens": 0, "cache_write_1h_tokens": 0}
    rows = [make_call(engine="tutor", ts=now - timedelta(minutes=n), **told) for n in range(5)]
    Lake(tmp_path / "tables").commit("calls", table_of("calls", rows))
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))

    app, first = opened("misses"), opened("overview")

    assert not app.exception and not first.exception
    assert app.info[0].value.startswith("Every prompt token in this view was read")
    assert "Nothing to do" in words(first)


@pytest.mark.usefixtures("on_fleet")
def test_the_lab_warns_of_few_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """One day says little about a month."""
    app = opened("ttl_lab")
    assert "Fewer than three days" not in words(app)

    app.selectbox(key="range").select("24h").run()

    assert "Fewer than three days" in words(app)


def test_the_lab_does_not_say_off_by_one_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Days drawn anew may draw no such call at all: where the interval reaches zero, nothing is to be switched off."""
    now, told = datetime.now(UTC), {"prefix_tokens": 6_000, "cache_ttl": "1h"}
    often = {"cache_read_tokens": 6_000, **told}
    rows = [make_call(engine="tutor", ts=now - timedelta(minutes=9 * n), **often) for n in range(5 * 160)]
    rows.append(make_call(engine="once", ts=now - timedelta(days=2), cache_write_1h_tokens=6_000, **told))
    Lake(tmp_path / "tables").commit("calls", table_of("calls", rows))
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))

    app = opened("ttl_lab")

    assert not app.exception
    assert "**once**: off saves" not in words(app)
    assert catalogue("en")["ttl_lab.off.none"] in words(app)


@pytest.mark.usefixtures("on_fleet")
@pytest.mark.parametrize(("engine", "charts"), [("tutor", 4), ("writer", 2)])
def test_the_lab_compares_the_engine_that_is_chosen(engine: str, charts: int) -> None:
    """Policies, pauses and crossover of one engine; one below its model's minimum has neither of the last two."""
    app = opened("ttl_lab")
    app.selectbox(key="ttl_engine").select(engine).run()

    assert not app.exception
    assert len(app.get("plotly_chart")) == charts
    assert any(box.value == catalogue("en")["ttl_lab.crossover.none"] for box in app.info) == (charts == 2)


def test_more_calls_than_are_judged_at_once_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest are judged, the page says since when, and its figures are all of them; older calls have no cause."""
    now = datetime.now(UTC).replace(minute=30)
    rows = [make_call(call_id=f"msg_{n}", engine="tutor", ts=now - timedelta(hours=n)) for n in range(1, 7)]
    Lake(tmp_path / "tables").commit("calls", table_of("calls", rows))
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))
    monkeypatch.setattr("core.traffic.bounds.AT_ONCE", 4)

    misses, lab, first, calls = (opened(name, range="all") for name in ("misses", "ttl_lab", "overview", "calls"))

    assert not any(page.exception for page in (misses, lab, first, calls))
    told = "The range holds more than 4 calls, so misses and lifetimes are judged on the newest of them, since "
    assert all(told in words(page) for page in (misses, lab, first))
    (missed,) = [metric.value for metric in misses.metric if metric.label == "Missed tokens"]
    assert missed == f"{sum(row['prompt_tokens'] for row in rows[:4])} tokens"
    calls.toggle(key="calls_judge").set_value(True).run()
    (table,) = [table.value for table in calls.dataframe if "call_id" in table.value.columns]
    assert [cause == "—" for cause in table["cause"]] == [False] * 4 + [True] * 2
