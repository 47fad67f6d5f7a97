"""What an envelope or a document holds, to events: payloads, exports, rows, spans."""

from __future__ import annotations

from typing import Any

import orjson

from collector.event import Position
from collector.parsers import otel
from collector.parsers.clock import plausible
from collector.parsers.prefilter import may_be_ours
from collector.parsers.values import moment_ms
from collector.sources import answer_events, envelopes, wrappers
from collector.sources.in_pieces import InPieces
from collector.sources.open_file import OpenFile


class Enveloped(InPieces):
    """Tells the events of envelopes and the elements of documents."""

    def list_line(self, file: OpenFile, line: bytes) -> bool:
        """Tell the elements of a line that is one list of objects; False: it is none."""
        try:
            rows = orjson.loads(line)
        except orjson.JSONDecodeError:
            return False
        if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
            return False
        place = Position(file.known.file_id, file.offset)
        for index, row in enumerate(rows):
            self.listed(file, row, place, index, again=file.offset < file.seen)
        self.pieces_left(file, ended=True)
        return True

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

    def text_line(self, file: OpenFile, line: bytes, *, partial: bool = False) -> None:
        """Make an event of one line of text."""
        raise NotImplementedError

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
            self.skip("broken_json", file, len(orjson.dumps(body)), again=again)
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
        elif "eventId" in item or (isinstance(item.get("message"), str) and may_be_ours(item["message"])):
            self.exported(file, item, place, index, again=again)
        elif "scopeLogs" in item:
            self._holds_more(file, {"resourceLogs": [item]}, place, index, again=again)
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
        found, message = wrappers.opened(body), orjson.dumps(body).decode()
        if found is not None and found.message is None:
            self.skip("message_left_out", file, len(message), again=again)
            return
        if found is not None and self._is_beside(file, found, message):
            found = None
        told = found.ts_ms if found else otel.started_ms(body) or wrappers.time_of(body)
        ts_ms = told if plausible(told, now_ms=self.now_ms) else file.stamp_ms
        message = found.message if found and found.message is not None else message
        origin = file.origin
        if found and found.stream:
            origin = self.origin(origin.account, origin.log_group, found.stream)
        self._told(file, {"message": message, "timestamp": ts_ms}, origin, place, index, again=again)

    def exported(self, file: OpenFile, item: dict[str, Any], place: Position, index: int, *, again: bool) -> None:
        """Tell an event as the AWS CLI prints it; a shipper's says its time in other ways."""
        stream = _text(item.get("logStreamName")) or file.origin.log_stream
        origin = self.origin(file.origin.account, file.origin.log_group, stream)
        if "eventId" not in item and not plausible(item.get("timestamp"), now_ms=self.now_ms):
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


def may_be_payload(data: bytes) -> bool:
    """Say whether bytes begin with an envelope, so that they may hold several without a newline."""
    start = data[:4096].lstrip()
    return start.startswith(b"{") and envelopes.is_envelope(start)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
