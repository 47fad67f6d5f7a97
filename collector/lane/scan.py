"""Bytes of a text log to requests: from START to REPORT, when everything between is in the exact form.

What is not is left to the ordinary way: cold starts, errors, misses of the prompt store, lines of another request, any
other spelling. So is a request that begins in one piece of a file and ends in the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from collector.event import LogEvent, TimeKind
from collector.lane.requests import CallRow, Place, RequestRow, Requests, Run, StoreRow, ToldCall
from collector.parsers import parse_message
from collector.parsers.clock import EARLIEST_MS, STAMP_SPAN, find_iso_ms, iso_ms, plausible, stamp_in
from collector.parsers.facts import CallRecord, CostLine
from collector.parsers.prefilter import JSON_BYTES, bytes_may_be_ours

if TYPE_CHECKING:
    from collector.sources.file_events import OpenFile

_UUID = rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_FRONT = rb"\[[A-Z]{3,8}\]\t(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\d)Z"
_DRESS = rb"(?:" + _FRONT + rb"\t(" + _UUID + rb")\t)?"
_NUMBER = rb"(\d{1,9}(?:\.\d{1,6})?)"
_START_WORD = b"START RequestId: "
_LINE_START = b"\n" + _START_WORD
_START = re.compile(rb"START RequestId: (" + _UUID + rb") Version: ([!-~]{1,80})[ \t\r]*\n")
_REPORT = re.compile(
    rb"REPORT RequestId: " + _UUID + rb"\tDuration: " + _NUMBER + rb" ms\tBilled Duration: " + _NUMBER + rb" ms\t"
    rb"Memory Size: (\d{1,9}) MB\tMax Memory Used: (\d{1,9}) MB[ \t\r]*\n"
)  # fmt: skip
_HIT = re.compile(
    _DRESS + rb"(?:\xe2\x9c\x85 )?Cache HIT for (?:\[([^\[\]{}:\x00-\x20][^\[\]{}:\x00-\x1f]{0,80})\]|"
    rb"([A-Za-z0-9_][A-Za-z0-9_.-]{0,80})) - DB query skipped(?: \(permanent cache\))?[ \t\r]*"
)
_COST = re.compile(
    _DRESS + rb"(?:\xf0\x9f\x92\xb0 )?API Cost: \$(\d{1,6}\.\d{1,12}) \| input: (\d{1,10}), output: (\d{1,10}), "
    rb"cache_read: (\d{1,10}), cache_write: (\d{1,10})[ \t\r]*"
)
_STAMPED = re.compile(_FRONT)
_ENVELOPES = (b'"logEvents"', b'"awslogs"', b'"eventId"', b'"messageType"', b'"resourceSpans"')
_RECORD = b"llm_usage"
_LONGEST = 256 * 1024  # from START to REPORT: beyond it, its end is not looked for
_REMEMBERED = 2_000
_NEWLINE = 10


@dataclass(slots=True)
class _Frame:
    """The lines around a request, and where they stand in the piece."""

    request_id: bytes
    version: bytes
    start: int
    body: int
    body_end: int
    end: int
    measured: tuple[bytes, bytes, bytes, bytes]


@dataclass(slots=True)
class _Body:
    """What the lines of a request told, and the time of the line read last."""

    ms: int
    stamped: bool
    started_ms: int
    start_stamped: bool
    waiting: bytes = b""  # the last line that tells a time, not read before it is needed
    lowest_ms: int = 0
    highest_ms: int = 0
    ignored: int = 0
    engine: str | None = None
    calls: list[CallRow] = field(default_factory=list)
    stores: list[StoreRow] = field(default_factory=list)
    told: list[ToldCall] = field(default_factory=list)


class Lane:
    """Takes requests out of pieces of files; what it leaves goes through `by_line`, in order."""

    def __init__(
        self,
        by_line: Callable[[OpenFile, bytes], None],
        lines_again: Callable[[OpenFile, bytes], list[LogEvent]],
    ) -> None:
        self._by_line = by_line
        self._lines_again = lines_again
        self._seconds: dict[bytes, int] = {}
        self._engines: dict[bytes, str | None] = {}
        self._now_ms = 0

    def begin(self, now_ms: int) -> None:
        """Start a pass: what lies beyond it is no time."""
        self._now_ms = now_ms
        self._seconds.clear()

    def read(self, file: OpenFile, data: bytes, found: Requests, events: Callable[[], int]) -> int:
        """Tell whole lines, none of which was read before; return how many the lane took that are not ours.

        `events` says how many ordinary events the batch holds, which the requests found stand among.
        """
        base, at, ignored = file.offset, 0, 0
        run: Run | None = None
        while True:
            start = at if data.startswith(_START_WORD, at) else data.find(_LINE_START, at) + 1
            if start < at or not data.startswith(_START_WORD, start):
                break
            if start > at:
                if self._is_quiet(file, data[at:start]):
                    ignored += data.count(b"\n", at, start)
                else:
                    run = None
                    self._by_line(file, data[at:start])
            frame = _frame(data, start)
            engine = run.engine if run else None
            body = self._body(file, frame, data, base, len(found.rows), engine) if frame else None
            if frame and body:
                if run is None:
                    run = self._begun(file, data, base, found, events())
                    found.runs.append(run)
                _take(frame, body, base, found, run)
                file.stamp_ms, file.stamped, file.stamp_line, file.ids = body.ms, body.stamped, b"", False
                ignored += body.ignored
                at = frame.end
                file.offset = base + at
            else:
                run = None
                at = data.find(_LINE_START, start) + 1 or len(data)
                file.offset = base + start
                self._by_line(file, data[start:at])
        if at < len(data):
            file.offset = base + at
            self._by_line(file, data[at:])
        return ignored

    def _begun(self, file: OpenFile, data: bytes, base: int, found: Requests, events: int) -> Run:
        place = Place(file.origin, file.known.file_id)
        if not found.places or found.places[-1] != place:
            found.places.append(place)

        def again(row: RequestRow) -> list[LogEvent]:  # holds no batch: a cycle would keep it in memory
            _, _, ts_ms, stamped, start, end, *_ = row
            then = replace(file, offset=start, seen=0, joint=-1, stamp_ms=ts_ms, stamped=stamped, stamp_line=b"")
            return self._lines_again(then, data[start - base : end - base])

        return Run(events, place, len(found.rows), len(found.calls), lines_again=again)

    def _is_quiet(self, file: OpenFile, lines: bytes) -> bool:
        """Say whether nothing of ours stands between two requests; if so, take note of the times it tells."""
        if b"{" in lines or bytes_may_be_ours(lines):
            return False
        for line in reversed(lines.split(b"\n")):
            if line[:1] == b"[" or line[:1] == b"2":
                file.stamp_line = line
                break
        return True

    def _body(
        self, file: OpenFile, frame: _Frame, data: bytes, base: int, number: int, engine: str | None
    ) -> _Body | None:
        """Read what stands between START and REPORT; None where a line of ours is in any other form."""
        lines = data[frame.body : frame.body_end]
        if (
            b"RequestId" in lines
            or b"platform." in lines
            or b"timed out" in lines
            or b"INIT_REPORT" in lines
            or b"Permanently" in lines
        ):
            return None
        records = False
        if b"{" in lines:
            records = _RECORD in lines
            if any(word in lines for word in _ENVELOPES):
                return None
            if not records and any(word in lines for word in JSON_BYTES):
                return None
        told = _Body(file.stamp_ms, file.stamped, 0, False, file.stamp_line)
        self._settle(told)
        told.started_ms = told.lowest_ms = told.highest_ms = told.ms
        told.start_stamped, told.engine = told.stamped, engine
        offset = base + frame.body
        for line in lines.split(b"\n"):
            if records and b"{" in line and bytes_may_be_ours(line):
                taken = self._record(told, line, frame.request_id, offset)
            elif b"Cost" in line:
                taken = self._cost(told, line, frame.request_id, offset, number, records=records)
            elif b"Cache " in line:
                taken = self._hit(told, line, frame.request_id, offset, number)
            else:
                told.ignored += 1
                if line[:1] == b"[" or line[:1] == b"2":
                    told.waiting = line
                taken = True
            if not taken:
                return None
            offset += len(line) + 1
        told.ignored -= 1  # behind the last newline there is no line
        self._settle(told)
        _widen(told)
        return told

    # lines of ours

    def _hit(self, told: _Body, line: bytes, rid: bytes, offset: int, number: int) -> bool:
        match = _HIT.fullmatch(line)
        if match is None:
            return False
        stamp, owner, bracketed, bare = match.groups()
        named = bracketed or bare
        engine = self._engines.get(named) or self._engine(named)
        if engine is None or not self._at(told, stamp, owner, rid):
            return False
        told.engine = engine
        told.stores.append((number, told.ms, offset, engine, owner is not None))
        return True

    def _cost(self, told: _Body, line: bytes, rid: bytes, offset: int, number: int, *, records: bool) -> bool:
        match = _COST.fullmatch(line)
        if match is None:
            return False
        stamp, owner, usd, given, output, read, write = match.groups()
        if not self._at(told, stamp, owner, rid):
            return False
        if records:
            named = None if owner is None else owner.decode()
            fact = CostLine(Decimal(usd.decode()), int(given), int(output), int(read), int(write), named)
            told.told.append(_told_call(fact, told, offset))
        else:
            told.calls.append(
                (number, told.ms, told.stamped, offset, told.engine, owner is not None, usd, given, output, read, write)
            )
        return True

    def _record(self, told: _Body, line: bytes, rid: bytes, offset: int) -> bool:
        """Take a call record as the ordinary way reads it."""
        try:
            message = line.decode().rstrip("\r")
        except UnicodeDecodeError:
            return False
        parsed = parse_message(message)
        fact = parsed.facts[0] if len(parsed.facts) == 1 else None
        if not isinstance(fact, CallRecord) or fact.told_by != "record" or message[:1] == "2":
            return False
        if fact.request_id is not None and fact.request_id != rid.decode():
            return False
        stamp_ms = stamp_in(message)
        if stamp_ms is not None and not plausible(stamp_ms, now_ms=self._now_ms):
            return False
        self._move(told, stamp_ms)
        if fact.request_id is None and told.ms < told.started_ms:
            return False
        told.told.append(_told_call(fact, told, offset))
        return True

    # times

    def _at(self, told: _Body, stamp: bytes | None, owner: bytes | None, rid: bytes) -> bool:
        """Move on to a line's time; False when the time is none, or the line is not this request's."""
        if stamp is None:
            self._move(told, None)
            return told.ms >= told.started_ms
        stamp_ms = self._ms(stamp)
        if stamp_ms is None or owner != rid:
            return False
        self._move(told, stamp_ms)
        return True

    def _move(self, told: _Body, stamp_ms: int | None) -> None:
        if stamp_ms is None:
            self._settle(told)
        else:
            told.ms, told.stamped, told.waiting = stamp_ms, True, b""
        _widen(told)

    def _settle(self, told: _Body) -> None:
        """Read the time of the last line that told one."""
        line = told.waiting
        if line:
            told.waiting = b""
            front = _STAMPED.match(line)
            stamp_ms = self._ms(front[1]) if front else None
            if stamp_ms is None:
                stamp_ms = find_iso_ms(line[:STAMP_SPAN].decode("utf-8", errors="replace"))
                if stamp_ms is None or not plausible(stamp_ms, now_ms=self._now_ms):
                    return
            told.ms, told.stamped = stamp_ms, True

    def _ms(self, stamp: bytes) -> int | None:
        """Return a time like 2026-11-20T15:30:00.123 in Unix milliseconds; None when it is none, or implausible."""
        second = stamp[:19]
        known = self._seconds.get(second)
        if known is None:
            known = iso_ms(second.decode() + "Z")
            if known is None or known < EARLIEST_MS or not plausible(known + 999, now_ms=self._now_ms):
                return None
            if len(self._seconds) > _REMEMBERED:
                self._seconds.clear()
            self._seconds[second] = known
        return known + int(stamp[20:])

    def _engine(self, named: bytes) -> str | None:
        """Return an engine's name; names repeat, so that each is decoded once."""
        try:
            engine = named.decode().strip()
        except UnicodeDecodeError:
            return None
        if len(self._engines) > _REMEMBERED:
            self._engines.clear()
        self._engines[named] = engine
        return engine or None


