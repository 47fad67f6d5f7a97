"""CloudWatch Logs through FilterLogEvents, the only pull API that gives every event its id.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
Why this API, and why the cursor is what it is: docs/decisions/030-filter-log-events.md. Why the past is read again:
docs/reliability.md.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from collector.correlate import HOLD_MS
from collector.event import LogEvent, Origin
from collector.lane.keyed import take_requests
from collector.limits import MAX_LINE
from collector.parsers.clock import AHEAD_MS, EARLIEST_MS
from collector.parsers.prefilter import is_of_an_answer, may_be_ours
from collector.sources import rescans
from collector.sources.aws_faults import TokenLost
from collector.sources.aws_session import open_s3
from collector.sources.base import BATCH_BYTES, BATCH_EVENTS, Batch, Cursor
from collector.sources.log_pages import LogPages
from collector.sources.moved_bodies import MovedBodies
from collector.sources.pace import Pace, region_of
from core.errors import TryAgain
from core.settings import SourceSettings

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

REPEATED_TOKENS = 5
SLICE_MS = rescans.HOUR_MS  # of the past that is read again in one pass while following
COMMIT_PAGES = 50  # what was read is committed so often at least: half a minute at the default pace
_KEPT_IDS = 50_000
MARGIN_MS = 2_000  # a call's record and text line are told together: never see one without the other
_SECOND_MS = 1_000
_LONGEST_NUMBER = 100  # figures of an event's id


@dataclass(slots=True)
class _Scan:
    """One reading of a stretch of time. Its cursors are laid over the one before."""

    number: int  # 0 reads on
    begin_ms: int
    end_ms: int
    context_ms: int | None  # what is older was told before
    whole: bool  # read it in one go; else one slice, and the rest another time
    seen: tuple[int, int] | None = None  # when this was read the last time: (from when on, at what time)


class CloudWatchSource:
    """Reads one log group. Every pass reads `overlap_s` of the past again, for events that became visible late.

    Later ones are found by the re-scans. While following, these take one slice per pass, so that news does not wait.
    """

    kind = "cloudwatch"

    def __init__(
        self,
        settings: SourceSettings,
        *,
        follow: bool = False,
        client: CloudWatchLogsClient | None = None,
        pace: Pace | None = None,
        sleep: Callable[[float], None] = time.sleep,
        s3: Any = None,
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._follow = follow
        self._account, self._region, self._group = _identity(settings)
        self._pages = LogPages(replace(settings, region=self._region), client=client, pace=pace, sleep=sleep)
        self._s3 = s3
        self._bodies = MovedBodies(self._s3_now)
        self._seen: dict[str, int] = {}  # ids this process has read, with their times
        self._covered_ms: int | None = None  # from here on, what is not in `_seen` was not visible to earlier passes
        self._origins: dict[str, Origin] = {}
        self._batch = Batch()
        self._text_bytes = 0
        self._server_ms: int | None = None
        self._newest_ms = 0
        self._now_ms = 0

    def read(self, cursor: Cursor | None, now: datetime) -> Iterator[Batch]:
        """Yield every event from the cursor (first time: `since_days` ago) to now, then the re-scan that is due."""
        known = cursor or {}
        now_ms = self._now_ms = round(now.timestamp() * 1000)
        start_ms = self._start(cursor, now_ms)
        since_ms = int(known.get("since", start_ms))
        self._forget_before(start_ms - MARGIN_MS)
        self._server_ms = None
        reading = _Scan(0, start_ms, now_ms, start_ms if cursor else None, whole=True)
        overlap_ms = self._settings.overlap_s * 1000
        for batch, reached_ms in self._read(reading, known.get("hw"), now_ms):
            batch.cursor = {"hw": known.get("hw"), "from": self._moved(start_ms, reached_ms, now_ms), "since": since_ms}
            if batch.ends_scan:
                hw = self._true(now_ms)
                batch.complete_until_ms = hw - overlap_ms
                batch.cursor = {"hw": hw, "from": hw - overlap_ms, "since": since_ms}
                batch.cursor["scans"] = known.get("scans") or rescans.begun(known.get("hw") or hw)
                known = {**known, **batch.cursor}
                self._covered_ms = max(self._covered_ms or start_ms, start_ms)
            yield batch
        yield from self._read_again(known, start_ms, now_ms)

    def hold(self, cursor: Cursor, events: Sequence[LogEvent], counted: Sequence[LogEvent] = ()) -> Cursor:
        """Move the cursor back to the earliest of these events."""
        earliest = min((event.ts_ms for event in events), default=None)
        if earliest is None:
            return cursor
        if cursor.get("rescan"):
            rescan = cursor["rescan"]
            return {**cursor, "rescan": {**rescan, "from": min(rescan["from"], earliest)}}
        return {**cursor, "from": min(cursor["from"], earliest)} if "from" in cursor else cursor

    def _start(self, cursor: Cursor | None, now_ms: int) -> int:
        if cursor and isinstance(cursor.get("from"), int):
            return min(int(cursor["from"]), now_ms)
        return now_ms - round(self._settings.since_days * 86_400_000)

    def _moved(self, start_ms: int, reached_ms: int, now_ms: int) -> int:
        """Return where to read on after a part: never nearer to now than the overlap, which late events need."""
        return max(start_ms, min(reached_ms, now_ms - self._settings.overlap_s * 1000))

    def _true(self, now_ms: int) -> int:
        """Return now as AWS's clock has it, should ours be ahead: the cursor must not pass events yet to come."""
        return now_ms if self._server_ms is None else min(now_ms, self._server_ms + _SECOND_MS)

    def _read_again(self, known: Cursor, start_ms: int, now_ms: int) -> Iterator[Batch]:
        """Read the past again where it is due or was left off: all of it, or while following one slice."""
        spans = rescans.spans_ms(self._settings)
        number = 0
        while True:
            scans, number = known["scans"], number + 1
            rescan = known.get("rescan") or rescans.due(
                scans,
                spans,
                now_ms=self._true(now_ms),
                until_ms=min(start_ms + HOLD_MS, now_ms),  # a request under way when this pass began is seen whole
                since_ms=int(known["since"]),
            )
            if rescan is None:
                return
            seen = scans["hourly"] - spans["hourly"], scans["hourly"]
            begin = int(rescan["from"])
            again = _Scan(number, begin, int(rescan["to"]), begin, whole=not self._follow, seen=seen)
            for batch, reached_ms in self._read(again, None, now_ms):
                if reached_ms >= again.end_ms:
                    batch.cursor = {"rescan": None, "scans": rescans.done(scans, rescan)}
                else:
                    batch.cursor = {"rescan": {**rescan, "from": reached_ms}}
                known = {**known, **batch.cursor}
                yield batch
            if self._follow:
                return

    def _read(self, scan: _Scan, hw: int | None, now_ms: int) -> Iterator[tuple[Batch, int]]:
        """Yield the batches of a scan, each with how far everything was read.

        A scan is one query: a query for each hour would end each hour with a page that is not full. Events come in
        order of their time, so that what is older than the newest of a page has been read.
        """
        end = scan.end_ms if scan.whole else min(scan.begin_ms + SLICE_MS, scan.end_ms)
        pages = 0
        for full in self._window(scan, end if end == scan.end_ms else end - 1, hw, now_ms):
            pages += 1
            if full or pages >= COMMIT_PAGES:
                reached, pages = max(scan.begin_ms, min(self._newest_ms, end - 1)), 0
                yield self._take(scan, reached, ends=False), reached
                self._forget_long_before(min(reached, now_ms - self._settings.overlap_s * 1000))
        yield self._take(scan, end, ends=True), end

    def _window(self, scan: _Scan, end: int, hw: int | None, now_ms: int) -> Iterator[bool]:
        """Read a scan page by page to its last, saying after each whether the batch is full.

        While a page is worked on, and its batch stored, the next one is being fetched.
        """
        first = scan.begin_ms - MARGIN_MS if scan.context_ms is not None else scan.begin_ms
        self._newest_ms = first
        read: dict[str | None, int] = {}  # ids of this window: a page may come twice
        known = 0  # how many had been read when the last token was lost
        count, before = 0, first
        token: str | None = None
        repeated = 0
        coming = self._pages.ahead(first, end, None)
        try:
            while True:
                try:
                    page = coming.get()
                except TokenLost:
                    if count == known:
                        raise
                    first, known, token = self._newest_ms, count, None  # pages come in order of time
                    coming = self._pages.ahead(first, end, None)
                    continue
                repeated = repeated + 1 if page.following is not None and page.following == token else 0
                token = page.following
                if token is not None and repeated <= REPEATED_TOKENS:
                    coming = self._pages.ahead(first, end, token)
                self._server_ms = page.server_ms or self._server_ms
                self._batch.requests += page.requests
                self._batch.retries += page.retries
                begun = self._newest_ms
                count += self._events(page.events, read, scan, hw, now_ms)
                if len(read) > _KEPT_IDS:  # a page that comes again is the last one, or the one before
                    read = {event_id: ts_ms for event_id, ts_ms in read.items() if ts_ms >= before}
                before = begun
                yield len(self._batch.events) >= BATCH_EVENTS or self._text_bytes >= BATCH_BYTES
                if token is None:
                    return
                if repeated > REPEATED_TOKENS:
                    raise TryAgain(
                        f"CloudWatch Logs repeats one page of {self._settings.log_group} without end.",
                        code="COL-508",
                        mend="Nothing is lost; the next pass reads on from here.",
                        about=(self._settings.log_group,),
                    )
        finally:
            coming.drop()

    def _events(self, items: list[Any], read: dict[str | None, int], scan: _Scan, hw: int | None, now_ms: int) -> int:
        """Count or keep the events of a page that are not `read`; return how many."""
        if not scan.number and self._fresh(items, read, max(hw or 0, scan.context_ms or 0), now_ms):
            return len(items)
        batch, seen = self._batch, self._seen
        latest_ms, context_ms, number = now_ms + AHEAD_MS, scan.context_ms, bool(scan.number)
        count = ignored = size = 0
        for item in items:
            get = item.get
            event_id, ts_ms = get("eventId"), get("timestamp")
            if event_id is not None and event_id in read:
                continue
            count += 1
            if isinstance(ts_ms, int):
                self._newest_ms = ts_ms
            read[event_id] = self._newest_ms
            if type(ts_ms) is not int or not EARLIEST_MS <= ts_ms <= latest_ms or type(event_id) is not str:
                self._unusual(item, scan, now_ms)
                continue
            message = get("message", "")
            again = number or event_id in seen or (context_ms is not None and ts_ms < context_ms)
            if not again:
                if hw is not None and ts_ms < hw:
                    self._note_late(ts_ms, get("ingestionTime"), hw)
                seen[event_id] = ts_ms
                size += len(message)
            if may_be_ours(message):
                self._keep(item, event_id, ts_ms, message, _order(event_id), again=again)
            elif not again:
                if is_of_an_answer(message):
                    self._skip_spread(item)
                else:
                    ignored += 1
        if ignored:
            batch.ignored["other"] += ignored
        batch.bytes_read += size
        return count

    def _fresh(self, items: list[Any], read: dict[str | None, int], from_ms: int, now_ms: int) -> bool:
        """Take a page of which all is new, and as AWS writes it, at once; say whether it was one."""
        try:
            ids, times, messages = ([item[name] for item in items] for name in ("eventId", "timestamp", "message"))
        except KeyError:
            return False
        for values, kind in ((ids, str), (times, int), (messages, str)):
            if set(map(type, values)) != {kind}:
                return False
        if min(times) < max(from_ms, EARLIEST_MS) or max(times) > now_ms + AHEAD_MS:
            return False
        told = dict(zip(ids, times, strict=True))
        if len(told) < len(ids) or not (told.keys().isdisjoint(read) and told.keys().isdisjoint(self._seen)):
            return False
        read.update(told)
        self._seen.update(told)
        self._newest_ms = times[-1]
        numbered = "".join(ids).isdecimal() and max(map(len, ids)) < _LONGEST_NUMBER
        ours = spread = 0
        for item, event_id, ts_ms, message in zip(items, ids, times, messages, strict=True):
            if may_be_ours(message):
                ours += 1
                self._keep(item, event_id, ts_ms, message, int(event_id) if numbered else _order(event_id), again=False)
            elif is_of_an_answer(message):
                spread += 1
                self._skip_spread(item)
        if ours + spread < len(items):
            self._batch.ignored["other"] += len(items) - ours - spread
        self._batch.bytes_read += sum(map(len, messages))
        return True

    def _keep(self, item: Any, event_id: str, ts_ms: int, message: str, order: int, *, again: bool) -> None:
        """Make an event of what may be ours."""
        if len(message) > MAX_LINE:
            if not again:
                self._batch.skip("too_long", length=len(message), at=_stands(item))
            return
        name = item.get("logStreamName", "")
        origin = self._origins.get(name) or self._origin(name)
        self._batch.events.append(
            LogEvent(origin, event_id, ts_ms, "logged", message, order, None, item.get("ingestionTime"), again)
        )
        self._text_bytes += len(message)

    def _skip_spread(self, item: Any) -> None:
        """Skip a line of an answer that was logged over several, each of which became an event."""
        self._batch.skip("unknown_form", length=len(item["message"]), at=_stands(item))

    def _unusual(self, item: Any, scan: _Scan, now_ms: int) -> None:
        """Skip an event without an id, or of a time that is none: counted once."""
        ts_ms, event_id = item.get("timestamp"), item.get("eventId")
        told = bool(scan.number) or event_id in self._seen
        told = told or (scan.context_ms is not None and isinstance(ts_ms, int) and ts_ms < scan.context_ms)
        if not told:
            reason = "bad_time" if isinstance(event_id, str) else "no_event_id"
            self._batch.skip(reason, length=len(item.get("message", "")), at=_stands(item))
        if isinstance(event_id, str):
            self._seen[event_id] = now_ms  # although its own time will never be passed

    def _note_late(self, ts_ms: int, ingested: Any, hw: int) -> None:
        """Count an event that the last complete pass should have seen by its time, and did not."""
        ingested = ingested if isinstance(ingested, int) else ts_ms
        if ingested > hw or (self._covered_ms is not None and ts_ms >= self._covered_ms):
            self._batch.late_events += 1
            self._batch.max_lateness_ms = max(self._batch.max_lateness_ms, max(ingested, hw) - ts_ms)

    def _take(self, scan: _Scan, end_ms: int, *, ends: bool) -> Batch:
        batch = self._batch
        batch.events.sort(key=attrgetter("ts_ms", "order"))
        self._bodies.fill(batch.events, batch, now_ms=self._now_ms)
        if not scan.number:
            batch.events = take_requests(batch.events, batch.lane, now_ms=self._now_ms, context_ms=scan.context_ms)
        batch.scan, batch.ends_scan, batch.context_before_ms = scan.number, ends, scan.context_ms
        batch.window_start_ms, batch.window_end_ms, batch.seen_before = scan.begin_ms, end_ms, scan.seen
        self._batch, self._text_bytes = Batch(), 0
        return batch

    def _s3_now(self) -> Any:
        """Return the client of S3, where Bedrock puts answers too large for its log; most groups never need one.

        An endpoint of CloudWatch Logs alone is not asked for objects.
        """
        if self._s3 is None:
            told = self._settings.endpoint_url
            logs_only = told is not None and re.search(r"//logs\.|\.logs\.", told) is not None
            endpoint = None if logs_only else told
            self._s3 = open_s3(replace(self._settings, region=self._region, endpoint_url=endpoint))
        return self._s3

    def _origin(self, stream: str) -> Origin:
        origin = self._origins.get(stream)
        if origin is None:
            origin = self._origins[stream] = Origin(self._account, self._region, self._group, stream)
        return origin

    def _forget_long_before(self, start_ms: int) -> None:
        """Forget ids of a long first read that no pass of this process will meet, wherever the cursor is held."""
        if len(self._seen) > 4 * _KEPT_IDS:
            oldest_ms = start_ms - HOLD_MS - MARGIN_MS
            self._seen = {event_id: ts_ms for event_id, ts_ms in self._seen.items() if ts_ms >= oldest_ms}

    def _forget_before(self, start_ms: int) -> None:
        self._seen = {event_id: ts_ms for event_id, ts_ms in self._seen.items() if ts_ms >= start_ms}
        self._batch, self._text_bytes = Batch(), 0


def _identity(settings: SourceSettings) -> tuple[str | None, str | None, str | None]:
    """Return (account, region, log group): an ARN and a role say more than the settings beside them need to."""
    group = settings.log_group or ""
    if group.startswith("arn:"):
        _, _, _, _, account, _, name = group.removesuffix(":*").split(":", 6)
        return settings.account or account, region_of(settings), name
    account_of_role = settings.role_arn.split(":")[4] if settings.role_arn else None
    return settings.account or account_of_role, settings.region, settings.log_group


def _order(event_id: str) -> int:
    """Return what orders events of one millisecond: real ids are numbers that grow."""
    return int(event_id) if event_id.isdecimal() and len(event_id) < _LONGEST_NUMBER else 0


def _stands(item: Any) -> str:
    """Return where a person finds an event again: its stream and its id."""
    return f"{item.get('logStreamName', '')} {item.get('eventId', '')}".strip()
