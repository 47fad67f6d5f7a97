"""Lines outside any request that the quick lane took, in the gap they fall into, and drafts of them where needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from collector.drafts import CallDraft, Invocation, StoreDraft
from collector.event import LogEvent
from collector.lane.bare import COSTS, RECORDS, STORES, BareLines, BareRun
from collector.lane.requests import UNNAMED, Ints, Requests
from collector.parsers import parse_message
from collector.parsers.facts import CallRecord, CostLine, Fact, StoreLine

NONE: Ints = np.zeros(0, dtype=np.int64)
Wanted = Sequence[Ints]
"""Numbers of lines, by kind."""
_Draft = TypeVar("_Draft", CallDraft, StoreDraft)


@dataclass(slots=True)
class BarePart:
    """A run in a gap: where its lines stand among the gap's drafts, and which became drafts themselves."""

    owner: Invocation | None  # none once the batch is over: a cycle would keep all of it in memory
    run: BareRun
    lines: BareLines
    found: Requests
    before: list[int]  # calls and prompt-store lines that are drafts, and come before it
    made: list[int] = field(default_factory=lambda: [0, 0])  # its own that are drafts; they follow those
    records: dict[int, CallDraft] = field(default_factory=dict)  # of them, by number

    def numbers(self, kind: int) -> Ints:
        """Return its lines of one kind that are columns."""
        span = self.run.spans[kind]
        return np.flatnonzero(self.lines.kinds[kind].told[span]) + int(span.start)

    def calls(self, wanted: Wanted) -> list[CallDraft]:
        """Make drafts of calls."""
        return [self.call(kind, number) for kind in (COSTS, RECORDS) for number in self._among(kind, wanted)]

    def stores(self, wanted: Wanted) -> list[StoreDraft]:
        """Make drafts of prompt-store lines."""
        return [self._store(number) for number in self._among(STORES, wanted)]

    def call(self, kind: int, number: int) -> CallDraft:
        """Make a draft of a call."""
        event, fact = self._told(kind, number)
        assert isinstance(fact, CallRecord | CostLine)
        draft = CallDraft(event, fact, None, "none", self.engine(kind, number), redelivery=False)
        if kind == RECORDS:
            self.records[number] = draft
        return draft

    def engine(self, kind: int, number: int) -> str | None:
        """Return the engine that a call is told of."""
        code = int(self.lines.kinds[kind].engine[number])
        return None if code == UNNAMED else list(self.found.engines)[code]

    def _store(self, number: int) -> StoreDraft:
        event, fact = self._told(STORES, number)
        assert isinstance(fact, StoreLine)
        return StoreDraft(event, fact, None, "none", redelivery=False)

    def _among(self, kind: int, wanted: Wanted) -> list[int]:
        if not len(wanted[kind]):
            return []
        told: list[int] = np.intersect1d(self.numbers(kind), wanted[kind]).tolist()
        return told

    def _told(self, kind: int, number: int) -> tuple[LogEvent, Fact]:
        self.lines.kinds[kind].told[number] = False
        event = self.lines.event(kind, number)
        (fact,) = parse_message(event.message).facts
        return event, fact


