"""The calls of a gap that are columns: which text line tells what a record tells, and which record was told before.

The rules are those of drafts.py and streams.py. Tokens and ids that a draft tells too are left to those, so that
columns and drafts never compete for a twin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.drafts import PAIR_MS, CallDraft, Invocation, tokens_of
from collector.lane.bare import COSTS, RECORDS, BareLines, firsts_of, hash_of
from collector.lane.pairs import Side, pairs_of
from collector.lane.requests import UNNAMED, Bools, Ints
from collector.outside import NONE, BareRecord, columns_of, make
from collector.parsers.facts import CallRecord


def pair_columns(one: Invocation, near: Iterable[object]) -> None:
    """Join text lines with records, and leave one record of each call. `near` are the stream's last records."""
    lines = one.bare[0].lines
    _make_same_ids(one, lines)
    costs, records, _ = columns_of(one)
    again = ~firsts_of(lines.ids(records))
    lines.kinds[RECORDS].told[records[again]] = False
    _make_same_tokens(one, lines, {hash_of(told) for draft in one.calls if (told := tokens_of(draft.fact))})
    costs, records, _ = columns_of(one)
    if len(costs) and len(records):
        _join(lines, costs, records)
        costs = columns_of(one)[COSTS]
    if len(costs):
        _make_same_tokens(one, lines, set(_hashes_of(near, one)), but_records=True)


def _make_same_ids(one: Invocation, lines: BareLines) -> None:
    """Make drafts of records of calls that drafts tell too."""
    told = {draft.fact.call_id for draft in one.calls if isinstance(draft.fact, CallRecord)} - {None}
    records = columns_of(one)[RECORDS]
    if told and len(records):
        same: Bools = np.asarray(pc.is_in(lines.ids(records), value_set=pa.array(sorted(filter(None, told)))))
        make(one, (NONE, records[same], NONE))


def _make_same_tokens(one: Invocation, lines: BareLines, hashes: set[int], *, but_records: bool = False) -> None:
    """Make drafts of calls that count what one of these counts."""
    if not hashes:
        return
    wanted = np.array(sorted(hashes), dtype=np.uint64)
    costs, records, _ = columns_of(one)
    same = [
        numbers[np.isin(lines.hashes[kind][numbers], wanted)] for kind, numbers in ((COSTS, costs), (RECORDS, records))
    ]
    make(one, (same[COSTS], NONE if but_records else same[RECORDS], NONE))


def _join(lines: BareLines, costs: Ints, records: Ints) -> None:
    sides = [
        Side(
            lines.hashes[kind][numbers],
            [column[numbers] for column in lines.counts[kind]],
            lines.kinds[kind].ms[numbers],
        )
        for kind, numbers in ((COSTS, costs), (RECORDS, records))
    ]
    line, record = pairs_of(sides[COSTS], sides[RECORDS], PAIR_MS)
    line, record = costs[line], records[record]
    lines.twin[record] = line
    lines.kinds[COSTS].told[line] = False
    engine = lines.kinds[RECORDS].engine
    nameless = engine[record] == UNNAMED
    engine[record[nameless]] = lines.kinds[COSTS].engine[line[nameless]]


def _hashes_of(near: Iterable[object], one: Invocation) -> Iterator[int]:
    """Yield the hashes of records elsewhere that a text line may go with which has none in its gap."""
    for record in near:
        tokens = None  # of a record of a request: a stream with requests has no columns outside them
        if isinstance(record, BareRecord) and not record.is_column_of(one):
            tokens = record.waits()
        elif isinstance(record, CallDraft) and record.twin is None:
            tokens = tokens_of(record.fact)
        if tokens:
            yield hash_of(tokens)
