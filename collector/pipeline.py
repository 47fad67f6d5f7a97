"""source → parse → correlate → price → commit: one pass over one source, and what it counted.

Rows are committed before the cursor that passes them. A crash between the two reads lines again, which changes nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from collector.behind import Behind
from collector.event import LogEvent
from collector.glance import QUIET_S
from collector.lane.bare import BareRun
from collector.lane.requests import count_run
from collector.ledger import Ledger
from collector.memory import give_back
from collector.parsers.emf import METRIC_NAMES, MetricNames
from collector.result import PassResult
from collector.rows import Laying, Settled, Teller
from collector.sources.base import Batch, Cursor, Source
from collector.told import Told
from core.errors import BadInput, CachewiseError, OurBug, TryAgain
from core.pricing import PriceBook
from core.settings import LineDefaults
from core.store import noted
from core.store.lake import Lake
from core.store.schema import KEYS

if TYPE_CHECKING:
    from collector.correlate import Correlator
    from collector.drafts import Invocation
    from collector.lane.requests import Lot

_LOCK_WAIT_S = 60.0
_LARGE_BATCH = 1024 * 1024  # bytes read: after it, memory is given back
_TICK = timedelta(microseconds=1)
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Laid:
    """What a batch comes to: rows, keys that are told otherwise now, the place behind it, and whether it was news."""

    step: PassResult
    tables: dict[str, pa.Table]
    gone: list[str]
    ahead: set[str]  # keys of calls dated ahead of their lines
    cursor: Cursor
    changed: bool
    late_of: Batch | None  # the batch of a re-scan: what it finds new came late


class Collector:
    """Reads one source into the tables, pass by pass. Keep it between passes: it remembers where it is."""

    def __init__(
        self,
        source: Source,
        lake: Lake,
        book: PriceBook,
        *,
        defaults: LineDefaults | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        remembers: bool = True,
        names: MetricNames = METRIC_NAMES,
    ) -> None:
        self._source = source
        self._lake = lake
        self._teller = Teller(source.name, defaults or LineDefaults(), book)
        self._clock = clock
        self._remembers = remembers  # False for stdin: there is no place in it to come back to
        self._cursor: Cursor | None = None
        self._loaded = False
        self._told = Told()
        self._ledger = Ledger(lake)
        self._names = names
        self._pass_no = 0
        self._written_no = 0  # the newest pass this process has written
        self._written: set[str] = set()  # tables this process has added rows to
        self._newest = _LONG_AGO  # time of the newest pass written: the next is later, even if the clock went back
        self._reading = False  # the step written last was not the last of its pass
        self._unwritten: PassResult | None = None  # quiet passes, to be written with the next one that is not
        self._written_at = float("-inf")
        self._last_status: str | None = None
        self._noted: noted.Noted | None = None  # the pass written last, if it read everything

    @property
    def name(self) -> str:
        """Name of the source."""
        return self._source.name

    def begin(self) -> None:
        """Say that a source nobody has read yet is about to be read, so that its silence is not taken for freshness."""
        try:
            self._load_cursor()
            if self._newest > _LONG_AGO:
                return
            step = PassResult(self._source.name, self._source.kind, self._clock(), reading=True)
            with self._lake.writer_lock(wait_s=_LOCK_WAIT_S):
                self._write_pass(step, None, self._next_pass_no())
            self._written_at = float("-inf")
        except CachewiseError:
            return  # the pass that follows meets the same and tells it

    def leave(self) -> None:
        """Note what was written last, so that the next process can see at a glance whether anything is new."""
        if self._noted is not None:
            noted.leave(self._lake.path, self._noted)

    def run_pass(
        self,
        *,
        final: bool = True,
        stop: Callable[[], bool] = lambda: False,
        progress: Callable[[PassResult], None] = lambda result: None,
    ) -> PassResult:
        """Read everything new. `final`: also tell what is still open. Errors are in the result, never raised.

        `stop` is asked between batches: what was committed stays, the rest is read by the next pass.
        """
        total = PassResult(self._source.name, self._source.kind, self._clock())
        try:
            for step in self._steps(total.began, final=final):
                total.add(step)
                progress(total)
                if stop():
                    total.stopped = True
                    break
        except CachewiseError as error:
            self._fail(total, error)
        return total

    def _steps(self, now: datetime, *, final: bool) -> Iterator[PassResult]:
        """Yield the counters of every committed batch. A large one is stored while the next is read."""
        self._load_cursor()
        correlator: Correlator | None = None
        scan = 0
        batches = self._source.read(self._cursor, now)
        behind = Behind()
        try:
            for batch, last in _with_last(batches):
                if batch.scan != scan:
                    correlator, scan = None, batch.scan
                if correlator is None and (batch.events or batch.lane.runs):
                    from collector.correlate import Correlator  # sessions tell calls, and nothing to be put together

                    correlator = Correlator()
                laid = self._one_batch(batch, correlator, self._clock(), now, last=last, final=final)
                del batch
                yield from behind.end()
                store = partial(self._store, laid)
                if not last and not laid.late_of and behind.is_worth(laid.step):
                    behind.begin(store)
                    del laid, store  # what is not needed any more is given back while it is stored
                else:
                    yield store()
            yield from behind.end()
        except CachewiseError:
            yield from behind.end()  # what was read before it was stored, and counts
            raise
        finally:
            behind.close()
            if isinstance(batches, Generator):
                batches.close()  # it may hold files and processes, and a failure that is kept would keep it

    def _one_batch(
        self, batch: Batch, correlator: Correlator | None, began: datetime, now: datetime, *, last: bool, final: bool
    ) -> _Laid:
        """Lay a batch out as rows. Nothing of it is changed by what is read later, as drafts may be."""
        step = PassResult(self._source.name, self._source.kind, began, reading=not last and not batch.scan)
        step.add_batch(batch)
        fresh, counted = _parse(batch, correlator, step, self._names)
        told, held, lots = _settled(batch, correlator, step, now, last=last, final=final)
        cursor = self._source.hold(batch.cursor, held, counted)
        settled = Settled(
            told, batch.lane, lots, batch.context_before_ms, batch.sessions, batch.events, round(now.timestamp() * 1000)
        )
        rows = Laying(settled, self._teller)
        tables = {"calls": rows.calls(), "invocations": rows.invocations(), "prompt_store_events": rows.stores()}
        changed = fresh or not last or batch.scan > 0
        return _Laid(step, tables, rows.gone(), rows.ahead, cursor, changed, batch if batch.scan else None)

    def _store(self, laid: _Laid) -> PassResult:
        """Write rows, then the step with its cursor; a quiet step is kept for later."""
        step, gone = laid.step, laid.gone
        tables = {name: self._told.new(name, rows) for name, rows in laid.tables.items()}
        laid.tables.clear()
        step.duplicates += self._told.take_duplicates()
        merged = {**(self._cursor or {}), **laid.cursor}
        changed = laid.changed or self._reading
        if changed or any(table.num_rows for table in tables.values()) or self._is_due(step):
            with self._lake.writer_lock(wait_s=_LOCK_WAIT_S):
                pass_no = self._next_pass_no()
                told = dict(tables)
                joined = self._ledger.join(tables["calls"], gone)
                tables["calls"] = joined.rows
                step.duplicates += joined.duplicates
                for name, rows in tables.items():
                    done = self._lake.commit(
                        name,
                        rows,
                        source=self._source.name,
                        pass_no=pass_no,
                        gone=joined.gone if name == "calls" else (),
                    )
                    self._told.committed(name, told[name], done.hashes if rows is told[name] else None)
                    self._written |= {name} if done.added else set()
                    field = f"new_{name}"
                    setattr(step, field, getattr(step, field) + done.added)
                    step.duplicates += done.duplicates
                    step.replaced += done.replaced
                    if name == "calls" and laid.ahead and done.new_keys is not None:
                        step.clock_ahead += sum(key in laid.ahead for key in done.new_keys.to_pylist())
                    if laid.late_of and done.added:
                        added = rows.filter(pc.is_in(rows[KEYS[name]], value_set=done.new_keys))
                        _count_late(step, laid.late_of, added)
                self._write_pass(step, merged, pass_no)
        elif self._unwritten is None:
            self._unwritten = step
        else:
            self._unwritten.add(step)
        self._cursor = merged
        if step.bytes_read > _LARGE_BATCH:
            del tables
            give_back()
        return step

    def _write_pass(self, step: PassResult, cursor: Cursor | None, pass_no: int) -> None:
        written = step
        if self._unwritten is not None:
            written = PassResult(step.source, step.kind, step.began)
            written.add(self._unwritten)
            written.add(step)
        written.began = self._newest = max(written.began, self._newest + _TICK)
        row = written.row(pass_no=pass_no, cursor=cursor if self._remembers else None, finished=self._clock())
        self._lake.commit("ingest_passes", row, source=self._source.name, pass_no=pass_no)
        self._noted = _as_noted(row.to_pylist()[0], pass_no)
        self._unwritten, self._written_no, self._reading = None, pass_no, step.reading
        self._written_at, self._last_status = time.monotonic(), step.status

    def _fail(self, total: PassResult, error: CachewiseError) -> None:
        """Write the failure down, with the cursor unchanged; where even that fails, the result still says it."""
        total.problems.append(error)
        step = PassResult(total.source, total.kind, self._clock(), problems=[error])
        if not self._is_due(step):
            return
        try:
            with self._lake.writer_lock(wait_s=_LOCK_WAIT_S):
                self._write_pass(step, None, self._next_pass_no())
        except CachewiseError as second:
            if second.code != error.code:
                total.problems.append(second)

    def _is_due(self, step: PassResult) -> bool:
        return step.status != self._last_status or time.monotonic() - self._written_at >= QUIET_S

    def _load_cursor(self) -> None:
        if self._loaded:
            return
        known = noted.find(self._lake.path, self._source.name)
        last = known.row() if known else self._lake.last_pass(self._source.name)
        if last and last.get("cursor_json") and self._remembers:
            try:
                self._cursor = json.loads(last["cursor_json"])
            except ValueError:
                raise OurBug(
                    f"The cursor of {self._source.name} is not JSON.", code="COL-901", about=(self._source.name,)
                ) from None
        if last:
            self._newest = max(self._newest, last["ts"])
            told_no = str(last["pass_id"]).rpartition("/")[2]
            self._pass_no = int(told_no) if told_no.isdecimal() else 0
        self._loaded = True

    def _next_pass_no(self) -> int:
        """Return a number above every earlier one of this source, whatever the clock says; the lock is held."""
        stored = self._lake.last_pass_no("ingest_passes", self._source.name) or 0
        lost = [name for name in sorted(self._written) if not self._lake.has(name)]
        if stored < self._written_no:
            lost.append("ingest_passes")
        if lost:
            self._start_over()
            raise TryAgain(
                f"Tables in {self._lake.path} were deleted while Cachewise was writing to them: {', '.join(lost)}.",
                code="STO-014",
                mend="Nothing else is broken; the next pass reads again what the source still holds.",
                about=(self._lake.path, ", ".join(lost)),
            )
        self._pass_no = max(self._pass_no + 1, stored + 1, round(self._clock().timestamp() * 1000))
        return self._pass_no

    def _start_over(self) -> None:
        """Forget what was stored, for it is gone; read from the beginning."""
        self._cursor, self._told, self._written, self._written_no = None, Told(), set(), 0


def _as_noted(row: dict[str, Any], pass_no: int) -> noted.Noted | None:
    if row["status"] != "done" or row["cursor_json"] is None:
        return None
    return noted.Noted.of(row, pass_no)


def _with_last(batches: Iterator[Batch]) -> Iterator[tuple[Batch, bool]]:
    """Yield each batch with whether it ends its scan; one that does not know waits for the next.

    None is held while the next one is made: two at a time would be twice the memory.
    """
    waiting: list[Batch] = []
    while (batch := next(batches, None)) is not None:
        if waiting:
            yield waiting.pop(), False
        if batch.ends_scan is None:
            waiting.append(batch)
        else:
            yield batch, batch.ends_scan
        batch = None
    if waiting:
        yield waiting.pop(), True


def _count_late(step: PassResult, batch: Batch, added: pa.Table) -> None:
    """Count what a re-scan found new: it was not visible when its time was read before."""
    events = {event.event_id: event for event in batch.events}
    for event_id, told in zip(added["event_id"].to_pylist(), added["ts"].to_pylist(), strict=True):
        event = events.get(event_id)
        ts_ms = event.ts_ms if event else round(told.timestamp() * 1000)
        known_ms = event.ingested_ms or ts_ms if event else ts_ms
        from_ms, at_ms = batch.seen_before or (0, 0)
        step.late_events += 1
        step.max_lateness_ms = max(step.max_lateness_ms, known_ms - ts_ms, at_ms - ts_ms if ts_ms >= from_ms else 0)


def _settled(
    batch: Batch, correlator: Correlator | None, step: PassResult, now: datetime, *, last: bool, final: bool
) -> tuple[list[Invocation], list[LogEvent], list[Lot]]:
    """Take what a batch settled: what was told, the events that are still held, and the lots of the quick lane."""
    if correlator is None:
        return [], [], []
    if not last:
        told, held = correlator.take_settled(), list(correlator.open_events())
    elif batch.scan:  # what its window cuts off was told by the passes that read on from there
        told, waiting = correlator.finish(batch.window_end_ms or 0, final=False)
        held = [one.first for one in waiting]
    else:
        told, waiting = correlator.finish(round(now.timestamp() * 1000), final=final)
        held = [one.first for one in waiting]
        told += waiting if final else []
    lots = correlator.take_lots()
    if correlator.dropped:
        step.problems.append(_dropped(correlator.dropped))
        step.dropped_records += correlator.dropped
        correlator.dropped = 0
    return told, held, lots


def _parse(
    batch: Batch, correlator: Correlator | None, step: PassResult, names: MetricNames
) -> tuple[bool, list[LogEvent]]:
    """Parse and correlate a batch; return whether it held anything not read before, and the beginnings counted."""
    recognised = step.recognised
    lane = batch.lane
    fresh = bool(batch.ignored or batch.skipped or lane.runs or batch.sessions.lines)
    if batch.sessions.lines:
        recognised["claude_code"] += batch.sessions.lines
    if correlator is None:  # no line was left to be parsed
        return fresh, []
    from collector.parsers import parse_message

    counted = []

    newest_ms = max((run.highest_ms for run in lane.runs), default=0) if lane.ids is not None else 0
    for event in _in_order(batch, correlator, step):
        parsed = parse_message(event.message, names)
        if parsed.facts:
            correlator.feed(event, parsed.facts)
            newest_ms = max(newest_ms, event.ts_ms)
        elif event.partial:
            continue  # the beginning of a line: it will be read again when it is whole
        if not event.again:
            fresh = True
            if event.partial:
                counted.append(event)
            if parsed.outcome == "recognised":
                recognised[parsed.kind] += 1
            elif parsed.outcome == "ignored":
                step.ignored[parsed.kind] += 1
            else:
                step.skipped[parsed.kind] += 1
                step.example(parsed.kind, event)
    if lane.ids is not None:  # its runs are of many streams, and not in order of their ends
        correlator.newest_ms = newest_ms
    return fresh, counted


def _in_order(batch: Batch, correlator: Correlator, step: PassResult) -> Iterator[LogEvent]:
    """Yield the events to be parsed; between them, hand over the runs of the quick lane.

    A run whose stream has something open is told line by line until that is closed: one request is mostly enough.
    """
    told = 0
    for run in batch.lane.runs:
        yield from batch.events[told : run.at]
        told = run.at
        if isinstance(run, BareRun):
            if correlator.take_bare(run, batch.lane):
                run.count_lines(step.recognised)
            else:
                yield from batch.lane.bare.lines(batch.lane.places).events(run)
            continue
        while run.first < run.last and not correlator.take_run(run, batch.lane):
            yield from run.lines_again(run.first)
            run.first += 1
        count_run(run, step.recognised)
    yield from batch.events[told:] if told else batch.events


def _dropped(count: int) -> CachewiseError:
    return BadInput(
        f"Lambda itself dropped {count} log records before they reached the log: these calls cannot be counted.",
        code="COL-305",
        mend="Lower the function's log volume.",
        about=(f"{count:,}",),
    )
