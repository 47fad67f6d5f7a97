"""What the verbs that change stored data share: who acts, and the question before anything is changed."""

from __future__ import annotations

import getpass
import sys

import click

from core.errors import FixSettings


def actor() -> str:
    """Return the name that the audit log shows for a command typed here."""
    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return "(command line)"


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is changed; without a terminal nobody can be asked. Raises FixSettings CFG-020."""
    if yes:
        return
    if sys.stdin.isatty() and click.confirm(question, default=False, err=True):
        return
    why = "the answer was no" if sys.stdin.isatty() else "there is no terminal to ask at"
    raise FixSettings(
        f"Nothing was changed: {why}.",
        code="CFG-020",
        mend="Add --yes if this is meant, or --dry-run to look only.",
    )
