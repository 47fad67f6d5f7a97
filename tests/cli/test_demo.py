"""`cachewise demo`: history, live traffic until told to stop, and the sources that read it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.demo import command, demo_sources
from core.errors import FixSettings, TryAgain
from core.settings import Settings
from tests.support.fleet import payloads


def demo(folder: Path, *args: str) -> Result:
    """Run the verb on `folder`."""
    environ = {"CACHEWISE_STORE_PATH": str(folder), "CACHEWISE_CONFIG": ""}
    return CliRunner().invoke(command, ["--no-live", "--days", "1", *args], env=environ)


def test_history_then_end(tmp_path: Path) -> None:
    """With --no-live it writes the history up to now, says so in one JSON line, and ends."""
    result = demo(tmp_path, "--json")

    told = json.loads(result.output)
    assert result.exit_code == 0
    assert told["seed"] == 7
    assert 24 <= told["hours_written"] <= 48
    groups = {payload["logGroup"] for payload in payloads(tmp_path / "demo" / "logs")}
    assert groups == {"/aws/lambda/bodo-ws", "/aws/lambda/bodo-legacy"}
    assert any((tmp_path / "demo" / "truth").iterdir())


def test_second_run_goes_on(tmp_path: Path) -> None:
    """A second run finds the history written and adds none."""
    demo(tmp_path)

    assert "0 calls of history" in demo(tmp_path).output


def test_another_seed_is_refused(tmp_path: Path) -> None:
    """A folder keeps its seed."""
    demo(tmp_path, "--seed", "3")

    result = demo(tmp_path, "--seed", "4")

    assert isinstance(result.exception, FixSettings)
    assert result.exception.code == "DEM-002"


def test_two_writers_are_refused(tmp_path: Path) -> None:
    """While one demo writes, a second one ends with a clear error."""
    (tmp_path / "demo").mkdir()
    with (tmp_path / "demo" / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        result = demo(tmp_path)

    assert isinstance(result.exception, TryAgain)
    assert result.exception.code == "DEM-004"


def test_sources_read_the_folders() -> None:
    """One files source per function, with the defaults that its text lines leave out."""
    sources = demo_sources(Settings(store_path="data", demo=True))

    assert [(s.name, s.kind, s.paths) for s in sources] == [
        ("bodo-ws", "files", ("data/demo/logs/bodo-ws",)),
        ("bodo-legacy", "files", ("data/demo/logs/bodo-legacy",)),
    ]
    assert {(s.defaults.provider, s.defaults.model, s.defaults.cache_ttl) for s in sources} == {
        ("anthropic", "claude-opus-4-5", "1h")
    }


def test_a_bucket_cannot_hold_the_demo() -> None:
    """The demo needs a local folder."""
    with pytest.raises(FixSettings, match="DEM-003"):
        demo_sources(Settings(store_path="s3://bucket/prefix"))


@pytest.mark.parametrize("days", ["0", "91", "x"])
def test_days_out_of_range_is_misuse(tmp_path: Path, days: str) -> None:
    """Days outside 1 to 90 are refused before anything is written."""
    assert demo(tmp_path, "--days", days).exit_code == 2
    assert not (tmp_path / "demo").exists()


def test_live_until_sigterm(tmp_path: Path) -> None:
    """Live traffic is appended as time passes; SIGTERM ends it cleanly with exit code 0."""
    environ = {**os.environ, "CACHEWISE_STORE_PATH": str(tmp_path), "CACHEWISE_CONFIG": ""}
    run = [sys.executable, "-m", "cli", "demo", "--days", "1", "--json"]
    with subprocess.Popen(run, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=20)

    assert process.returncode == 0
    assert json.loads(rest)["events"] >= first["events"]
    opened = closed = 0
    for payload in payloads(tmp_path / "demo" / "logs" / "bodo-legacy"):
        for event in payload["logEvents"]:
            opened += event["message"].startswith("START ")
            closed += event["message"].startswith("REPORT ")
    assert opened == closed > 0
