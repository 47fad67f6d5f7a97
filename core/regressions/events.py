"""What was changed around the calls: deploys, clears of the prompt store, price books and switches."""

from __future__ import annotations

from collections.abc import Iterable

from core.metrics.scope import Scope, rows_of
from core.regressions.model import CauseKind, Event
from core.regressions.observe import SWITCHES, Lane, moment
from core.store.query import Reader

_MOST_OF = 0.8  # a value rules a lane when this share of the calls around has it
_BEFORE_CALLS, _AFTER_CALLS = 40, 5
SILENT = "$LATEST"


def deploys(lanes: Iterable[Lane]) -> list[Event]:
    """Return the first call of each function version but the first, which only says where the data begins."""
    first: dict[tuple[str, str], dict[str, int]] = {}
    for lane in lanes:
        for function, version, at_us in zip(
            lane.words["function_name"], lane.version, lane.first_us.tolist(), strict=True
        ):
            if version is None or version == SILENT:
                continue
            seen = first.setdefault((lane.source, function or ""), {})
            seen[version] = min(at_us, seen.get(version, at_us))
    return [
        Event(moment(at_us), "deploy", _named(function, version), source=source, version=version)
        for (source, function), seen in first.items()
        for version, at_us in sorted(seen.items(), key=lambda item: item[1])[1:]
    ]


def switched_off_by(event: Event, events: Iterable[Event], lanes: Iterable[Lane]) -> Event:
    """Return the deploy that switched caching off, by all engines of the function: the first of those with it off.

    An engine that was silent meanwhile knows only the version that it came back to.
    """
    told: dict[tuple[str, str], list[int]] = {}
    for lane in lanes:
        for function, version, enabled, calls in zip(
            lane.words["function_name"], lane.version, lane.words["caching_enabled"], lane.calls.tolist(), strict=True
        ):
            if version is not None and enabled is not None:
                counts = told.setdefault((lane.source, _named(function, version)), [0, 0])
                counts[enabled == "true"] += calls
    chain = sorted(
        (e for e in events if e.kind == "deploy" and e.source == event.source and e.at <= event.at),
        key=lambda e: e.at, reverse=True,
    )  # fmt: skip
    earliest = event
    for deploy in chain:
        off, on = told.get((deploy.source or "", deploy.label), [0, 0])
        if not _same_function(deploy, event):
            continue
        if off <= on:
            break
        earliest = deploy
    return earliest


def _named(function: str | None, version: str) -> str:
    return f"{function or ''} {version}".strip()


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
            row["ts"], "clear", f"prompt store cleared: {row['engine'] or 'all engines'}",
            source=row["source"], engine=row["engine"],
        )
        for row in reader.rows(found)
    ]  # fmt: skip


def switches(lane: Lane) -> list[Event]:
    """Return changes of the value that rules a lane: caching, TTL, provider, tier, speed, price book."""
    return sorted((event for name in SWITCHES for event in _turns(lane, name)), key=lambda event: event.at)


def _turns(lane: Lane, name: str) -> list[Event]:
    """Find where one value takes over from another, and stays for some calls; a value nobody tells is no change."""
    values = lane.words[name]
    if len({value for value in values if value is not None}) < 2:
        return []
    events: list[Event] = []
    ruling: str | None = None
    calls = lane.calls.tolist()
    for row, value in enumerate(values):
        if value is None or value == ruling:
            continue
        if ruling is None:
            ruling = value
        elif _share(values, calls, row, value, step=1, upto=_AFTER_CALLS) >= _MOST_OF and (
            _share(values, calls, row - 1, ruling, step=-1, upto=_BEFORE_CALLS) >= _MOST_OF
        ):
            kind: CauseKind = "price_book" if name == "price_book" else "switch"
            label = f"{name}: {ruling} → {value}"
            at = moment(int(lane.first_us[row]))
            events.append(Event(at, kind, label, source=lane.source, engine=lane.engine, column=name))
            ruling = value
    return events


def _share(values: tuple[str | None, ...], calls: list[int], row: int, wanted: str, *, step: int, upto: int) -> float:
    """Return the share of the next `upto` calls in one direction that have the wanted value."""
    seen = same = 0
    while 0 <= row < len(values) and seen < upto:
        if values[row] is not None:
            seen += calls[row]
            same += calls[row] if values[row] == wanted else 0
        row += step
    return same / seen if seen else 0.0
