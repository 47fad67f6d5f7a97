"""Bytes of a session file to calls: every line is decoded once, and a row is made of what a message ended with only.

What is left to the ordinary way: lines that are no session's, damaged ones, answers without an id, values of strange
types. It decides what becomes of them, and says so in its own words.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from collector.lane.requests import Place
from collector.parsers.claude_code import SYNTHETIC
from collector.parsers.clock import EARLIEST_MS, plausible
from collector.parsers.values import LATEST_MS, MAX_TEXT, dollars, text
from collector.sessions.found import Counts, Fullness, SessionCalls, SessionRow
from collector.sessions.usage import read_usage, size_of
from core.errors import BadInput
from core.usage import Usage
from core.usage.shapes import INVOCATION_METRICS

if TYPE_CHECKING:
    from collector.sources.open_file import OpenFile

_HEADS = (b'"sessionId"', b'"isSidechain"', b'"leafUuid"', b'"parentUuid"', b'"file-history-snapshot"')
_OTHERS = frozenset({"logEvents", "awslogs", "eventId", "messageType", "resourceSpans", "event"})
"""Keys of envelopes and of call records: an object that has one is none of these."""
_TALK = frozenset({"user", "system", "progress", "attachment", "summary"})
_FIRST_YEAR, _END_YEAR = (datetime.fromtimestamp(ms / 1000, UTC).year for ms in (EARLIEST_MS, LATEST_MS))
_MAX_LINE = 1024 * 1024
_REMEMBERED = 10_000


_Line = tuple[dict[str, Any], int, datetime, Counts | Usage, Fullness, int]
"""The line that knows most of a message so far: body, offset, time, what it used, how full it is, events before it."""


def is_session_head(head: bytes) -> bool:
    """Say whether a file may be a session's. A wrong guess costs time and nothing else."""
    return head.lstrip()[:1] == b"{" and any(word in head for word in _HEADS)


class SessionLane:
    """Takes calls out of pieces of session files; what it leaves goes through `by_line`, in order."""

    def __init__(self, by_line: Callable[[OpenFile, bytes], None]) -> None:
        self._by_line = by_line
        self._words: dict[str, str] = {}
        self._now_ms = 0

    def begin(self, now_ms: int) -> None:
        """Start a pass: what lies beyond it is no time of a log."""
        self._now_ms = now_ms
        self._words.clear()

    def read(self, file: OpenFile, data: bytes, found: SessionCalls, events: Callable[[], int]) -> int:
        """Tell whole lines, none of which was read before; return how many are a session's and tell no call.

        `events` says how many ordinary events the batch holds, which the calls stand among.
        """
        if len(self._words) > _REMEMBERED:
            self._words.clear()
        lines = data.split(b"\n")
        lines.pop()
        offset, talk, taken = file.offset, 0, 0
        current, fullest = "", None
        before = events()
        told: Any = None
        used: Counts | Usage | None = None
        size = (0, 0)
        loads, from_iso = orjson.loads, datetime.fromisoformat
        for line in lines:
            here, offset = offset, offset + len(line) + 1
            try:
                body = loads(line)
                if body["type"] != "assistant":
                    if _is_talk(body):
                        talk += 1
                    else:
                        self._leave(file, here, line)
                        before = events()
                    continue
                answer = body["message"]
                message_id, usage, stop = answer["id"], answer["usage"], answer.get("stop_reason")
                logged = from_iso(body["timestamp"])
                if usage != told:
                    used = read_usage(usage)
                    told, size = usage, size_of(used)
                usual = (
                    logged.tzinfo is UTC
                    and _FIRST_YEAR <= logged.year < _END_YEAR
                    and (message_id == current or (type(message_id) is str and 0 < len(message_id) <= MAX_TEXT))
                    and type(answer.get("model", "")) is str
                    and answer.get("model") != SYNTHETIC
                    and body.get("isApiErrorMessage") is not True
                    and answer.get("stop_details") is None
                    and INVOCATION_METRICS not in answer
                    and _OTHERS.isdisjoint(body)
                    and len(line) <= _MAX_LINE
                )
            except (BadInput, LookupError, TypeError, ValueError, AttributeError):
                usual = False
            if not usual:
                self._leave(file, here, line)
                before = events()
                continue
            taken += 1
            full = (stop is not None and _text(answer, "stop_reason") is not None, *size)
            if message_id != current:
                if fullest is not None:
                    self._keep(file, current, fullest, found)
                current = message_id
            elif fullest is not None and full < fullest[4]:
                continue
            assert used is not None, "it was read with this line or an earlier one"
            fullest = (body, here, logged, used, full, before)
        if fullest is not None:
            self._keep(file, current, fullest, found)
            self._note_time(file, fullest[2])
            file.ids = False
        found.lines += taken
        file.offset = offset
        return talk

    def _leave(self, file: OpenFile, offset: int, line: bytes) -> None:
        file.offset = offset
        self._by_line(file, line + b"\n")

    def _keep(self, file: OpenFile, message_id: str, line: _Line, found: SessionCalls) -> None:
        """Make a row of a line, unless one that knows more was made of the message already."""
        body, offset, logged, used, full, before = line
        known = found.rows.get(message_id)
        if known is not None and full < fullness(known):
            return
        answer, cost = body["message"], body.get("costUSD")
        ms = round(logged.timestamp() * 1000)
        found.rows[message_id] = (
            _place(file, found), offset, ms, self._same(_text(answer, "model")), _text(body, "requestId"),
            self._same(_text(body, "cwd")), self._same(_text(answer, "stop_reason")),
            None if cost is None else dollars(cost), used, before,
        )  # fmt: skip

    def _same(self, word: str | None) -> str | None:
        """Return one object for a text that many lines have."""
        return None if word is None else self._words.setdefault(word, word)

    def _note_time(self, file: OpenFile, logged: datetime) -> None:
        """Let what follows the last answer inherit its time."""
        ms = round(logged.timestamp() * 1000)
        if plausible(ms, now_ms=self._now_ms):
            file.stamp_ms, file.stamped, file.stamp_line = ms, True, b""


def _text(table: dict[str, Any], key: str) -> str | None:
    """Return what `text` returns, the usual case first."""
    value = table.get(key)
    if value is None or (type(value) is str and 0 < len(value) <= MAX_TEXT):
        return value
    return text(table, key)


def _is_talk(body: dict[str, Any]) -> bool:
    """Say whether a line is a session's and no answer."""
    return (
        body["type"] in _TALK
        and "sessionId" in body
        and "uuid" in body
        and "level" not in body
        and _OTHERS.isdisjoint(body)
    )


def _place(file: OpenFile, found: SessionCalls) -> int:
    """Return the number of the file among those of the batch."""
    file_id = file.known.file_id
    if not found.places or found.places[-1].file_id != file_id:
        found.places.append(Place(file.origin, file_id))
    return len(found.places) - 1


def fullness(row: SessionRow) -> Fullness:
    """Say how much of its message a row knows: it ended, its output, its prompt."""
    return (row[6] is not None, *size_of(row[8]))
