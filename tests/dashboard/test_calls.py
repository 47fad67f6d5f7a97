"""From any figure to its calls and back to the same total; the live tail; the strip on every page."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from streamlit.testing.v1 import AppTest

from core.misses import CAUSE_ORDER
from core.store.lake import Lake
from dashboard import call_choice, data, kpis
from dashboard import format as fmt
from dashboard.i18n import catalogue
from dashboard.studies import Studies
from tests.support import fleet_lake
from tests.support.rows import make_call, make_pass, table_of
from tests.support.screens import APP, LANGUAGES, PATIENCE_S, opened, words
from tests.support.traffic import writes

NOW = datetime.now(UTC)
MINUTE = timedelta(minutes=1)
both_languages = pytest.mark.parametrize("lang", LANGUAGES)


def arrived(page: str, told: dict[str, str], zone: str = "Europe/Berlin", **state: Any) -> AppTest:
    """Open a page by an address."""
    app = AppTest.from_file(str(APP), default_timeout=PATIENCE_S)
    app.context = {"locale": "en-GB", "timezone": zone}
    for key, value in told.items():
        app.query_params[key] = value
    for key, value in state.items():
        app.session_state[key] = value
    app.switch_page(f"app_pages/{page}.py")
    return app.run()


def figures(app: AppTest) -> dict[str, str]:
    """Every key figure by its label."""
    return {metric.label: metric.value for metric in app.metric}


def listed(app: AppTest) -> Any:
    """The table of calls; a page without one says why."""
    found = [table.value for table in app.dataframe if "call_id" in table.value.columns]
    assert found, words(app)
    return found[0]


@pytest.mark.usefixtures("on_fleet")
@pytest.mark.parametrize(
    ("where", "name"), [("overview", "net_savings_usd"), ("cost", "cost_usd"), ("hit_rate", "token_hit_rate")]
)
def test_the_calls_behind_a_figure_add_up_to_it(where: str, name: str) -> None:
    """The link below a key figure leads to calls whose total is the figure."""
    label = catalogue("en")[f"metric.{name}.label"]

    assert figures(arrived("calls", dict(kpis.CALLS_BEHIND[name])))[label] == figures(opened(where))[label]


@pytest.mark.usefixtures("on_fleet")
@both_languages
def test_calls_are_listed_without_content(lang: str) -> None:
    """Time, engine, cost, tokens and state of each call in the viewer's language; hostile names are inert."""
    app = opened("calls", lang)

    assert not app.exception
    assert app.title[0].value == catalogue(lang)["page.calls.title"]
    assert {"ts", "engine", "state", "cost_usd", "read_share"} <= set(listed(app).columns)
    assert fleet_lake.HOSTILE not in words(app)


@pytest.mark.usefixtures("on_fleet")
@pytest.mark.parametrize(
    ("told", "column", "values"),
    [
        ({"status": "failed"}, "state", {"Failed"}),
        ({"priced": "no"}, "cost_usd", set()),
        ({"read": "yes"}, "engine", {"tutor"}),
        ({"cause": "dynamic_tail"}, "cause", {"Dynamic tail"}),
    ],
)
def test_choices_come_from_the_address(told: dict[str, str], column: str, values: set[str]) -> None:
    """State, price, cache and cause narrow the list as the address says."""
    calls = listed(arrived("calls", call_choice.asked(**told)))

    assert len(calls)
    assert set(calls[column].dropna()) == values


@pytest.mark.usefixtures("on_fleet")
def test_a_cause_misses_what_the_misses_page_says() -> None:
    """The total under a cause is the ledger's."""
    row = opened("misses").dataframe[0].value.iloc[0]
    cause = next(name for name in CAUSE_ORDER if catalogue("en")[f"cause.{name}"] == row["cause"])
    app = arrived("calls", call_choice.asked(cause=cause))

    assert figures(app)["Calls"] == f"{row['calls']:,.0f}"
    assert figures(app)["Missed tokens"].startswith(fmt.compact(row["tokens"], "en"))


