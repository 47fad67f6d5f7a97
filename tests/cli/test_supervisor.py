"""Children of `cachewise run`: essential ones end the run, others come back."""

import sys
import time
from pathlib import Path

from cli.supervisor import Child, Supervisor


def python(code: str) -> list[str]:
    """A command that runs a line of Python."""
    return [sys.executable, "-c", code]


def wait_for_exit(child: Child) -> None:
    """Wait until the child has ended by itself."""
    assert child.process is not None
    child.process.wait(10)


def test_an_essential_child_that_ends_is_reported_with_its_last_words(tmp_path: Path) -> None:
    """The run learns which child ended and why."""
    child = Child("dashboard", python("print('no such theme'); raise SystemExit(3)"), tmp_path / "log", essential=True)
    supervisor = Supervisor([child])
    supervisor.start()
    wait_for_exit(child)

    assert supervisor.check() is child
    assert child.exit_code() == 3
    assert child.tail() == "no such theme"


def test_a_collector_that_falls_over_is_started_again_after_a_pause(tmp_path: Path) -> None:
    """A crash of the collector does not end the dashboard; the pause doubles."""
    child = Child("collector", python("raise SystemExit(1)"), tmp_path / "log")
    supervisor = Supervisor([child])
    supervisor.start()
    wait_for_exit(child)

    assert supervisor.check(now=100.0) is None
    assert (child.restarts, child.restart_at) == (0, 101.0)
    supervisor.check(now=101.0)
    assert (child.restarts, child.pause_s) == (1, 2.0)
    supervisor.stop()


def test_stop_ends_every_child(tmp_path: Path) -> None:
    """Nothing is left running, not even a child that ignores SIGTERM for a while."""
    child = Child("sleeper", python("import time; time.sleep(600)"), tmp_path / "log")
    supervisor = Supervisor([child])
    supervisor.start()
    began = time.monotonic()

    supervisor.stop()

    assert child.exit_code() is not None
    assert time.monotonic() - began < 8


def test_a_child_that_falls_over_is_told_of(tmp_path: Path) -> None:
    """Whoever sits at the terminal learns what ended, its last words, and where its log is."""
    told: list[str] = []
    child = Child("collector", python("print('no room'); raise SystemExit(1)"), tmp_path / "log")
    supervisor = Supervisor([child], tell=told.append)
    supervisor.start()
    wait_for_exit(child)

    supervisor.check(now=100.0)
    supervisor.check(now=100.5)

    assert told == [
        f"The collector ended with exit code 1: no room. It starts again in 1 s; its log is {tmp_path / 'log'}."
    ]


def test_a_child_that_was_sent_a_signal_is_told_by_its_name(tmp_path: Path) -> None:
    """Not as an exit code of -9 that no process has."""
    child = Child("collector", python("import os; os.kill(os.getpid(), 9)"), tmp_path / "log")
    supervisor = Supervisor([child])
    supervisor.start()
    wait_for_exit(child)

    assert child.ending() == "was ended by SIGKILL"
