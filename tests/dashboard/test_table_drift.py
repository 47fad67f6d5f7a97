"""The comparison with the prompt table, on the Caches page and on the command line: at a request only, no texts."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from streamlit.testing.v1 import AppTest

from cli.main import main
from core.caching.fingerprint import block_fingerprint, fingerprint_key
from core.errors import FixSettings
from core.store.lake import Lake
from dashboard import acts, data
from dashboard.i18n import catalogue
from tests.support import warm_lake
from tests.support.reading import texts_under
from tests.support.rows import Row, make_call, table_of
from tests.support.screens import LANGUAGES, bound_to, error_said, opened, words

both_languages = pytest.mark.parametrize("lang", LANGUAGES)
MARK = "PLANTED"
OLD, NEW = f"You are the old {MARK} tutor.", f"You are the new {MARK} tutor."
AWS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-west-1"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moto_address: str) -> Path:
    """A warm fleet whose first environment holds the new prompt, and whose second the old one."""
    (tmp_path / "cachewise.toml").write_text(warm_lake.CONFIG)
    monkeypatch.chdir(tmp_path)
    for name in ("FINGERPRINT_KEY", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**AWS, "AWS_ENDPOINT_URL": moto_address}.items():
        monkeypatch.setenv(name, value)
    lake = warm_lake.fill(tmp_path / "data")
    lake.commit("calls", table_of("calls", [served(1, OLD, 30), served(1, NEW, 10), served(2, OLD, 5)]))
    return tmp_path


@pytest.fixture
def table(folder: Path) -> Iterator[Any]:
    """The fleet's prompt table with the new prompt."""
    client = boto3.session.Session().client("dynamodb")
    warm_lake.create_prompt_table(client)
    item = {"engine": {"S": "tutor"}, "prompt": {"S": NEW}, "version": {"S": "8"}}
    client.put_item(TableName="prompts", Item=item)
    yield client
    with suppress(client.exceptions.ResourceNotFoundException):
        client.delete_table(TableName="prompts")


def served(number: int, text: str, minutes: float) -> Row:
    """A call of an environment with this prompt, so many minutes ago."""
    key = fingerprint_key({"AWS_LAMBDA_FUNCTION_NAME": "bodo-ws", "AWS_REGION": AWS["AWS_DEFAULT_REGION"]})
    at = datetime.now(UTC) - timedelta(minutes=minutes)
    return make_call(
        source=warm_lake.SOURCE, ts=at, log_stream=warm_lake.stream(number), engine="tutor",
        prefix_blocks=f"system:{block_fingerprint({'type': 'text', 'text': text}, key)}",
    )  # fmt: skip


def ended(arguments: list[str]) -> object:
    """Run the command line and return its exit code."""
    with pytest.raises(SystemExit) as done:
        main(arguments)
    return done.value.code


def shown(app: AppTest, lang: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of the comparison, by environment and engine."""
    alt = catalogue(lang)["caches.table.title"]
    frame = next(item for item in app.dataframe if item.proto.alt == alt)
    return {(row["environment"], row["engine"]): row for row in frame.value.to_dict("records")}


@both_languages
def test_the_environment_behind_the_table_is_listed_until_it_follows(folder: Path, table: Any, lang: str) -> None:
    """A click reads the table; the clear's choice stands beside; new log lines settle it without another read."""
    text = catalogue(lang)
    with bound_to("127.0.0.1"):
        app = opened("caches", lang)
        assert text["caches.table.title"] in words(app)
        assert not [item for item in app.dataframe if item.proto.alt == text["caches.table.title"]]

        app.button(key="caches_table_ask").click().run()
        rows = shown(app, lang)

        assert not app.exception
        assert rows["00000002", "tutor"]["compared"] == text["caches.table.is.behind"]
        assert rows["00000002", "tutor"]["item"] == "8"
        assert rows["00000002", "tutor"]["holds"] != rows["00000002", "tutor"]["table"]
        assert rows["00000001", "tutor"]["compared"] == text["caches.table.is.current"]
        states = {row["compared"] for row in rows.values()}
        assert states >= {text["caches.table.is.no_item"], text["caches.table.is.unknown"]}  # coach; text lines
        assert text["caches.table.behind"].format(n=1, of=len(rows)) in words(app)
        assert MARK not in words(app) + repr(rows) + repr(app.session_state["caches_table_read"])

        app.button(key="caches_table_choose_0").click().run()
        assert app.selectbox(key="caches_engine").value == "tutor"

        Lake(folder / "data" / "tables").commit("calls", table_of("calls", [served(2, NEW, 0)]))
        table.delete_table(TableName="prompts")
        data.forget()
        app.run()
        assert shown(app, lang)["00000002", "tutor"]["compared"] != text["caches.table.is.behind"]


@both_languages
def test_a_table_that_cannot_be_read_is_told(folder: Path, lang: str) -> None:
    """Without the table the page has the code and the mend, and no traceback."""
    with bound_to("127.0.0.1"):
        app = opened("caches", lang)
        app.button(key="caches_table_ask").click().run()

    assert not app.exception
    assert "FLT-406" in app.error[0].proto.title
    assert error_said(lang, "FLT-406") in app.error[0].value


def test_a_viewer_reads_no_table(folder: Path, table: Any) -> None:
    """The button is off, and the server refuses what a browser sends anyway."""
    with bound_to("0.0.0.0"):
        app = opened("caches")

        assert app.button(key="caches_table_ask").disabled
        with pytest.raises(FixSettings, match="DSH-403"):
            acts.read_prompt_table(data.configuration().sources[0])


def test_the_command_line_compares_and_clears_nothing(
    folder: Path, table: Any, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """It ends with 1 while one is behind; no prompt's text is in what is printed, logged or kept."""
    caplog.set_level(logging.INFO)
    assert ended(["clear", "--compare", "--json"]) == 1
    out, err = capsys.readouterr()
    told = json.loads(out)

    assert told["behind"] == 1
    assert {(item["log_stream"], item["state"]) for item in told["compared"]} >= {
        (warm_lake.stream(1), "current"), (warm_lake.stream(2), "behind")
    }  # fmt: skip
    assert "1 of" in err
    assert "Clear these engines" in err
    assert Lake(folder / "data" / "tables").read("actions").num_rows == 0
    assert "__epoch__" not in {item["engine"]["S"] for item in table.scan(TableName="prompts")["Items"]}
    ours = "".join(record.getMessage() for record in caplog.records)
    assert MARK not in out + err + ours + "".join(text for _, text in texts_under(folder))
    assert ended(["clear", "--compare", "--engine", "coach"]) == 0