@pytest.mark.usefixtures("on_fleet")
def test_a_stretch_of_time_can_be_dropped() -> None:
    """A point of a chart leads to its own hour; one click shows the whole range again. Nonsense is no stretch."""
    end = NOW.replace(minute=0, second=0, microsecond=0) - timedelta(hours=24)
    app = arrived("calls", call_choice.asked(start=end - timedelta(hours=5), end=end))
    some = len(listed(app))
    stamps = listed(app)["ts"]

    assert stamps.min() >= end - timedelta(hours=5) and stamps.max() < end
    app.button(key="calls_span_drop").click().run()
    assert len(listed(app)) > some
    assert not arrived("calls", {"from": "yesterday", "to": "<b>"}).exception


@pytest.mark.usefixtures("on_fleet")
def test_a_picked_bar_leads_to_its_engine_and_hour() -> None:
    """A click on a chart offers its calls, and keeping only that engine filters every page."""
    bucket = NOW.replace(hour=0, minute=0, second=0, microsecond=0).isoformat()
    point = {"curve_number": 0, "point_index": 0, "customdata": [bucket, "tutor"]}
    app = arrived("cost", {}, cost_over_time={"selection": {"points": [point]}})
    assert "tutor · " in words(app).replace("\\", "")

    app.button(key="keep_cost_over_time").click().run()

    assert not app.exception
    assert app.multiselect(key="engine").value == ["tutor"]


@pytest.mark.usefixtures("on_fleet")
def test_a_row_leads_to_its_calls() -> None:
    """A chosen row of a breakdown opens the calls of its engine."""
    app = arrived("overview", {}, overview_engines={"selection": {"rows": [0], "columns": [], "cells": []}})
    engine = app.dataframe[0].value["engine"][0]
    app.button(key="see_overview_engines").click().run()

    assert not app.exception
    assert app.title[0].value == "Calls"
    assert set(listed(app)["engine"]) == {engine}


@pytest.fixture
def stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A service that is called now: a first write, reads, and one that fails to find its entry."""
    lake = Lake(tmp_path / "tables")
    told = {"input_tokens": 50, "prefix_fingerprint": "aaaa", "latency_ms": 900.0, "ttft_ms": 300.0}
    written = {"cache_read_tokens": 0, "cache_write_1h_tokens": 5000}
    rows = [make_call(call_id="first", ts=NOW - 90 * MINUTE, **told, **written)]
    rows += [make_call(call_id=f"hit{n}", ts=NOW - n * MINUTE, cache_read_tokens=5000, **told) for n in range(2, 6)]
    lake.commit("calls", table_of("calls", rows))
    lake.commit("ingest_passes", table_of("ingest_passes", [make_pass(ts=NOW, complete_until=NOW)]))
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))
    return lake


@both_languages
def test_the_tail_shows_the_newest_on_top_with_its_cause(stream: Lake, lang: str) -> None:
    """Each call with cost, read share and cause; one that came after the last judgement is not judged yet."""
    app = opened("live", lang)
    assert [app.dataframe[0].value["cause"][n] for n in (0, 4)] == [
        catalogue(lang)["calls.cause.none"], catalogue(lang)["cause.first_touch"],
    ]  # fmt: skip
    stream.commit("calls", table_of("calls", [make_call(call_id="new", ts=NOW)]))
    data.versions.clear()

    app.run()

    newest = app.dataframe[0].value.iloc[0]
    assert not app.exception
    assert (newest["cause"], newest["read_share"]) == (catalogue(lang)["calls.cause.not_yet"], 0.0)


@both_languages
def test_a_call_newer_than_the_study_is_not_told_as_one_that_missed_nothing(
    stream: Lake, lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A costly study is shown while a newer one is being made: what came since, and what failed, is said to be that."""
    monkeypatch.setattr("dashboard.studies.CHEAP_S", -1.0)
    monkeypatch.setattr(Studies, "_behind", lambda *_: None)
    app = opened("calls", lang, calls_judge=True)
    nothing = dict.fromkeys(("input_tokens", "cache_read_tokens", "output_tokens"))
    failed = make_call(call_id="down", ts=NOW, status="error", **nothing)
    stream.commit("calls", table_of("calls", [make_call(call_id="new", ts=NOW), failed]))
    data.versions.clear()

    app.run()

    told, said = listed(app).set_index("call_id")["cause"], catalogue(lang)
    assert not app.exception
    assert len(told) == 7
    assert (told["new"], told["down"]) == (said["calls.cause.not_yet"], said["calls.cause.failed"])
    assert set(told.drop(["new", "down"])) == {said["cause.first_touch"], said["calls.cause.none"]}


