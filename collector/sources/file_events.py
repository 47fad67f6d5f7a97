"""Lines and envelopes of a file to events: when it happened, in which stream, or why it is skipped."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

import orjson

from collector.event import LogEvent
from collector.limits import MAX_LINE
from collector.parsers.clock import iso_ms, stamp_in
from collector.parsers.prefilter import bytes_may_be_ours, may_be_ours
from collector.sessions.scan import SessionLane
from collector.sessions.told import ToldPiece
from collector.sources import answer_events, envelopes, wrappers
from collector.sources.answer_events import ANSWER
from collector.sources.enveloped import Enveloped
from collector.sources.in_pieces import seen_by_line
from collector.sources.indented import Indented, begins
from collector.sources.open_file import OpenFile
from core.settings import SourceSettings
from core.telemetry import RECORD_EVENT

if TYPE_CHECKING:
    from collector.lane.scan import Lane

_TIME_NAMES = tuple(f'"{name}"' for name in wrappers.TIMES)
_BRACES = (b"{", b"{\r")
_TAIL_LINE = re.compile(  # `aws logs tail`: time, stream (unless --format short), message
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?) +"
    r"(?:(\d{4}/\d\d/\d\d/\S*\[[^\]\s]+\][0-9a-f]+) +)?(?=\S)"
)


class Telling(Enveloped):
    """Makes events of lines and envelopes, and gathers them into batches."""

    def __init__(self, settings: SourceSettings) -> None:
        super().__init__(settings)
        self._lane: Lane | None = None
        self._session_lane = SessionLane(self._each_line)

    def begin(self, now_ms: int) -> None:
        """Forget what an interrupted pass left behind."""
        super().begin(now_ms)
        if self._lane:
            self._lane.begin(now_ms)
        self._session_lane.begin(now_ms)

    def lines(self, file: OpenFile, data: bytes) -> None:
        """Tell whole lines of a file: those not read before by the quick lane where it can take them."""
        for start in sorted(file.counted) if file.counted else ():
            at = start - file.offset
            if not 0 <= at < len(data):
                continue
            if at:
                self._lines(file, data[:at])
            self.recall(file)
            end = data.find(b"\n", at) + 1
            self._each_line(file, data[at:end])
            data = data[end:]
        if data:
            self._lines(file, data)

    @staticmethod
    def recall(file: OpenFile) -> None:
        """Take the line that begins here for one that was counted, if its beginning was."""
        if file.offset in file.counted:
            file.seen = max(file.seen, file.offset + 1)

    def _lines(self, file: OpenFile, data: bytes) -> None:
        if file.offset < file.seen or file.joint >= file.offset or file.wrapped or file.pieces or file.indented:
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

    def _each_line(self, file: OpenFile, data: bytes, *, gather: bool = True) -> None:
        offset, seen, ignored = file.offset, file.seen, 0
        lines = data.split(b"\n")
        lines.pop()
        for line in lines:
            here = offset
            offset += len(line) + 1
            first = line[:1]
            if file.indented is not None:
                self._indented(file, file.indented, here, line)
                continue
            if (
                first == b"{"
                and envelopes.is_envelope(line)
                and (file.pieces or envelopes.names_events(line) or bytes_may_be_ours(line))
            ):
                file.offset = here
                self.payload_line(file, line)
            elif first == b"[" and line[1:2] == b"{" and bytes_may_be_ours(line):
                file.offset = here
                if len(line) > envelopes.MAX_PAYLOAD or not self.list_line(file, line):
                    self.text_line(file, line)
            elif bytes_may_be_ours(line) or file.pieces or (file.wrapped and line and _may_belong(file, line)):
                file.offset = here
                self.text_line(file, line)
            elif gather and line.endswith(_BRACES) and begins(line):
                file.indented = Indented(here)
                file.indented.add(here, line)
            else:
                if here >= seen and (line or here != file.joint):
                    ignored += 1
                if first == b"[" or first == b"2":
                    file.stamp_line = line
        file.offset = offset
        self.batch.ignored["other"] += ignored

    def _indented(self, file: OpenFile, begun: Indented, here: int, line: bytes) -> None:
        """Take a line of an object over several; where it is none after all, tell its lines one by one."""
        fits = begun.add(here, line)
        if fits and not begun.closed:
            return
        told = begun.read() if fits else None
        if told is None:
            self.object_left(file, here)
            return
        file.indented = None
        front, body = told
        again = here < file.seen or begun.start in file.counted
        if again:
            file.seen = max(file.seen, here + 1)
        file.offset = begun.start
        if self._payload(file, body, again=again):
            return
        file.offset = here
        message = (front + orjson.dumps(body)).decode("utf-8", "replace")
        if may_be_ours(message):
            self._text(file, message, begun.start, len(message), partial=False)
        else:
            self._ignore("other", again=again)

    def object_left(self, file: OpenFile, here: int) -> None:
        """Tell the lines of an object that never ended, or is none, one by one; `here` that was seen."""
        if file.indented is not None:
            begun, file.indented = file.indented, None
            seen, file.seen = file.seen, seen_by_line(file, begun.start, here)
            for offset, line in zip(begun.offsets, begun.lines, strict=True):
                file.offset = offset
                self._each_line(file, line + b"\n", gather=False)
            file.seen = max(seen, file.seen)

    def so_far(self, file: OpenFile) -> None:
        """Tell what is there of an answer that may go on, and that an object over several lines has not ended."""
        self.answer_so_far(file)
        begun = [(spread.start, spread.length) for spread in file.spread.values()]
        begun += [(file.indented.start, file.indented.length)] if file.indented else []
        for start, length in begun:
            if start not in file.counted:
                self.skip("cut_off", file, length, again=False)
                file.counted.add(start)

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
            self.scatter(file)
            self.skip("too_long", file, len(line), again=again)
            return
        if file.offset == 0 and line.startswith(codecs.BOM_UTF8):
            line = line[3:]
        line = line.lstrip(b"\0")  # of a log that was cut back under its writer
        try:
            message = line.decode("utf-8").rstrip("\r")
        except UnicodeDecodeError:
            self.scatter(file)
            self.skip("undecodable", file, len(line), again=again)
            return
        self._text(file, message, file.offset, len(line), partial=partial)

    def _text(self, file: OpenFile, message: str, start: int, length: int, *, partial: bool) -> None:
        """Make an event of a text that begins at `start`."""
        origin, stamp = file.origin, None
        found = wrappers.unwrap(message)
        if found is not None and not self._is_beside(file, found, message):
            self._unwrapped(file, found, message, start, length, partial=partial)
            return
        if file.spread and self._gathers and not partial:
            self.scatter(file)  # whose line it is cannot be known: one of theirs may be missing
        if "message_start" in message or ANSWER in file.pieces:
            event = answer_events.event_in(message)
            if event is not None and self._joined(file, event, start):
                return
        if file.pieces and not may_be_ours(message):
            self._ignore("other", again=file.offset < file.seen)
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
        self._line(file, message, stamp, origin, start, partial=partial, timed=timed)


def _may_belong(file: OpenFile, line: bytes) -> bool:
    """Say whether a wrapped line may be ours, or of an object that is, although it shows no word of ours."""
    return bool(file.spread) or wrappers.may_hide(line) or wrappers.may_open(line)


def _stamp_within(message: str) -> int | None:
    """Return the time that an object tells which does not begin with one, or tells it as a number."""
    if message[:1] != "{" or RECORD_EVENT in message or not any(name in message for name in _TIME_NAMES):
        return None  # a call record says when its call began, and its line inherits the log's time as others do
    try:
        body = orjson.loads(message)
    except orjson.JSONDecodeError:
        return None
    return wrappers.time_of(body)
