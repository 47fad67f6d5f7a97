"""The Caches page: three caches kept apart, and a clear with preview, typed confirmation, audit entry and proof."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from streamlit.testing.v1 import AppTest

from core.caching.prompt_table import PromptTable
from core.errors import FixSettings
from core.store.lake import Lake
from dashboard import acts, data
from dashboard.i18n import catalogue
from tests.support import warm_lake
from tests.support.screens import LANGUAGES, bound_to, error_said, opened, words

both_languages = pytest.mark.parametrize("lang", LANGUAGES)
HOLDINGS = "What each environment holds"
AWS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-west-1"}


@pytest.fixture
def operator() -> Iterator[None]:
    """The server is bound to this machine, so whoever looks is the operator."""
    with bound_to("127.0.0.1"):
        yield


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configured folder with a warm fleet."""
    (tmp_path / "cachewise.toml").write_text(warm_lake.CONFIG)
    warm_lake.fill(tmp_path / "data")
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.fixture
def table(folder: Path, monkeypatch: pytest.MonkeyPatch, moto_address: str) -> Iterator[PromptTable]:
    """The fleet's prompt table, in a DynamoDB of this machine."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_address)
    client = boto3.session.Session().client("dynamodb")
    warm_lake.create_prompt_table(client)
    yield PromptTable("prompts")
    with suppress(client.exceptions.ResourceNotFoundException):
        client.delete_table(TableName="prompts")


def results(folder: Path) -> list[str]:
    """The audit log's results."""
    return sorted(Lake(folder / "data" / "tables").read("actions")["result"].to_pylist())


def shown(app: AppTest, alt: str) -> list[dict]:
    """The rows of the table on the English page that is described so."""
    frame = next(item for item in app.dataframe if item.proto.alt == alt)
    return frame.value.to_dict("records")


def cleared(folder: Path) -> AppTest:
    """Clear everything as an operator does."""
    app = opened("caches")
    app.button(key="preview").click().run()
    app.text_input(key="caches_typed").set_value("bodo")
    return app.button(key="caches_go").click().run()


@both_languages
def test_the_three_caches_stand_apart(folder: Path, operator: None, lang: str) -> None:
    """Each has a section of its own, in the viewer's language, and the last says that nobody can clear it."""
    app = opened("caches", lang)
    text = catalogue(lang)

    assert not app.exception
    assert not app.error
    assert [item.value for item in app.header] == [text["caches.own"], text["caches.store"], text["caches.claude"]]
    assert text["caches.claude.title"] in words(app)
    assert not re.search(r"\b(caches|page|error|col)\.[a-z_]+", words(app))


def test_every_holding_of_a_warm_environment_is_listed(folder: Path) -> None:
    """Twelve warm environments hold fifteen prompts; the idle one shows when it is asked for."""
    app = opened("caches")
    rows = shown(app, HOLDINGS)

    assert len(rows) == 15
    assert {row["seen"] for row in rows} == {"warm"}
    assert rows[0]["environment"] == "0000000b"

    app.toggle(key="caches_idle").set_value(True).run()

    assert len(shown(app, HOLDINGS)) == 16


