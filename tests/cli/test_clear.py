"""`cachewise clear`: preview, confirmation, audit, proof; and the cache that nobody can clear."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from cli import clear
from cli.main import main
from core.caching.prompt_table import PromptTable
from core.store.lake import Lake
from tests.support.rows import make_call, make_store_event, table_of

CONFIG = """
[[sources]]
name = "bodo"
kind = "files"
paths = ["logs/*"]
[sources.clear]
prompt_table = "cli-prompts"
"""
SECOND = '[[sources]]\nname = "other"\nkind = "files"\npaths = ["x"]\n[sources.clear]\nprompt_table = "other-prompts"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moto_address: str) -> Iterator[Path]:
    """A configured folder with two warm environments and their prompt table."""
    monkeypatch.chdir(tmp_path)
    for name in ("CACHEWISE_CONFIG", "CACHEWISE_DEMO", "CACHEWISE_STORE_PATH", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ENDPOINT_URL": moto_address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "cachewise.toml").write_text(CONFIG)
    client = boto3.session.Session().client("dynamodb")
    client.create_table(
        TableName="cli-prompts",
        KeySchema=[{"AttributeName": "engine", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "engine", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    tell(tmp_path, *(line("miss", stream, -600) for stream in ("one", "two")))
    yield tmp_path
    client.delete_table(TableName="cli-prompts")


def line(kind: str, stream: str, seconds: float, engine: str = "tutor") -> dict[str, Any]:
    """One line of a prompt store, so many seconds from now."""
    return make_store_event(kind, log_stream=stream, engine=engine, ts=datetime.now(UTC) + timedelta(seconds=seconds))


def tell(folder: Path, *rows: dict[str, Any]) -> None:
    """Collect these lines."""
    Lake(folder / "data" / "tables").commit("prompt_store_events", table_of("prompt_store_events", rows))


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    """Run the command; return its exit code and what it printed."""
    with pytest.raises(SystemExit) as ended:
        main(["clear", *args])
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def epochs() -> dict[str | None, int]:
    """The epochs that the service would read."""
    return PromptTable("cli-prompts").read_epochs()


def results(folder: Path) -> list[str]:
    """The audit log's results."""
    return sorted(Lake(folder / "data" / "tables").read("actions")["result"].to_pylist())


def test_a_dry_run_changes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The preview is shown; no epoch is written and no audit entry."""
    code, out, _ = run(capsys, "--dry-run")

    assert code == 0
    assert "Clear the prompt store of bodo: all engines" in out
    assert "active environments (seen)" in out
    assert epochs() == {}
    assert results(folder) == []


def test_it_refuses_where_nobody_can_be_asked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal and without --yes nothing is cleared."""
    code, _, err = run(capsys, "--all")

    assert code == 1
    assert err.startswith("FLT-402: The clear was not confirmed: there is no terminal to ask at.")
    assert epochs() == {}


@pytest.mark.parametrize(("typed", "code", "cleared"), [("bodo", 0, True), ("yes", 1, False)])
def test_the_source_must_be_typed(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    code: int,
    cleared: bool,
) -> None:
    """At a terminal its name is asked for; another word changes nothing."""
    monkeypatch.setattr(clear.sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(clear.click, "prompt", lambda *_, **__: typed)

    assert run(capsys)[0] == code
    assert bool(epochs()) is cleared


def test_json_tells_what_was_foretold_and_done(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object on standard output; the preview goes to standard error; the audit log has both rows."""
    code, out, err = run(capsys, "--engine", "tutor", "--yes", "--json")
    told = json.loads(out)

    assert code == 0
    assert "expected" in err
    assert (told["cleared"], told["complete"], told["preview"]["expected_misses"]) == (True, False, 2)
    assert (told["environments_seen"], told["environments_expected"]) == (0, 2)
    assert epochs() == {"tutor": told["epoch"]}
    assert results(folder) == ["done", "started"]


def test_it_waits_for_the_proof(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --wait it follows the logs until every environment has answered."""
    waits: list[float] = []

    def collected(seconds: float) -> None:
        waits.append(seconds)
        tell(folder, *(line("miss", stream, 1) for stream in ("one", "two")))

    monkeypatch.setattr(clear.time, "sleep", collected)

    code, out, _ = run(capsys, "--yes", "--wait", "60", "--json")

    assert code == 0
    assert waits == [2.0]
    assert json.loads(out)["sentence"].endswith("UTC; 2 of 2 environments seen.")


def test_an_environment_that_does_not_follow_is_a_failure(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A HIT of a later request means that the service does not read the epoch."""
    monkeypatch.setattr(clear.time, "sleep", lambda _: tell(folder, line("hit", "one", 60)))

    code, out, _ = run(capsys, "--yes", "--wait", "0.2")

    assert code == 1
    assert "1 still served the old prompt after that" in " ".join(out.split())


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("--source", "nobody"), 1, 'FLT-404: No source is named "nobody". Known: bodo.'),
        (("--engine", "a", "--all"), 2, "--engine takes one engine's name"),
        (("--engine", " "), 2, "--engine takes one engine's name"),
        (("--method", "variable"), 1, "FLT-401"),
        (("--method", "reboot"), 2, "reboot"),
    ],
)
def test_misuse_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], code: int, said: str
) -> None:
    """The error says what is accepted; nothing is cleared."""
    ended, _, err = run(capsys, *args, "--yes")

    assert ended == code
    assert said in err
    assert epochs() == {}


def test_with_several_sources_one_must_be_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It does not guess."""
    (folder / "cachewise.toml").write_text(CONFIG + SECOND)

    code, _, err = run(capsys, "--yes")

    assert (code, err.strip()) == (2, "Error: Several sources can be cleared: add --source bodo or --source other.")


def test_a_source_that_cannot_be_cleared_says_what_to_add(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The setting is named."""
    (folder / "cachewise.toml").write_text(CONFIG.split("[sources.clear]")[0])

    code, _, err = run(capsys, "--yes")

    assert code == 1
    assert "FLT-401: No source says how its prompt store is cleared. Add [sources.clear]" in err


def test_the_claude_cache_cannot_be_cleared(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says so in one line, shows when each prefix expires and what writing it again costs, and does not claim."""
    used = datetime.now(UTC) - timedelta(minutes=10)
    rows = [make_call(ts=used, cache_read_tokens=6000)]
    Lake(folder / "data" / "tables").commit("calls", table_of("calls", rows))

    code, out, err = run(capsys, "claude-cache", "--json")
    told = json.loads(out)

    assert code == 1
    assert err.startswith("Nobody can clear the Claude cache")
    assert told["cleared"] is False
    assert (told["prefixes"][0]["engine"], told["prefixes"][0]["rewrite_usd"]) == ("tutor", "0.060000000000")
    assert run(capsys, "claude-cache", "--dry-run")[0] == 0
    assert epochs() == {}
