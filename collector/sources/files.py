"""Log files: plain text, JSON lines, subscription payloads and CLI output, each plain or gzip, growing or whole."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from collector.by_hand import STDIN
from collector.event import LogEvent, Position
from collector.limits import MAX_LINE
from collector.parsers.clock import find_iso_ms, plausible
from collector.parsers.prefilter import bytes_may_be_ours
from collector.sessions.scan import is_session_head
from collector.sources import envelopes
from collector.sources.base import Batch, Cursor
from collector.sources.enveloped import may_be_payload
from collector.sources.file_bytes import GZIP, Found, chained, chunks, head_of, list_files
from collector.sources.file_events import Telling
from collector.sources.file_identity import HEAD, FileCursor, KnownFile, mark_at
from collector.sources.open_file import OpenFile, held_at, settle_stamp
from collector.sources.sessions_ahead import SessionsAhead
from collector.sources.wrappers import is_wrapped
from core.errors import BadInput
from core.settings import SourceSettings

BACKLOG_MS = 15 * 60 * 1000  # new lines older than this are a backlog: they say nothing of the time since
_HOLE = 512  # zeros: fewer stand at the beginning of many a binary file
_CONTROL = bytes(byte for byte in range(32) if byte not in b"\t\n\v\f\r\x1b")


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
        self._tell = Telling(settings)
        self._newest_ms: int | None = None
        self._ahead = SessionsAhead()

    def read(self, cursor: Cursor | None, now: datetime) -> Iterator[Batch]:
        """Yield what is new in every file, in order of path."""
        self._cursor, self._touched, self._finished = FileCursor(cursor), {}, {}
        self._tell.begin(round(now.timestamp() * 1000))
        self._newest_ms = None
        self._ahead.begin()
        paths = [path for path in self._settings.paths if path != STDIN]
        listed, problems = list_files(paths)
        self._cursor.forget_gone(listed)
        self._tell.batch.problems.extend(problems)
        try:
            yield from self._each(listed)
        finally:
            self._ahead.close()
        if STDIN in self._settings.paths and self._stdin is not None:
            yield from self._stream(Found(STDIN, stream=True), self._stdin)
        last = self._take()
        last.ends_scan = True
        last.complete_until_ms = self._reached(any_file=bool(listed))
        yield last

    def _each(self, listed: Sequence[Found]) -> Iterator[Batch]:
        for number, found in enumerate(listed):
            if not found.stream and self._cursor.is_done(found):
                continue
            yield from self._one_bad_file_stops_no_other(found)
            self._ahead.look(listed[number + 1 :], self._cursor)
            self._ahead.done(found)
            if self._tell.is_rich():
                yield self._take()

    def hold(self, cursor: Cursor, events: Sequence[LogEvent], counted: Sequence[LogEvent] = ()) -> Cursor:
        """Move the cursor back to the first of these lines in each file."""
        held = FileCursor(cursor)
        for event in counted:
            place = event.position
            known = held.known.get(place.file_id) if place is not None else None
            if place is not None and known is not None and place.offset not in known.counted:
                held.keep(replace(known, counted=(*known.counted, place.offset)))
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
            self._tell.batch.problems.append(
                BadInput(
                    f"{found.path} cannot be read: {error.strerror or type(error).__name__}.",
                    code="COL-302",
                    mend="Check its permissions; the rest goes on.",
                    about=(found.path, error.strerror or type(error).__name__),
                )
            )

    def _file(self, found: Found) -> Iterator[Batch]:
        with Path(found.path).open("rb") as handle:
            head, whole = head_of(handle, HEAD)
            if not whole and len(head) < HEAD and b"\n" not in head and not self._final:
                return  # not a full line yet
            refused = refused_head(head)
            known = self._cursor.find(head, found, whole=whole)
            if refused:
                self._refuse(found, known, refused)
                return
            file = self._opened(found, known, head, whole=whole)
            file.handle = handle
            if known.at and not whole:
                handle.seek(known.at - 1)
                file.joint = known.at if handle.read(1) != b"\n" else -1
                handle.seek(0)
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
        refused = refused_head(head[:HEAD])
        known = FileCursor(None).find(head[:HEAD], found, whole=True)
        if refused:
            self._refuse(found, known, refused)
            return
        file = self._opened(found, known, head[:HEAD], whole=True)
        try:
            yield from self._pieces(file, chained(head, pieces), head[:HEAD])
        except BadInput as error:
            self._tell.batch.problems.append(named(error, found.path))

    def _content(self, file: OpenFile, handle: BinaryIO, head: bytes) -> Iterator[Batch]:
        document = envelopes.is_document(head)
        at = 0 if document else file.known.at
        try:
            if not document and self._ahead.reads(file):
                yield from self._lines_ahead(file, handle)
            else:
                yield from self._pieces(file, chunks(handle, at=at), head)
        except BadInput as error:
            file.whole = False
            self._tell.batch.problems.append(named(error, file.found.path))
            self._tell.skip("truncated", file, file.found.size, again=False)

    def _pieces(self, file: OpenFile, pieces: Iterator[bytes], head: bytes) -> Iterator[Batch]:
        if envelopes.is_document(head):
            yield from self._document(file, pieces, table=envelopes.is_table(head))
        else:
            yield from self._lines(file, pieces)

    def _lines_ahead(self, file: OpenFile, handle: BinaryIO) -> Iterator[Batch]:
        """Tell what another process read of a session; what it left is read here."""
        passed = 0
        for piece in self._ahead.pieces(file):
            self._tell.batch.bytes_read += piece.size
            passed += piece.size
            self._tell.session_lines(file, piece.told, piece.end)
            if self._tell.is_full():
                self._settle(file, more=True)
                yield self._take()
        self._tell.batch.problems.extend(self._ahead.problems())
        last = self._ahead.last_line(file)
        if last:
            self._last_line(file, last)
        elif last is None:
            handle.seek(file.offset)
            pending = handle.read(passed - file.offset)
            handle.seek(0)
            yield from self._lines(file, chunks(handle, at=passed), pending)

    # lines

    def _lines(self, file: OpenFile, pieces: Iterator[bytes], pending: bytes = b"") -> Iterator[Batch]:
        discarding = False
        for piece in pieces:
            self._tell.batch.bytes_read += len(piece)
            if discarding:
                cut = piece.find(b"\n") + 1
                file.offset += cut or len(piece)
                if not cut:
                    continue
                piece, discarding = piece[cut:], False
            cut = piece.rfind(b"\n") + 1
            if not cut:
                piece, pending = pending + piece, b""
                cut = piece.rfind(b"\n") + 1
            self._tell.lines(file, b"".join((pending, memoryview(piece)[:cut])))  # copied once: it is much
            pending = piece[cut:]
            if len(pending) > MAX_LINE:
                pending = pending[self._tell.whole_payloads(file, pending) :]
                if len(pending) > (envelopes.MAX_PAYLOAD if may_be_payload(pending) else MAX_LINE):
                    self._tell.skip("too_long", file, len(pending), again=file.offset < file.seen)
                    file.offset += len(pending)
                    pending, discarding = b"", True
            if file.pieces or file.spread:
                self._tell.pieces_left(file, ended=False)
            if self._tell.is_full():
                self._settle(file, more=True)
                yield self._take()
        if pending:
            self._last_line(file, pending)
        if file.whole:
            self._tell.object_left(file, file.offset)
            self._tell.pieces_left(file, ended=True)
        elif self._final:
            self._tell.so_far(file)

    def _last_line(self, file: OpenFile, line: bytes) -> None:
        """Take a last line without its newline if it is sure to be whole; with `final`, look at it in any case."""
        if may_be_payload(line):
            used = self._tell.whole_payloads(file, line)
            line = line[used:]
            if not line.strip():
                return
        if file.whole or (file.indented is not None and line[:1] == b"}"):
            start = file.offset
            self._tell.lines(file, line + b"\n")
            file.offset = start + len(line)
        elif self._final and not may_be_payload(line) and bytes_may_be_ours(line) and file.offset >= file.known.seen:
            self._tell.recall(file)
            self._tell.text_line(file, line, partial=True)

    # envelopes

    def _document(self, file: OpenFile, pieces: Iterator[bytes], *, table: bool) -> Iterator[Batch]:
        """Read one document of many events from its start; it is done when it closes."""
        seen, file.offset = file.seen, 0
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        events_in = envelopes.table_events if table else envelopes.document_events
        for offset, item in events_in(self._decoded(decoder, pieces)):
            file.offset = 0  # a document is read as a whole: held events bring its start back
            if item is None:
                self._tell.skip("broken_json", file, file.found.size, again=False)
                self._tell.batch.problems.append(
                    BadInput(
                        f"{file.found.path} ends too early.",
                        code="COL-303",
                        mend="Fetch the file again.",
                        about=(file.found.path,),
                    )
                )
                break
            place = Position(file.known.file_id, 0)
            self._tell.listed(file, item, place, offset, again=offset < seen)
            if self._tell.is_full():
                yield self._take()
        self._tell.pieces_left(file, ended=True)
        file.offset = max(file.found.size, seen)

    def _decoded(self, decoder: codecs.IncrementalDecoder, pieces: Iterator[bytes]) -> Iterator[str]:
        for piece in pieces:
            self._tell.batch.bytes_read += len(piece)
            yield decoder.decode(piece)

    # bookkeeping

    def _opened(self, found: Found, known: KnownFile, head: bytes, *, whole: bool) -> OpenFile:
        settings = self._settings
        stamp_ms, stamped = known.stamp_ms, known.stamped
        if not stamp_ms:
            first = find_iso_ms(head.decode("utf-8", errors="replace"))
            stamped = first is not None and plausible(first, now_ms=self._tell.now_ms)
            changed_ms = min(found.mtime_ns // 1_000_000, self._tell.now_ms)  # a wrong clock is no reason to skip lines
            stamp_ms = first if stamped and first is not None else (changed_ms or self._tell.now_ms)
        origin = self._tell.origin(settings.account, settings.log_group, found.path if found.path != STDIN else "stdin")
        self._touched[known.file_id] = found
        session, wrapped = is_session_head(head), is_wrapped(head)
        if session and not whole:
            self._ahead.met(found.path)
        return OpenFile(
            found, known, origin, known.at, known.seen, whole, stamp_ms, stamped, ids=known.ids,
            session=session and not wrapped, wrapped=wrapped, counted=set(known.counted),
        )  # fmt: skip

    def _settle(self, file: OpenFile, *, more: bool = False) -> None:
        """Write down how far the file was read; `more`: not to its end yet."""
        if file.found.stream:
            return
        settle_stamp(file, self._tell.now_ms)
        offset = max(file.offset, file.known.seen)
        known = replace(
            file.known,
            at=held_at(file),
            seen=offset,
            size=0 if more else file.found.size,
            mtime_ns=file.found.mtime_ns,
            mark="" if file.whole or file.handle is None else mark_at(file.handle, offset),
            stamp_ms=file.stamp_ms,
            stamped=file.stamped,
            ids=file.ids,
            counted=tuple(start for start in file.counted if start >= held_at(file)),
        )
        file.known = known
        if file.whole and not more:
            self._finished[known.file_id] = known
            self._cursor.finish(known, file.found)
        else:
            self._cursor.keep(known)

    def _refuse(self, found: Found, known: KnownFile, why: tuple[str, str]) -> None:
        reason, what = why
        self._tell.batch.skip(reason, length=found.size, at=found.path)
        self._tell.batch.problems.append(
            BadInput(
                f"{found.path} {what}.",
                code="COL-304",
                mend="Give log text in UTF-8; the rest goes on.",
                about=(found.path,),
            )
        )
        if not found.stream:
            size, mtime = found.size, found.mtime_ns
            self._cursor.keep(replace(known, at=size, seen=size, size=size, mtime_ns=mtime))

    def _take(self) -> Batch:
        batch = self._tell.take()
        batch.ends_scan = False
        batch.cursor = self._cursor.to_json()
        times = [event.ts_ms for event in batch.events if not event.again]
        times += [ms for run in batch.lane.runs for ms in (run.lowest_ms, run.highest_ms)]
        times += batch.sessions.times(self._tell.now_ms)
        if times:
            self._newest_ms = max(self._newest_ms or 0, *times)
            batch.window_start_ms, batch.window_end_ms = min(times), self._newest_ms
        return batch

    def _reached(self, *, any_file: bool) -> int | None:
        """Return up to when the data is complete: now, or the newest line of a backlog; None before any file."""
        newest, now_ms = self._newest_ms, self._tell.now_ms
        if newest is None:
            return now_ms if any_file or self._cursor.known else None
        return now_ms if newest >= now_ms - BACKLOG_MS else newest


def refused_head(head: bytes) -> tuple[str, str] | None:
    """Return (reason, what it is) of content that holds no log lines."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "undecodable", "is UTF-16 text"
    if head.startswith(GZIP):
        return "binary", "is packed with gzip more than twice"
    behind = head.lstrip(b"\0")
    if len(head) - len(behind) >= _HOLE:
        head = behind  # a log cut back while its writer kept its place: the system fills the gap with zeros
    strange = len(head) - len(head.translate(None, _CONTROL))
    if strange * 20 > len(head):  # one NUL in a line of the application makes no binary file
        return "binary", "is not text"
    return None


def named(error: BadInput, path: str) -> BadInput:
    """Return the error with the path it is about."""
    return BadInput(f"{path}: {error.message}.", code=error.code, mend=error.mend, about=(path,))