def test_a_fleet_at_rest_holds_nothing_that_is_known(
    folder: Path, operator: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour later nothing is warm: a sentence stands in the table's place, and no prefix has a price."""
    monkeypatch.setenv("CACHEWISE_DEMO", "true")
    warm_lake.fill(folder / "data" / "demo", now=datetime.now(UTC) - timedelta(hours=5))

    app = opened("caches")

    assert not app.exception
    assert not app.dataframe
    assert "No rows." in words(app)
    assert "Warm environments: 0" in words(app)
    assert "0 warm environments:" not in words(app)
    assert catalogue("en")["caches.drift.nothing"] in words(app)
    assert "what that costs is not known" in words(app)


def test_prefixes_count_down(folder: Path) -> None:
    """Each live prefix shows when it expires and what writing it again costs."""
    app = opened("caches")
    rows = shown(app, "When each prefix expires")
    figures = {metric.label: metric.value for metric in app.metric}

    assert [(row["engine"], row["cache_ttl"]) for row in rows] == [("tutor", "1h"), ("coach", "5m")]
    assert rows[0]["rewrite_usd"] == 0.06
    assert figures["Live prefixes"] == "2"
    assert figures["To write all of them again"] == r"\$0.0738"
    assert r"**\$0.0738**" in words(app)


def test_names_from_logs_are_inert(folder: Path) -> None:
    """An engine name cannot become HTML, a colour or a formula."""
    assert warm_lake.HOSTILE not in words(opened("caches"))


@both_languages
def test_without_data_it_says_what_to_configure(lang: str) -> None:
    """Nothing read and nothing configured: the page explains both, and still says what nobody can clear."""
    app = opened("caches", lang)
    text = catalogue(lang)

    assert not app.exception
    assert not app.error
    assert text["caches.no_source"] in words(app)
    assert "[sources.clear]" in app.code[0].value
    assert text["caches.claude.title"] in words(app)


@both_languages
def test_it_says_what_to_do_when_tables_fail(broken: Path, monkeypatch: pytest.MonkeyPatch, lang: str) -> None:
    """With an unreadable table the error has code and mend, and there is no traceback."""
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(broken))

    app = opened("caches", lang)

    assert not app.exception
    assert "STO-" in app.error[0].value
    assert catalogue(lang)["failed.mend"] in app.error[0].value


@both_languages
def test_a_source_that_cannot_be_cleared_says_what_to_add(folder: Path, operator: None, lang: str) -> None:
    """The lines for cachewise.toml name the source; nothing can be pressed."""
    (folder / "cachewise.toml").write_text(warm_lake.CONFIG.split("[sources.clear]")[0])

    app = opened("caches", lang)

    assert catalogue(lang)["caches.unset.title"] in words(app)
    assert 'name = "bodo"' in app.code[0].value
    assert not [item for item in app.button if item.key == "preview"]


@both_languages
def test_a_viewer_is_refused(folder: Path, lang: str) -> None:
    """Whoever is not an operator sees what is held, and that clearing needs the role."""
    with bound_to("0.0.0.0"):
        app = opened("caches", lang)

    assert not app.exception
    assert "DSH-403" in words(app)
    assert app.dataframe[0].value.shape[0] == 15
    assert not [item for item in app.button if item.key == "preview"]


