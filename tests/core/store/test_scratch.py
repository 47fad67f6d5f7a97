"""Folders for what does not fit into memory: kept as long as their process lives, and no longer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.store import scratch

ROOT = Path(__file__).parents[3]
HOLD = """
import signal, sys, time
from cli import main
from core.regressions.shelf import Shelf
from core.store import scratch
signal.signal(signal.SIGTERM, main._end)
shelf = Shelf()
(scratch.folder() / "sums").write_bytes(b"x" * 1000)
print(scratch.folder(), flush=True)
time.sleep(60)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of the test's own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@contextmanager
def holding(temporary: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Run a process that has put something aside, and say where."""
    command = [sys.executable, "-c", HOLD]
    environ = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_what_a_killed_process_left_goes_at_the_next_start(temporary: Path) -> None:
    """As long as it lives nobody touches its folder; when it was killed, whoever comes next removes it."""
    with holding(temporary) as (process, folder):
        assert scratch.sweep() == []
        assert (folder / "sums").exists()

        process.kill()
        process.wait(10)

    assert folder.exists()
    assert scratch.sweep() == [folder]
    assert list(temporary.iterdir()) == []


def test_a_process_that_is_asked_to_stop_leaves_nothing(temporary: Path) -> None:
    """SIGTERM ends it as an error would: everything is cleared away, and the exit code says why."""
    with holding(temporary) as (process, folder):
        process.send_signal(signal.SIGTERM)

        assert process.wait(20) == 128 + signal.SIGTERM
        assert not folder.exists()
    assert list(temporary.iterdir()) == []


def test_nothing_of_anybody_else_is_removed(temporary: Path) -> None:
    """A folder of another name and a link that has ours stay."""
    (temporary / "cachewise-notes").mkdir()
    (temporary / "elsewhere").mkdir()
    (temporary / "cachewise-scratch-link").symlink_to(temporary / "elsewhere", target_is_directory=True)

    assert scratch.sweep() == []
    assert {path.name for path in temporary.iterdir()} == {"cachewise-notes", "elsewhere", "cachewise-scratch-link"}
