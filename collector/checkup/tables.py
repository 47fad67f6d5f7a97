"""Are the tables readable and small enough, and are they fresh?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from collector.checkup.check import Check, Kind, of_error
from core.errors import CachewiseError
from core.metrics import freshness, summary, tables
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
            yield from _lines(told)
            yield _coverage(summary(reader, Scope(start=now - _LATELY)))
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
    reached = "nothing is complete yet" if until is None else f"complete up to {_clock(until)}"
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
    if until is None or now - until > BEHIND:
        return Check(
            "freshness", name, "warn", f"It is behind: {reached}.", "Wait for the next passes, or look at its errors."
        )
    return Check("freshness", name, "ok", f"It is {reached}.")


def _lines(told: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    """Say what was lost before it could be counted, and what could not be read, of the last day."""
    for row in told:
        day, name = row["last_24h"], str(row["source"])
        if day["dropped_records"]:
            yield Check(
                "lines",
                name,
                "warn",
                f"Lambda dropped {day['dropped_records']:,} log records in the last 24 hours (platform.logsDropped).",
                "Lower the function's log volume: these calls cannot be counted.",
                "COL-305",
            )
        if day["lines_skipped"]:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in day["skipped_by_reason"].items())
            yield Check(
                "lines",
                name,
                "warn",
                f"{day['lines_skipped']:,} lines of the last 24 hours were not understood: {reasons}.",
                "The Data health page shows where one of each stands.",
            )


def _coverage(total: Mapping[str, Any]) -> Check:
    kind: Kind = "coverage"
    calls, priced = total["calls"], total["priced_calls"]
    if not calls:
        return Check(kind, "calls", "skipped", "There is no call in the last 30 days.")
    if priced == calls:
        return Check(kind, "calls", "ok", f"All {calls:,} calls of the last 30 days have a price.")
    models = ", ".join(
        f"{row['model'] or '(unknown)'} ({row['calls']:,}: {row['reason']})" for row in total["unpriced_models"][:3]
    )
    return Check(
        kind,
        "calls",
        "warn",
        f"{calls - priced:,} of {calls:,} calls of the last 30 days have no price: {models}.",
        "Add rows to a price file or set the source's defaults, then run cachewise reprice.",
    )


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
