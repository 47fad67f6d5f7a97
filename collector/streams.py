"""What is known of one log stream: the requests that are open, and what lines still to come may belong to or repeat."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from collector.drafts import PAIR_MS, CallDraft, Invocation, StoreDraft, tokens_of
from collector.event import LogEvent, Position, TimeKind
from collector.lane.requests import Head, Kept, Lot, Place, ToldCall
from collector.outside import BareRecord
from collector.parsers import parse_message
from collector.parsers.facts import CallRecord, CostLine, Report

REMEMBERED = 64
"""Closed invocations and recent lines kept per stream, for what comes late."""
_REPORTED = Report("")  # stands for the report of a request whose figures are columns already


@dataclass(frozen=True, slots=True)
class Told:
    """A line that may be delivered again, and whose it was."""

    owner: Invocation
    draft: CallDraft | StoreDraft


@dataclass(frozen=True, slots=True)
class Unmade:
    """A record of the quick lane; it becomes a draft, in place of its columns, where a line may be a copy of it."""

    place: Place
    kept: Kept
    lot: Lot
    engine: str | None

    def made(self) -> CallDraft:
        """Return the draft."""
        kept = self.kept
        (fact,) = parse_message(kept.line.decode().rstrip("\r")).facts
        assert isinstance(fact, CallRecord)
        first, own = kept.events or (None, None)
        call = ToldCall(fact, kept.ts_ms, kept.ts_kind, kept.offset, kept.engine, kept.explicit, own)
        owner = self.lot.owners[kept.head.number] = owner_of(self.place, kept.head, [call], self.engine, first)
        return owner.calls[0]


Records = deque[CallDraft | Unmade | BareRecord]


@dataclass(slots=True)
class Stream:
    """What is known of one environment."""

    current: Invocation | None = None
    gap: Invocation | None = None
    between: bool = False  # a REPORT was seen and no START since: what comes belongs to nobody
    managed: bool = False
    platform: bool = False  # START or REPORT lines are written to it
    unreported: dict[str, Invocation] = field(default_factory=dict)  # ended by the next START; a line may follow
    others: dict[str, Invocation] = field(default_factory=dict)  # open beside the current one
    closed: deque[tuple[int, int, str]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    recent: dict[tuple[int, int, int], Told] = field(default_factory=dict)
    records: Records = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    misses: dict[str, tuple[int, StoreDraft]] = field(default_factory=dict)
    engine: str | None = None
    last_ms: int = 0


def remember(kept: dict[Any, Any], key: Any, value: Any) -> None:
    """Keep a value among the last few; the first told under a key stays."""
    if len(kept) >= REMEMBERED:
        del kept[next(iter(kept))]
    kept.setdefault(key, value)


def disown(stream: Stream, one: Invocation) -> None:
    """Move the bare lines of a request into the gap: it was not alone."""
    calls = [draft for draft in one.calls if draft.attribution == "positional"]
    stores = [draft for draft in one.stores if draft.attribution == "positional"]
    bare: list[CallDraft | StoreDraft] = [*calls, *stores]
    if not bare:
        return
    one.calls = [draft for draft in one.calls if draft.attribution != "positional"]
    one.stores = [draft for draft in one.stores if draft.attribution != "positional"]
    for draft in bare:
        draft.invocation_id, draft.attribution = None, "none"
        if isinstance(draft, CallDraft) and not isinstance(draft.fact, CallRecord):
            draft.engine = None
    first = min((draft.event for draft in bare), key=lambda event: (event.ts_ms, event.order))
    if stream.gap is None:
        stream.gap = Invocation(one.origin, None, first.ts_ms, first)
    stream.gap.calls, stream.gap.stores = calls + stream.gap.calls, stores + stream.gap.stores
    stream.gap.last_ms = max(stream.gap.last_ms, *(draft.event.ts_ms for draft in bare))


def open_in(stream: Stream) -> list[Invocation]:
    """Return the requests that are open."""
    return [*([stream.current] if stream.current else []), *stream.others.values()]


def _made(records: Records, line: CostLine, ts_ms: int) -> list[CallDraft]:
    """Make drafts of all records kept that may be told by that line."""
    tokens = tokens_of(line) or ()
    for place, record in enumerate(records):
        if isinstance(record, Unmade):
            may_be = not record.kept.joined
        elif isinstance(record, BareRecord):
            may_be = record.waits() == tokens and abs(record.ts_ms - ts_ms) <= PAIR_MS
        else:
            continue
        if may_be:
            records[place] = record.made()
    return [record for record in records if isinstance(record, CallDraft)]


def nearest(draft: CallDraft, records: Records) -> CallDraft | None:
    """Return the record that tells what a text line tells, if one was written at nearly the same time."""
    line = draft.fact
    if not isinstance(line, CostLine):
        return None

    def away(record: CallDraft) -> int:
        return abs(record.event.ts_ms - draft.event.ts_ms)

    told = _made(records, line, draft.event.ts_ms)
    same = [record for record in told if record.twin is None and tokens_of(record.fact) == tokens_of(line)]
    nearest = min(same, key=away, default=None)
    return nearest if nearest is not None and away(nearest) <= PAIR_MS else None


def copy_of(stream: Stream, event: LogEvent, part: int) -> Told | None:
    """Return what was told by the same text of the same millisecond under an id of another delivery."""
    if event.event_id is None:
        return None
    told = stream.recent.get((event.ts_ms, hash(event.message), part))
    if told is None or told.draft.event.event_id == event.event_id:
        return None
    # ids of one delivery differ in their last 16 bits only: the position in the batch
    another = told.draft.event.order >> 16 != event.order >> 16 or event.order < 1 << 80
    return told if another else None


def owner_of(
    place: Place, head: Head, told: Iterable[ToldCall], engine: str | None, start: LogEvent | None = None
) -> Invocation:
    """Return a request of a run, for those of its calls that are drafts: all else of it is columns."""

    def event(ts_ms: int, kind: TimeKind, offset: int) -> LogEvent:
        return LogEvent(place.origin, None, ts_ms, kind, "", offset, Position(place.file_id, offset))

    first = start or event(head.started_ms, "logged" if head.stamped else "file", head.start)
    one = Invocation(
        place.origin, head.rid, head.started_ms, first, started=True, version=head.version, last_ms=head.ended_ms,
        closed=True,
    )  # fmt: skip
    one.report, one.lines = _REPORTED, head.lines
    for call in told:
        at = call.event or event(call.ts_ms, call.ts_kind, call.offset)
        attribution = "explicit" if call.explicit else "positional"
        one.calls.append(CallDraft(at, call.fact, head.rid, attribution, call.engine or engine, redelivery=False))
    return one
