"""Times as log lines write them, to Unix milliseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime

ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?")
EARLIEST_MS = 1_420_070_400_000  # 2015: before Lambda logged anything; anything older is not a time
STAMP_SPAN = 240
"""How far into a line its time is looked for."""
AHEAD_MS = 2 * 86_400_000
"""How far ahead of ours the clock of a log may be."""
SKEW_MS = 5 * 60 * 1000
"""How far ahead of its own line a call may be dated: AWS refuses whoever's clock is further off than this."""
_TIMELESS = ("START RequestId:", "END RequestId:", "REPORT RequestId:")


def iso_ms(text: str) -> int | None:
    """Read an ISO 8601 time; a time without a zone is UTC, as Lambda writes it. None when it is none."""
    try:
        moment = datetime.fromisoformat(text.replace(",", ".") if "," in text else text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def find_iso_ms(text: str) -> int | None:
    """Return the first time written in a text."""
    found = ISO_TIME.search(text)
    return iso_ms(found.group()) if found else None


def stamp_in(message: str) -> int | None:
    """Return the time a line tells; platform lines tell none, the text format tells it behind the level."""
    if message.startswith(_TIMELESS):
        return None
    if message[:1] == "[":
        place = message.find("\t") + 1
        told = iso_ms(message[place : place + 24]) if place else None
        if told is not None:
            return told
    return find_iso_ms(message[:STAMP_SPAN])


def plausible(ms: object, *, now_ms: int) -> bool:
    """Say whether a number can be the Unix milliseconds of a log event: not before 2015, not in the far future."""
    return isinstance(ms, int) and not isinstance(ms, bool) and EARLIEST_MS <= ms <= now_ms + AHEAD_MS
