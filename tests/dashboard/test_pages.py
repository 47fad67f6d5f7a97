"""Every page in both languages: with data, with none, and with tables that cannot be read."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from streamlit.runtime.caching.cache_type import CacheType

from core.store.lake import Lake
from dashboard import data
from dashboard.i18n import catalogue
from tests.support import fleet_lake
from tests.support.rows import make_call, make_pass, make_unpriced_call, table_of
from tests.support.screens import LANGUAGES, PAGES_WITH_FIGURES, Look, opened, words
from tests.support.traffic import text

PAGES = PAGES_WITH_FIGURES
OPERATE = {"actions", "calls", "live", "notes"}  # lists rather than figures; tests of their own look at what they show

with_figures = pytest.mark.parametrize("name", [name for name in PAGES if name not in OPERATE])
every_page = pytest.mark.parametrize("name", PAGES)
both_languages = pytest.mark.parametrize("lang", LANGUAGES)


@with_figures
@both_languages
def test_a_page_shows_its_figures(name: str, lang: str, shown: Look) -> None:
    """With data, a page has its title, key figures and charts, in the viewer's language, and no error."""
    app = shown(name, lang)

    assert not app.exception
    assert not app.error
    assert app.main[0].type == "title"  # nothing stands above it
    assert app.title[0].value == catalogue(lang)[f"page.{name}.title"]
    assert len(app.metric) >= 3
    assert len(app.get("plotly_chart")) >= 2
    assert all(chart.proto.alt for chart in app.get("plotly_chart"))


@every_page
@both_languages
def test_no_key_of_the_catalogue_is_shown_raw(name: str, lang: str, shown: Look) -> None:
    """Every word on a page comes from the catalogue of its language."""
    seen = words(shown(name, lang))

    assert not re.search(r"\b(page|metric|filter|answer|of|over|col|unknown|empty)\.[a-z_]+", seen)
    if lang == "ko":
        assert not re.search(r"\b(Caching|saved|unknown|calls)\b", seen)


@every_page
def test_names_from_logs_are_inert(name: str, shown: Look) -> None:
    """An engine name that is Markdown, HTML or a Plotly template is text and nothing else."""
    app = shown(name, "en")

    assert fleet_lake.HOSTILE not in words(app)
    assert all("<b>" not in chart.proto.spec for chart in app.get("plotly_chart"))
    assert all("%{y}</b>" not in chart.proto.spec for chart in app.get("plotly_chart"))


@every_page
@both_languages
def test_a_page_without_data_says_what_happens(name: str, lang: str, shown: Look) -> None:
    """Before the first row, and without a source to read, a page says what to configure, and shows no figures."""
    app = shown(name, lang, "nothing")

    assert not app.exception
    assert app.title
    assert [box.value for box in app.info] == [catalogue(lang)["empty.unset.body"]]
    assert not app.metric


def test_a_source_that_was_not_read_yet_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a source in the settings, the page says that the collector is reading."""
    settings = tmp_path / "cachewise.toml"
    settings.write_text(f'[[sources]]\nname = "bodo"\nkind = "files"\npath = "{tmp_path}/logs"\n')
    monkeypatch.setenv("CACHEWISE_CONFIG", str(settings))
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path / "store"))

    assert [box.value for box in opened("overview").info] == [catalogue("en")["empty.reading.body"]]


@every_page
@both_languages
def test_a_page_says_what_to_do_when_tables_fail(name: str, lang: str, shown: Look) -> None:
    """With an unreadable table, a page keeps its title and shows the error's code and mend, not a traceback."""
    app = shown(name, lang, "broken")

    assert not app.exception
    assert app.title
    assert len(app.error) == 1
    assert "STO-" in app.error[0].value
    assert catalogue(lang)["failed.mend"] in app.error[0].value


