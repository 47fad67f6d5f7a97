"""Whose line is it? One state machine per log stream turns facts into calls, invocations and prompt-store events.

An environment serves one request at a time: START opens an invocation, lines with a request id of their own use it,
lines without inherit, REPORT closes it. Managed Instances interleave requests; there only explicit ids count.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from collector.drafts import CallDraft, Invocation, StoreDraft, lone, waits
from collector.event import LogEvent, Origin
from collector.lane.bare import RECORDS, STORES, BareRun
from collector.lane.requests import Lot, Requests, Run, name_engines
from collector.outside import BarePart, BareRecord, make_after, make_all, make_last
from collector.outside_pairs import pair_columns
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
from collector.streams import REMEMBERED, Stream, Told, Unmade, copy_of, disown, nearest, open_in, owner_of, remember

HOLD_MS = 16 * 60 * 1000  # Lambda ends an invocation after 15 minutes; one minute for its lines to arrive
SETTLE_MS = 15_000  # lines outside any START..REPORT wait this long for their twins
_IDLE_MS = 60 * 60 * 1000
_FETCH_LIMIT_MS = 60_000
_GAP_LIMIT = 2_000


class Correlator:
    """Feed it events with their facts in order; take from it what is settled."""

    def __init__(self) -> None:
        self._streams: dict[Origin, Stream] = {}
        self._settled: list[Invocation] = []
        self._elsewhere: dict[object, CallDraft] = {}  # calls that belong to no stream of lines, each once
        self._reopened: list[Invocation] = []
        self._lots: list[Lot] = []
        self._parts: dict[Origin, list[BarePart]] = {}  # by stream: lines of this batch outside requests
        self._found = Requests()
        self.newest_ms = 0
        self.dropped = 0

    def feed(self, event: LogEvent, facts: tuple[Fact, ...]) -> None:
        """Take in one event."""
        stream = self._streams.get(event.origin)
        if stream is None:
            stream = self._streams[event.origin] = Stream()
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
            stream = self._streams[origin] = Stream()
        if stream.current or stream.others or stream.managed:
            return False
        self._close_gap(stream)
        self._found = found
        if stream.engine is not None:
            name_engines(run, found.code_of(stream.engine))
        block, lot = run.block, Lot(run.first, run.last, len(self._settled))
        for number in [number for number in block.told if run.first <= number < run.last]:
            owner = owner_of(run.place, block.head(number), block.told[number], stream.engine)
            stream.records.extend(draft for draft in owner.calls if isinstance(draft.fact, CallRecord))
            lot.owners[number] = owner
        for owner in lot.owners.values():
            owner.pair()
        left = (kept for kept in run.kept if kept.head.number >= run.first)  # the others were told line by line
        stream.records.extend(Unmade(run.place, kept, lot, stream.engine) for kept in left)
        if stream.unreported:
            for name in block.ids(run.first, run.last):
                stream.unreported.pop(name, None)
        stream.closed.extend(block.times(max(run.first, run.last - REMEMBERED), run.last))
        stream.platform = stream.between = True
        stream.engine = run.engine or stream.engine
        stream.last_ms = max(stream.last_ms, run.highest_ms)
        self.newest_ms = int(block.heads.ended_ms[run.last - 1 - block.first])
        self._lots.append(lot)
        return True

    def take_bare(self, run: BareRun, found: Requests) -> bool:
        """Take in lines outside any request, as if told one by one; False where requests are about."""
        origin = run.place.origin
        stream = self._streams.get(origin)
        if stream is None:
            stream = self._streams[origin] = Stream()
        if stream.platform or stream.current or stream.others or stream.managed or stream.closed or stream.unreported:
            return False
        gap = stream.gap
        engine = (gap.engine if gap else None) or stream.engine
        if gap is None:
            gap = stream.gap = Invocation(origin, None, run.first.ts_ms, run.first)
        lines = found.bare.lines(found.places)
        if engine is not None:
            lines.name_engine(run, found.code_of(engine))
        part = BarePart(gap, run, lines, found, [len(gap.calls), len(gap.stores)])
        gap.bare.append(part)
        gap.lines += run.calls + run.count(STORES)
        gap.last_ms = max(gap.last_ms, run.highest_ms)
        gap.engine, stream.engine = run.engine or gap.engine, run.engine or stream.engine
        records = run.spans[RECORDS]
        last = range(max(records.start, records.stop - REMEMBERED), records.stop)
        stream.records.extend(BareRecord(part, number) for number in last)
        stream.last_ms = max(stream.last_ms, run.highest_ms)
        self.newest_ms = run.last_ms
        self._parts.setdefault(origin, []).append(part)
        return True

    def take_lots(self) -> list[Lot]:
        """Return the requests taken in by `take_run`; forget them. Their places are among what `take_settled` told.

        With them the batch is over: nothing of it is held any longer.
        """
        for origin, parts in self._parts.items():
            records = self._streams[origin].records if origin in self._streams else deque()
            for place, record in enumerate(records):
                if isinstance(record, BareRecord):
                    records[place] = record.let_go()
            for part in parts:
                part.owner = None
        self._parts = {}
        lots, self._lots, self._found = self._lots, [], Requests()
        return lots

    def take_settled(self, *, goes_on: bool = True) -> list[Invocation]:
        """Return what is complete, or will never be; forget it, and forget streams long idle.

        Where another batch follows, what is left of this one are drafts: its columns do not outlive it.
        """
        for origin, stream in list(self._streams.items()):
            for open_one in open_in(stream):
                if open_one.start_ms < self.newest_ms - HOLD_MS:
                    self._close(stream, open_one)
            self._settle_gap(stream, self.newest_ms)
            if stream.gap and goes_on:
                make_all(stream.gap)
            if stream.last_ms < self.newest_ms - _IDLE_MS and not open_in(stream) and not stream.gap:
                del self._streams[origin]
        for one in self._reopened:
            one.pair()
        self._reopened = []
        settled, self._settled = self._settled, []
        if self._elsewhere:
            settled.append(lone(list(self._elsewhere.values())))
            self._elsewhere = {}
        return settled

    def finish(self, now_ms: int, *, final: bool) -> tuple[list[Invocation], list[Invocation]]:
        """End a pass: return (settled, open). What is open is either held back and read again, or told as it stands.

        With `final`, gaps and invocations without START need not wait for twins.
        """
        settled = self.take_settled(goes_on=False)
        waiting: list[Invocation] = []
        for stream in self._streams.values():
            for open_one in open_in(stream):
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
            for open_one in open_in(stream):
                yield open_one.first
            if stream.gap:
                yield stream.gap.first

    # one fact each

    def _start(self, stream: Stream, event: LogEvent, fact: Start) -> None:
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

    def _report(self, stream: Stream, event: LogEvent, fact: Report) -> None:
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

    def _end(self, stream: Stream, one: Invocation, at_ms: int) -> None:
        """End a request by the beginning of the next; its REPORT never came, or has not come yet."""
        one.end_ms = at_ms
        self._close(stream, one)
        remember(stream.unreported, one.request_id, one)

    def _take_over(self, stream: Stream, one: Invocation, event: LogEvent, fact: Report) -> None:
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

    def _adopt(self, stream: Stream, one: Invocation, event: LogEvent, fact: Report) -> None:
        """Give a request whose START we did not see the bare lines just before its REPORT: they were its own."""
        gap = stream.gap
        if gap is None or stream.between or stream.managed:
            return
        if gap.first.ts_ms < event.ts_ms - round(fact.duration_ms or 0) - 1_000:
            return
        make_all(gap)
        drafts: list[CallDraft | StoreDraft] = [*gap.calls, *gap.stores]
        for draft in drafts:
            draft.invocation_id, draft.attribution = fact.request_id, "positional"
        one.calls, one.stores = one.calls + gap.calls, one.stores + gap.stores
        one.engine, one.lines = one.engine or gap.engine, one.lines + gap.lines
        stream.gap = None

    def _timed_out(self, stream: Stream, event: LogEvent, fact: TimedOut) -> None:
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

    def _store(self, stream: Stream, event: LogEvent, fact: StoreLine, part: int) -> None:
        copied = copy_of(stream, event, part)
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
        remember(stream.recent, (event.ts_ms, hash(event.message), part), Told(owner, draft))
        owner.engine = stream.engine = fact.engine
        at_ms = fact.stamp_ms or event.ts_ms
        if fact.kind == "miss":
            stream.misses[fact.engine] = at_ms, draft
        elif fact.kind == "stored":
            missed = stream.misses.pop(fact.engine, None)
            if missed and 0 <= at_ms - missed[0] <= _FETCH_LIMIT_MS:
                missed[1].fetch_ms = float(at_ms - missed[0])

    def _call(self, stream: Stream, event: LogEvent, fact: CallRecord | CostLine, part: int) -> None:
        if isinstance(fact, CallRecord) and fact.told_by in ELSEWHERE:
            self._tell_alone(event, fact, part)
            return
        known = isinstance(fact, CallRecord) and fact.call_id is not None  # told again, it is the same call
        copied = None if known else copy_of(stream, event, part)
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
            remember(stream.recent, (event.ts_ms, hash(event.message), part), Told(owner, draft))

    def _tell_alone(self, event: LogEvent, fact: CallRecord, part: int) -> None:
        """Take a call that was written outside any environment's stream; of one told several times, the fullest."""
        engine = fact.engine
        if fact.told_by == "claude_code":
            engine = project_name(engine, event.origin.log_stream)
        key = (fact.told_by, fact.call_id or event.event_key, None if fact.call_id else part)
        known = self._elsewhere.get(key)
        if known and isinstance(known.fact, CallRecord) and not more_complete(fact, known.fact):
            return
        attribution = "explicit" if fact.request_id else "none"
        self._elsewhere[key] = CallDraft(event, fact, fact.request_id, attribution, engine, redelivery=False, part=part)

    # whose

    def _owner(
        self, stream: Stream, event: LogEvent, request_id: str | None, copied: Told | None = None
    ) -> tuple[Invocation, str]:
        """Return the invocation a line belongs to, or the gap it falls into, and how that is known.

        A copy belongs where the line belongs that it copies, even if another request began in that millisecond.
        """
        current = stream.current
        if copied is not None:
            owner = copied.owner
            if owner is stream.gap or any(owner is one for one in open_in(stream)):
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

    def _unannounced(self, stream: Stream, event: LogEvent, request_id: str) -> Invocation:
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

    def _named(self, stream: Stream, request_id: str) -> Invocation | None:
        current = stream.current
        if current and current.request_id == request_id:
            return current
        return stream.others.get(request_id)

    def _revived(self, stream: Stream, request_id: str, ts_ms: int) -> Invocation | None:
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
            if stream.gap:
                make_all(stream.gap)
            disown(stream, current)
        else:
            self._reopen(one)
        return one

    def _reopen(self, one: Invocation) -> None:
        """Tell a settled request again, for a line of it has come."""
        if one not in self._reopened:
            self._reopened.append(one)
        if not any(one is other for other in self._settled):
            self._settled.append(one)

    def _late(self, stream: Stream, event: LogEvent, request_id: str | None) -> str | None:
        """Return the closed invocation in whose time a line falls that came after its end."""
        if request_id is not None or stream.managed:
            return request_id
        for start_ms, end_ms, name in reversed(stream.closed):
            if start_ms <= event.ts_ms < end_ms:
                return name
        return None

    def _close(self, stream: Stream, one: Invocation) -> None:
        one.closed = True
        if stream.current is one:
            stream.current = None
        elif one.request_id is not None:
            stream.others.pop(one.request_id, None)
        if one.report and one.started and one.request_id is not None:
            stream.closed.append((one.start_ms, one.last_ms, one.request_id))
        self._pair(stream, one)
        self._settled.append(one)

    def _settle_gap(self, stream: Stream, now_ms: int) -> None:
        """Close a gap that is quiet; of one that is never quiet, settle what no REPORT can claim any more.

        Of one that is too large, only the last lines wait, whose twins may come with the next batch.
        """
        gap = stream.gap
        if gap is None:
            return
        if gap.last_ms <= now_ms - SETTLE_MS:
            self._close_gap(stream)
            return
        if gap.told_calls > _GAP_LIMIT:
            make_last(gap, REMEMBERED)
            last = {id(draft) for draft in gap.calls[-REMEMBERED:]}
            self._split_gap(stream, gap, lambda draft: id(draft) in last and waits(draft))
            return
        until_ms = now_ms - (HOLD_MS if stream.platform else SETTLE_MS)
        if gap.first.ts_ms <= until_ms:
            make_after(gap, until_ms)
            self._split_gap(stream, gap, lambda draft: draft.event.ts_ms > until_ms)

    def _split_gap(self, stream: Stream, gap: Invocation, stays: Callable[[CallDraft | StoreDraft], bool]) -> None:
        self._pair(stream, gap)
        self._settled.append(gap.split(stays))
        if not gap.calls and not gap.stores:
            stream.gap = None

    def _close_gap(self, stream: Stream) -> None:
        if stream.gap:
            stream.gap.closed = True
            self._pair(stream, stream.gap)
            self._settled.append(stream.gap)
            stream.gap = None

    def _pair(self, stream: Stream, one: Invocation) -> None:
        """Join text lines with records; where a window cut off the START that tied them together, by nearness."""
        if one.bare:
            pair_columns(one, stream.records)
        one.pair()
        if one.started:
            return
        left: list[CallDraft] = []
        for draft in one.calls:
            record = nearest(draft, stream.records)
            if record is None:
                left.append(draft)
            else:
                assert isinstance(draft.fact, CostLine)
                record.twin = draft.fact
                record.absorbed.append(draft)
        one.calls = left
