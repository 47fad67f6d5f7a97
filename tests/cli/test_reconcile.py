"""`cachewise reconcile`: the table, the JSON, the last run again, and what it says without a key."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from cli.main import main
from simulator.admin import ADMIN_KEY
from tests.support.billing import NOW, billed, lake_of, truths


@pytest.fixture
def _bill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The fleet's tables, and a provider that bills it with a fifth more and 12 % off."""
    lake_of(tmp_path / "data", truths())
    with billed(truths(), unlogged="0.2", discount="0.12") as running:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", running.url)
        monkeypatch.setenv("ANTHROPIC_ADMIN_KEY", ADMIN_KEY)
        yield


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CACHEWISE_CONFIG", "CACHEWISE_DEMO", "ANTHROPIC_ADMIN_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CACHEWISE_STORE_PATH", str(tmp_path / "data"))


def run(*args: str) -> int:
    """Run the command and return its exit code."""
    with pytest.raises(SystemExit) as ended:
        main(["reconcile", *args])
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.usefixtures("_bill")
def test_the_table_and_the_json_tell_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """And --last shows the JSON's figures again without asking; the key is nowhere."""
    days = ("--from", "2026-11-17", "--to", NOW.date().isoformat())
    assert run(*days, "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)["reconciliations"]
    assert run("--last") == 0
    shown = capsys.readouterr().out

    assert told["simulated"] is True
    assert told["total"]["unlogged_tokens"] > 0
    assert Decimal(told["total"]["amount_usd"]) == Decimal(told["total"]["list_usd"]) * Decimal("0.88")
    assert f"{told['total']['billed_tokens']:,}" in shown
    assert f"{told['total']['unlogged_share']:.2%} of the provider's tokens" in shown
    assert "Implied discount: 12.00%" in shown
    assert "made up" in shown
    assert "claude-opus-4-5" in shown
    assert ADMIN_KEY not in shown + json.dumps(told)


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        ((), 1, "REC-402: There is no Admin API key"),
        (("--provider", "bedrock"), 1, "REC-405"),
        (("--last", "--from", "7d"), 2, "REC-009"),
        (("--from", "soon"), 2, "MET-006"),
    ],
)
def test_faults_are_one_line(capsys: pytest.CaptureFixture[str], args: tuple[str, ...], code: int, says: str) -> None:
    """That says what is needed."""
    assert run(*args) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert says in err


def test_the_last_of_nothing_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody has reconciled yet: no error, and an empty list."""
    assert run("--last", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"reconciliations": []}
