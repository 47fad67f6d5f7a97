"""`cachewise probe`: the seed suite as one command, the estimate, the question, the canary."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cli import probe as verb
from cli.main import main
from core.store.lake import Lake
from tests.support.probing import Laboratory, laboratory

ROOT = Path(__file__).parents[2]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Laboratory]:
    """A simulator, and the command line's environment pointing at it."""
    monkeypatch.chdir(tmp_path)
    for name in ("CACHEWISE_CONFIG", "CACHEWISE_DEMO", "CACHEWISE_STORE_PATH"):
        monkeypatch.delenv(name, raising=False)
    with laboratory(tmp_path / "data", monkeypatch) as running:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", running.simulator.url)
        yield running


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    """Run the command; return its exit code and what it printed."""
    with pytest.raises(SystemExit) as ended:
        main(["probe", *args])
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def process(lab: Laboratory, *args: str) -> subprocess.Popen[str]:
    """Start the command as a process of its own, as an operator does."""
    return subprocess.Popen(
        [sys.executable, "-m", "cli", "probe", *args],
        cwd=lab.folder.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_seed_suite_is_one_command(lab: Laboratory, capsys: pytest.CaptureFixture[str]) -> None:
    """`cachewise probe --suite seed --json`: three verdicts, exit 0, one JSON object, kept in the tables."""
    code, out, err = run(capsys, "--suite", "seed", "--json")
    told: dict[str, Any] = json.loads(out)

    assert (code, told["passed"], told["simulated"]) == (0, True, True)
    assert [item["experiment"] for item in told["experiments"]] == ["write_then_read", "saving", "prompt_store"]
    assert {item["verdict"] for item in told["experiments"]} == {"passed"}
    assert 0 < Decimal(told["spent_usd"]) <= Decimal(told["budget_usd"])
    assert told["base_url"] == lab.simulator.url
    assert f"Requests go to {lab.simulator.url}, not to Anthropic." in err
    assert Lake(lab.folder / "tables").read("probes").num_rows == 3


def test_a_bad_key_is_a_verdict(lab: Laboratory, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1, the code and the mend in the table, what was spent, and no traceback."""
    lab.monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-wrong")
    code, out, err = run(capsys, "--json")
    told = json.loads(out)

    assert (code, told["passed"], told["spent_usd"]) == (1, False, "0")
    assert told["problem"]["code"] == told["experiments"][0]["error"]["code"] == "PRB-401"
    assert told["estimate_usd"] is None  # nobody counted: unknown, not zero
    assert "Traceback" not in err
    assert "sk-ant-wrong" not in out + err


def test_a_dry_run_sends_nothing(lab: Laboratory, capsys: pytest.CaptureFixture[str]) -> None:
    """It shows the estimate and what is needed, and leaves no trace."""
    code, out, _ = run(capsys, "--suite", "full", "--dry-run")

    assert code == 0
    assert "Estimate $0.01" in out
    assert "budget $0.050000, never exceeded" in out
    assert "The server says that it is simulated" in out
    assert (lab.simulator.calls, Lake(lab.folder / "tables").version("probes")) == ([], None)


@pytest.mark.parametrize(("answer", "code", "sent"), [(False, 1, 0), (True, 0, 2)])
def test_at_a_terminal_it_asks(
    lab: Laboratory, capsys: pytest.CaptureFixture[str], answer: bool, code: int, sent: int
) -> None:
    """The question names the estimate and the budget; without a yes nothing is sent."""
    asked: list[str] = []
    lab.monkeypatch.setattr("sys.stdin.isatty", lambda: True)

    def confirm(question: str, **options: object) -> bool:
        asked.append(question)
        return answer

    lab.monkeypatch.setattr(verb.click, "confirm", confirm)
    ended, _, _ = run(capsys, "--experiment", "write_then_read")

    assert (ended, len(lab.billed())) == (code, sent)
    assert asked[0].startswith("Spend about $0.000")
    assert "at most $0.05" in asked[0]


def test_yes_does_not_ask(lab: Laboratory, capsys: pytest.CaptureFixture[str]) -> None:
    """--yes goes on at a terminal too."""
    lab.monkeypatch.setattr("sys.stdin.isatty", lambda: True)

    assert run(capsys, "--yes", "--experiment", "write_then_read")[0] == 0


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["--budget", "0"], 1, "CFG-015"),
        (["--every", "5s"], 1, "CFG-015"),
        (["--every"], 2, 'every = "1h" in [probe]'),
        (["--experiment", "nothing"], 1, "PRB-403"),
        (["--suite", "all"], 2, "--suite"),
    ],
)
def test_what_is_not_accepted_is_said(
    lab: Laboratory, capsys: pytest.CaptureFixture[str], args: list[str], code: int, said: str
) -> None:
    """One line names the value and what is accepted."""
    ended, _, err = run(capsys, *args)

    assert ended == code
    assert said in err


def test_the_canary_stops_cleanly(lab: Laboratory) -> None:
    """--every probes at once and then waits; SIGTERM ends it with 0, and its verdicts are kept as the canary's."""
    with process(lab, "--every", "1h", "--json") as running:
        assert running.stdout is not None
        told = json.loads(running.stdout.readline())
        running.send_signal(signal.SIGTERM)
        _, err = running.communicate(timeout=100)

    kept = Lake(lab.folder / "tables").read("probes").to_pylist()
    assert (running.returncode, told["passed"]) == (0, True)
    assert {row["started_by"] for row in kept} == {"canary"}
    assert "Every 3,600 s: about $" in err
    assert "Traceback" not in err


def test_the_canary_goes_on_after_a_failure(lab: Laboratory, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that fails is told and the next one is made."""
    waits: list[float] = []

    def wait(stop: Any, seconds: float) -> bool:
        waits.append(seconds)
        lab.monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-sim-good-again")
        if len(waits) == 2:
            stop.set()
        return stop.is_set()

    lab.monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-wrong")
    lab.monkeypatch.setattr("threading.Event.wait", wait)
    code, out, _ = run(capsys, "--every", "1h", "--json")

    assert code == 0
    assert [json.loads(line)["passed"] for line in out.splitlines()] == [False, True]
    assert 3000 < waits[0] <= 3600
