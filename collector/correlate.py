"""Whose line is it? One state machine per log stream turns facts into calls, invocations and prompt-store events.

An environment serves one request at a time: START opens an invocation, lines with a request id of their own use it,
lines without inherit, REPORT closes it. Managed Instances interleave requests; there only explicit ids count.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from collector.event import LogEvent, Origin, Position, TimeKind
from collector.lane.requests import Head, Kept, Lot, Place, Requests, Run, ToldCall, name_engines
from collector.parsers import parse_message
from collector.parsers.claude_code import more_complete, project_name
from collector.parsers.facts import (
    ELSEWHERE,
    CallRecord,
    CostLine,
    Fact,
    LogsDropped,
    Report,
    Start,
    StoreLine,
    TimedOut,
)
from core.usage import Usage

HOLD_MS = 16 * 60 * 1000  # Lambda ends an invocation after 15 minutes; one minute for its lines to arrive
SETTLE_MS = 15_000  # lines outside any START..REPORT wait this long for their twins
_PAIR_MS = 5_000  # outside an invocation, record and text line of one call are this near to each other
_IDLE_MS = 60 * 60 * 1000
_FETCH_LIMIT_MS = 60_000
_REMEMBERED = 64  # closed invocations and recent lines kept per stream, for what comes late
_GAP_LIMIT = 2_000
_Tokens = tuple[int, int, int, int]  # input, output, read, written
_REPORTED = Report("")  # stands for the report of a request whose figures are columns already


@dataclass(slots=True)
class CallDraft:
    """A call as told: by its record, by its text line, or by both."""

    event: LogEvent
    fact: CallRecord | CostLine
    invocation_id: str | None
    attribution: str
    engine: str | None
    redelivery: bool
    part: int = 0
    twin: CostLine | None = None  # the text line that tells the same call as this record
    absorbed: list[CallDraft] = field(default_factory=list)  # lines it stands for: were they stored, they are no more


@dataclass(slots=True)
class StoreDraft:
    """A prompt-store event as told."""

    event: LogEvent
    fact: StoreLine
    invocation_id: str | None
    attribution: str
    redelivery: bool
    part: int = 0
    fetch_ms: float | None = None


@dataclass(slots=True)
class Invocation:
    """One Lambda request being put together; without a request id, the lines between two invocations."""

    origin: Origin
    request_id: str | None
    start_ms: int
    first: LogEvent
    started: bool = False  # START was seen
    version: str | None = None
    last_ms: int = 0
    engine: str | None = None  # of its latest prompt-store line
    calls: list[CallDraft] = field(default_factory=list)
    stores: list[StoreDraft] = field(default_factory=list)
    report: Report | None = None
    timed_out: bool = False
    closed: bool = False
    json: bool = False  # its START was a platform record
    end_ms: int | None = None  # when the next one began, if it did not report
    lines: int = 0  # of ours that were seen of it: how much a telling knows

    @property
    def call_count(self) -> int:
        """Return how many calls it made, suspected re-deliveries not counted."""
        return sum(not draft.redelivery for draft in self.calls)

    @property
    def engines(self) -> set[str]:
        """Return every engine its lines name."""
        return {draft.engine for draft in self.calls if draft.engine} | {draft.fact.engine for draft in self.stores}

    def pair(self) -> None:
        """Leave one draft for each call that is known by an id.

        A record told again is the same call. A text line is joined with the record of equal tokens, near it when
        outside a request; a copy of such a line, delivered again, goes with it.
        """
        told = self._records()
        if not told:
            return
        kept = {id(record) for record in told}
        free: dict[_Tokens, list[CallDraft]] = {}
        for record in told:
            if record.twin is None and isinstance(record.fact, CallRecord) and record.fact.usage is not None:
                free.setdefault(_tokens_of(record.fact.usage), []).append(record)
        joined: dict[tuple[int, str], CallDraft] = {}
        left: list[CallDraft] = []
        for draft in self.calls:
            line = draft.fact
            if isinstance(line, CallRecord):
                if line.call_id is None or id(draft) in kept:
                    left.append(draft)
                continue
            said = (draft.event.ts_ms, draft.event.message)
            partner = joined.get(said) if draft.redelivery else None
            if partner is None:
                partner = self._take_record_of(draft, line, free)
                if partner is not None:
                    partner.twin, partner.engine = line, partner.engine or draft.engine
                    joined[said] = partner
            if partner is None:
                left.append(draft)
            else:
                partner.absorbed.append(draft)
        self.calls = left

    def _records(self) -> list[CallDraft]:
        """Return the first draft of each call that a record tells, in order; copies without an id are left out."""
        found: dict[str | int, CallDraft] = {}
        for place, draft in enumerate(self.calls):
            if isinstance(draft.fact, CallRecord) and not draft.redelivery:
                found.setdefault(draft.fact.call_id or place, draft)
        return list(found.values())

    def _take_record_of(
        self, draft: CallDraft, line: CostLine, free: dict[_Tokens, list[CallDraft]]
    ) -> CallDraft | None:
        same = free.get((line.input_tokens, line.output_tokens, line.cache_read, line.cache_write), [])
        for place, record in enumerate(same):
            if self.request_id is not None or abs(record.event.ts_ms - draft.event.ts_ms) <= _PAIR_MS:
                return same.pop(place)
        return None

    def split(self, until_ms: int) -> Invocation:
        """Take out what was logged until then; what stays has not seen all of its neighbours yet."""
        older = Invocation(self.origin, None, self.start_ms, self.first)
        older.calls = [draft for draft in self.calls if draft.event.ts_ms <= until_ms]
        older.stores = [draft for draft in self.stores if draft.event.ts_ms <= until_ms]
        self.calls = [draft for draft in self.calls if draft.event.ts_ms > until_ms]
        self.stores = [draft for draft in self.stores if draft.event.ts_ms > until_ms]
        drafts: list[CallDraft | StoreDraft] = [*self.calls, *self.stores]
        self.first = min((draft.event for draft in drafts), key=lambda event: (event.ts_ms, event.order))
        self.start_ms = self.first.ts_ms
        older.last_ms = until_ms
        return older


@dataclass(frozen=True, slots=True)
class _Told:
    """A line that may be delivered again, and whose it was."""

    owner: Invocation
    draft: CallDraft | StoreDraft


@dataclass(frozen=True, slots=True)
class _Unmade:
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
        owner = self.lot.owners[kept.head.number] = _owner_of(self.place, kept.head, [call], self.engine, first)
        return owner.calls[0]


@dataclass(slots=True)
class _Stream:
    """What is known of one environment."""

    current: Invocation | None = None
    gap: Invocation | None = None
    between: bool = False  # a REPORT was seen and no START since: what comes belongs to nobody
    managed: bool = False
    platform: bool = False  # START or REPORT lines are written to it
    unreported: dict[str, Invocation] = field(default_factory=dict)  # ended by the next START; a line may follow
    others: dict[str, Invocation] = field(default_factory=dict)  # open beside the current one
    closed: deque[tuple[int, int, str]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    recent: dict[tuple[int, int, int], _Told] = field(default_factory=dict)
    records: deque[CallDraft | _Unmade] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    misses: dict[str, tuple[int, StoreDraft]] = field(default_factory=dict)
    engine: str | None = None
    last_ms: int = 0


class Correlator:
    """Feed it events with their facts in order; take from it what is settled."""

    def __init__(self) -> None:
        self._streams: dict[Origin, _Stream] = {}
        self._settled: list[Invocation] = []
        self._elsewhere: dict[object, CallDraft] = {}  # calls that belong to no stream of lines, each once
        self._reopened: list[Invocation] = []
        self._lots: list[Lot] = []
        self._found = Requests()
        self.newest_ms = 0
        self.dropped = 0

    def feed(self, event: LogEvent, facts: tuple[Fact, ...]) -> None:
        """Take in one event."""
        stream = self._streams.get(event.origin)
        if stream is None:
            stream = self._streams[event.origin] = _Stream()
        ts_ms = event.ts_ms
        stream.last_ms = max(stream.last_ms, ts_ms)
        self.newest_ms = ts_ms
        for part, fact in enumerate(facts):
            kind = type(fact)
            if kind is StoreLine:
                self._store(stream, event, fact, part)  # type: ignore[arg-type]  # told by `kind`
            elif kind is CostLine or kind is CallRecord:
                self._call(stream, event, fact, part)  # type: ignore[arg-type]  # told by `kind`
            elif kind is Start:
                self._start(stream, event, fact)  # type: ignore[arg-type]  # told by `kind`
            elif kind is Report:
                self._report(stream, event, fact)  # type: ignore[arg-type]  # told by `kind`
            elif isinstance(fact, TimedOut):
                self._timed_out(stream, event, fact)
            elif isinstance(fact, LogsDropped):
                self.dropped += fact.records

    def take_run(self, run: Run, found: Requests) -> bool:
        """Take in a run of whole requests, as if told line by line; False where they would meet what is open."""
        origin = run.place.origin
        stream = self._streams.get(origin)
        if stream is None:
            stream = self._streams[origin] = _Stream()
        if stream.current or stream.others or stream.managed:
            return False
        self._close_gap(stream)
        self._found = found
        if stream.engine is not None:
            name_engines(run, found.code_of(stream.engine))
        block, lot = run.block, Lot(run.first, run.last, len(self._settled))
        for number in [number for number in block.told if run.first <= number < run.last]:
            owner = _owner_of(run.place, block.head(number), block.told[number], stream.engine)
            stream.records.extend(draft for draft in owner.calls if isinstance(draft.fact, CallRecord))
            lot.owners[number] = owner
        for owner in lot.owners.values():
            owner.pair()
        left = (kept for kept in run.kept if kept.head.number >= run.first)  # the others were told line by line
        stream.records.extend(_Unmade(run.place, kept, lot, stream.engine) for kept in left)
        if stream.unreported:
            for name in block.ids(run.first, run.last):
                stream.unreported.pop(name, None)
        stream.closed.extend(block.times(max(run.first, run.last - _REMEMBERED), run.last))
        stream.platform = stream.between = True
        stream.engine = run.engine or stream.engine
        stream.last_ms = max(stream.last_ms, run.highest_ms)
        self.newest_ms = int(block.heads.ended_ms[run.last - 1 - block.first])
        self._lots.append(lot)
        return True

    def take_lots(self) -> list[Lot]:
        """Return the requests taken in by `take_run`; forget them. Their places are among what `take_settled` told."""
        lots, self._lots, self._found = self._lots, [], Requests()
        return lots

    def take_settled(self) -> list[Invocation]:
        """Return what is complete, or will never be; forget it, and forget streams long idle."""
        for origin, stream in list(self._streams.items()):
            for open_one in _open_in(stream):
                if open_one.start_ms < self.newest_ms - HOLD_MS:
                    self._close(stream, open_one)
            self._settle_gap(stream, self.newest_ms)
            if stream.last_ms < self.newest_ms - _IDLE_MS and not _open_in(stream) and not stream.gap:
                del self._streams[origin]
        for one in self._reopened:
            one.pair()
        self._reopened = []
        settled, self._settled = self._settled, []
        if self._elsewhere:
            settled.append(_lone(list(self._elsewhere.values())))
            self._elsewhere = {}
        return settled

    def finish(self, now_ms: int, *, final: bool) -> tuple[list[Invocation], list[Invocation]]:
        """End a pass: return (settled, open). What is open is either held back and read again, or told as it stands.

        With `final`, gaps and invocations without START need not wait for twins.
        """
        settled = self.take_settled()
        waiting: list[Invocation] = []
        for stream in self._streams.values():
            for open_one in _open_in(stream):
                limit = HOLD_MS if open_one.started else (0 if final else SETTLE_MS)
                if (open_one.start_ms if open_one.started else open_one.last_ms) <= now_ms - limit:
                    self._close(stream, open_one)
                else:
                    waiting.append(open_one)
            if final:
                self._close_gap(stream)
            self._settle_gap(stream, now_ms)
            if stream.gap:
                waiting.append(stream.gap)
            stream.current, stream.gap = None, None
            stream.others.clear()
            stream.between = False  # what comes next is read from an invocation's start, or out of context
        settled.extend(self._settled)
        self._settled = []
        for one in waiting:
            self._pair(self._streams[one.origin], one)
        return settled, waiting

    def open_events(self) -> Iterator[LogEvent]:
        """Yield the first event of everything that is not settled: the cursor must not pass them."""
        for stream in self._streams.values():
            for open_one in _open_in(stream):
                yield open_one.first
            if stream.gap:
                yield stream.gap.first

    # one fact each

    def _start(self, stream: _Stream, event: LogEvent, fact: Start) -> None:
        stream.platform = True
        current = stream.current
        if current and current.request_id == fact.request_id:
            current.lines += 1
            current.started, current.version = True, fact.version or current.version
            current.start_ms, current.first = event.ts_ms, event
            return
        if current and stream.managed:
            assert current.request_id is not None
            stream.others[current.request_id] = current
        elif current:
            self._end(stream, current, event.ts_ms)
        self._close_gap(stream)
        stream.between = False
        stream.current = Invocation(
            event.origin, fact.request_id, event.ts_ms, event, started=True, version=fact.version, last_ms=event.ts_ms
        )
        stream.current.lines, stream.current.json = 1, fact.json

    def _report(self, stream: _Stream, event: LogEvent, fact: Report) -> None:
        stream.platform = True
        if fact.json and fact.billed_duration_ms is None:
            stream.managed = True
        found = self._named(stream, fact.request_id) or self._revived(stream, fact.request_id, event.ts_ms)
        if found is None:
            found = Invocation(event.origin, fact.request_id, event.ts_ms - round(fact.duration_ms or 0), event)
        if not found.started:
            self._take_over(stream, found, event, fact)
            self._adopt(stream, found, event, fact)
        found.report = fact
        found.lines += 1
        found.last_ms = event.ts_ms
        if stream.unreported.pop(fact.request_id, None):
            self._settled = [one for one in self._settled if one is not found]
        self._close(stream, found)
        stream.between = not stream.managed and stream.current is None

    def _end(self, stream: _Stream, one: Invocation, at_ms: int) -> None:
        """End a request by the beginning of the next; its REPORT never came, or has not come yet."""
        one.end_ms = at_ms
        self._close(stream, one)
        _remember(stream.unreported, one.request_id, one)

    def _take_over(self, stream: _Stream, one: Invocation, event: LogEvent, fact: Report) -> None:
        """Where a REPORT whose START we did not see says that its request began after the open one, end that there."""
        current = stream.current
        begun_ms = event.ts_ms - round(fact.duration_ms or 0)
        if current is None or current is one or not current.started or stream.managed or begun_ms <= current.start_ms:
            return
        calls = [d for d in current.calls if d.attribution == "positional" and d.event.ts_ms >= begun_ms]
        stores = [d for d in current.stores if d.attribution == "positional" and d.event.ts_ms >= begun_ms]
        drafts: list[CallDraft | StoreDraft] = [*calls, *stores]
        for draft in drafts:
            draft.invocation_id = fact.request_id
        current.calls = [draft for draft in current.calls if not any(draft is other for other in calls)]
        current.stores = [draft for draft in current.stores if not any(draft is other for other in stores)]
        current.lines -= len(drafts)
        one.calls, one.stores, one.lines = one.calls + calls, one.stores + stores, one.lines + len(drafts)
        self._end(stream, current, begun_ms)

    def _adopt(self, stream: _Stream, one: Invocation, event: LogEvent, fact: Report) -> None:
        """Give a request whose START we did not see the bare lines just before its REPORT: they were its own."""
        gap = stream.gap
        if gap is None or stream.between or stream.managed:
            return
        if gap.first.ts_ms < event.ts_ms - round(fact.duration_ms or 0) - 1_000:
            return
        drafts: list[CallDraft | StoreDraft] = [*gap.calls, *gap.stores]
        for draft in drafts:
            draft.invocation_id, draft.attribution = fact.request_id, "positional"
        one.calls, one.stores = one.calls + gap.calls, one.stores + gap.stores
        one.engine, one.lines = one.engine or gap.engine, one.lines + gap.lines
        stream.gap = None

    def _timed_out(self, stream: _Stream, event: LogEvent, fact: TimedOut) -> None:
        """Take the old timeout line: it comes beside a REPORT that may not say so, before it or after."""
        found = self._named(stream, fact.request_id) or self._revived(stream, fact.request_id, event.ts_ms)
        if found is None:
            found = next((one for one in reversed(self._settled) if one.request_id == fact.request_id), None)
        if found is None and self._taken_out(fact.request_id):
            return
        if found is None:
            found = stream.others[fact.request_id] = Invocation(
                event.origin, fact.request_id, event.ts_ms, event, last_ms=event.ts_ms
            )
        found.timed_out = True
        found.lines += 1

    def _taken_out(self, request_id: str) -> bool:
        """Say whether a request is among the runs taken in; if so, it timed out."""
        for lot in reversed(self._lots):
            number = self._found.number_of(request_id, lot.first, lot.last)
            if number is not None:
                lot.timed_out[number] = lot.timed_out.get(number, 0) + 1
                return True
        return False

    def _store(self, stream: _Stream, event: LogEvent, fact: StoreLine, part: int) -> None:
        copied = self._copied(stream, event, part)
        owner, attribution = self._owner(stream, event, fact.request_id, copied)
        invocation_id = owner.request_id or self._late(stream, event, fact.request_id)
        if invocation_id and attribution == "none":
            attribution = "positional"
        draft = StoreDraft(event, fact, invocation_id, attribution, copied is not None, part)
        owner.stores.append(draft)
        owner.lines += 1
        owner.last_ms = max(owner.last_ms, event.ts_ms)
        if copied is not None:
            draft.invocation_id, draft.attribution = copied.draft.invocation_id, copied.draft.attribution
            return
        _remember(stream.recent, (event.ts_ms, hash(event.message), part), _Told(owner, draft))
        owner.engine = stream.engine = fact.engine
        at_ms = fact.stamp_ms or event.ts_ms
        if fact.kind == "miss":
            stream.misses[fact.engine] = at_ms, draft
        elif fact.kind == "stored":
            missed = stream.misses.pop(fact.engine, None)
            if missed and 0 <= at_ms - missed[0] <= _FETCH_LIMIT_MS:
                missed[1].fetch_ms = float(at_ms - missed[0])

    def _call(self, stream: _Stream, event: LogEvent, fact: CallRecord | CostLine, part: int) -> None:
        if isinstance(fact, CallRecord) and fact.told_by in ELSEWHERE:
            self._tell_alone(event, fact, part)
            return
        known = isinstance(fact, CallRecord) and fact.call_id is not None  # told again, it is the same call
        copied = None if known else self._copied(stream, event, part)
        owner, attribution = self._owner(stream, event, fact.request_id, copied)
        invocation_id = owner.request_id or self._late(stream, event, fact.request_id)
        if invocation_id and attribution == "none":
            attribution = "positional"
        engine = fact.engine if isinstance(fact, CallRecord) else None
        engine = engine or owner.engine or (None if stream.managed else stream.engine)
        draft = CallDraft(event, fact, invocation_id, attribution, engine, copied is not None, part)
        owner.calls.append(draft)
        owner.lines += 1
        owner.last_ms = max(owner.last_ms, event.ts_ms)
        if copied is not None and isinstance(copied.draft, CallDraft):
            first = copied.draft
            draft.invocation_id, draft.attribution, draft.engine = first.invocation_id, first.attribution, first.engine
            return
        if isinstance(fact, CallRecord):
            stream.records.append(draft)
        if not known:
            _remember(stream.recent, (event.ts_ms, hash(event.message), part), _Told(owner, draft))

    def _tell_alone(self, event: LogEvent, fact: CallRecord, part: int) -> None:
        """Take a call that was written outside any environment's stream; of one told several times, the fullest."""
        engine = fact.engine
        if fact.told_by == "claude_code":
            engine = project_name(engine, event.origin.log_stream)
        key = fact.call_id or (event.event_key, part)
        known = self._elsewhere.get(key)
        if known and isinstance(known.fact, CallRecord) and not more_complete(fact, known.fact):
            return
        attribution = "explicit" if fact.request_id else "none"
        self._elsewhere[key] = CallDraft(event, fact, fact.request_id, attribution, engine, redelivery=False, part=part)

    # whose

    def _owner(
        self, stream: _Stream, event: LogEvent, request_id: str | None, copied: _Told | None = None
    ) -> tuple[Invocation, str]:
        """Return the invocation a line belongs to, or the gap it falls into, and how that is known.

        A copy belongs where the line belongs that it copies, even if another request began in that millisecond.
        """
        current = stream.current
        if copied is not None:
            owner = copied.owner
            if owner is stream.gap or any(owner is one for one in _open_in(stream)):
                return owner, copied.draft.attribution
            if any(owner is one for one in self._settled):
                self._reopen(owner)
                return owner, copied.draft.attribution
        if request_id is not None:
            found = self._named(stream, request_id) or self._revived(stream, request_id, event.ts_ms)
            if found is None:
                found = self._unannounced(stream, event, request_id)
            return found, "explicit"
        if current and current.started and not stream.managed and event.ts_ms >= current.start_ms:
            return current, "positional"
        if stream.gap is None:
            stream.gap = Invocation(event.origin, None, event.ts_ms, event)
        return stream.gap, "none"

    def _unannounced(self, stream: _Stream, event: LogEvent, request_id: str) -> Invocation:
        """Open an invocation known by its lines alone: the platform's lines are switched off, or came earlier."""
        made = Invocation(event.origin, request_id, event.ts_ms, event, last_ms=event.ts_ms)
        current = stream.current
        if current and not current.started and not stream.managed:
            self._close(stream, current)
        if stream.current is None:
            stream.current = made
        else:
            stream.others[request_id] = made
        return made

    def _named(self, stream: _Stream, request_id: str) -> Invocation | None:
        current = stream.current
        if current and current.request_id == request_id:
            return current
        return stream.others.get(request_id)

    def _revived(self, stream: _Stream, request_id: str, ts_ms: int) -> Invocation | None:
        """Return a request that the next START seemed to end, and of which a line is still to come.

        In the millisecond of that START, the two were only delivered in another order. Later, both are under way at
        once: this is a Managed Instance, and bare lines since then belong to nobody.
        """
        one = stream.unreported.get(request_id)
        if one is None:
            return None
        current = stream.current
        if one.json and current is not None and ts_ms > current.start_ms:
            stream.managed = True
            del stream.unreported[request_id]
            self._settled = [other for other in self._settled if other is not one]
            one.closed = False
            stream.others[request_id] = one
            _disown(stream, current)
        else:
            self._reopen(one)
        return one

    def _reopen(self, one: Invocation) -> None:
        """Tell a settled request again, for a line of it has come."""
        if one not in self._reopened:
            self._reopened.append(one)
        if not any(one is other for other in self._settled):
            self._settled.append(one)

    def _late(self, stream: _Stream, event: LogEvent, request_id: str | None) -> str | None:
        """Return the closed invocation in whose time a line falls that came after its end."""
        if request_id is not None or stream.managed:
            return request_id
        for start_ms, end_ms, name in reversed(stream.closed):
            if start_ms <= event.ts_ms < end_ms:
                return name
        return None

    def _close(self, stream: _Stream, one: Invocation) -> None:
        one.closed = True
        if stream.current is one:
            stream.current = None
        elif one.request_id is not None:
            stream.others.pop(one.request_id, None)
        if one.report and one.started and one.request_id is not None:
            stream.closed.append((one.start_ms, one.last_ms, one.request_id))
        self._pair(stream, one)
        self._settled.append(one)

    def _settle_gap(self, stream: _Stream, now_ms: int) -> None:
        """Close a gap that is quiet; of one that is never quiet, settle what no REPORT can claim any more."""
        gap = stream.gap
        if gap is None:
            return
        if gap.last_ms <= now_ms - SETTLE_MS or len(gap.calls) > _GAP_LIMIT:
            self._close_gap(stream)
            return
        until_ms = now_ms - (HOLD_MS if stream.platform else SETTLE_MS)
        if gap.first.ts_ms <= until_ms:
            self._pair(stream, gap)
            self._settled.append(gap.split(until_ms))

    def _close_gap(self, stream: _Stream) -> None:
        if stream.gap:
            stream.gap.closed = True
            self._pair(stream, stream.gap)
            self._settled.append(stream.gap)
            stream.gap = None

    def _pair(self, stream: _Stream, one: Invocation) -> None:
        """Join text lines with records; where a window cut off the START that tied them together, by nearness."""
        one.pair()
        if one.started:
            return
        left: list[CallDraft] = []
        for draft in one.calls:
            record = _nearest(draft, stream.records)
            if record is None:
                left.append(draft)
            else:
                assert isinstance(draft.fact, CostLine)
                record.twin = draft.fact
                record.absorbed.append(draft)
        one.calls = left

    def _copied(self, stream: _Stream, event: LogEvent, part: int) -> _Told | None:
        """Return what was told by the same text of the same millisecond under an id of another delivery."""
        if event.event_id is None:
            return None
        told = stream.recent.get((event.ts_ms, hash(event.message), part))
        if told is None or told.draft.event.event_id == event.event_id:
            return None
        # ids of one delivery differ in their last 16 bits only: the position in the batch
        another = told.draft.event.order >> 16 != event.order >> 16 or event.order < 1 << 80
        return told if another else None


