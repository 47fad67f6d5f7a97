"""Calls, prompt-store events and requests as they are put together from lines, before they are rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collector.event import LogEvent, Origin
from collector.parsers.facts import CallRecord, CostLine, Report, StoreLine
from core.usage import Usage

if TYPE_CHECKING:
    from collector.outside import BarePart

PAIR_MS = 5_000  # outside an invocation, record and text line of one call are this near to each other
_Tokens = tuple[int, int, int, int]  # input, output, read, written


@dataclass(slots=True)
class CallDraft:
    """A call as told: by its record, by its text line, or by both."""

    event: LogEvent
    fact: CallRecord | CostLine
    invocation_id: str | None
    attribution: str
    engine: str | None
    redelivery: bool
    part: int = 0
    twin: CostLine | None = None  # the text line that tells the same call as this record
    absorbed: list[CallDraft] = field(default_factory=list)  # lines it stands for: were they stored, they are no more


@dataclass(slots=True)
class StoreDraft:
    """A prompt-store event as told."""

    event: LogEvent
    fact: StoreLine
    invocation_id: str | None
    attribution: str
    redelivery: bool
    part: int = 0
    fetch_ms: float | None = None


@dataclass(slots=True)
class Invocation:
    """One Lambda request being put together; without a request id, the lines between two invocations."""

    origin: Origin
    request_id: str | None
    start_ms: int
    first: LogEvent
    started: bool = False  # START was seen
    version: str | None = None
    last_ms: int = 0
    engine: str | None = None  # of its latest prompt-store line
    calls: list[CallDraft] = field(default_factory=list)
    stores: list[StoreDraft] = field(default_factory=list)
    bare: list[BarePart] = field(default_factory=list)  # outside any request: lines that are columns
    report: Report | None = None
    timed_out: bool = False
    closed: bool = False
    json: bool = False  # its START was a platform record
    end_ms: int | None = None  # when the next one began, if it did not report
    lines: int = 0  # of ours that were seen of it: how much a telling knows

    @property
    def told_calls(self) -> int:
        """Return how many lines told calls, those among columns too."""
        return len(self.calls) + sum(part.run.calls - part.made[0] for part in self.bare)

    @property
    def call_count(self) -> int:
        """Return how many calls it made, suspected re-deliveries not counted."""
        return sum(not draft.redelivery for draft in self.calls)

    @property
    def engines(self) -> set[str]:
        """Return every engine its lines name."""
        return {draft.engine for draft in self.calls if draft.engine} | {draft.fact.engine for draft in self.stores}

    def pair(self) -> None:
        """Leave one draft for each call that is known by an id.

        A record told again is the same call. A text line is joined with the record of equal tokens, near it when
        outside a request; a copy of such a line, delivered again, goes with it.
        """
        told = self._records()
        if not told:
            return
        kept = {id(record) for record in told}
        free: dict[_Tokens, list[CallDraft]] = {}
        for record in told:
            if record.twin is None and isinstance(record.fact, CallRecord) and record.fact.usage is not None:
                free.setdefault(_tokens_of(record.fact.usage), []).append(record)
        joined: dict[tuple[int, str], CallDraft] = {}
        left: list[CallDraft] = []
        for draft in self.calls:
            line = draft.fact
            if isinstance(line, CallRecord):
                if line.call_id is None or id(draft) in kept:
                    left.append(draft)
                continue
            said = (draft.event.ts_ms, draft.event.message)
            partner = joined.get(said) if draft.redelivery else None
            if partner is None:
                partner = self._take_record_of(draft, line, free)
                if partner is not None:
                    partner.twin, partner.engine = line, partner.engine or draft.engine
                    joined[said] = partner
            if partner is None:
                left.append(draft)
            else:
                partner.absorbed.append(draft)
        self.calls = left

    def _records(self) -> list[CallDraft]:
        """Return one draft of each call that a record tells, in order; copies without an id are left out.

        Of several it is the first, unless a later one is in a format that says more.
        """
        found: dict[str | int, CallDraft] = {}
        for place, draft in enumerate(self.calls):
            if isinstance(draft.fact, CallRecord) and not draft.redelivery:
                key = draft.fact.call_id or place
                first = found.setdefault(key, draft)
                if first is not draft and _says_more(draft, first):
                    found[key] = draft
        return list(found.values())

    def _take_record_of(
        self, draft: CallDraft, line: CostLine, free: dict[_Tokens, list[CallDraft]]
    ) -> CallDraft | None:
        same = free.get((line.input_tokens, line.output_tokens, line.cache_read, line.cache_write), [])
        for place, record in enumerate(same):
            if self.request_id is not None or abs(record.event.ts_ms - draft.event.ts_ms) <= PAIR_MS:
                return same.pop(place)
        return None

    def split(self, stays: Callable[[CallDraft | StoreDraft], bool]) -> Invocation:
        """Take out what need not wait any longer; what stays has not seen all of its neighbours yet."""
        older = Invocation(self.origin, None, self.start_ms, self.first, last_ms=self.last_ms)
        older.calls = [draft for draft in self.calls if not stays(draft)]
        older.stores = [draft for draft in self.stores if not stays(draft)]
        older.bare, self.bare = self.bare, []
        for part in older.bare:
            part.owner = older
        self.calls = [draft for draft in self.calls if stays(draft)]
        self.stores = [draft for draft in self.stores if stays(draft)]
        drafts: list[CallDraft | StoreDraft] = [*self.calls, *self.stores]
        if drafts:
            self.first = min((draft.event for draft in drafts), key=lambda event: (event.ts_ms, event.order))
            self.start_ms = self.first.ts_ms
        return older


def _says_more(new: CallDraft, old: CallDraft) -> bool:
    """Say whether the service's own record stands beside an answer or metrics of the same id."""
    told = [draft.fact.told_by for draft in (new, old) if isinstance(draft.fact, CallRecord)]
    return told[0] == "record" and told[1] != "record"


def waits(draft: CallDraft | StoreDraft) -> bool:
    """Say whether another line may still come that tells the same call: a text line's record, a record's text line."""
    if isinstance(draft, StoreDraft) or draft.twin is not None:
        return False
    return isinstance(draft.fact, CostLine) or draft.fact.usage is not None


def lone(drafts: list[CallDraft]) -> Invocation:
    """Return calls that have no invocation of ours around them."""
    first = drafts[0].event
    return Invocation(first.origin, None, first.ts_ms, first, last_ms=drafts[-1].event.ts_ms, calls=drafts, closed=True)


def tokens_of(fact: CallRecord | CostLine) -> _Tokens | None:
    """Return the counts that a line tells."""
    if isinstance(fact, CostLine):
        return fact.input_tokens, fact.output_tokens, fact.cache_read, fact.cache_write
    return None if fact.usage is None else _tokens_of(fact.usage)


def _tokens_of(usage: Usage) -> _Tokens:
    return usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens
