"""Lines of a session file to calls: every line is decoded once, and a row is made of what a message ended with only.

A line in the form that Claude Code writes is read by its type (`typed.py`); one that is not, as it stands. What is left
to the ordinary way: lines that are no session's, damaged ones, answers without an id, values of strange types. It
decides what becomes of them, and says so in its own words.
"""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import orjson
from msgspec import MsgspecError

from collector.limits import MAX_LINE
from collector.parsers.claude_ids import SYNTHETIC, provider_of
from collector.parsers.clock import EARLIEST_MS
from collector.parsers.values import LATEST_MS, MAX_TEXT, dollars, text
from collector.sessions.told import UNTOLD, Shape, ToldPiece
from collector.sessions.typed import Line, Message, PlainUsage, decode
from collector.sessions.usage import Counts, as_counts, plain_counts, read_usage, size_of, told_ttl
from core.errors import BadInput
from core.usage import Usage
from core.usage.shapes import INVOCATION_METRICS

_OTHERS = frozenset({"logEvents", "awslogs", "eventId", "messageType", "resourceSpans", "event"})
"""Keys of envelopes and of call records: an object that has one is none of these."""
_TALK = frozenset({"user", "system", "progress", "attachment", "summary"})
_FIRST_YEAR, _END_YEAR = (datetime.fromtimestamp(ms / 1000, UTC).year for ms in (EARLIEST_MS, LATEST_MS))

Fullness = tuple[bool, int, int]
"""Has the message ended, its output, its prompt: of the lines of one message, the highest counts."""
_Answer = tuple[Line, Message, datetime, Counts | Usage, tuple[int, int], bytes]
"""An answer's line: the line, the message, its time, what it used, (output, prompt), and its usage as it stands where
that is more than counts."""


def read_lines(data: bytes, offset: int) -> ToldPiece:
    """Read whole lines, the first of which begins at this offset of its file."""
    piece, odd = ToldPiece(), _OddLines()
    left, shapes = piece.left, dict[Shape, int]()
    taken = talk = 0
    current = ""
    best: tuple[_Answer, int, int] | None = None  # of the message: with its offset, and how many lines were left before
    fullest: Fullness = (False, 0, 0)
    told: PlainUsage | None = None
    used: Counts | None = None
    size = (0, 0)
    by_type, from_iso = decode if _is_utf8(data) else _refuse, datetime.fromisoformat
    for written in BytesIO(data):  # a quarter quicker than to cut them all first
        here = offset
        offset += len(written)
        try:
            line = by_type(written)
            if line.type != "assistant":
                if line.type not in _TALK or not line.sessionId or not line.uuid:
                    raise ValueError
                talk += 1
                continue
            message = line.message
            if message is None or message.usage is None:
                raise ValueError
            if message.usage != told:
                told, used = message.usage, plain_counts(message.usage)
                size = size_of(used) if used else size
            logged = from_iso(line.timestamp)
            if (
                used is None
                or logged.tzinfo is not UTC
                or not _FIRST_YEAR <= logged.year < _END_YEAR
                or not 0 < len(message.id) <= MAX_TEXT
                or message.model == SYNTHETIC
                or line.isApiErrorMessage
                or len(written) > MAX_LINE + 1
            ):
                raise ValueError
            answer: _Answer = (line, message, logged, used, size, b"")
        except (ValueError, MsgspecError, RecursionError):
            odd_one = odd.read(written)
            if isinstance(odd_one, bool):
                if odd_one:
                    talk += 1
                else:
                    left.append((here, written[:-1]))
                continue
            answer, message = odd_one, odd_one[1]
        taken += 1
        full = (_short(message.stop_reason) is not None, *answer[4])
        if message.id != current:
            if best is not None:
                _keep(piece, shapes, *best)
            current = message.id
        elif full < fullest:
            continue
        fullest, best = full, (answer, here, len(left))
    if best is not None:
        _keep(piece, shapes, *best)
        piece.last_ms = _ms(best[0][2])
    piece.shapes, piece.lines, piece.talk = list(shapes), taken, talk
    return piece


class _OddLines:
    """Reads lines that are not in the form in which most are written."""

    def __init__(self) -> None:
        self._told: Any = None
        self._used = Usage()

    def read(self, written: bytes) -> _Answer | bool:
        """Return an answer; True of a line that is a session's and none; False of one for the ordinary way."""
        try:
            body = orjson.loads(written)
            if body["type"] != "assistant":
                return (
                    body["type"] in _TALK
                    and "sessionId" in body
                    and "uuid" in body
                    and "level" not in body
                    and _OTHERS.isdisjoint(body)
                )
            message = body["message"]
            message_id, usage, logged = message["id"], message["usage"], datetime.fromisoformat(body["timestamp"])
            if usage != self._told:
                self._used = read_usage(usage)
                self._told = usage
            usual = (
                logged.tzinfo is UTC
                and _FIRST_YEAR <= logged.year < _END_YEAR
                and (type(message_id) is str and 0 < len(message_id) <= MAX_TEXT)
                and type(message.get("model", "")) is str
                and message.get("model") != SYNTHETIC
                and type(usage) is dict
                and body.get("isApiErrorMessage") is not True
                and message.get("stop_details") is None
                and INVOCATION_METRICS not in message
                and _OTHERS.isdisjoint(body)
                and len(written) <= MAX_LINE + 1
            )
            cost = dollars(body.get("costUSD"))
        except (BadInput, LookupError, TypeError, ValueError, AttributeError):
            return False
        if not usual:
            return False
        named = Message(message_id, text(message, "model") or "", stop_reason=text(message, "stop_reason"))
        line = Line(
            "assistant",
            cwd=text(body, "cwd"),
            requestId=text(body, "requestId"),
            costUSD=None if cost is None else str(cost),
        )
        return line, named, logged, self._used, size_of(self._used), orjson.dumps(usage)


def _keep(piece: ToldPiece, shapes: dict[Shape, int], answer: _Answer, offset: int, before: int) -> None:
    """Make a row of the line that knows most of a message."""
    line, message, logged, used, _, usage = answer
    row = len(piece.ids)
    if line.costUSD is not None and (cost := dollars(line.costUSD)) is not None:
        piece.costs.append((row, str(cost)))
    counts = as_counts(used, None)
    given, read, write_5m, write_1h, output, thinking, searches, tier, speed, place, complete, split, steps = counts
    if steps is not None:
        piece.steps.append((row, steps))
        if not split:
            piece.unsplit.append((row, usage))
    model = _short(message.model)
    shape = (
        model, _short(line.cwd), _short(message.stop_reason), tier, speed, place, complete, split, told_ttl(used),
        provider_of(message.id, model),
    )  # fmt: skip
    piece.ids.append(message.id)
    piece.requests.append(_short(line.requestId))
    piece.numbers.extend((
        offset, _ms(logged), before, given, read, write_5m, write_1h, output,
        UNTOLD if thinking is None else thinking, searches, shapes.setdefault(shape, len(shapes)),
    ))  # fmt: skip


def _is_utf8(data: bytes) -> bool:
    """Say whether all letters are such as JSON is written in."""
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _refuse(written: bytes) -> Line:
    """Have a line read as it stands."""
    raise ValueError


def _short(told: str | None) -> str | None:
    """Return what `text` returns of a string."""
    return told if told and len(told) <= MAX_TEXT else None


def _ms(logged: datetime) -> int:
    return round(logged.timestamp() * 1000)
