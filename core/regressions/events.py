"""What was changed around the calls: deploys, clears of the prompt store, price books and switches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from core.metrics.scope import Scope, rows_of
from core.regressions.lane import SWITCHES, Ints, Lane, moment
from core.regressions.model import CLEARED, CauseKind, Event
from core.regressions.observe import Version
from core.store.query import Reader

_MOST_OF = 0.8  # a value rules a lane when this share of the calls around has it
_BEFORE_CALLS, _AFTER_CALLS = 40, 5
SILENT = "$LATEST"
Versions = Mapping[tuple[str, str, str], Version]
"""By source, function, version."""


def deploys(versions: Versions) -> list[Event]:
    """Return the first call of each function version but the first, which only says where the data begins."""
    first: dict[tuple[str, str], dict[str, int]] = {}
    for (source, function, version), told in sorted(versions.items()):
        if version != SILENT:
            first.setdefault((source, function), {})[version] = told.first_us
    return [
        Event(moment(at_us), "deploy", _named(function, version), source=source, version=version)
        for (source, function), seen in first.items()
        for version, at_us in sorted(seen.items(), key=lambda item: item[1])[1:]
    ]


def switched_off_by(event: Event, events: Iterable[Event], versions: Versions) -> Event:
    """Return the deploy that switched caching off, by all engines of the function: the first of those with it off.

    An engine that was silent meanwhile knows only the version that it came back to.
    """
    told = {(source, _named(function, version)): known for (source, function, version), known in versions.items()}
    chain = sorted(
        (e for e in events if e.kind == "deploy" and e.source == event.source and e.at <= event.at),
        key=lambda e: e.at, reverse=True,
    )  # fmt: skip
    earliest = event
    for deploy in chain:
        if not _same_function(deploy, event):
            continue
        known = told[deploy.source or "", deploy.label]
        if known.off <= known.on:
            break
        earliest = deploy
    return earliest


def _named(function: str, version: str) -> str:
    return f"{function} {version}".strip()


def _same_function(one: Event, other: Event) -> bool:
    return one.label.removesuffix(one.version or "") == other.label.removesuffix(other.version or "")


def clears(reader: Reader, scope: Scope) -> list[Event]:
    """Return clears of the prompt store, one a minute, source and engine."""
    rows = rows_of(reader, "prompt_store_events", Scope(scope.start, scope.end, sources=scope.sources))
    rows = rows.filter(rows.kind == "clear")
    found = rows.group_by(minute=rows.ts.truncate("m"), source=rows.source, engine=rows.engine).aggregate(
        ts=rows.ts.min()
    )
    return [
        Event(
            row["ts"], "clear", f"{CLEARED}{row['engine'] or 'all engines'}",
            source=row["source"], engine=row["engine"],
        )
        for row in reader.rows(found)
    ]  # fmt: skip


def switches(lane: Lane) -> list[Event]:
    """Return changes of the value that rules a lane: caching, TTL, provider, tier, speed, price book."""
    return sorted((event for name in SWITCHES for event in _turns(lane, name)), key=lambda event: event.at)


def _turns(lane: Lane, name: str) -> list[Event]:
    """Find where one value takes over from another, and stays for some calls; a value nobody tells is no change."""
    column = lane.words[name]
    told = np.flatnonzero(column.codes >= 0)  # rows where nobody tells it are passed over
    codes, calls = column.codes[told], lane.calls[told]
    if not len(codes) or (codes == codes[0]).all():
        return []
    events: list[Event] = []
    ruling, row = int(codes[0]), 0
    while (turn := _next_turn(codes, calls, ruling, row)) is not None:
        row, value = turn, int(codes[turn])
        kind: CauseKind = "price_book" if name == "price_book" else "switch"
        label = f"{name}: {column.values[ruling]} → {column.values[value]}"
        since = moment(int(lane.first_us[told[row]]))
        events.append(Event(since, kind, label, source=lane.source, engine=lane.engine, column=name))
        ruling = value
    return events


def _next_turn(codes: Ints, calls: Ints, ruling: int, after: int) -> int | None:
    """Return the row at which another value takes over: the calls before have the ruling one, those after it that."""
    upto = np.concatenate(([0], np.cumsum(calls)))
    ruled = np.concatenate(([0], np.cumsum(calls * (codes == ruling))))
    rows = after + np.flatnonzero(codes[after:] != ruling)
    first = np.maximum(np.searchsorted(upto, upto[rows] - _BEFORE_CALLS, side="right") - 1, 0)
    settled = (ruled[rows] - ruled[first]) / (upto[rows] - upto[first]) >= _MOST_OF
    for row in rows[settled].tolist():
        end = int(np.searchsorted(upto, upto[row] + _AFTER_CALLS))
        same = calls[row:end][codes[row:end] == codes[row]].sum()
        if same / calls[row:end].sum() >= _MOST_OF:
            return int(row)
    return None
