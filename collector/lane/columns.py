"""Requests of the quick lane to rows of the tables: the values that collector/rows.py gives, column by column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from collector.lane.requests import Lot, Requests
from collector.rank import text_ranks, whole_ranks
from core.caching.cacheable import is_cacheable
from core.settings import LineDefaults

Ints = NDArray[np.int64]
Columns = dict[str, Any]
FunctionName = Callable[[Any], str | None]
Minimum = Callable[[str, str], int | None]


class LaneRows:
    """The rows of the requests taken in, with the place of each among the settled ones."""

    def __init__(self, found: Requests, lots: Sequence[Lot], source: str, names: FunctionName) -> None:
        self._found, self._lots, self._source = found, lots, source
        self._rows = _columns(found.rows, 13)
        self._place = _ints(self._rows[0])
        self._lines = _ints(self._rows[8])
        self._settled = np.full(len(found.rows), -1, dtype=np.int64)  # -1: told line by line after all
        for lot in lots:
            self._settled[lot.first : lot.last] = lot.place
            for number, lines in lot.timed_out.items():
                self._lines[number] += lines
        self._names = pa.array([names(place.origin) for place in found.places], pa.string())

    def calls(self, defaults: LineDefaults, minimum: Minimum) -> tuple[Columns, Ints]:
        """Return columns of the calls that text lines tell, unpriced, and the places of the rows."""
        told = _columns(self._found.calls, 11)
        number, kept = self._kept(told[0])
        given, output, read, write = (_counts(told[place], kept) for place in (7, 8, 9, 10))
        prompt = pc.add(pc.add(given, read), write)
        event_ids = self._event_ids(number, _ints(told[3])[kept])
        ttl, model, provider = defaults.cache_ttl, defaults.model, defaults.provider
        known = {"5m": (write, _zero(write)), "1h": (_zero(write), write)}
        unknown = pc.if_else(pc.equal(write, 0), 0, pa.scalar(None, pa.int64()))
        write_5m, write_1h = known.get(ttl or "", (unknown, unknown))
        columns = {
            "call_id": _keys(event_ids),
            "id_kind": _same("event", number),
            "ts": _moments(_ints(told[1])[kept]),
            "ts_kind": _either(told[2], kept, "logged", "file"),
            **self._whence(number, event_ids),
            "told_by": _same("text", number),
            "invocation_id": self._texts(1, number),
            "attribution": _either(told[5], kept, "explicit", "positional"),
            "suspected_redelivery": _same(False, number),
            "function_version": self._texts(6, number),
            "engine": pa.array(told[4], pa.string()).filter(pa.array(kept)),
            "provider": _same(provider, number),
            "model": _same(model, number),
            "model_known_by": _same("defaults" if model is not None else None, number),
            "status": _same("ok", number),
            "complete": _same(True, number),
            "caching_enabled": _same(defaults.caching_enabled, number),
            "cache_ttl": _same(ttl, number),
            "ttl_known_by": _same("defaults" if ttl is not None else None, number),
            "cacheable": _cacheable(
                defaults.caching_enabled, pc.add(read, write), prompt, minimum(model, provider) if model else None
            ),
            "input_tokens": given,
            "cache_read_tokens": read,
            "cache_write_5m_tokens": write_5m,
            "cache_write_1h_tokens": write_1h,
            "output_tokens": output,
            "prompt_tokens": prompt,
            "web_search_requests": _same(0, number),
            "reported_cost_usd": _texts(told[6], kept).cast(pa.decimal128(18, 12)),
            "row_rank": text_ranks(self._lines[number]),
        }
        return columns, self._settled[number]

    def stores(self) -> tuple[Columns, Ints]:
        """Return columns of prompt-store hits, and the places of the rows."""
        told = _columns(self._found.stores, 5)
        number, kept = self._kept(told[0])
        event_ids = self._event_ids(number, _ints(told[2])[kept])
        columns = {
            "event_key": _keys(event_ids),
            "ts": _moments(_ints(told[1])[kept]),
            **self._whence(number, event_ids),
            "invocation_id": self._texts(1, number),
            "attribution": _either(told[4], kept, "explicit", "positional"),
            "suspected_redelivery": _same(False, number),
            "function_version": self._texts(6, number),
            "engine": pa.array(told[3], pa.string()).filter(pa.array(kept)),
            "kind": _same("hit", number),
            "row_rank": text_ranks(self._lines[number]),
        }
        return columns, self._settled[number]

    def invocations(self) -> tuple[Columns, Ints]:
        """Return columns of the requests themselves, and the places of the rows."""
        number = np.flatnonzero(self._settled >= 0)
        calls, engines = self._summed()
        timed_out = {place for lot in self._lots for place in lot.timed_out}
        duration = self._texts(9, number).cast(pa.float64())
        columns = {
            "invocation_id": self._texts(1, number),
            "ts": _moments(_ints(self._rows[2])[number]),
            **self._whence(number, self._event_ids(number, _ints(self._rows[4])[number])),
            "function_version": self._texts(6, number),
            "engine": pa.array(engines, pa.string()).take(pa.array(number)),
            "status": pa.array(["timeout" if place in timed_out else "ok" for place in number.tolist()], pa.string())
            if timed_out
            else _same("ok", number),
            "duration_ms": duration,
            "billed_duration_ms": self._texts(10, number).cast(pa.float64()),
            "cold": _same(False, number),
            "response_time_ms": duration,
            "memory_mb": self._texts(11, number).cast(pa.int64()),
            "max_memory_mb": self._texts(12, number).cast(pa.int64()),
            "calls": calls[number],
            "row_rank": whole_ranks(self._lines[number]),
        }
        return columns, self._settled[number]

    def _kept(self, numbers: Sequence[int]) -> tuple[Ints, NDArray[np.bool_]]:
        """Return the requests of rows that were taken in, and which rows those are."""
        number = _ints(numbers)
        kept = self._settled[number] >= 0
        return number[kept], kept

    def _summed(self) -> tuple[Ints, list[str | None]]:
        """Return per request how many calls it made, and the engine that all of its lines name."""
        found = self._found
        calls = np.bincount(_ints([call[0] for call in found.calls]), minlength=len(found.rows))
        named: list[Iterable[tuple[int, str | None]]] = [
            ((call[0], call[4]) for call in found.calls),
            ((store[0], store[3]) for store in found.stores),
        ]
        for lot in self._lots:
            for number, owner in lot.owners.items():
                calls[number] = owner.call_count
                named.append([(number, draft.engine) for draft in owner.calls])
        engines: list[str | None] = [None] * len(found.rows)
        differing = set()
        for number, engine in chain.from_iterable(named):
            if engine is not None:
                if engines[number] is None:
                    engines[number] = engine
                elif engines[number] != engine:
                    differing.add(number)
        for number in differing:
            engines[number] = None
        return calls, engines

    def _whence(self, number: Ints, event_ids: pa.Array) -> Columns:
        place = pa.array(self._place[number])
        origins = [place.origin for place in self._found.places]

        def told(values: list[str | None]) -> pa.Array:
            return pa.array(values, pa.string()).take(place)

        return {
            "source": _same(self._source, number),
            "account": told([origin.account for origin in origins]),
            "region": told([origin.region for origin in origins]),
            "log_group": told([origin.log_group for origin in origins]),
            "log_stream": told([origin.log_stream for origin in origins]),
            "event_id": event_ids,
            "function_name": self._names.take(place),
        }

    def _event_ids(self, number: Ints, offsets: Ints) -> pa.Array:
        files = pa.array([place.file_id for place in self._found.places], pa.string())
        at = pa.array(offsets).cast(pa.string())
        return pc.binary_join_element_wise(files.take(pa.array(self._place[number])), at, "@")

    def _texts(self, place: int, number: Ints) -> pa.Array:
        return pa.array(self._rows[place], pa.binary()).take(pa.array(number)).cast(pa.string())


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


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[Sequence[Any]]:
    return list(zip(*rows, strict=True)) if rows else [()] * width


def _ints(values: Sequence[int]) -> Ints:
    return np.array(values, dtype=np.int64)


def _counts(values: Sequence[bytes], kept: NDArray[np.bool_]) -> pa.Array:
    return _texts(values, kept).cast(pa.int64())


def _texts(values: Sequence[bytes], kept: NDArray[np.bool_]) -> pa.Array:
    return pa.array(values, pa.binary()).filter(pa.array(kept)).cast(pa.string())


def _moments(ms: Ints) -> pa.Array:
    return pa.array(ms * 1000).cast(pa.timestamp("us", tz="UTC"))


def _same(value: Any, number: Ints) -> pa.Array:
    return pa.nulls(len(number)) if value is None else pa.repeat(pa.scalar(value), len(number))


def _zero(counts: pa.Array) -> pa.Array:
    return pa.repeat(pa.scalar(0, pa.int64()), len(counts))


def _either(values: Sequence[bool], kept: NDArray[np.bool_], yes: str, no: str) -> pa.Array:
    return pc.if_else(pa.array(values, pa.bool_()).filter(pa.array(kept)), yes, no)


def _keys(event_ids: pa.Array) -> pa.Array:
    """Return event keys (LogEvent.event_key) of places in files."""
    told = event_ids.cast(pa.binary()).to_pylist()
    return pa.array([blake2b(place, digest_size=16).hexdigest() for place in told], pa.string())


def _cacheable(enabled: bool | None, cached: pa.Array, prompt: pa.Array, minimum: int | None) -> pa.Array:
    """Ask `is_cacheable` once for each of the four kinds of calls there are."""
    least = minimum or 0
    answers = [
        is_cacheable(
            caching_enabled=enabled, cached_tokens=some, prompt_tokens=least - short, minimum_tokens=minimum
        )
        for some in (0, 1)
        for short in (0, 1)
    ]  # fmt: skip
    kind = 2 * (cached.to_numpy() > 0) + (prompt.to_numpy() < least)
    return pa.array(answers, pa.bool_()).take(pa.array(kind))
