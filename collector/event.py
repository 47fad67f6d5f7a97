"""One log event, as every source tells it: where it comes from, when it was logged, what it says."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

TimeKind = Literal["logged", "file"]


@dataclass(frozen=True, slots=True)
class Origin:
    """The log stream an event belongs to: one stream is one Lambda execution environment."""

    account: str | None = None
    region: str | None = None
    log_group: str | None = None
    log_stream: str | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file: the file's identity (not its path) and the byte offset of the line, uncompressed."""

    file_id: str
    offset: int


@dataclass(slots=True)  # frozen, it would take five times as long to make, and every line becomes one; none is changed
class LogEvent:
    """One line. `order` puts events of one stream and millisecond in the order they were written."""

    origin: Origin
    event_id: str | None  # given by CloudWatch; None for a line of a plain file, which has a position instead
    ts_ms: int
    ts_kind: TimeKind
    message: str
    order: int
    position: Position | None = None
    ingested_ms: int | None = None
    again: bool = False  # read by an earlier pass: told for its context, not counted a second time
    timed: bool = False  # its time is its own, not that of a line near it; with an id, it always is
    partial: bool = False  # the last line of a file, without its newline: more of it may come

    @property
    def event_key(self) -> str:
        """Return the identity of the event: the same line has the same key however often it is read."""
        origin = self.origin
        if self.event_id is not None:
            told = f"{origin.account or ''}|{origin.region or ''}|{origin.log_group or ''}|{self.event_id}"
        else:
            assert self.position is not None, "an event has an id or a position"
            told = f"{self.position.file_id}@{self.position.offset}"
        return blake2b(told.encode(), digest_size=16).hexdigest()

    @property
    def shown_id(self) -> str | None:
        """Return the id to store beside a row, so that a person can find the line again."""
        if self.event_id is not None or self.position is None:
            return self.event_id
        return f"{self.position.file_id}@{self.position.offset}"
