"""One thing that was looked at, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from core.errors import CachewiseError

Status = Literal["ok", "warn", "fail", "skipped"]
Kind = Literal[
    "settings", "endpoints", "prices", "coverage", "tables", "source", "log_group", "log_levels", "clock", "defaults",
    "freshness", "lines", "late", "told",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Check:
    """What was found. `subject` is the source, table or file it is about; `mend` says what to do unless it is ok."""

    kind: Kind
    subject: str
    status: Status
    message: str
    mend: str = ""
    code: str | None = None

    def facts(self) -> dict[str, Any]:
        """Return it as JSON shows it."""
        return asdict(self)


def of_error(kind: Kind, subject: str, error: CachewiseError, *, status: Status = "fail") -> Check:
    """Return the check that an error of ours ends."""
    return Check(kind, subject, status, error.message, error.mend, error.code)


def ended_badly(checks: Iterable[Check]) -> bool:
    """Say whether anything must be mended before the figures can be trusted."""
    return any(check.status == "fail" for check in checks)
