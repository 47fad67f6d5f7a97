"""Log files: plain text, JSON lines, subscription payloads and CLI output, each plain or gzip, growing or whole."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from collector.event import LogEvent, Origin, Position, TimeKind
from collector.parsers.clock import find_iso_ms, iso_ms, plausible
from collector.parsers.prefilter import bytes_may_be_ours, may_be_ours
from collector.sources import envelopes
from collector.sources.base import BATCH_BYTES, BATCH_EVENTS, MAX_LINE, Batch, Cursor
from collector.sources.file_bytes import Found, chunks, is_gzip, list_files
from collector.sources.file_identity import HEAD, FileCursor, KnownFile, mark_of, still_marked
from core.errors import BadInput, CachewiseError
from core.settings import SourceSettings

STDIN = "-"
_BATCH_LINES = 400_000
_TAIL_LINE = re.compile(  # `aws logs tail`: time, stream (unless --format short), message
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?) +"
    r"(?:(\d{4}/\d\d/\d\d/\S*\[[^\]\s]+\][0-9a-f]+) +)?(?=\S)"
)
_STAMP_SPAN = 240
_CONTROL = bytes(byte for byte in range(32) if byte not in b"\t\n\v\f\r\x1b")


@dataclass(slots=True)
class _Open:
    """The file being read: where we are in it, and what its lines inherit."""

    found: Found
    known: KnownFile
    origin: Origin
    offset: int
    seen: int
    whole: bool  # it cannot grow: what it ends with is complete
    stamp_ms: int
    stamped: bool
    stamp_line: bytes = b""  # the last line that tells a time, not read before it is needed
    ids: bool = True


class FilesSource:
    """Reads on in every file behind the configured paths. With `final`, an unfinished last line is looked at too."""

    kind = "files"

    def __init__(self, settings: SourceSettings, *, final: bool = True, stdin: BinaryIO | None = None) -> None:
        self.name = settings.name
        self._settings = settings
        self._final = final
        self._stdin = stdin
        self._cursor = FileCursor(None)
        self._touched: dict[str, Found] = {}
        self._finished: dict[str, KnownFile] = {}
        self._batch = Batch()
        self._keyed: list[LogEvent] = []
        self._text_bytes = 0
        self._origins: dict[tuple[object, object, object], Origin] = {}
        self._now_ms = 0

    def read(self, cursor: Cursor | None, now: datetime) -> Iterator[Batch]:
        """Yield what is new in every file, in order of path."""
        self._cursor, self._touched, self._finished = FileCursor(cursor), {}, {}
        self._now_ms = round(now.timestamp() * 1000)
        self._batch, self._keyed, self._text_bytes = Batch(), [], 0
        paths = [path for path in self._settings.paths if path != STDIN]
        listed, problems = list_files(paths)
        self._cursor.forget_gone(listed)
        self._batch.problems.extend(problems)
        for found in listed:
            if found.stream or not self._cursor.is_done(found):
                yield from self._one_bad_file_stops_no_other(found)
        if STDIN in self._settings.paths and self._stdin is not None:
            yield from self._stream(Found(STDIN, stream=True), self._stdin)
        self._batch.complete_until_ms = self._now_ms
        yield self._take()

    def hold(self, cursor: Cursor, events: Sequence[LogEvent]) -> Cursor:
        """Move the cursor back to the first of these lines in each file."""
        held = FileCursor(cursor)
        for event in events:
            place = event.position
            if place is None or place.file_id not in self._touched:
                continue
            found = self._touched[place.file_id]
            known = held.known.get(place.file_id) or self._finished.get(place.file_id)
            if known is not None and place.offset < known.at:
                held.reopen(replace(known, at=place.offset, stamp_ms=event.ts_ms), found)
        return held.to_json()

    def _one_bad_file_stops_no_other(self, found: Found) -> Iterator[Batch]:
        try:
            if found.stream:
                with Path(found.path).open("rb") as handle:
                    yield from self._stream(found, handle)
            elif found.size:
                yield from self._file(found)
        except FileNotFoundError:
            return  # rotated away between listing and opening: found again under its new name
        except OSError as error:
            self._problem(
                BadInput(
                    f"{found.path} cannot be read: {error.strerror or type(error).__name__}.",
                    code="COL-302",
                    mend="Check its permissions; the rest goes on.",
                )
            )

    def _file(self, found: Found) -> Iterator[Batch]:
        whole = is_gzip(found.path)
        head = _head(found.path)
        if not whole and len(head) < HEAD and b"\n" not in head and not self._final:
            return  # not a full line yet
        refused = _refused(head)
        known = self._cursor.find(head, found, whole=whole or b"\n" not in head)
        if refused:
            self._refuse(found, known, refused)
            return
        if not whole and (known.seen > found.size or not still_marked(found.path, known)):
            known = self._cursor.renewed(known)
        file = self._opened(found, known, head, whole=whole)
        with Path(found.path).open("rb") as handle:
            yield from self._content(file, handle, head)
        self._settle(file)

    def _stream(self, found: Found, handle: BinaryIO) -> Iterator[Batch]:
        """Read a pipe to its end. Its head gives it an identity as a file's does; nothing is remembered of it."""
        pieces = chunks(handle)
        head = b""
        for piece in pieces:
            head += piece
            if len(head) >= HEAD:
                break
        refused = _refused(head[:HEAD])
        known = FileCursor(None).find(head[:HEAD], found, whole=True)
        if refused:
            self._refuse(found, known, refused)
            return
        file = self._opened(found, known, head[:HEAD], whole=True)
        try:
            yield from self._pieces(file, _chain(head, pieces), head[:HEAD])
        except BadInput as error:
            self._problem(_named(error, found.path))

    def _content(self, file: _Open, handle: BinaryIO, head: bytes) -> Iterator[Batch]:
        document = envelopes.is_document(head)
        at = 0 if document else file.known.at
        try:
            yield from self._pieces(file, chunks(handle, at=at), head)
        except BadInput as error:
            file.whole = False
            self._problem(_named(error, file.found.path))
            self._batch.skipped["truncated"] += 1

    def _pieces(self, file: _Open, pieces: Iterator[bytes], head: bytes) -> Iterator[Batch]:
        if envelopes.is_document(head):
            yield from self._document(file, pieces)
        else:
            yield from self._lines(file, pieces)

    # lines

    def _lines(self, file: _Open, pieces: Iterator[bytes]) -> Iterator[Batch]:
        pending, discarding, start = b"", False, file.offset
        for piece in pieces:
            self._batch.bytes_read += len(piece)
            if discarding:
                cut = piece.find(b"\n") + 1
                file.offset += cut or len(piece)
                if not cut:
                    continue
                piece, discarding = piece[cut:], False
            lines = (pending + piece).split(b"\n")
            pending = lines.pop()
            self._full_lines(file, lines, start)
            if len(pending) > MAX_LINE:
                pending = pending[self._whole_payloads(file, pending) :]
                if len(pending) > (envelopes.MAX_PAYLOAD if _may_be_payload(pending) else MAX_LINE):
                    self._skip("too_long", again=file.offset < file.seen)
                    file.offset += len(pending)
                    pending, discarding = b"", True
            if self._is_full():
                self._settle(file, tail=lines[-1] + b"\n" if lines else b"")
                yield self._take()
        if pending:
            self._last_line(file, pending)

    def _full_lines(self, file: _Open, lines: list[bytes], start: int) -> None:
        offset, seen, ignored = file.offset, file.seen, 0
        for line in lines:
            here = offset
            offset += len(line) + 1
            first = line[:1]
            if first == b"{" and envelopes.is_envelope(line):
                file.offset = here
                self._payload_line(file, line)
            elif bytes_may_be_ours(line):
                file.offset = here
                self._text_line(file, line)
            else:
                if here >= seen and (line or here != start or not here):
                    ignored += 1
                if first == b"[" or first == b"2":
                    file.stamp_line = line
        file.offset = offset
        self._batch.ignored["other"] += ignored

    def _text_line(self, file: _Open, line: bytes, *, partial: bool = False) -> None:
        again = file.offset < file.seen
        if len(line) > MAX_LINE:
            self._skip("too_long", again=again)
            return
        if file.offset == 0 and line.startswith(codecs.BOM_UTF8):
            line = line[3:]
        try:
            message = line.decode("utf-8").rstrip("\r")
        except UnicodeDecodeError:
            self._skip("undecodable", again=again)
            return
        origin, stamp = file.origin, None
        if message[:1] == "2":
            found = _TAIL_LINE.match(message)
            if found:
                stamp, message = iso_ms(found[1]), message[found.end() :]
                if found[2]:
                    origin = self._origin(file.origin.account, file.origin.log_group, found[2])
        ts_ms, kind = self._time(file, stamp if stamp is not None else find_iso_ms(message[:_STAMP_SPAN]))
        file.ids = False
        event = LogEvent(
            origin,
            None,
            ts_ms,
            kind,
            message,
            file.offset,
            Position(file.known.file_id, file.offset),
            again=again,
            partial=partial,
        )
        self._batch.events.append(event)
        self._text_bytes += len(line)

    def _time(self, file: _Open, stamp: int | None) -> tuple[int, TimeKind]:
        """Return the time a line tells, or that of the nearest line before it, or the file's own."""
        if stamp is not None and plausible(stamp, now_ms=self._now_ms):
            file.stamp_ms, file.stamped, file.stamp_line = stamp, True, b""
        else:
            _settle_stamp(file, self._now_ms)
        return file.stamp_ms, "logged" if file.stamped else "file"

    def _last_line(self, file: _Open, line: bytes) -> None:
        """Take a last line without its newline if it is sure to be whole; with `final`, look at it in any case."""
        if _may_be_payload(line):
            used = self._whole_payloads(file, line)
            line = line[used:]
            if not line.strip():
                return
        if file.whole:
            start = file.offset
            self._full_lines(file, [line], start)
            file.offset = start + len(line)
        elif self._final and not _may_be_payload(line) and bytes_may_be_ours(line) and file.offset >= file.seen:
            self._text_line(file, line, partial=True)

    # envelopes

    def _payload_line(self, file: _Open, line: bytes) -> None:
        again = file.offset < file.seen
        if len(line) > envelopes.MAX_PAYLOAD:
            self._skip("too_long", again=again)
            return
        try:
            body = orjson.loads(line)
        except orjson.JSONDecodeError:
            used = self._whole_payloads(file, line)
            if line[used:].strip():
                self._skip("broken_json", again=again)
            return
        if not self._payload(file, body, again=again):
            self._text_line(file, line)

    def _whole_payloads(self, file: _Open, data: bytes) -> int:
        """Tell the payloads that follow each other without a newline; return how many bytes they took."""
        if not _may_be_payload(data):
            return 0
        text = data.decode("utf-8", errors="surrogateescape")
        bodies, used = envelopes.objects_of(text)
        for body in bodies:
            if not self._payload(file, body, again=file.offset < file.seen):
                self._ignore("other", again=file.offset < file.seen)
        length = len(text[:used].encode("utf-8", errors="surrogateescape"))
        file.offset += length
        return length

    def _payload(self, file: _Open, body: Any, *, again: bool) -> bool:
        """Tell the events an envelope holds; False when the object is none after all."""
        opened = envelopes.unwrap(body) if isinstance(body, dict) else None
        if opened is None:
            self._skip("broken_json", again=again)
            return True
        place = Position(file.known.file_id, file.offset)
        if opened.get("messageType") == "CONTROL_MESSAGE":
            self._ignore("control_message", again=again)
        elif isinstance(opened.get("logEvents"), list):
            settings = self._settings
            account = settings.account or _text(opened.get("owner"))
            origin = self._origin(account, _text(opened.get("logGroup")), _text(opened.get("logStream")))
            for index, item in enumerate(opened["logEvents"]):
                self._told(file, item, origin, place, index, again=again)
        elif "message" in opened and "eventId" in opened and isinstance(opened.get("timestamp"), int):
            self._exported(file, opened, place, 0, again=again)
        else:
            return False
        return True

    def _exported(self, file: _Open, item: dict[str, Any], place: Position, index: int, *, again: bool) -> None:
        stream = _text(item.get("logStreamName")) or file.origin.log_stream
        origin = self._origin(file.origin.account, file.origin.log_group, stream)
        self._told(file, item, origin, place, index, again=again)

    def _told(self, file: _Open, item: Any, origin: Origin, place: Position, index: int, *, again: bool) -> None:
        """Make one event of what an envelope holds."""
        message = item.get("message") if isinstance(item, dict) else None
        if not isinstance(message, str):
            self._skip("broken_json", again=again)
        elif not may_be_ours(message):
            self._ignore("other", again=again)
        elif len(message) > MAX_LINE:
            self._skip("too_long", again=again)
        elif not plausible(item.get("timestamp"), now_ms=self._now_ms):
            self._skip("bad_time", again=again)
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

    def _document(self, file: _Open, pieces: Iterator[bytes]) -> Iterator[Batch]:
        """Read a CLI document from its start; it is done when it closes."""
        seen, file.offset = file.seen, 0
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for offset, item in envelopes.document_events(self._decoded(decoder, pieces)):
            file.offset = 0  # a document is read as a whole: held events bring its start back
            if item is None:
                self._skip("broken_json", again=False)
                self._problem(
                    BadInput(f"{file.found.path} ends too early.", code="COL-303", mend="Fetch the file again.")
                )
                break
            place = Position(file.known.file_id, 0)
            self._exported(file, item, place, offset, again=offset < seen)
            if self._is_full():
                yield self._take()
        file.offset = max(file.found.size, seen)

    def _decoded(self, decoder: codecs.IncrementalDecoder, pieces: Iterator[bytes]) -> Iterator[str]:
        for piece in pieces:
            self._batch.bytes_read += len(piece)
            yield decoder.decode(piece)

    # bookkeeping

    def _opened(self, found: Found, known: KnownFile, head: bytes, *, whole: bool) -> _Open:
        settings = self._settings
        stamp_ms, stamped = known.stamp_ms, known.stamped
        if not stamp_ms:
            first = find_iso_ms(head.decode("utf-8", errors="replace"))
            stamped = first is not None and plausible(first, now_ms=self._now_ms)
            stamp_ms = first if stamped and first is not None else (found.mtime_ns // 1_000_000 or self._now_ms)
        origin = self._origin(settings.account, settings.log_group, found.path if found.path != STDIN else "stdin")
        self._touched[known.file_id] = found
        return _Open(found, known, origin, known.at, known.seen, whole, stamp_ms, stamped, ids=known.ids)

    def _settle(self, file: _Open, *, tail: bytes | None = None) -> None:
        """Write down how far the file was read."""
        if file.found.stream:
            return
        _settle_stamp(file, self._now_ms)
        offset = max(file.offset, file.known.seen)
        known = replace(
            file.known,
            at=file.offset,
            seen=offset,
            size=file.found.size if tail is None else 0,
            mtime_ns=file.found.mtime_ns,
            mark="" if file.whole else _mark_at(file.found.path, offset),
            stamp_ms=file.stamp_ms,
            stamped=file.stamped,
            ids=file.ids,
        )
        file.known = known
        if file.whole and tail is None:
            self._finished[known.file_id] = known
            self._cursor.finish(known, file.found)
        else:
            self._cursor.keep(known)

    def _refuse(self, found: Found, known: KnownFile, why: tuple[str, str]) -> None:
        reason, what = why
        self._skip(reason, again=False)
        self._problem(
            BadInput(f"{found.path} {what}.", code="COL-304", mend="Give log text in UTF-8; the rest goes on.")
        )
        if not found.stream:
            size, mtime = found.size, found.mtime_ns
            self._cursor.keep(replace(known, at=size, seen=size, size=size, mtime_ns=mtime))

    def _origin(self, account: str | None, group: str | None, stream: str | None) -> Origin:
        key = (account, group, stream)
        origin = self._origins.get(key)
        if origin is None:
            if len(self._origins) > 50_000:
                self._origins.clear()
            settings = self._settings
            origin = Origin(account or settings.account, settings.region, group or settings.log_group, stream)
            self._origins[key] = origin
        return origin

    def _skip(self, reason: str, *, again: bool) -> None:
        if not again:
            self._batch.skipped[reason] += 1

    def _ignore(self, kind: str, *, again: bool) -> None:
        if not again:
            self._batch.ignored[kind] += 1

    def _problem(self, error: CachewiseError) -> None:
        self._batch.problems.append(error)

    def _is_full(self) -> bool:
        batch = self._batch
        return (
            len(batch.events) + len(self._keyed) >= BATCH_EVENTS
            or self._text_bytes >= BATCH_BYTES
            or batch.ignored["other"] >= _BATCH_LINES
        )

    def _take(self) -> Batch:
        """Hand over the batch; events with ids in the order they were written, text lines as they stand."""
        batch = self._batch
        self._keyed.sort(key=lambda event: (event.ts_ms, event.order))
        batch.events.extend(self._keyed)
        batch.cursor = self._cursor.to_json()
        self._batch, self._keyed, self._text_bytes = Batch(), [], 0
        return batch


def _head(path: str) -> bytes:
    head = b""
    with Path(path).open("rb") as handle:
        try:
            for piece in chunks(handle):
                head += piece
                if len(head) >= HEAD:
                    break
        except BadInput:
            pass  # a damaged file is told when it is read
    return head[:HEAD]


def _refused(head: bytes) -> tuple[str, str] | None:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "undecodable", "is UTF-16 text"
    strange = len(head) - len(head.translate(None, _CONTROL))
    if strange * 20 > len(head):  # one NUL in a line of the application makes no binary file
        return "binary", "is not text"
    return None


def _mark_at(path: str, offset: int) -> str:
    with Path(path).open("rb") as handle:
        handle.seek(max(0, offset - 64))
        return mark_of(handle.read(min(64, offset)))


def _settle_stamp(file: _Open, now_ms: int) -> None:
    """Read the time of the last line that told one."""
    if file.stamp_line:
        stamp = find_iso_ms(file.stamp_line[:_STAMP_SPAN].decode("utf-8", errors="replace"))
        file.stamp_line = b""
        if stamp is not None and plausible(stamp, now_ms=now_ms):
            file.stamp_ms, file.stamped = stamp, True


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _may_be_payload(data: bytes) -> bool:
    start = data[:4096].lstrip()
    return start.startswith(b"{") and envelopes.is_envelope(start)


def _named(error: BadInput, path: str) -> BadInput:
    return BadInput(f"{path}: {error.message}.", code=error.code, mend=error.mend)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
