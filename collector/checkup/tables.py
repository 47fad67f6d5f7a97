"""Are the tables readable and small enough, and are they fresh?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from collector.checkup.check import Check, of_error
from collector.checkup.figures import figures, late, lines
from core.errors import CachewiseError
from core.metrics import freshness, tables
from core.metrics.scope import Scope
from core.settings import Settings, SourceSettings
from core.store.lake import Lake
from core.store.query import Reader

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
                yield Check("tables", str(lake.path), "skipped", "Nothing was collected yet.")
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
    place = lake.path
    while not place.exists() and place != place.parent:
        place = place.parent
    if Path(place).is_dir() and os.access(place, os.W_OK | os.X_OK):
        return Check("tables", str(lake.path), "ok", "The folder can be written to.")
    return Check(
        "tables",
        str(lake.path),
        "fail",
        "The folder cannot be written to: nothing can be collected.",
        "Give this user the right to write, or set store.path to another folder.",
        "STO-004",
    )


def _table(row: Mapping[str, Any]) -> Check:
    text = f"Version {row['version']}, {row['rows']:,} rows, {row['files']:,} file(s), {row['bytes'] / 1e6:,.1f} MB."
    if row["crowded_days"]:
        return Check(
            "tables",
            row["table"],
            "warn",
            f"{text} {row['crowded_days']} day(s) have many small files: pages get slower.",
            "Run cachewise compact; a collector that follows does it by itself.",
        )
    return Check("tables", row["table"], "ok", text)


def _fresh(told: Sequence[Mapping[str, Any]], sources: Sequence[SourceSettings], now: datetime) -> Iterator[Check]:
    for row in told:
        yield _freshness(row, now)
    unread = [source.name for source in sources if source.name not in {row["source"] for row in told}]
    for name in unread:
        yield Check("freshness", name, "warn", "It was never read.", "Run cachewise collect, or cachewise run.")


def _freshness(row: Mapping[str, Any], now: datetime) -> Check:
    name, until = str(row["source"]), row["complete_until"]
    reached = "nothing is complete yet"
    if until is not None:
        lag = timedelta(seconds=round(max(0.0, (now - until).total_seconds())))
        reached = f"complete up to {_clock(until)}, {lag} ago; passes: {row['passes']:,}"
    if row["status"] == "failed":
        return Check(
            "freshness",
            name,
            "fail",
            f"Its last pass failed; {reached}. {row['error_message'] or ''}".strip(),
            "Mend what the message names; the next pass reads on.",
            row["error_code"],
        )
    if row["reading"]:
        at = "" if row["read_until"] is None else f", so far up to {_clock(row['read_until'])}"
        return Check("freshness", name, "ok", f"Older logs are being read{at}.")
    if now - (row["finished_at"] or row["last_pass_at"]) > SILENT:
        return Check(
            "freshness",
            name,
            "warn",
            f"No pass since {_clock(row['last_pass_at'])}; {reached}.",
            "Start a collector: cachewise run, or cachewise collect --follow.",
        )
    if (
        until is not None and now - until > BEHIND and row["kind"] != "cloudwatch"
    ):  # read to its end: the log stops there
        return Check(
            "freshness",
            name,
            "warn",
            f"Its newest line is old: {reached}.",
            "If the service has run since, look where its newest logs are written; else all is well.",
        )
    if until is None or now - until > BEHIND:
        return Check(
            "freshness", name, "warn", f"It is behind: {reached}.", "Wait for the next passes, or look at its errors."
        )
    return Check("freshness", name, "ok", f"It is {reached}.")


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
