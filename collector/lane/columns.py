"""Requests of the quick lane to rows of the tables: the values that collector/rows.py gives, column by column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.lane.arrays import either, moments, same
from collector.lane.cost_columns import cost_columns, keys_of, lines_shown, origins_of
from collector.lane.record_columns import Columns, Minimum, joined_columns, record_columns, record_times
from collector.lane.requests import (
    UNNAMED,
    Costs,
    Ints,
    Lot,
    Requests,
    Told,
    heads_of,
    told_of,
    twins_of,
)
from collector.rank import record_ranks, text_ranks, whole_ranks

if TYPE_CHECKING:
    from collector.rows import Teller

FunctionName = Callable[[Any], str | None]


class LaneRows:
    """The rows of the requests taken in, with the place of each among the settled ones."""

    def __init__(self, found: Requests, lots: Sequence[Lot], teller: Teller, names: FunctionName) -> None:
        self._found, self._lots, self._teller = found, lots, teller
        heads = [block.heads for block in found.blocks]
        self._heads = heads_of(heads)
        self._place = np.concatenate([block.places for block in found.blocks])
        self._lines = self._heads.lines
        self.ahead: set[str] = set()  # records dated ahead of their own lines, which have these lines' time
        self._settled = np.full(found.count, -1, dtype=np.int64)  # -1: told line by line after all
        drafts = np.zeros(found.count, dtype=np.bool_)
        for lot in lots:
            self._settled[lot.first : lot.last] = lot.place
            drafts[list(lot.owners)] = True
            for number, lines in lot.timed_out.items():
                self._lines[number] += lines
        self._names = pa.array([names(place.origin) for place in found.places], pa.string())
        self._ids = None if found.ids is None else pa.array(found.ids, pa.string())
        self._engines = pa.array(list(found.engines), pa.string())
        self._calls = told_of([block.calls for block in found.blocks])
        self._stores = told_of([block.stores for block in found.blocks])
        self._records = told_of([block.records for block in found.blocks])
        self._twins = twins_of([block.twins for block in found.blocks])
        self._as_columns = (self._settled[self._records.number] >= 0) & ~drafts[self._records.number]

    def calls(self, minimum: Minimum) -> tuple[Columns, Ints]:
        """Return columns of the calls that text lines tell, unpriced, and the places of the rows."""
        kept = self._settled[self._calls.number] >= 0
        told, defaults = self._calls.only(kept), self._teller.defaults
        parts = [block.costs for block in self._found.blocks]
        costs = Costs(
            *(
                pa.concat_arrays([getattr(part, one.name) for part in parts]).filter(pa.array(kept))
                for one in fields(Costs)
            )
        )
        common = self._common(told)
        columns = {
            **common,
            **cost_columns(costs, defaults, minimum),
            "call_id": self._keys(told.number, common["event_id"]),
            "ts": moments(told.ms),
            "ts_kind": either(told.stamped, "logged", "file"),
            "row_rank": text_ranks(self._lines[told.number]),
        }
        return columns, self._places(told.number)

    def records(self, minimum: Minimum, now_ms: int) -> tuple[Columns, Ints]:
        """Return columns of the calls that records tell, each alone in its request, and the places of the rows."""
        told = self._records.only(self._as_columns)
        kept = pa.concat_tables([block.rows for block in self._found.blocks]).filter(pa.array(self._as_columns))
        twins = self._twins.only(self._as_columns)
        known = record_columns(kept, self._teller.defaults, minimum)
        times, ahead = record_times(kept, told.ms, told.stamped, own=self._ids is not None, now_ms=now_ms)
        self.ahead = set(known["call_id"].filter(pa.array(ahead)).to_pylist())
        columns = {
            **self._common(told),
            **known,
            **times,
            **joined_columns(twins.offset >= 0, twins.usd, known["reported_cost_usd"], self._twin_keys),
            "row_rank": record_ranks(self._lines[told.number]),
        }
        return columns, self._places(told.number)

    def gone(self) -> list[str]:
        """Return the keys of the cost lines that records stand for."""
        keys: list[str] = self._twin_keys.to_pylist()
        return keys

    @cached_property
    def _twin_keys(self) -> pa.Array:
        paired = self._as_columns & (self._twins.offset >= 0)
        number = self._records.number[paired]
        return self._keys(number, self._shown(number, self._twins.offset[paired]))

    def stores(self) -> tuple[Columns, Ints]:
        """Return columns of prompt-store hits, and the places of the rows."""
        told = self._stores.only(self._settled[self._stores.number] >= 0)
        common = self._common(told)
        columns = {
            **common,
            "event_key": self._keys(told.number, common["event_id"]),
            "ts": moments(told.ms),
            "kind": same("hit", told.number),
            "row_rank": text_ranks(self._lines[told.number]),
        }
        return columns, self._places(told.number)

    def invocations(self) -> tuple[Columns, Ints]:
        """Return columns of the requests themselves, and the places of the rows."""
        number, heads = np.flatnonzero(self._settled >= 0), self._heads
        calls, engines = self._summed()
        timed_out = [place for lot in self._lots for place in lot.timed_out]
        status = np.isin(number, timed_out)
        taken = pa.array(number)
        columns = {
            **self._whence(number, heads.start[number]),
            "invocation_id": heads.rid.take(taken),
            "ts": moments(heads.started_ms[number]),
            "function_version": heads.version.take(taken),
            "engine": self._engine(engines[number]),
            "status": either(status, "timeout", "ok"),
            "duration_ms": heads.duration_ms.take(taken),
            "billed_duration_ms": heads.billed_ms.take(taken),
            "cold": same(False, number),
            "response_time_ms": heads.duration_ms.take(taken),
            "memory_mb": heads.memory_mb.take(taken),
            "max_memory_mb": heads.max_memory_mb.take(taken),
            "calls": calls[number],
            "row_rank": whole_ranks(self._lines[number]),
        }
        return columns, self._places(number)

    def _places(self, number: Ints) -> Ints:
        return order_of(2 * self._settled[number], number)

    def _summed(self) -> tuple[Ints, Ints]:
        """Return per request how many calls it made, and the code of the engine that all of its lines name."""
        count = self._found.count
        calls = np.bincount(self._calls.number, minlength=count) + np.bincount(self._records.number, minlength=count)
        lowest, highest = np.full(count, len(self._engines) + 1), np.full(count, UNNAMED)
        for told in (self._calls, self._stores, self._records):
            named = told.engine >= 0
            np.minimum.at(lowest, told.number[named], told.engine[named])
            np.maximum.at(highest, told.number[named], told.engine[named])
        for lot in self._lots:
            for number, owner in lot.owners.items():
                calls[number] = owner.call_count
                for code in [self._found.engines[draft.engine] for draft in owner.calls if draft.engine is not None]:
                    lowest[number], highest[number] = min(lowest[number], code), max(highest[number], code)
        return calls, np.where(lowest == highest, highest, UNNAMED)

    def _common(self, told: Told) -> Columns:
        return {
            **self._whence(told.number, told.offset),
            "invocation_id": self._heads.rid.take(pa.array(told.number)),
            "attribution": either(told.explicit, "explicit", "positional"),
            "suspected_redelivery": same(False, told.number),
            "function_version": self._heads.version.take(pa.array(told.number)),
            "engine": self._engine(told.engine),
        }

    def _engine(self, codes: Ints) -> pa.Array:
        return self._engines.take(pa.array(codes, mask=codes < 0))

    def _whence(self, number: Ints, offsets: Ints) -> Columns:
        place = pa.array(self._place[number])
        return {
            "source": same(self._teller.source, number),
            **origins_of(self._found.places, place),
            "event_id": self._shown(number, offsets),
            "function_name": self._names.take(place),
        }

    def _shown(self, number: Ints, offsets: Ints) -> pa.Array:
        """Return the ids that a person finds lines of requests by (LogEvent.shown_id)."""
        if self._ids is not None:
            return self._ids.take(pa.array(offsets))
        return lines_shown(self._found.places, pa.array(self._place[number]), offsets)

    def _keys(self, number: Ints, shown: pa.Array) -> pa.Array:
        """Return the keys of these lines (LogEvent.event_key)."""
        if self._ids is not None:
            keys = pa.array([place.key_of_events for place in self._found.places], pa.string())
            shown = pc.binary_join_element_wise(keys.take(pa.array(self._place[number])), shown, "|")
        return keys_of(shown)


def order_of(place: Ints, number: Ints | int) -> Ints:
    """Return what rows are ordered by: the place of their request among all, then its number in the batch."""
    return (place << 32) + number


def as_table(columns: Columns, names: Sequence[str], schema: pa.Schema) -> pa.Table:
    """Lay columns out in the order and types of a table; those not given are null."""
    count = len(next(iter(columns.values())))
    fields = [schema.field(name) for name in names]
    arrays = [
        _array(columns[field.name]).cast(field.type) if field.name in columns else pa.nulls(count, field.type)
        for field in fields
    ]
    return pa.table(arrays, schema=pa.schema(fields))


def _array(values: Any) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values)
