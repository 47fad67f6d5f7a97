"""Lines outside any request to rows of the tables: the values that collector/rows.py gives, column by column."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from collector.event import Origin
from collector.lane.arrays import either, moments, same
from collector.lane.bare import COSTS, RECORDS, STORES, BareLines
from collector.lane.columns import order_of
from collector.lane.cost_columns import cost_columns, keys_of, lines_shown, origins_of
from collector.lane.record_columns import Columns, Minimum, joined_columns, record_columns, record_times
from collector.lane.requests import Bools, Costs, Ints, Requests
from collector.rank import RECORD_LEDGER, TEXT_LEDGER, bare_ranks

if TYPE_CHECKING:
    from collector.rows import Teller

Function = Callable[[Origin], tuple[str | None, str | None]]


class BareRows:
    """The rows of lines that are settled, with the place of each among the settled ones."""

    def __init__(self, found: Requests, lines: BareLines, teller: Teller, function: Function) -> None:
        self._found, self._lines, self._teller = found, lines, teller
        self.ahead: set[str] = set()  # records dated ahead of their own lines, which have these lines' time
        self._functions = [function(place.origin) for place in found.places]

    def calls(self, minimum: Minimum) -> tuple[Columns, Ints]:
        """Return columns of the calls that text lines tell, unpriced, and the places of the rows."""
        number = self._lines.kinds[COSTS].settled()
        common, lines = self._common(COSTS, number), self._lines.kinds[COSTS]
        columns = {
            **common,
            **cost_columns(Costs(*self._lines.costs(number)), self._teller.defaults, minimum),
            "call_id": keys_of(common["event_id"]),
            "ts": moments(lines.ms[number]),
            "ts_kind": either(lines.stamped[number], "logged", "file"),
            "row_rank": bare_ranks(TEXT_LEDGER, lines.engine[number]),
        }
        return columns, self._places(COSTS, number)

    def records(self, minimum: Minimum, now_ms: int) -> tuple[Columns, Ints]:
        """Return columns of the calls that records tell, and the places of the rows."""
        number = self._lines.kinds[RECORDS].settled()
        rows, lines = self._lines.rows.take(pa.array(number)), self._lines.kinds[RECORDS]
        known = record_columns(rows, self._teller.defaults, minimum)
        times, ahead = record_times(rows, lines.ms[number], lines.stamped[number], own=False, now_ms=now_ms)
        self.ahead = set(known["call_id"].filter(pa.array(ahead)).to_pylist())
        twin = self._lines.twin[number]
        joined: Bools = twin >= 0
        usd = self._lines.figures["usd"].combine_chunks().take(pa.array(twin, mask=~joined))
        columns = {
            **self._common(RECORDS, number),
            **known,
            **times,
            **joined_columns(joined, usd, known["reported_cost_usd"], self._twin_keys),
            "row_rank": bare_ranks(RECORD_LEDGER, self._lines.kinds[RECORDS].engine[number], twin),
        }
        return columns, self._places(RECORDS, number)

    def stores(self) -> tuple[Columns, Ints]:
        """Return columns of prompt-store hits, and the places of the rows."""
        number = self._lines.kinds[STORES].settled()
        common = self._common(STORES, number)
        columns = {
            **common,
            "event_key": keys_of(common["event_id"]),
            "ts": moments(self._lines.kinds[STORES].ms[number]),
            "kind": same("hit", number),
            "row_rank": bare_ranks(TEXT_LEDGER, np.full(len(number), -1, dtype=np.int64)),
        }
        return columns, self._places(STORES, number)

    def gone(self) -> list[str]:
        """Return the keys of the cost lines that records stand for."""
        keys: list[str] = self._twin_keys.to_pylist()
        return keys

    @cached_property
    def _twin_keys(self) -> pa.Array:
        twin = self._lines.twin[self._lines.kinds[RECORDS].settled()]
        return keys_of(self._whence(COSTS, twin[twin >= 0])["event_id"])

    def _places(self, kind: int, number: Ints) -> Ints:
        return order_of(2 * self._lines.kinds[kind].owner[number] + 1, 0)

    def _common(self, kind: int, number: Ints) -> Columns:
        names = pa.array(list(self._found.engines), pa.string())
        codes = self._lines.kinds[kind].engine[number]
        return {
            **self._whence(kind, number),
            "attribution": same("none", number),
            "suspected_redelivery": same(False, number),
            "engine": names.take(pa.array(codes, mask=codes < 0)),
        }

    def _whence(self, kind: int, number: Ints) -> Columns:
        lines = self._lines.kinds[kind]
        place = pa.array(self._lines.place[lines.block[number]])
        names, versions = (pa.array([told[at] for told in self._functions], pa.string()) for at in range(2))
        return {
            **origins_of(self._found.places, place),
            "event_id": lines_shown(self._found.places, place, lines.offset[number]),
            "source": same(self._teller.source, number),
            "function_name": names.take(place),
            "function_version": versions.take(place),
        }
