"""Events on their way into a batch: made, counted as skipped or ignored, and handed over when there are enough."""

from __future__ import annotations

from typing import Any

from collector.event import LogEvent, Origin, Position, TimeKind
from collector.limits import MAX_LINE
from collector.parsers.clock import plausible
from collector.parsers.prefilter import is_of_an_answer, may_be_ours
from collector.sources.base import BATCH_BYTES, BATCH_EVENTS, Batch
from collector.sources.open_file import OpenFile, settle_stamp
from core.settings import SourceSettings

_BATCH_LINES = 400_000
_BATCH_CALLS = 50_000
_BATCH_READ = 512 * 1024 * 1024  # of lines that tell nothing too: what was read should not wait long to be stored
_BATCH_REQUESTS = 40_000  # of the quick lane: columns take less memory than events
_BATCH_BARE = 120_000  # lines of ours outside requests that are columns


class Gathering:
    """Gathers events into batches."""

    def __init__(self, settings: SourceSettings) -> None:
        self._settings = settings
        self._origins: dict[tuple[object, object, object], Origin] = {}
        self._keyed: list[LogEvent] = []
        self._text_bytes = 0
        self.batch = Batch()
        self.now_ms = 0
        self._gathers = True  # False: lines of an object that is none are told again, one by one

    def begin(self, now_ms: int) -> None:
        """Forget what an interrupted pass left behind."""
        self.now_ms = now_ms
        self.batch, self._keyed, self._text_bytes, self._gathers = Batch(), [], 0, True

    def _line(
        self, file: OpenFile, message: str, stamp: int | None, origin: Origin, start: int, *, partial: bool,
        timed: bool = True,
    ) -> None:  # fmt: skip
        """Make an event of a line; `start` is where it begins, `timed` says that the stamp was put on it by others."""
        ts_ms, kind = self._time(file, stamp)
        file.ids = False
        event = LogEvent(
            origin,
            None,
            ts_ms,
            kind,
            message,
            start,
            Position(file.known.file_id, start),
            again=file.offset < file.seen,
            timed=timed and ts_ms == stamp,
            partial=partial,
        )
        self.batch.events.append(event)
        self._text_bytes += len(message)

    def _time(self, file: OpenFile, stamp: int | None) -> tuple[int, TimeKind]:
        """Return the time a line tells, or that of the nearest line before it, or the file's own."""
        if stamp is not None and plausible(stamp, now_ms=self.now_ms):
            file.stamp_ms, file.stamped, file.stamp_line = stamp, True, b""
        else:
            settle_stamp(file, self.now_ms)
        return file.stamp_ms, "logged" if file.stamped else "file"

    def _told(self, file: OpenFile, item: Any, origin: Origin, place: Position, index: int, *, again: bool) -> None:
        """Make one event of what an envelope holds."""
        message = item.get("message") if isinstance(item, dict) else None
        if not isinstance(message, str):
            self.skip("broken_json", file, len(str(item)), again=again)
        elif not may_be_ours(message):
            if is_of_an_answer(message):
                self.skip("unknown_form", file, len(message), again=again)
            else:
                self._ignore("other", again=again)
        elif len(message) > MAX_LINE:
            self.skip("too_long", file, len(message), again=again)
        elif not plausible(item.get("timestamp"), now_ms=self.now_ms):
            self.skip("bad_time", file, len(message), again=again)
        else:
            event_id = item.get("id", item.get("eventId"))
            told_id = str(event_id) if isinstance(event_id, str | int) else None
            ingested = item.get("ingestionTime")
            file.ids = file.ids and told_id is not None
            event = LogEvent(
                origin,
                told_id,
                item["timestamp"],
                "logged",
                message,
                int(told_id) if told_id and told_id.isdecimal() and len(told_id) < 100 else index,
                place if told_id else Position(place.file_id, place.offset + index),
                ingested if isinstance(ingested, int) else None,
                again,
            )
            self._keyed.append(event)
            self._text_bytes += len(message)

    def origin(self, account: str | None, group: str | None, stream: str | None) -> Origin:
        """Return the stream an event belongs to; one object per stream."""
        key = (account, group, stream)
        origin = self._origins.get(key)
        if origin is None:
            if len(self._origins) > 50_000:
                self._origins.clear()
            settings = self._settings
            origin = Origin(account or settings.account, settings.region, group or settings.log_group, stream)
            self._origins[key] = origin
        return origin

    def skip(self, reason: str, file: OpenFile, length: int, *, again: bool) -> None:
        """Count a line that cannot be used, unless it was counted before."""
        if not again:
            self.batch.skip(reason, length=length, at=f"{file.found.path} byte {file.offset}")

    def _ignore(self, kind: str, *, again: bool) -> None:
        if not again:
            self.batch.ignored[kind] += 1

    def is_full(self) -> bool:
        """Say whether the batch should be handed over."""
        batch = self.batch
        return (
            (len(batch.events) + len(self._keyed)) / BATCH_EVENTS
            + batch.lane.count / _BATCH_REQUESTS
            + batch.lane.bare.count / _BATCH_BARE
            >= 1
            or batch.sessions.count >= 2 * _BATCH_CALLS  # no message is cut in two for as long as that can be
            or self._text_bytes >= BATCH_BYTES
            or batch.ignored["other"] >= _BATCH_LINES
        )

    def is_rich(self) -> bool:
        """Say whether the batch may be handed over at the end of a file."""
        return self.batch.sessions.count >= _BATCH_CALLS or self.batch.bytes_read >= _BATCH_READ

    def take(self) -> Batch:
        """Hand over the batch; events with ids in the order they were written, text lines as they stand."""
        batch = self.batch
        self._keyed.sort(key=lambda event: (event.ts_ms, event.order))
        batch.events.extend(self._keyed)
        self.batch, self._keyed, self._text_bytes = Batch(), [], 0
        return batch
