"""One thing that was looked at, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from collector.checkup import said
from collector.checkup.said import Language, Said
from core.errors import CachewiseError

Status = Literal["ok", "warn", "fail", "skipped"]
Kind = Literal[
    "settings", "endpoints", "prices", "coverage", "tables", "source", "log_group", "log_levels", "clock", "defaults",
    "freshness", "lines", "late", "told",
]  # fmt: skip
_SENTENCES = ("subject", "message", "mend")


@dataclass(frozen=True, slots=True)
class Check:
    """What was found. `subject` is the source, table or file it is about; `mend` says what to do unless it is ok.

    Both sentences are English; those that said.say made can be told in Korean as well.
    """

    kind: Kind
    subject: str
    status: Status
    message: str
    mend: str = ""
    code: str | None = None

    def facts(self) -> dict[str, Any]:
        """Return it as JSON shows it."""
        return {name: getattr(self, name) for name in self.__slots__}

    def kept(self) -> dict[str, Any]:
        """Return it as it is kept: with what its sentences were made from."""
        sentences = {name: getattr(self, name) for name in _SENTENCES}
        made_from = {name: text.facts() for name, text in sentences.items() if isinstance(text, Said)}
        return self.facts() | ({"said": made_from} if made_from else {})


def in_words(kept: Mapping[str, Any], lang: Language) -> dict[str, Any]:
    """Return a check that was kept with its sentences in a language; of an older version they stay English."""
    made_from = kept.get("said", {})
    return {**kept, **{name: said.told(lang, kept[name], made_from.get(name)) for name in _SENTENCES}}


def of_error(kind: Kind, subject: str, error: CachewiseError, *, status: Status = "fail") -> Check:
    """Return the check that an error of ours ends."""
    message = said.of_error(error.code, error.message, "what", error.about)
    return Check(kind, subject, status, message, said.of_error(error.code, error.mend, "mend"), error.code)


def ended_badly(checks: Iterable[Check]) -> bool:
    """Say whether anything must be mended before the figures can be trusted."""
    return any(check.status == "fail" for check in checks)
