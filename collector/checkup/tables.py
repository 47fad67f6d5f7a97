"""Are the tables readable and small enough, and are they fresh?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from collector.checkup.check import Check, of_error
from collector.checkup.figures import figures, late, lines
from collector.checkup.said import Said, say
from collector.checkup.said import of_error as of_error_text
from core.errors import CachewiseError
from core.metrics import freshness, tables
from core.metrics.scope import Scope
from core.settings import Settings, SourceSettings
from core.store.lake import Lake
from core.store.query import Reader
from core.store.room import nearest
from core.store.size import in_words

BEHIND = timedelta(minutes=20)
SILENT = timedelta(minutes=10)
_LATELY = timedelta(days=30)


def check_tables(settings: Settings, sources: Sequence[SourceSettings], *, now: datetime) -> Iterator[Check]:
    """Yield the state of the tables, then of what is in them; where they cannot be read, only that."""
    try:
        lake = Lake(settings.lake_path)
        yield _folder(lake)
        with Reader(lake) as reader:
            found = tables(reader)
            yield from (_table(row) for row in found if row["version"] is not None)
            if all(row["version"] is None for row in found):
                yield Check("tables", str(lake.path), "skipped", say("tables.nothing"))
                return
            told = freshness(reader, now=now)
            yield from _fresh(told, sources, now)
            yield from lines(told)
            yield from late(told, sources)
            yield from figures(reader, Scope(start=now - _LATELY))
    except CachewiseError as error:
        yield of_error("tables", settings.lake_path, error)


def _folder(lake: Lake) -> Check:
    """Say whether the collector could write there."""
    place = nearest(lake.path)
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return Check("tables", str(lake.path), "ok", say("tables.folder"))
    return Check(
        "tables",
        str(lake.path),
        "fail",
        say("tables.closed"),
        say("tables.closed.mend"),
        "STO-004",
    )


def _table(row: Mapping[str, Any]) -> Check:
    size = {name: row[name] for name in ("version", "rows", "files")} | {"size": in_words(row["bytes"])}
    if row["crowded_days"]:
        return Check(
            "tables",
            row["table"],
            "warn",
            say("tables.crowded", days=row["crowded_days"], **size),
            say("tables.crowded.mend"),
        )
    return Check("tables", row["table"], "ok", say("tables.size", **size))


def _fresh(told: Sequence[Mapping[str, Any]], sources: Sequence[SourceSettings], now: datetime) -> Iterator[Check]:
    for row in told:
        yield _freshness(row, now)
    unread = [source.name for source in sources if source.name not in {row["source"] for row in told}]
    for name in unread:
        yield Check("freshness", name, "warn", say("freshness.never"), say("freshness.never.mend"))


def _freshness(row: Mapping[str, Any], now: datetime) -> Check:
    name, until = str(row["source"]), row["complete_until"]
    reached = say("freshness.nothing")
    if until is not None:
        lag_s = round(max(0.0, (now - until).total_seconds()))
        reached = say("freshness.reached", at=_clock(until), ago_s=lag_s, passes=row["passes"])
    if row["status"] == "failed":
        return Check(
            "freshness",
            name,
            "fail",
            _failed(row, reached),
            say("freshness.failed.mend"),
            row["error_code"],
        )
    if row["reading"]:
        at = row["read_until"]
        text = say("freshness.reading") if at is None else say("freshness.reading.at", at=_clock(at))
        return Check("freshness", name, "ok", text)
    if now - (row["finished_at"] or row["last_pass_at"]) > SILENT:
        return Check(
            "freshness",
            name,
            "warn",
            say("freshness.silent", at=_clock(row["last_pass_at"]), reached=reached),
            say("freshness.silent.mend"),
        )
    if (
        until is not None and now - until > BEHIND and row["kind"] != "cloudwatch"
    ):  # read to its end: the log stops there
        return Check(
            "freshness",
            name,
            "warn",
            say("freshness.old", reached=reached),
            say("freshness.old.mend"),
        )
    if until is None or now - until > BEHIND:
        return Check("freshness", name, "warn", say("freshness.behind", reached=reached), say("freshness.behind.mend"))
    return Check("freshness", name, "ok", say("freshness.fresh", reached=reached))


def _failed(row: Mapping[str, Any], reached: Said) -> Said:
    if not row["error_message"]:
        return say("freshness.failed", reached=reached)
    values = (row["error"] or {}).get("about", ())
    told = of_error_text(row["error_code"] or "", row["error_message"], "what", values)
    return say("freshness.failed.said", reached=reached, said=told)


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
