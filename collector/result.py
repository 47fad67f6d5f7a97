"""What one pass over a source did: counters that add up, and the row of `ingest_passes` that says so."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from core.errors import CachewiseError, FixSettings, TryAgain

if TYPE_CHECKING:
    import pyarrow as pa

    from collector.event import LogEvent
    from collector.sources.base import Batch, Cursor, Example

Status = Literal["done", "partial", "failed"]
CALL_KINDS = ("cost", "record", "emf", "bedrock_log", "otel_span", "claude_code", "litellm", "anthropic_response",
              "batch_result")  # fmt: skip
"""Kinds of lines that tell a call."""


@dataclass(slots=True)
class PassResult:
    """Counters of a pass or of one committed step of it: recognised + ignored + skipped = lines read."""

    source: str
    kind: str
    began: datetime
    recognised: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    new_calls: int = 0
    new_invocations: int = 0
    new_prompt_store_events: int = 0
    duplicates: int = 0
    replaced: int = 0
    late_events: int = 0
    max_lateness_ms: int = 0
    requests: int = 0
    retries: int = 0
    bytes_read: int = 0
    window_start_ms: int | None = None
    window_end_ms: int | None = None
    complete_until_ms: int | None = None
    problems: list[CachewiseError] = field(default_factory=list)
    stopped: bool = False
    reading: bool = False  # more of the same pass is to come: what was read so far says nothing of now
    dropped_records: int = 0  # log records that Lambda itself says it lost
    clock_ahead: int = 0  # new calls dated ahead of their own lines
    examples: dict[str, Example] = field(default_factory=dict)  # of every reason to skip, the first line met

    @property
    def lines_read(self) -> int:
        """Lines read, each counted once."""
        return self.lines_recognised + self.lines_ignored + self.lines_skipped

    @property
    def lines_recognised(self) -> int:
        """Lines that told us something."""
        return self.recognised.total()

    @property
    def lines_ignored(self) -> int:
        """Lines that are not ours."""
        return self.ignored.total()

    @property
    def lines_skipped(self) -> int:
        """Lines that look like ours or could not be read, each with its reason."""
        return self.skipped.total()

    @property
    def status(self) -> Status:
        """`failed`: the source needs a person or another try; `partial`: some input was unreadable."""
        if any(isinstance(problem, FixSettings | TryAgain) for problem in self.problems):
            return "failed"
        return "partial" if self.problems else "done"

    @property
    def calls(self) -> int:
        """Calls told by the lines read, new or not."""
        return sum(self.recognised[kind] for kind in CALL_KINDS)

    def add_batch(self, batch: Batch) -> None:
        """Add what the source counted itself."""
        self.ignored.update(batch.ignored)
        self.skipped.update(batch.skipped)
        self.examples = {**batch.examples, **self.examples}
        self.problems.extend(batch.problems)
        self.requests += batch.requests
        self.retries += batch.retries
        self.bytes_read += batch.bytes_read
        self.late_events += batch.late_events
        self.max_lateness_ms = max(self.max_lateness_ms, batch.max_lateness_ms)
        self.window_start_ms = batch.window_start_ms or self.window_start_ms
        self.window_end_ms = batch.window_end_ms or self.window_end_ms
        self.complete_until_ms = batch.complete_until_ms or self.complete_until_ms

    def add(self, other: PassResult) -> None:
        """Add a later step of the same source."""
        for mine, more in (
            (self.recognised, other.recognised),
            (self.ignored, other.ignored),
            (self.skipped, other.skipped),
        ):
            mine.update(more)
        self.problems.extend(other.problems)
        for name in ("new_calls", "new_invocations", "new_prompt_store_events", "duplicates", "replaced", "requests",
                     "late_events", "retries", "bytes_read"):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.max_lateness_ms = max(self.max_lateness_ms, other.max_lateness_ms)
        self.window_start_ms = self.window_start_ms or other.window_start_ms
        self.window_end_ms = other.window_end_ms or self.window_end_ms
        self.complete_until_ms = other.complete_until_ms or self.complete_until_ms
        self.stopped = self.stopped or other.stopped
        self.reading = other.reading
        self.dropped_records += other.dropped_records
        self.clock_ahead += other.clock_ahead
        self.examples = {**other.examples, **self.examples}

    def example(self, reason: str, event: LogEvent) -> None:
        """Remember where a line that had to be skipped stands, and how long it is; never what it says."""
        if reason not in self.examples:
            origin = event.origin
            at = f"{origin.log_stream or origin.log_group or ''} {event.shown_id or ''}".strip()
            self.examples[reason] = {"length": len(event.message), "at": at[:200], "ts_ms": event.ts_ms}

    def to_json(self) -> dict[str, Any]:
        """Return what the command line prints."""
        return {
            "source": self.source,
            "kind": self.kind,
            "status": self.status,
            "read": self.lines_read,
            "recognised": self.lines_recognised,
            "ignored": self.lines_ignored,
            "skipped": self.lines_skipped,
            "recognised_by_kind": dict(sorted(self.recognised.items())),
            "skipped_by_reason": dict(sorted(self.skipped.items())),
            "calls": self.calls,
            "new_calls": self.new_calls,
            "new_invocations": self.new_invocations,
            "new_prompt_store_events": self.new_prompt_store_events,
            "duplicates": self.duplicates,
            "replaced": self.replaced,
            "clock_ahead": self.clock_ahead,
            "requests": self.requests,
            "complete_until": _iso(self.complete_until_ms),
            "errors": [str(problem) for problem in self.problems],
        }

    def row(self, *, pass_no: int, cursor: Cursor | None, finished: datetime) -> pa.Table:
        """Return the row of `ingest_passes`; a failed step keeps the cursor of the one before."""
        import pyarrow as pa  # not needed to say that nothing was read

        from core.store.schema import INGEST_PASSES

        told = json.dumps(cursor, separators=(",", ":")) if cursor is not None else None
        values = self.values(pass_no=pass_no, cursor_json=told, finished=finished)
        names = [name for name in INGEST_PASSES.names if name != "date"]
        return pa.table({name: pa.array([values[name]], INGEST_PASSES.field(name).type) for name in names})

    def values(self, *, pass_no: int, cursor_json: str | None, finished: datetime) -> dict[str, Any]:
        """Return the same row as plain values."""
        first = self.problems[0] if self.problems else None
        outcomes: dict[str, Any] = {
            "recognised": dict(sorted(self.recognised.items())),
            "ignored": dict(sorted(self.ignored.items())),
            "skipped": dict(sorted(self.skipped.items())),
        }
        if self.examples:
            outcomes["examples"] = dict(sorted(self.examples.items()))
        if self.dropped_records:
            outcomes["dropped_records"] = self.dropped_records
        if self.clock_ahead:
            outcomes["clock_ahead"] = self.clock_ahead
        if first is not None:  # what its message names, for other languages than the message's
            outcomes["error"] = {"about": list(first.about), "more": len(self.problems) - 1}
        return {
            "pass_id": f"{self.source}/{pass_no}",
            "source": self.source,
            "kind": self.kind,
            "ts": self.began,
            "finished_at": finished,
            "status": "reading" if self.reading and self.status == "done" else self.status,
            "error_code": first.code if first else None,
            "error_message": _message(self.problems),
            "window_start": _moment(self.window_start_ms),
            "window_end": _moment(self.window_end_ms),
            "complete_until": _moment(self.complete_until_ms),
            "lines_read": self.lines_read,
            "lines_recognised": self.lines_recognised,
            "lines_ignored": self.lines_ignored,
            "lines_skipped": self.lines_skipped,
            "outcomes_json": json.dumps(outcomes, separators=(",", ":")),
            "new_calls": self.new_calls,
            "new_invocations": self.new_invocations,
            "new_prompt_store_events": self.new_prompt_store_events,
            "duplicates": self.duplicates,
            "late_events": self.late_events,
            "max_lateness_ms": float(self.max_lateness_ms),
            "requests": self.requests,
            "retries": self.retries,
            "cursor_json": cursor_json,
        }


def _message(problems: list[CachewiseError]) -> str | None:
    if not problems:
        return None
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{problems[0].message} {problems[0].mend}".strip() + more


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)


def _iso(ms: int | None) -> str | None:
    moment = _moment(ms)
    return moment.isoformat(timespec="milliseconds") if moment else None
