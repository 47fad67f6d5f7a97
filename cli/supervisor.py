"""Child processes of `cachewise run`: start them, restart the ones that may fail, stop them all together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

STOP_WAIT_S = 8.0
RESTART_FIRST_S, RESTART_MOST_S = 1.0, 60.0


@dataclass(slots=True)
class Child:
    """One process: `essential` ones end the run when they end, others are started again with back-off."""

    name: str
    command: Sequence[str]
    log: Path
    essential: bool = False
    process: subprocess.Popen[bytes] | None = None
    restart_at: float = 0.0
    pause_s: float = field(default=RESTART_FIRST_S)
    restarts: int = 0

    def start(self, environ: Mapping[str, str]) -> None:
        """Start the process with its output in its own log file, in a group of its own."""
        with self._open_log() as sink:
            self.process = subprocess.Popen(
                list(self.command),
                stdout=sink,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=dict(environ),
                start_new_session=True,  # Ctrl-C reaches the parent alone, which stops children in order
            )

    def _open_log(self) -> IO[bytes]:
        """Open the log for appending. Raises FixSettings or TryAgain for a folder that cannot be written."""
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            return self.log.open("ab")
        except OSError:
            from core.store.faults import explained, make_folder  # slow to import, so only to explain

            make_folder(self.log.parent)
            with explained(self.log.parent, "opening a log in it"):
                return self.log.open("ab")

    def exit_code(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self.process.poll() if self.process else None

    def ending(self) -> str:
        """Say how it ended: by its own exit code, or by a signal that it was sent."""
        code = self.exit_code()
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"was ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def tail(self, lines: int = 5) -> str:
        """Return the last lines of the child's log, for the message that says why it ended."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
        return ""


class Supervisor:
    """Keeps a set of children alive until an essential one ends or `stop` is called."""

    def __init__(
        self,
        children: Sequence[Child],
        environ: Mapping[str, str] | None = None,
        *,
        tell: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self.children = list(children)
        self.tell = tell
        self.environ = dict(os.environ if environ is None else environ)

    def start(self) -> None:
        """Start every child, in order."""
        for child in self.children:
            child.start(self.environ)

    def check(self, now: float | None = None) -> Child | None:
        """Restart what fell over; return the essential child that ended, if one did.

        A child that exited with 0 is done and is left alone.
        """
        moment = time.monotonic() if now is None else now
        for child in self.children:
            code = child.exit_code()
            if code is None or (code == 0 and not child.essential):
                continue
            if child.essential:
                return child
            self._restart(child, moment)
        return None

    def _restart(self, child: Child, moment: float) -> None:
        if child.restart_at == 0.0:
            child.restart_at = moment + child.pause_s
            self.tell(
                f"The {child.name} {child.ending()}: {child.tail(1) or 'no output'}. "
                f"It starts again in {child.pause_s:.0f} s; its log is {child.log}."
            )
            child.pause_s = min(child.pause_s * 2, RESTART_MOST_S)
        elif moment >= child.restart_at:
            child.restart_at = 0.0
            child.restarts += 1
            child.start(self.environ)

    def stop(self) -> None:
        """Ask every child to stop, last started first; kill what does not within the wait."""
        alive = [c.process for c in reversed(self.children) if c.process and c.process.poll() is None]
        for process in alive:
            process.terminate()
        deadline = time.monotonic() + STOP_WAIT_S
        for process in alive:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
