"""A place for what tests write that is no disk: thousands of small tables cost a twentieth of the time there."""

import os
import shutil
import subprocess
from pathlib import Path

_MEMORY = Path("/dev/shm")  # not a name in it: pytest makes a folder of its own there
_NEEDED = 4 * 10**9
"""Bytes: ten times what a whole run leaves there. Containers give 64 MB unless told otherwise."""


def place() -> Path | None:
    """Return a folder in memory that can hold everything and runs programs, as some tests write some; None if not."""
    try:
        if shutil.disk_usage(_MEMORY).free < _NEEDED:
            return None
        program = _MEMORY / f"cachewise-tests-{os.getpid()}"
        try:
            program.write_text("#!/bin/sh\n")
            program.chmod(0o700)
            subprocess.run([str(program)], check=True, capture_output=True)
        finally:
            program.unlink(missing_ok=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return _MEMORY