def test_wrong_settings_are_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that cannot be used is named on the screen with its code."""
    monkeypatch.setenv("CACHEWISE_DEMO", "perhaps")

    app = opened("overview")

    assert "CFG-012" in app.error[0].value
    assert not app.exception


@with_figures
def test_demo_data_is_labelled(name: str, shown: Look) -> None:
    """Whatever the page, a simulated fleet is called demo data."""
    app = shown(name, "en", "demo")

    assert "Demo data" in words(app)
    assert len(app.metric) >= 3


def test_demo_data_is_labelled_even_when_tables_fail(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The label does not depend on readable tables."""
    (broken / "demo").mkdir()
    (broken / "tables").rename(broken / "demo" / "tables")
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(broken))
    monkeypatch.setenv("CACHEWISE_DEMO", "true")

    app = opened("overview")

    assert "Demo data" in words(app)
    assert "STO-" in app.error[0].value


@every_page
def test_real_data_is_not_called_demo(name: str, shown: Look) -> None:
    """Without the demo, no page says demo."""
    assert "Demo data" not in words(shown(name, "en"))


def test_replaced_endpoints_are_shown_without_secrets(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS and Anthropic endpoints that are not the real ones are named, without user and password."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(fleet))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://me:hush@localhost:4566")

    seen = words(opened("overview"))

    assert "localhost" in seen
    assert "hush" not in seen


def test_a_filter_narrows_every_figure(on_fleet: Path) -> None:
    """Choosing one engine leaves only its calls."""
    app = opened("overview")
    app.multiselect(key="engine").select("writer").run()

    engines = app.dataframe[0].value

    assert list(engines["engine"]) == ["writer"]
    assert app.error[0].value.startswith("Caching lost")  # writes that nobody reads


def test_a_filter_that_matches_nothing_offers_everything(on_fleet: Path) -> None:
    """When filters leave nothing, the page says so, and one button shows all data again."""
    app = opened("overview")
    app.multiselect(key="engine").select("writer")
    app.multiselect(key="version").select("2")
    app.selectbox(key="range").select("custom").run()
    old = (datetime.now(UTC) - timedelta(days=400)).date()
    app.date_input(key="dates").set_value((old, old)).run()
    assert app.info[0].value.startswith("The newest data")

    app.button(key="show_all").click().run()

    assert not app.exception
    assert app.selectbox(key="range").value == "all"
    assert len(app.dataframe[0].value) == 3


def test_unpriced_calls_are_unknown_not_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no price at all, dollars are a dash and the answer says that they are not known."""
    now = datetime.now(UTC)
    lake = Lake(tmp_path / "tables")
    lake.commit("calls", table_of("calls", [make_unpriced_call(ts=now, cache_read_tokens=50) for _ in range(3)]))
    lake.commit("ingest_passes", table_of("ingest_passes", [make_pass(ts=now)]))
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))

    app = opened("overview")

    assert app.warning[0].value.startswith("What caching saved in the last 7 days is not known")
    assert {metric.label: metric.value for metric in app.metric}["Net saved"] == "—"
    assert "\\$0.00" not in words(app)


@both_languages
def test_figures_of_text_lines_say_what_they_rest_on(
    lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the price coverage stands how many calls have the settings' model or TTL, and at it what they cost."""
    now = datetime.now(UTC)
    calls = [make_call(ts=now, cost_usd=Decimal("0.25")), text(make_call(ts=now, cost_usd=Decimal("1.50")))]
    Lake(tmp_path / "tables").commit("calls", table_of("calls", calls))
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))

    app = opened("overview", lang)

    said = catalogue(lang)
    told = f"{said['of.calls'].format(top=2, bottom=2)} · {said['over.by_defaults'].format(n=1)}"
    assert told in [caption.value for caption in app.caption]
    (coverage,) = [one for one in app.metric if one.label == said["metric.price_coverage.label"]]
    spent = f"**{said['metric.cost_by_defaults_usd.label']}** \\$1.50"
    assert spent in coverage.help
    assert [spent in item.proto.help for item in app.markdown if said["pulse.spend"].split()[0] in item.value] == [True]