def test_the_demo_has_nothing_to_clear(folder: Path, operator: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the demo the page shows what a clear would do, offers none, and the server refuses one."""
    monkeypatch.setenv("CACHEWISE_DEMO", "true")
    warm_lake.fill(folder / "data" / "demo")

    app = opened("caches")

    assert "The demo fleet has nothing to clear" in words(app)
    assert {metric.label: metric.value for metric in app.metric}["Expected MISSes"] == "15"
    assert not [item for item in app.button if item.key == "preview"]
    with pytest.raises(FixSettings, match="DSH-410"):
        acts.foresee(data.configuration().sources[0], None)


def test_a_preview_changes_nothing(folder: Path, operator: None, table: PromptTable) -> None:
    """The dry run shows MISSes, reads, delay and dollars; no epoch is written and no audit entry."""
    app = opened("caches")

    app.button(key="preview").click().run()

    figures = {metric.label: metric.value for metric in app.metric}
    assert (figures["Expected MISSes"], figures["DynamoDB reads"]) == ("15", "15")
    assert figures["If the prompt changed"] == r"\$0.0738"
    assert "nothing was changed" in words(app)
    assert table.read_epochs() == {}
    assert results(folder) == []


def test_one_engine_is_foretold_alone(folder: Path, operator: None, table: PromptTable) -> None:
    """The preview is of the engine that was chosen, and is gone when another one is."""
    app = opened("caches")
    app.selectbox(key="caches_engine").set_value("tutor").run()
    app.button(key="preview").click().run()
    assert {metric.label: metric.value for metric in app.metric}["Expected MISSes"] == "12"

    app.selectbox(key="caches_engine").set_value(warm_lake.HOSTILE).run()

    assert "Expected MISSes" not in {metric.label for metric in app.metric}
    assert not app.main.text_input


@both_languages
def test_it_is_refused_without_the_name(folder: Path, operator: None, table: PromptTable, lang: str) -> None:
    """Anything but the source's name clears nothing, and the code says why."""
    app = opened("caches", lang)
    app.button(key="preview").click().run()

    for typed in ("", "yes", "BODO"):
        app.text_input(key="caches_typed").set_value(typed)
        app.button(key="caches_go").click().run()

        assert "FLT-402" in app.error[0].proto.title
        assert error_said(lang, "FLT-402") in app.error[0].value
        app.run()
        assert not app.error  # what was refused before is not shown for the next
    assert table.read_epochs() == {}
    assert results(folder) == []


def test_a_confirmed_clear_is_done_audited_and_followed(folder: Path, operator: None, table: PromptTable) -> None:
    """The epoch is raised, the audit log has both rows, and the page waits for twelve environments."""
    app = cleared(folder)

    assert not app.exception
    assert not app.error
    assert list(table.read_epochs()) == [None]
    assert results(folder) == ["done", "started"]
    entry = shown(app, "Audit log")[0]
    assert entry["what"] == "Clear of the prompt store: bodo/prompt-store/*"
    assert entry["result_text"] == "done"
    assert "expected_misses: 15" in entry["before"]
    assert "epoch: " in entry["after"]
    assert entry["actor"].endswith("(dashboard)")
    assert any("0 of 12 environments seen" in box.value for box in app.info)
    assert not app.main.text_input
    assert {row["kept"] for row in shown(app, HOLDINGS)} == {"cleared"}


def test_the_proof_comes_from_the_logs(folder: Path, operator: None, table: PromptTable) -> None:
    """Eleven MISSes are eleven of twelve; the twelfth completes it."""
    app = cleared(folder)
    lake = Lake(folder / "data" / "tables")
    warm_lake.answer(lake, *range(11))
    data.forget()
    app.run()
    assert any("11 of 12 environments seen" in box.value for box in app.info)

    warm_lake.answer(lake, 11)
    data.forget()
    app.run()

    assert any("12 of 12 environments seen" in box.value for box in app.success)
    assert {row["proof"] for row in shown(app, "Proof of the last clear")} == {"cleared"}


def test_an_environment_that_does_not_follow_is_an_error(folder: Path, operator: None, table: PromptTable) -> None:
    """A HIT of a request that started after the clear is told in red."""
    app = cleared(folder)
    late = data.past_clears("bodo")[0].effective_at
    warm_lake.answer(Lake(folder / "data" / "tables"), 3, at=late + timedelta(seconds=30), kind="hit")
    data.forget()

    app.run()

    assert any("1 still served the old prompt" in box.value for box in app.error)


def test_the_role_is_asked_again_on_the_server(folder: Path, operator: None, table: PromptTable) -> None:
    """A page that was opened by an operator clears nothing for somebody else."""
    app = opened("caches")
    app.button(key="preview").click().run()
    foreseen = app.session_state["caches_preview"]

    with bound_to("0.0.0.0"):
        app.text_input(key="caches_typed").set_value("bodo")
        app.button(key="caches_go").click().run()
        with pytest.raises(FixSettings, match="DSH-403"):
            acts.clear_prompt_store(data.configuration().sources[0], foreseen, "bodo")

    assert "DSH-403" in words(app)
    assert table.read_epochs() == {}
    assert results(folder) == []


@both_languages
def test_a_clear_that_fails_is_told_and_audited(
    folder: Path, operator: None, table: PromptTable, monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    """Where AWS refuses, the page says what failed, and the audit log has it as failed."""
    boto3.session.Session().client("dynamodb").delete_table(TableName="prompts")
    app = opened("caches", lang)
    app.button(key="preview").click().run()
    app.text_input(key="caches_typed").set_value("bodo")

    app.button(key="caches_go").click().run()

    assert "FLT-405" in app.error[0].proto.title
    assert error_said(lang, "FLT-405") in app.error[0].value
    assert results(folder) == ["failed", "started"]


def test_the_dashboards_own_data_is_dropped(folder: Path) -> None:
    """The button empties the dashboard's cache and nothing else."""
    app = opened("caches")

    app.button(key="caches_clear_own").click().run()

    assert app.toast[0].value == "The dashboard data cache is empty."
    assert results(folder) == []