def test_a_call_of_long_ago_is_not_said_to_be_judged_soon(stream: Lake) -> None:
    """Where little traffic comes, the newest calls reach far back: only two hours are judged here."""
    stream.commit("calls", table_of("calls", [make_call(call_id="old", ts=NOW - timedelta(hours=5))]))

    app = opened("live")

    assert not app.exception
    assert list(app.dataframe[0].value["cause"])[-1] == fmt.UNKNOWN


@pytest.mark.parametrize("state", [{"live_paused": True}, {}])
def test_what_is_read_stays_where_it_is(stream: Lake, state: dict[str, Any]) -> None:
    """While paused, or while a row is chosen, new calls move nothing."""
    app = opened("live")
    for key, value in state.items():
        app.toggle(key=key).set_value(value)
    if not state:
        app.session_state["live_table"] = {"selection": {"rows": [1], "columns": [], "cells": []}}
    app.run()
    stream.commit("calls", table_of("calls", [make_call(call_id="new", ts=NOW)]))
    data.versions.clear()

    app.run()

    assert len(app.dataframe[0].value) == 5
    assert ("Held while a row is chosen" in words(app)) == (not state)


def test_every_page_has_the_pulse(stream: Lake) -> None:
    """Calls a minute over the last known five minutes, and dollars since the viewer's midnight, hours ago here."""
    noon = f"Etc/GMT{NOW.hour - 12:+d}"  # the names count westwards
    seen = words(arrived("overview", {}, zone=noon))

    assert "0.8 calls/min to " in seen  # four of five minutes
    assert "Today \\$" in seen


def test_an_address_tells_every_choice() -> None:
    """No choice of an earlier visit is left over, and what it says is read back."""
    told = call_choice.asked(status="ok", priced="no", start=NOW - MINUTE, end=NOW)

    assert {key for key in told if key.startswith("calls_")} == {
        f"calls_{name}" for name in (*call_choice.CHOICES, "order")
    }
    assert call_choice.span(told) == (NOW - MINUTE, NOW)
    assert call_choice.span({"from": NOW.isoformat(), "to": NOW.isoformat()}) is None


def test_what_is_recoverable_leads_to_its_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The card's link lists the calls whose misses can be mended, each with its cause, and names the card's dollars."""
    rows = [writes(NOW - 5 * n * MINUTE, call_id=f"msg_{n}", prefix_fingerprint=f"{n:016x}") for n in range(1, 9)]
    Lake(tmp_path / "tables").commit("calls", table_of("calls", rows))
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))
    first = opened("overview")
    link = next(item for item in first.get("page_link") if "calls_cause=recoverable" in item.proto.query_string)
    assert link.proto.label == "Calls"
    usd = figures(first)[catalogue("en")["metric.recoverable_usd.label"]]

    app = arrived("calls", {"calls_cause": "recoverable"})

    assert not app.exception
    assert f"of which {usd} recoverable" in words(app)
    seen = listed(app)
    assert len(seen) > 0
    assert not set(seen["cause"]) & {catalogue("en")[f"cause.{name}"] for name in ("first_touch", "dynamic_tail")}


@pytest.mark.usefixtures("on_fleet")
@pytest.mark.parametrize(
    ("page", "chart", "group", "order"),
    [("misses", "miss_trend", "first_touch", "newest"), ("latency", "latency_over_time", None, "slowest")],
)
def test_a_point_over_time_leads_to_its_calls(page: str, chart: str, group: str | None, order: str) -> None:
    """A bar of the miss trend leads to the calls of its cause and day, a point of response times to the slowest."""
    view = data.options()["last_ts"]
    day = view.astimezone(ZoneInfo("Europe/Berlin")).replace(hour=0, minute=0, second=0, microsecond=0)
    point = {"curve_number": 0, "point_index": 0, "customdata": [(day - timedelta(days=2)).isoformat(), group]}
    app = arrived(page, {}, **{chart: {"selection": {"points": [point]}}})

    app.button(key=f"see_{chart}").click().run()

    assert not app.exception
    assert app.title[0].value == "Calls"
    assert (app.session_state["calls_order"], app.session_state["calls_cause"]) == (order, group or "all")
    assert any(key == "from" for key in app.query_params)