def test_caching_that_is_off_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any cache tokens, the hit-rate page says that caching is not in use and shows no 0 %."""
    calls = [make_call(ts=datetime.now(UTC), caching_enabled=False, cacheable=False) for _ in range(3)]
    Lake(tmp_path / "tables").commit("calls", table_of("calls", calls))
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))

    app = opened("hit_rate")

    assert app.info[0].value.startswith("Caching is not in use")
    assert not app.metric


def test_a_model_filter_makes_prompt_store_figures_unknown(on_fleet: Path) -> None:
    """Prompt-store lines name no model: filtered by one, the page says so instead of showing zeros."""
    app = opened("hit_rate")
    app.multiselect(key="model").select("claude-opus-4-5").run()

    assert not app.exception
    assert any("they name neither" in box.value for box in app.info)
    assert not any("Prompt-store" in metric.label for metric in app.metric)


def test_the_two_caches_stand_in_sections_of_their_own(shown: Look) -> None:
    """The hit-rate page names both caches, one after the other."""
    assert [header.value for header in shown("hit_rate", "en").header] == ["Claude cache", "Prompt store"]


def test_a_failing_source_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source whose last pass failed turns the badge and shows its code in the list of sources."""
    now = datetime.now(UTC)
    lake = Lake(tmp_path / "tables")
    lake.commit("calls", table_of("calls", [make_call(ts=now)]))
    failed = make_pass(ts=now, status="failed", error_code="COL-404", error_message="no [such] log group")
    lake.commit("ingest_passes", table_of("ingest_passes", [failed]))
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))

    seen = words(opened("overview", drawer_sources=True))

    assert "Sources failing: 1" in seen
    assert "COL-404" in seen


def test_a_first_read_in_progress_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While history is read for the first time there are rows but no finished pass: the badge says it."""
    Lake(tmp_path / "tables").commit("calls", table_of("calls", [make_call(ts=datetime.now(UTC))]))
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))

    assert "First read in progress" in words(opened("overview"))


def test_a_source_that_is_behind_says_how_far_it_got(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old data is not passed off as fresh."""
    now = datetime.now(UTC)
    lake = Lake(tmp_path / "tables")
    lake.commit("calls", table_of("calls", [make_call(ts=now)]))
    late = make_pass(ts=now, complete_until=now - timedelta(hours=5))
    lake.commit("ingest_passes", table_of("ingest_passes", [late]))
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))

    seen = words(opened("overview"))

    assert "Behind: complete up to" in seen
    assert "5 h ago" in seen


def test_the_cache_button_says_which_cache_it_clears(fleet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The button clears the dashboard's own data cache, and says that no other cache is touched."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(fleet))
    app = opened("overview")
    button = app.button(key="clear_cache")
    assert button.label == "Clear dashboard data cache"
    assert "prompt store are not touched" in button.proto.help

    button.click().run()

    assert not app.exception
    assert app.toast[0].value == "The dashboard data cache is empty."


def test_new_rows_are_seen_at_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cached figures are keyed by the tables' versions, so a commit shows without clearing anything."""
    lake = Lake(tmp_path / "tables")
    lake.commit("calls", table_of("calls", [make_call(ts=datetime.now(UTC))]))
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path))
    app = opened("overview")
    assert list(app.dataframe[0].value["calls"]) == [1]
    lake.commit("calls", table_of("calls", [make_call(ts=datetime.now(UTC))]))
    data.versions.clear()  # stands for the two seconds that versions are kept

    app.run()

    assert list(app.dataframe[0].value["calls"]) == [2]


def test_refreshing_leaves_no_answer_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the read door keeps is dropped, so that nothing old is shown as new; settings and tables stay open."""
    kept = {name: value for name, value in vars(data).items() if type(value) is type(data.versions)}
    kept = {name: value for name, value in kept.items() if value._info.cache_type is CacheType.DATA}
    dropped = []
    for name, value in kept.items():
        monkeypatch.setattr(value, "clear", lambda name=name: dropped.append(name))

    data.forget()

    assert "versions" in dropped
    assert sorted(dropped) == sorted(kept)
