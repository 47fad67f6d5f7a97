"""Tenants as a filter and a split: only where there are any, in the address in no language, and of nobody as well."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from core.errors import FixSettings
from core.metrics.scope import Scope
from core.store.lake import Lake
from dashboard import charts, data, drawers, filters, report_desk, saved_views
from dashboard.download import csv_bytes
from dashboard.i18n import catalogue
from dashboard.ink import Look
from tests.support.fleet_lake import HOSTILE
from tests.support.rows import make_call, make_invocation, make_pass, table_of
from tests.support.screens import APP, LANGUAGES, PATIENCE_S, opened, words

NOW = datetime.now(UTC)
NOBODY = ""
both_languages = pytest.mark.parametrize("lang", LANGUAGES)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calls of acme, of a tenant with a hostile name, and twice as many of nobody."""
    folder = tmp_path_factory.mktemp("tenants")
    lake = Lake(folder / "tables")
    tenants = ("acme", HOSTILE, None, None)
    calls = [make_call(ts=NOW - timedelta(hours=n), tenant=name) for n in range(3) for name in tenants]
    lake.commit("calls", table_of("calls", calls))
    lake.commit("invocations", table_of("invocations", [make_invocation(ts=NOW)]))
    lake.commit("ingest_passes", table_of("ingest_passes", [make_pass(ts=NOW)]))
    return folder


