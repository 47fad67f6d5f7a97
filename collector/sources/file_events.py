"""Lines and envelopes of a file to events: when it happened, in which stream, or why it is skipped."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Any

import orjson

from collector.event import LogEvent, Origin, Position, TimeKind
from collector.parsers import otel
from collector.parsers.clock import iso_ms, plausible, stamp_in
from collector.parsers.prefilter import bytes_may_be_ours, may_be_ours
from collector.parsers.values import moment_ms
from collector.sessions.scan import SessionLane
from collector.sessions.told import ToldPiece
from collector.sources import answer_events, envelopes, wrappers
from collector.sources.answer_events import ANSWER
from collector.sources.base import BATCH_BYTES, BATCH_EVENTS, MAX_LINE, Batch
from collector.sources.open_file import OpenFile, Pieces, settle_stamp
from collector.sources.wrappers import Unwrapped
from core.settings import SourceSettings
from core.telemetry import RECORD_EVENT

if TYPE_CHECKING:
    from collector.lane.scan import Lane

_BATCH_LINES = 400_000
_BATCH_CALLS = 50_000
_BATCH_READ = 512 * 1024 * 1024  # of lines that tell nothing too: what was read should not wait long to be stored
_BATCH_REQUESTS = 40_000  # of the quick lane: columns take less memory than events
_TIME_NAMES = ('"time"', '"timestamp"', '"@timestamp"', '"date"', '"ts"', '"_time"')
_PIECES_SPAN = 8 * 1024 * 1024  # bytes of a file that may lie between the pieces of one line
_BATCH_BARE = 120_000  # lines of ours outside requests that are columns
_TAIL_LINE = re.compile(  # `aws logs tail`: time, stream (unless --format short), message
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?) +"
    r"(?:(\d{4}/\d\d/\d\d/\S*\[[^\]\s]+\][0-9a-f]+) +)?(?=\S)"
)


class Telling:
    """Makes events of lines and envelopes, and gathers them into batches."""

    def __init__(self, settings: SourceSettings) -> None:
        self._settings = settings
        self._origins: dict[tuple[object, object, object], Origin] = {}
        self._keyed: list[LogEvent] = []
        self._text_bytes = 0
        self._lane: Lane | None = None
        self._session_lane = SessionLane(self._each_line)
        self.batch = Batch()
        self.now_ms = 0

    def begin(self, now_ms: int) -> None:
        """Forget what an interrupted pass left behind."""
        self.now_ms = now_ms
        self.batch, self._keyed, self._text_bytes = Batch(), [], 0
        if self._lane:
            self._lane.begin(now_ms)
        self._session_lane.begin(now_ms)

    def lines(self, file: OpenFile, data: bytes) -> None:
        """Tell whole lines of a file: those not read before by the quick lane where it can take them."""
        if file.offset < file.seen or file.joint >= file.offset or file.wrapped or file.pieces:
            self._each_line(file, data)
        elif file.session:
            from collector.sessions.lines import read_lines  # its decoder takes a while to load

            self.session_lines(file, read_lines(data, file.offset), file.offset + len(data))
        else:
            batch = self.batch
            ignored = self._quick_lane().read(file, data, batch.lane, lambda: len(batch.events))
            batch.ignored["other"] += ignored

    def _quick_lane(self) -> Lane:
        if self._lane is None:
            from collector.lane.scan import Lane  # the forms of Lambda's lines, which sessions do without

            self._lane = Lane(self._each_line, self._lines_again)
            self._lane.begin(self.now_ms)
        return self._lane

    def session_lines(self, file: OpenFile, piece: ToldPiece, end: int) -> None:
        """Tell whole lines of a session, none of which was told before, and which were read already."""
        batch = self.batch
        self._session_lane.take(file, piece, end, batch.sessions, lambda: len(batch.events))
        if piece.talk:
            batch.ignored["session"] += piece.talk

    def _each_line(self, file: OpenFile, data: bytes) -> None:
        offset, seen, ignored = file.offset, file.seen, 0
        lines = data.split(b"\n")
        lines.pop()
        for line in lines:
            here = offset
            offset += len(line) + 1
            first = line[:1]
            if first == b"{" and envelopes.is_envelope(line):
                file.offset = here
                self.payload_line(file, line)
            elif bytes_may_be_ours(line) or file.pieces or (file.wrapped and wrappers.may_hide(line)):
                file.offset = here
                self.text_line(file, line)
            else:
                if here >= seen and (line or here != file.joint):
                    ignored += 1
                if first == b"[" or first == b"2":
                    file.stamp_line = line
        file.offset = offset
        self.batch.ignored["other"] += ignored

    def _lines_again(self, file: OpenFile, data: bytes) -> list[LogEvent]:
        """Tell lines of ours, counted already, as ordinary events."""
        scratch = Telling(self._settings)
        scratch.now_ms = self.now_ms
        scratch._each_line(file, data)
        return scratch.batch.events

    def text_line(self, file: OpenFile, line: bytes, *, partial: bool = False) -> None:
        """Make an event of one line of text; `partial`: its newline has not come yet."""
        again = file.offset < file.seen
        if len(line) > MAX_LINE:
            self.skip("too_long", file, len(line), again=again)
            return
        if file.offset == 0 and line.startswith(codecs.BOM_UTF8):
            line = line[3:]
        try:
            message = line.decode("utf-8").rstrip("\r")
        except UnicodeDecodeError:
            self.skip("undecodable", file, len(line), again=again)
            return
        origin, stamp = file.origin, None
        found = wrappers.unwrap(message)
        if found is not None:
            self._unwrapped(file, found, len(line), partial=partial)
            return
        if "message_start" in message or ANSWER in file.pieces:
            event = answer_events.event_in(message)
            if event is not None and self._joined(file, event, file.offset):
                return
        if file.pieces and not may_be_ours(message):
            self._ignore("other", again=again)
            return
        if message[:1] == "2":
            tailed = _TAIL_LINE.match(message)
            if tailed:
                stamp, message = iso_ms(tailed[1]), message[tailed.end() :]
                if tailed[2]:
                    origin = self.origin(file.origin.account, file.origin.log_group, tailed[2])
        timed = stamp is not None
        if stamp is None:
            stamp = stamp_in(message) or _stamp_within(message)
        self._line(file, message, stamp, origin, file.offset, partial=partial, timed=timed)

    def _unwrapped(self, file: OpenFile, found: Unwrapped, length: int, *, partial: bool) -> None:
        """Tell a line by what stood around it; of one in pieces, when its last has come."""
        again = file.offset < file.seen
        if found.message is None:
            self.skip("message_left_out", file, length, again=again)
            return
        key = (found.stream, found.pieces)
        message, start = found.message, file.offset
        if found.more or key in file.pieces:
            begun = file.pieces.setdefault(key, Pieces(start, [], 0))
            begun.length += len(message)
            if begun.length <= MAX_LINE:
                begun.texts.append(message)
            if found.more:
                return
            message, start = "".join(file.pieces.pop(key).texts), begun.start
            length = begun.length
        if length > MAX_LINE:
            self.skip("too_long", file, length, again=again)
        elif may_be_ours(message):
            origin = file.origin
            if found.stream is not None:
                origin = self.origin(origin.account, origin.log_group, found.stream)
            self._line(file, message, found.ts_ms, origin, start, partial=partial)
        else:
            self._ignore("other", again=again)

    def _joined(self, file: OpenFile, event: dict[str, Any], start: int) -> bool:
        """Take an event of a streamed answer, which is told as a whole when it ends; False: it belongs to none."""
        begun = file.pieces.get(ANSWER)
        if event["type"] == "message_start":
            if begun is not None:
                self._answer(file, partial=False)  # it broke off
            begun = file.pieces[ANSWER] = Pieces(start, [], 0)
        elif begun is None:
            return False
        if not event["type"].startswith("content_block") and begun.length <= MAX_LINE:
            begun.texts.append(orjson.dumps(event).decode())
            begun.length += len(begun.texts[-1])
        if event["type"] == "message_stop":
            self._answer(file, partial=False)
        return True

    def _answer(self, file: OpenFile, *, partial: bool) -> None:
        """Tell the answer whose events were joined."""
        begun = file.pieces.pop(ANSWER)
        self._line(file, f"[{','.join(begun.texts)}]", None, file.origin, begun.start, partial=partial)

    def answer_so_far(self, file: OpenFile) -> None:
        """Tell what is there of an answer whose events may go on; its whole will replace it."""
        begun = file.pieces.get(ANSWER)
        if begun is not None:
            self._answer(file, partial=True)
            file.pieces[ANSWER] = begun

    def pieces_left(self, file: OpenFile, *, ended: bool) -> None:
        """Give up lines in pieces whose end will not come: nothing follows (`ended`), or too much has followed."""
        for key, begun in list(file.pieces.items()):
            if ended or file.offset - begun.start > _PIECES_SPAN:
                if key == ANSWER:
                    self._answer(file, partial=False)
                    continue
                del file.pieces[key]
                self.skip("cut_off", file, begun.length, again=begun.start < file.seen)

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

    def payload_line(self, file: OpenFile, line: bytes) -> None:
        """Tell the events of a line that holds an envelope, or several; what is none after all is a line of text."""
        again = file.offset < file.seen
        if len(line) > envelopes.MAX_PAYLOAD:
            self.skip("too_long", file, len(line), again=again)
            return
        try:
            body = orjson.loads(line)
        except orjson.JSONDecodeError:
            used = self.whole_payloads(file, line)
            if line[used:].strip():
                self.skip("broken_json", file, len(line), again=again)
            return
        if not self._payload(file, body, again=again):
            self.text_line(file, line)

    def whole_payloads(self, file: OpenFile, data: bytes) -> int:
        """Tell the payloads that follow each other without a newline; return how many bytes they took."""
        if not may_be_payload(data):
            return 0
        text = data.decode("utf-8", errors="surrogateescape")
        bodies, used = envelopes.objects_of(text)
        for body in bodies:
            if not self._payload(file, body, again=file.offset < file.seen):
                self._ignore("other", again=file.offset < file.seen)
        length = len(text[:used].encode("utf-8", errors="surrogateescape"))
        file.offset += length
        file.joint = file.offset if length else file.joint
        return length

    def _payload(self, file: OpenFile, body: Any, *, again: bool) -> bool:
        """Tell the events an envelope holds; False when the object is none after all."""
        opened = envelopes.unwrap(body) if isinstance(body, dict) else None
        if opened is None:
            self.skip("broken_json", file, 0, again=again)
            return True
        place = Position(file.known.file_id, file.offset)
        if opened.get("messageType") == "CONTROL_MESSAGE":
            self._ignore("control_message", again=again)
        elif isinstance(opened.get("logEvents"), list):
            settings = self._settings
            account = settings.account or _text(opened.get("owner"))
            origin = self.origin(account, _text(opened.get("logGroup")), _text(opened.get("logStream")))
            for index, item in enumerate(opened["logEvents"]):
                self._told(file, item, origin, place, index, again=again)
        elif otel.is_trace(opened):
            for index, span in enumerate(otel.spans_of(opened)):
                self._object(file, span, place, index, again=again)
        elif isinstance(opened.get("resourceLogs"), list):
            for index, record in enumerate(envelopes.records_in(opened)):
                self._told(file, record, file.origin, place, index, again=again)
        elif "message" in opened and "eventId" in opened and isinstance(opened.get("timestamp"), int):
            self.exported(file, opened, place, 0, again=again)
        else:
            rows = envelopes.rows_in(opened)
            for index, row in enumerate(rows or ()):
                self.listed(file, row, place, index, again=again)
            return rows is not None
        return True

    def listed(self, file: OpenFile, item: dict[str, Any], place: Position, index: int, *, again: bool) -> None:
        """Tell one element of a list: an event as AWS prints it, what a shipper sent, a row of a table, or spans."""
        if answer_events.is_event(item) and self._joined(file, item, index):
            return
        if "@message" in item:
            self._queried(file, item, place, index, again=again)
        elif "eventId" in item or isinstance(item.get("message"), str):
            self.exported(file, item, place, index, again=again)
        elif "scopeSpans" in item:
            for number, span in enumerate(otel.spans_of({"resourceSpans": [item]})):
                self._object(file, span, place, index + number, again=again)
        elif not self._holds_more(file, item, place, index, again=again):
            self._object(file, item, place, index, again=again)

    def _holds_more(self, file: OpenFile, item: dict[str, Any], place: Position, index: int, *, again: bool) -> bool:
        """Tell what an indented object holds that is itself an envelope; False: it is one event."""
        rows = envelopes.rows_in(item) or list(envelopes.records_in(item)) or list(otel.spans_of(item))
        for number, row in enumerate(rows):
            self.listed(file, row, place, index + number, again=again)
        return bool(rows)

    def _object(self, file: OpenFile, body: dict[str, Any], place: Position, index: int, *, again: bool) -> None:
        """Tell an object that is an event itself, or stands around one; a span says when it began."""
        found = wrappers.opened(body)
        told = found.ts_ms if found else otel.started_ms(body)
        ts_ms = told if plausible(told, now_ms=self.now_ms) else file.stamp_ms
        message = found.message if found else orjson.dumps(body).decode()
        origin = file.origin
        if found and found.stream:
            origin = self.origin(origin.account, origin.log_group, found.stream)
        self._told(file, {"message": message, "timestamp": ts_ms}, origin, place, index, again=again)

    def exported(self, file: OpenFile, item: dict[str, Any], place: Position, index: int, *, again: bool) -> None:
        """Tell an event as the AWS CLI prints it; a shipper's says its time in other ways."""
        stream = _text(item.get("logStreamName")) or file.origin.log_stream
        origin = self.origin(file.origin.account, file.origin.log_group, stream)
        if "eventId" not in item and not isinstance(item.get("timestamp"), int):
            item = {"message": item["message"], "timestamp": wrappers.time_of(item) or file.stamp_ms}
        self._told(file, item, origin, place, index, again=again)

    def _queried(self, file: OpenFile, row: dict[str, Any], place: Position, index: int, *, again: bool) -> None:
        """Tell a row of Logs Insights: `@ptr` names its event, `@log` is account and group; times are UTC."""
        said, (account, _, group) = row["@message"], str(row.get("@log", "")).partition(":")
        stream = _text(row.get("@logStream")) or file.origin.log_stream
        origin = self.origin(_text(account) if group else file.origin.account, _text(group), stream)
        item = {
            "message": said if isinstance(said, str) else orjson.dumps(said).decode(),
            "timestamp": moment_ms(row.get("@timestamp")) or file.stamp_ms,
            "eventId": _text(row.get("@ptr")),
            "ingestionTime": moment_ms(row.get("@ingestionTime")),
        }
        self._told(file, item, origin, place, index, again=again)

    def _told(self, file: OpenFile, item: Any, origin: Origin, place: Position, index: int, *, again: bool) -> None:
        """Make one event of what an envelope holds."""
        message = item.get("message") if isinstance(item, dict) else None
        if not isinstance(message, str):
            self.skip("broken_json", file, 0, again=again)
        elif not may_be_ours(message):
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


def may_be_payload(data: bytes) -> bool:
    """Say whether bytes begin with an envelope, so that they may hold several without a newline."""
    start = data[:4096].lstrip()
    return start.startswith(b"{") and envelopes.is_envelope(start)


def _stamp_within(message: str) -> int | None:
    """Return the time that an object tells which does not begin with one, or tells it as a number."""
    if message[:1] != "{" or RECORD_EVENT in message or not any(name in message for name in _TIME_NAMES):
        return None  # a call record says when its call began, and its line inherits the log's time as others do
    try:
        body = orjson.loads(message)
    except orjson.JSONDecodeError:
        return None
    return wrappers.time_of(body)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