class BareRecord:
    """A record among columns that a text line still to come may tell once more."""

    def __init__(self, part: BarePart, number: int) -> None:
        self.part: BarePart | None = part
        self.number = number
        self._kept: tuple[LogEvent, str | None, tuple[int, ...] | None] | None = None

    def waits(self) -> tuple[int, ...] | None:
        """Return what it counted, if it has no text line yet."""
        if self.part is None:
            return None if self._kept is None else self._kept[2]
        return self.part.lines.tokens(self.number) if self.part.lines.twin[self.number] < 0 else None

    @property
    def ts_ms(self) -> int:
        """Return when it was logged."""
        if self.part is None:
            return 0 if self._kept is None else self._kept[0].ts_ms
        return int(self.part.lines.kinds[RECORDS].ms[self.number])

    def is_column_of(self, owner: Invocation) -> bool:
        """Say whether it stands in this gap as a column."""
        part = self.part
        return part is not None and part.owner is owner and bool(part.lines.kinds[RECORDS].told[self.number])

    def made(self) -> CallDraft:
        """Return the draft that stands for it from now on."""
        part, number = self.part, self.number
        if part is None:
            assert self._kept is not None, "it was kept when its batch was let go"
            event, engine, _ = self._kept
            (fact,) = parse_message(event.message).facts
            assert isinstance(fact, CallRecord)
            return CallDraft(event, fact, None, "none", engine, redelivery=False)
        if part.lines.kinds[RECORDS].told[number]:
            assert part.owner is not None, "its batch is not over"
            make(part.owner, (NONE, np.array([number]), NONE))
        if number not in part.records:  # told twice, it has no row, and takes a line that was told twice
            part.call(RECORDS, number)
        return part.records[number]

    def let_go(self) -> CallDraft | BareRecord:
        """Keep what may be asked of it, and nothing else of its batch."""
        part, number = self.part, self.number
        if part is None:
            return self
        if number in part.records:
            return part.records[number]
        self._kept = part.lines.event(RECORDS, number), part.engine(RECORDS, number), self.waits()
        self.part = None
        return self


def columns_of(owner: Invocation) -> list[Ints]:
    """Return the numbers of its lines that are columns, by kind."""
    kinds = (COSTS, RECORDS, STORES)
    return [np.concatenate([NONE, *(part.numbers(kind) for part in owner.bare)]) for kind in kinds]


def make(owner: Invocation, wanted: Wanted) -> None:
    """Make drafts of lines, in the places they would have had."""
    owner.calls = _placed(owner, 0, owner.calls, lambda part: part.calls(wanted))
    owner.stores = _placed(owner, 1, owner.stores, lambda part: part.stores(wanted))


def make_after(owner: Invocation, until_ms: int) -> None:
    """Make drafts of what was logged later than that."""
    if owner.bare:
        kinds = owner.bare[0].lines.kinds
        told = zip(kinds, columns_of(owner), strict=True)
        make(owner, [numbers[kind.ms[numbers] > until_ms] for kind, numbers in told])


def make_all(owner: Invocation) -> None:
    """Make drafts of all lines: what happens to them now is done line by line."""
    if owner.bare:
        make(owner, columns_of(owner))
        owner.bare = []


def make_last(owner: Invocation, count: int) -> None:
    """Make drafts of the last lines that tell calls, so that these are drafts, all of them."""
    wanted: list[list[Ints]] = [[NONE], [NONE]]
    behind = len(owner.calls)
    for part in reversed(owner.bare):
        count -= behind - part.before[0] - part.made[0]
        behind = part.before[0]
        if count <= 0:
            break
        offsets = [part.lines.kinds[kind].offset[part.run.spans[kind]] for kind in (COSTS, RECORDS)]
        from_offset = np.sort(np.concatenate(offsets))[-count:][0] if part.run.calls else 0
        for kind in (COSTS, RECORDS):
            numbers = part.numbers(kind)
            wanted[kind].append(numbers[part.lines.kinds[kind].offset[numbers] >= from_offset])
        count -= part.run.calls
    make(owner, [*(np.concatenate(numbers) for numbers in wanted), NONE])


def _placed(
    owner: Invocation, kind: int, drafts: list[_Draft], made: Callable[[BarePart], list[_Draft]]
) -> list[_Draft]:
    placed: list[_Draft] = []
    at = 0
    for part in owner.bare:
        placed += drafts[at : part.before[kind]]
        at = part.before[kind] + part.made[kind]
        own = drafts[part.before[kind] : at] + made(part)
        own.sort(key=lambda draft: draft.event.order)
        part.before[kind], part.made[kind] = len(placed), len(own)
        placed += own
    return placed + drafts[at:]