def _frame(data: bytes, start: int) -> _Frame | None:
    """Find START, END and REPORT of the request that begins there."""
    head = _START.match(data, start)
    if head is None:
        return None
    rid, version = head.groups()
    body = head.end()
    report_at = data.find(b"REPORT RequestId: " + rid, body, body + _LONGEST)
    report = _REPORT.match(data, report_at) if report_at >= 0 else None
    end_line = b"END RequestId: " + rid + b"\n"
    body_end = report_at - len(end_line)
    if report is None or body_end < body or data[body_end - 1] != _NEWLINE or not data.startswith(end_line, body_end):
        return None
    return _Frame(rid, version, start, body, body_end, report.end(), report.groups())  # type: ignore[arg-type]  # all four


def _take(frame: _Frame, told: _Body, base: int, found: Requests, run: Run) -> None:
    """Append a request to the batch."""
    found.calls.extend(told.calls)
    found.stores.extend(told.stores)
    if told.told:
        found.told[len(found.rows)] = told.told
    lines = 2 + len(told.stores) + len(told.calls) + len(told.told)
    found.rows.append(
        (
            len(found.places) - 1, frame.request_id, told.started_ms, told.start_stamped, base + frame.start,
            base + frame.end, frame.version, told.ms, lines, *frame.measured,
        )
    )  # fmt: skip
    run.last = len(found.rows)
    run.engine = told.engine or run.engine
    run.lowest_ms, run.highest_ms = min(run.lowest_ms, told.lowest_ms), max(run.highest_ms, told.highest_ms)


def _told_call(fact: CallRecord | CostLine, told: _Body, offset: int) -> ToldCall:
    engine = fact.engine if isinstance(fact, CallRecord) else None
    kind: TimeKind = "logged" if told.stamped else "file"
    return ToldCall(fact, told.ms, kind, offset, engine or told.engine, fact.request_id is not None)


def _widen(told: _Body) -> None:
    if told.ms < told.lowest_ms:
        told.lowest_ms = told.ms
    elif told.ms > told.highest_ms:
        told.highest_ms = told.ms