@pytest.fixture
def lake(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Those calls in tables that may be written to; they are what pages show."""
    shutil.copytree(store, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))
    return Lake(tmp_path / "tables")


@pytest.fixture
def on_tenants(store: Path, look_at: Callable[[Path], None]) -> None:
    """Those calls are what pages show."""
    look_at(store)


def arrived(page: str, lang: str = "en", **told: str | list[str]) -> AppTest:
    """Open a page by an address."""
    app = AppTest.from_file(str(APP), default_timeout=PATIENCE_S)
    app.context = {"locale": LANGUAGES[lang][0], "timezone": LANGUAGES[lang][1]}
    app.session_state[drawers.key_of("views")] = True
    for key, value in told.items():
        app.query_params[key] = value
    app.switch_page(f"app_pages/{page}.py")
    return app.run()


def offered(app: AppTest) -> list[str]:
    """The choices of tenants, or none where there is no such filter."""
    return next((list(box.options) for box in app.multiselect if box.key == "tenant"), [])


def address(app: AppTest) -> list[str]:
    """The tenants that the address names."""
    told = app.query_params.get("tenant", [])
    return [told] if isinstance(told, str) else list(told)


def calls_of(app: AppTest) -> int:
    """How many calls the Overview's table of engines counts."""
    return int(app.dataframe[0].value["calls"].sum())


def test_without_tenants_there_is_no_such_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that tags nobody is not asked about it, and an address that names one is ignored."""
    Lake(tmp_path / "tables").commit("calls", table_of("calls", [make_call(ts=NOW)]))
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))

    app = arrived("cost", tenant="acme", cost_by="tenant")

    assert not app.exception
    assert offered(app) == []
    assert app.segmented_control(key="cost_by").value == "engine"
    assert catalogue("en")["col.tenant"] not in app.segmented_control(key="cost_by").options
    assert app.metric[0].value != "—"


@pytest.mark.usefixtures("on_tenants")
@both_languages
def test_tenants_can_be_chosen_and_so_can_having_none(lang: str) -> None:
    """Having none is the first choice, in words; every figure follows, and what knows no tenant is unknown."""
    app = opened("overview", lang)
    assert [choice.removeprefix("\u2060") for choice in offered(app)] == [catalogue(lang)["untagged"], HOSTILE, "acme"]
    assert calls_of(app) == 12

    app.multiselect(key="tenant").set_value([NOBODY]).run()
    assert (calls_of(app), address(app)) == (6, [""])

    app.multiselect(key="tenant").set_value([NOBODY, "acme"]).run()
    assert (calls_of(app), address(app)) == (9, ["", "acme"])
    assert "—" in [metric.value for metric in app.metric]  # response time: invocations name no tenant

    app.multiselect(key="tenant").set_value([]).run()
    assert (calls_of(app), address(app)) == (12, [])


@pytest.mark.usefixtures("on_tenants")
@both_languages
def test_an_address_means_the_same_in_every_language(lang: str) -> None:
    """One that was shared opens what was looked at; its link is the same again."""
    app = arrived("overview", lang, tenant=["", HOSTILE])

    assert app.multiselect(key="tenant").value == ["", HOSTILE]
    assert calls_of(app) == 9
    (link,) = [code.value for code in app.code if "range=" in code.value]
    assert parse_qs(urlsplit(link).query, keep_blank_values=True)["tenant"] == ["", HOSTILE]


@pytest.mark.usefixtures("on_tenants")
def test_nonsense_in_the_address_is_no_tenant() -> None:
    """What no tag can be is dropped; a tenant that the list does not hold is taken at its word."""
    app = arrived("overview", tenant=["x" * 200, "a\nb", " acme", "far away", "acme"])

    assert app.multiselect(key="tenant").value == ["far away", "acme"]
    assert calls_of(app) == 3


@pytest.mark.usefixtures("on_tenants")
@both_languages
def test_cost_is_split_by_tenant(lang: str) -> None:
    """As by every other dimension: each group with its dollars, those of nobody in words, and a way to its calls."""
    app = opened("cost", lang, cost_by="tenant")

    table = next(frame.value for frame in app.dataframe if "tenant" in frame.value.columns)
    assert dict(zip(table["tenant"], table["calls"], strict=True)) == {
        catalogue(lang)["untagged"]: 6, "acme": 3, HOSTILE: 3,
    }  # fmt: skip
    assert catalogue(lang)["col.tenant"] in app.segmented_control(key="cost_by").options
    assert HOSTILE not in words(app)


@pytest.mark.usefixtures("on_tenants")
@pytest.mark.parametrize(("row", "tenant"), [(0, ""), (1, HOSTILE)])
def test_a_row_narrows_every_page_to_its_tenant(row: int, tenant: str) -> None:
    """Untagged calls too: nobody is somebody to ask for."""
    app = opened("cost", cost_by="tenant", cost_table={"selection": {"rows": [row], "columns": [], "cells": []}})

    app.button(key="keep_cost_table").click().run()

    assert app.multiselect(key="tenant").value == [tenant]
    assert HOSTILE not in words(app)


def test_a_bar_of_nobody_s_cost_can_be_asked_for() -> None:
    """A click on it means calls without a tenant, one on the rest of many groups means none of them alone."""
    rows = [
        {"bucket": NOW, "tenant": name, "cost_usd": Decimal(10 - n)}
        for n, name in enumerate([None, *(f"t{i}" for i in range(9))])
    ]

    drawn = charts.stacked_cost(rows, "tenant", Look("en"))

    meant = {trace.name: trace.customdata[0][1] for trace in drawn.figure.data}
    assert meant["(untagged)"] == ""
    assert meant["t0"] == "t0"
    assert list(meant.values()).count(None) == 1
    assert "(untagged) $10.00" in drawn.alt


def test_a_tenant_named_like_the_choice_of_none_is_another_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streamlit tells choices apart by what it shows."""
    calls = [make_call(ts=NOW, tenant=name) for name in ("(untagged)", None, None)]
    Lake(tmp_path / "tables").commit("calls", table_of("calls", calls))
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))
    app = opened("overview")
    assert len(set(offered(app))) == 2

    app.multiselect(key="tenant").set_value(["(untagged)"]).run()

    assert calls_of(app) == 1


def test_a_view_without_filters_is_not_narrowed() -> None:
    """Every dimension counts."""
    view = filters.build({}, now=NOW, zone="UTC")
    assert not view.narrowed
    assert filters.build({"tenant": [""]}, now=NOW, zone="UTC").narrowed
    assert saved_views.own_choices({"tenant": "acme", "cost_by": "model"}) == {"cost_by": "model"}


