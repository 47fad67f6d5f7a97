"""CloudWatch Logs through FilterLogEvents, the only pull API that gives every event its id.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
Why this API, and why the cursor is what it is: docs/decisions/030-filter-log-events.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from collector.event import LogEvent, Origin
from collector.parsers.clock import plausible
from collector.parsers.prefilter import may_be_ours
from collector.sources.aws_faults import explain
from collector.sources.base import BATCH_BYTES, BATCH_EVENTS, MAX_LINE, Batch, Cursor
from core.errors import CachewiseError, FixSettings, TryAgain
from core.settings import SourceSettings

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
ATTEMPTS = 6
PAGE_LIMIT = 10_000
REPEATED_TOKENS = 5
SLICE_MS = 6 * 3600 * 1000  # a long first pass is committed slice by slice: tokens die after 24 hours
MARGIN_MS = 2_000  # a call's record and text line are told together: never see one without the other
FOLLOW_PAUSE_S = 0.5  # the quota is five requests a second for the whole account; leave most of it to people


class CloudWatchSource:
    """Reads one log group. Every pass reads `overlap_s` of the past again, for events that became visible late."""

    kind = "cloudwatch"

    def __init__(
        self,
        settings: SourceSettings,
        *,
        follow: bool = False,
        client: CloudWatchLogsClient | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._follow = follow
        self._client = client
        self._sleep = sleep
        self._seen: dict[str, int] = {}  # ids this process has handed over, with their times
        self._new: dict[str, int] = {}  # those of the batch being read
        self._origins: dict[str, Origin] = {}
        self._batch = Batch()
        self._text_bytes = 0

    def read(self, cursor: Cursor | None, now: datetime) -> Iterator[Batch]:
        """Yield every event from the cursor (first time: `since_days` ago) to now, oldest slice first."""
        now_ms = round(now.timestamp() * 1000)
        start_ms = self._start(cursor, now_ms)
        self._forget_before(start_ms - MARGIN_MS)
        hw = (cursor or {}).get("hw")
        begin = start_ms
        while True:
            end = min(begin + SLICE_MS, now_ms)
            last = end >= now_ms
            yield from self._slice(begin, end, cursor, start_ms, hw, now_ms)
            batch = self._batch
            batch.window_start_ms, batch.window_end_ms = start_ms, end
            if last:
                batch.cursor = {"hw": now_ms, "from": now_ms - self._settings.overlap_s * 1000}
                batch.complete_until_ms = now_ms - self._settings.overlap_s * 1000
            else:
                batch.cursor = {"hw": hw, "from": end}
            yield self._take()
            if last:
                return
            begin = end

    def hold(self, cursor: Cursor, events: Sequence[LogEvent]) -> Cursor:
        """Move the cursor back to the earliest of these events."""
        earliest = min((event.ts_ms for event in events), default=None)
        if earliest is None or "from" not in cursor:
            return cursor
        return {**cursor, "from": min(cursor["from"], earliest)}

    def _start(self, cursor: Cursor | None, now_ms: int) -> int:
        if cursor and isinstance(cursor.get("from"), int):
            return min(int(cursor["from"]), now_ms)
        return now_ms - round(self._settings.since_days * 86_400_000)

    def _slice(
        self, begin: int, end: int, cursor: Cursor | None, start_ms: int, hw: int | None, now_ms: int
    ) -> Iterator[Batch]:
        """Read one window to its last page; a full batch is handed over with the cursor it began with."""
        context_ms = start_ms if cursor else None
        first = begin - MARGIN_MS if cursor and begin == start_ms else begin
        token: str | None = None
        repeated = 0
        while True:
            page = self._page(first, end, token)
            self._batch.context_before_ms = context_ms
            for item in page.get("events", []):
                self._event(item, context_ms, hw, now_ms)
            following = page.get("nextToken")
            if not following:
                return
            repeated = repeated + 1 if following == token else 0
            if repeated > REPEATED_TOKENS:
                raise TryAgain(
                    f"CloudWatch Logs repeats one page of {self._settings.log_group} without end.",
                    code="COL-508",
                    mend="Nothing is lost; the next pass reads on from here.",
                )
            token = following
            if len(self._batch.events) >= BATCH_EVENTS or self._text_bytes >= BATCH_BYTES:
                self._batch.cursor = dict(cursor) if cursor and begin == start_ms else {"hw": hw, "from": begin}
                yield self._take()

    def _page(self, start_ms: int, end_ms: int, token: str | None) -> Any:
        if self._follow and self._batch.requests:
            self._sleep(FOLLOW_PAUSE_S)
        asked: dict[str, Any] = {
            "logGroupName": self._settings.log_group,
            "startTime": max(0, start_ms),
            "endTime": end_ms,
            "limit": PAGE_LIMIT,
        }
        if token:
            asked["nextToken"] = token
        try:
            page = self._open().filter_log_events(**asked)
        except CachewiseError:
            raise
        except Exception as error:  # noqa: BLE001  # boto3 raises classes made at run time; every one is explained
            raise self._explained(error) from None
        self._batch.requests += 1
        self._batch.retries += int(page.get("ResponseMetadata", {}).get("RetryAttempts", 0))
        return page

    def _event(self, item: Any, context_ms: int | None, hw: int | None, now_ms: int) -> None:
        """Count or keep one event of a page."""
        ts_ms, message, event_id = item.get("timestamp"), item.get("message", ""), item.get("eventId")
        batch = self._batch
        known = event_id in self._seen or event_id in self._new
        again = known or (context_ms is not None and isinstance(ts_ms, int) and ts_ms < context_ms)
        if not plausible(ts_ms, now_ms=now_ms) or not isinstance(event_id, str):
            batch.skipped["bad_time" if isinstance(event_id, str) else "no_event_id"] += 1
            return
        ingested = item.get("ingestionTime")
        if not again:
            self._new[event_id] = ts_ms
            batch.bytes_read += len(message)
            if hw is not None and ts_ms < hw and isinstance(ingested, int) and ingested > hw:
                batch.late_events += 1
                batch.max_lateness_ms = max(batch.max_lateness_ms, ingested - ts_ms)
        if not may_be_ours(message):
            batch.ignored["other"] += not again
        elif len(message) > MAX_LINE:
            batch.skipped["too_long"] += not again
        else:
            order = int(event_id) if event_id.isdecimal() and len(event_id) < 100 else 0
            stream = self._origin(item.get("logStreamName", ""))
            batch.events.append(
                LogEvent(stream, event_id, ts_ms, "logged", message, order, ingested_ms=ingested, again=again)
            )
            self._text_bytes += len(message)

    def _take(self) -> Batch:
        batch = self._batch
        batch.events.sort(key=lambda event: (event.ts_ms, event.order))
        self._seen.update(self._new)
        self._batch, self._new, self._text_bytes = Batch(), {}, 0
        return batch

    def _origin(self, stream: str) -> Origin:
        origin = self._origins.get(stream)
        if origin is None:
            settings = self._settings
            origin = self._origins[stream] = Origin(settings.account, settings.region, settings.log_group, stream)
        return origin

    def _forget_before(self, start_ms: int) -> None:
        self._seen = {event_id: ts_ms for event_id, ts_ms in self._seen.items() if ts_ms >= start_ms}
        self._batch, self._new, self._text_bytes = Batch(), {}, 0

    def _open(self) -> CloudWatchLogsClient:
        """Make the client when it is first needed, and again after credentials failed."""
        if self._client is None:
            import boto3
            from botocore.config import Config

            config = Config(
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=READ_TIMEOUT_S,
                retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS},
            )
            session = boto3.session.Session()
            self._client = session.client(
                "logs", region_name=self._settings.region, endpoint_url=self._settings.endpoint_url, config=config
            )
        return self._client

    def _explained(self, error: Exception) -> CachewiseError:
        settings = self._settings
        client = self._client
        endpoint = settings.endpoint_url or (client.meta.endpoint_url if client is not None else None)
        explained = explain(error, log_group=str(settings.log_group), region=settings.region, endpoint=endpoint)
        if isinstance(explained, FixSettings):
            self._client = None  # credentials may be mended while we run; sessions remember the old ones
        return explained
