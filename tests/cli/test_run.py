"""`cachewise run` as a newcomer starts it: real processes, a real page, stopped by one signal."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.run import SETTINGS_WRONG, meaning
from core.access_settings import AccessSettings

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(folder: Path) -> dict[str, str]:
    """The machine's environment without anybody's settings, keys or accounts."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CACHEWISE_", "AWS_", "ANTHROPIC_"))}
    return kept | {"HOME": str(folder)}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[dict[str, object], "subprocess.Popen[str]", Path]]:
    """The whole product with nothing configured, in an empty folder."""
    command = [sys.executable, "-m", "cli", "run", "--json", "--port", str(free_port())]
    environ = clean_environment(tmp_path) | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline()), process, tmp_path
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def test_it_serves_the_demo_and_stops_with_everything_it_started(
    running: tuple[dict[str, object], "subprocess.Popen[str]", Path],
) -> None:
    """The page answers, the tables are named as the demo's, logs are kept apart, and one signal ends all of it."""
    said, process, folder = running

    assert said["demo"] is True
    assert str(said["tables"]).endswith("demo/tables")
    with urllib.request.urlopen(f"{said['url']}/_stcore/health", timeout=10) as answer:
        assert answer.read() == b"ok"
    assert {path.name for path in (folder / "data" / "log").iterdir()} == {
        "dashboard.log", "demo.log", "collector.log", "claude.log",
    }  # fmt: skip

    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    listening = subprocess.run(
        ["pgrep", "-f", f"server.port={str(said['url']).rsplit(':', 1)[1]}"], capture_output=True, check=False
    )
    assert listening.stdout == b""


def test_a_port_in_use_is_one_line_with_the_mend(tmp_path: Path) -> None:
    """Nothing is started, and the next port is proposed."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "cli", "run", "--port", str(port)],
            cwd=tmp_path, env=clean_environment(tmp_path) | {"PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"RUN-001: Port {port} on 127.0.0.1 is in use. Choose another: make run PORT={port + 1}."
    ]
    assert not (tmp_path / "data").exists()


def test_a_data_folder_that_cannot_be_one_is_one_line_with_the_mend(tmp_path: Path) -> None:
    """Where the logs of its processes cannot be written, nothing is started and no traceback is shown."""
    (tmp_path / "data").write_text("a file")
    done = subprocess.run(
        [sys.executable, "-m", "cli", "run", "--port", str(free_port())],
        cwd=tmp_path, env=clean_environment(tmp_path) | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (1, "")
    assert [line[:8] for line in done.stderr.splitlines()] == ["STO-004:"]


def test_settings_that_must_be_mended_first_have_an_exit_code_of_their_own(tmp_path: Path) -> None:
    """Whatever watches over the process need not start it again: the same line would be all it says."""
    (tmp_path / "cachewise.toml").write_text('[store]\npaht = "data"\n')
    done = subprocess.run(
        [sys.executable, "-m", "cli", "run", "--port", str(free_port())],
        cwd=tmp_path, env=clean_environment(tmp_path) | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (SETTINGS_WRONG, "")
    assert [line[:8] for line in done.stderr.splitlines()] == ["CFG-004:"]


@pytest.mark.parametrize(
    ("address", "access", "said"),
    [
        ("127.0.0.1", AccessSettings(), ""),
        ("0.0.0.0", AccessSettings(), "anyone who reaches it sees the figures"),
        ("0.0.0.0", AccessSettings(), "refused to everybody"),
        ("0.0.0.0", AccessSettings("oidc", operators=("kim@example.com",)), "operators: 1, viewers: 0"),
        ("0.0.0.0", AccessSettings("alb", viewers=("*",)), "viewers: everybody who signs in"),
        ("10.0.0.5", AccessSettings("proxy", viewers=("*",)), "X-Forwarded-Email"),
    ],
)
def test_it_says_what_an_address_means(address: str, access: AccessSettings, said: str) -> None:
    """Beyond this machine, who sees and who acts is said at the start; names of people are not."""
    told = "\n".join(meaning(address, access))

    assert said in told
    assert bool(told) == bool(said)
    assert "kim" not in told