def test_a_crowd_of_tenants_is_some_and_all_others(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cost by tenant tells the dearest and one row of the rest, whose figures add up; a tenant beyond can be named."""
    crowd = [make_call(ts=NOW - timedelta(minutes=n), tenant=f"t{n:02d}", cost_usd=Decimal(n)) for n in range(20)]
    lake.commit("calls", table_of("calls", crowd))
    monkeypatch.setattr("dashboard.data.MOST_ROWS", 5)
    monkeypatch.setattr("core.metrics.sources.MOST_TENANTS", 5)

    app = arrived("cost", cost_by="tenant", tenant="t01")
    assert not app.exception
    assert address(app) == ["t01"]

    app = arrived("cost", cost_by="tenant")
    assert not app.exception
    shown = next(frame.value for frame in app.dataframe if "cost_usd" in frame.value)
    assert list(shown["tenant"])[-1] == "All others (18)"
    assert list(shown["tenant"])[:2] == ["t19", "t18"]
    assert len(shown) == 6
    assert "The 5 dearest are listed; the 18 others are together in the last row." in words(app)
    scope = filters.whole(filters.current()).scope()
    every = data.every_row(scope, "tenant")
    assert len(every) == report_desk.counted(data.breakdown(scope, "tenant"), ["tenant"]) == 23
    assert shown["calls"].sum() == sum(row["calls"] for row in every)


def test_a_file_of_costs_over_time_names_every_member_of_a_crowd(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chart has room for some tenants and for all others as one; its file has each, hour by hour, to the cent."""
    ages = [timedelta(hours=9 * n + 1) for n in range(12)]
    crowd = [make_call(ts=NOW - age, tenant=f"t{n:02d}", cost_usd=Decimal(n)) for n, age in enumerate(ages)]
    lake.commit("calls", table_of("calls", crowd))
    for name in ("MOST_ROWS", "MOST_IN_CHART"):
        monkeypatch.setattr(f"dashboard.data.{name}", 3)
    asked: dict[str, Any] = {"bucket": "hour", "zone": "Asia/Seoul", "by": "tenant"}
    scope = Scope(end=NOW)

    drawn, filed = data.series(scope, **asked).to_pylist(), list(data.every_point(scope, **asked))

    assert len({row["tenant"] for row in drawn}) == 4
    assert {f"t{n:02d}" for n in range(12)} <= {row["tenant"] for row in filed}
    assert [row["bucket"] for row in filed] == sorted(row["bucket"] for row in filed)
    assert len({(row["bucket"], row["tenant"]) for row in filed}) == len(filed)
    for name in ("calls", "cost_usd"):
        assert sum(row[name] or 0 for row in filed) == sum(row[name] or 0 for row in drawn)
    text = csv_bytes(iter(filed)).decode("utf-8-sig")
    assert len(text.splitlines()) == len(filed) + 1
    assert text == csv_bytes(filed).decode("utf-8-sig")


def test_a_file_that_no_spreadsheet_opens_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is cut off in silence: the error says how to get every row."""
    monkeypatch.setattr("dashboard.download.MOST_ROWS", 2)

    assert csv_bytes(iter([{"n": 1}, {"n": 2}])).decode("utf-8-sig").split() == ["n", "1", "2"]
    with pytest.raises(FixSettings, match="REP-008"):
        csv_bytes(iter([{"n": 1}, {"n": 2}, {"n": 3}]))


def test_an_engine_beyond_the_list_can_be_named(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a filter has room for some engines only, an address may name any other."""
    lake.commit("calls", table_of("calls", [make_call(ts=NOW - timedelta(hours=1), engine="rare")]))
    for module in ("core.metrics.sources", "dashboard.filters"):
        monkeypatch.setattr(f"{module}.MOST_CHOICES", 1)

    app = arrived("overview", engine="rare")

    assert not app.exception
    (box,) = [box for box in app.multiselect if box.key == "engine"]
    assert (list(box.options), list(box.value)) == (["tutor", "rare"], ["rare"])
    assert calls_of(app) == 1