def _owner_of(
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


def _lone(drafts: list[CallDraft]) -> Invocation:
    """Return calls that have no invocation of ours around them."""
    first = drafts[0].event
    return Invocation(first.origin, None, first.ts_ms, first, last_ms=drafts[-1].event.ts_ms, calls=drafts, closed=True)


def _remember(kept: dict[Any, Any], key: Any, value: Any) -> None:
    """Keep a value among the last few; the first told under a key stays."""
    if len(kept) >= _REMEMBERED:
        del kept[next(iter(kept))]
    kept.setdefault(key, value)


def _disown(stream: _Stream, one: Invocation) -> None:
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


def _open_in(stream: _Stream) -> list[Invocation]:
    return [*([stream.current] if stream.current else []), *stream.others.values()]


def _made(records: deque[CallDraft | _Unmade]) -> list[CallDraft]:
    """Make drafts of all records kept but those that have their text line."""
    for place, record in enumerate(records):
        if isinstance(record, _Unmade) and not record.kept.joined:
            records[place] = record.made()
    return [record for record in records if isinstance(record, CallDraft)]


def _nearest(draft: CallDraft, records: deque[CallDraft | _Unmade]) -> CallDraft | None:
    """Return the record that tells what a text line tells, if one was written at nearly the same time."""
    if not isinstance(draft.fact, CostLine):
        return None

    def away(record: CallDraft) -> int:
        return abs(record.event.ts_ms - draft.event.ts_ms)

    same = [
        record
        for record in _made(records)
        if record.twin is None and isinstance(record.fact, CallRecord) and _same_tokens(draft.fact, record.fact)
    ]
    nearest = min(same, key=away, default=None)
    return nearest if nearest is not None and away(nearest) <= _PAIR_MS else None


def _same_tokens(line: CostLine, record: CallRecord) -> bool:
    told = (line.input_tokens, line.output_tokens, line.cache_read, line.cache_write)
    return record.usage is not None and _tokens_of(record.usage) == told


def _tokens_of(usage: Usage) -> _Tokens:
    return usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens
