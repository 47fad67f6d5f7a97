"""What a check_note says of two tellings of one call that differ: written by the collector, read by pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from core.store.schema import DIFFERS

_JOINED = "; "
_ONE = re.compile(r"(?P<column>\S+) (?P<first>.*) in (?P<ledger>\S+), (?P<second>.*) in (?P<check>\S+)")


class Difference(NamedTuple):
    """One column, and what each of the two says of it; `ledger` is the one that is followed."""

    column: str
    first: object
    ledger: str
    second: object
    check: str

    def __str__(self) -> str:
        """Return it as it stands in a note."""
        return f"{self.column} {self.first} in {self.ledger}, {self.second} in {self.check}"


def written(earlier: Iterable[str | None], found: Sequence[Difference]) -> str | None:
    """Return the note of these differences and of those that earlier notes name; None: there is none."""
    known = [note.removeprefix(DIFFERS) for note in earlier if note and note.startswith(DIFFERS)]
    told = [*known, *map(str, found)]
    return f"{DIFFERS}{_JOINED.join(told)}" if told else None


def read(note: str) -> list[Difference] | None:
    """Return the differences that a note names; None when it is not one of ours."""
    parts = [_ONE.fullmatch(part) for part in note.removeprefix(DIFFERS).split(_JOINED)]
    return None if None in parts else [Difference(**part.groupdict()) for part in parts if part]
