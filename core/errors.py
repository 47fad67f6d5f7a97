"""Every error an operator can meet, by what the operator does next.

CachewiseError
├── TryAgain        the outside world failed for now: network, throttling, a lock held by another process
├── FixSettings     the configuration, a credential or an argument is wrong; retrying changes nothing
├── BadInput        one line, file or record cannot be read; it is counted and skipped, the rest goes on
└── OurBug          an invariant of ours broke; please report it

A message is one line: what happened, the offending value, what is accepted, the next step.
The code (`COL-404`) is the same in the log, on the screen and in docs/errors.md.
"""

from __future__ import annotations

from collections.abc import Iterable


class CachewiseError(Exception):
    """Base of all errors shown to an operator. `code` is stable; `mend` says what to do next.

    `about` are the values that the message names, such as a path or AWS's own code: what another language needs
    beside the words of the code. None, where a value is not known, is left out.
    """

    def __init__(self, message: str, *, code: str, mend: str = "", about: Iterable[object] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.mend = mend
        self.about = tuple(str(value) for value in about if value is not None and value != "")

    def __str__(self) -> str:
        """Return the one line an operator reads: code, what happened, what to do."""
        tail = f" {self.mend}" if self.mend else ""
        return f"{self.code}: {self.message}{tail}"


class TryAgain(CachewiseError):
    """A fault of the outside world that may pass by itself."""


class FixSettings(CachewiseError):
    """A setting, credential, path or argument that must be changed by a person."""


class BadInput(CachewiseError):
    """One piece of input that cannot be read; the caller counts it and goes on."""


class OurBug(CachewiseError):
    """A broken invariant of Cachewise itself."""
