"""Call records of the quick lane: what plain_record.py reads of each, read of many at once, a column for each value.

A record that is not in that form is left to the parser; so is one that names another request than its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from collections.abc import Set as Names
from typing import Any, Protocol

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import astuple

from collector.lane.lines import Bools, Ints
from collector.lane.typed import Caching, Prefix, Record, Split, Usage, as_told, by_type, knows_metrics
from collector.parsers.clock import EARLIEST_MS
from collector.parsers.plain_record import NOTHING, SAID_ELSEWHERE, SPLIT_1H, SPLIT_5M, TENANTS, USAGE, prefix_blocks
from collector.parsers.service_lines import MAX_TOKENS
from collector.parsers.values import LATEST_MS, MAX_TEXT, dollars, tenant
from core.settings import CACHE_TTLS
from core.store.schema import USD
from core.telemetry import RECORD_EVENT, RECORD_VERSION

METRICS = "_aws"
_MONEY = r"\A\d{1,6}(?:\.\d{1,12})?\z"
_LONGEST_MS = 10**10
_MISSING = object()
Fits = Callable[[Any], bool]


def decoded(line: bytes) -> Any:
    """Return what a line of JSON holds, without the list of its metrics; None: it is no JSON."""
    try:
        body = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if type(body) is dict:
        body.pop(METRICS, None)  # most of its objects; many records at once need that much less memory
    return body


def read_lines(
    said: Sequence[bytes | dict[str, Any] | None],
    around: Sequence[str | None],
    unlike: Callable[[bytes], bool] = lambda line: False,
) -> tuple[pa.Table, Bools]:
    """Read records as `read_records` does, of which most are lines still. One that is `unlike` a record is none.

    Those that are written as our library writes them are read by their type, the others are decoded as they are.
    """
    typed, others = by_type(said)
    if not typed:
        return read_records([_like(one, unlike) for one in said], around)
    reader = _Reader(len(typed))
    told = _Columns([record for _, record in typed], Record)
    usage, caching, prefix = (
        _Columns(told.of(name), kind) for name, kind in (("usage", Usage), ("caching", Caching), ("prefix", Prefix))
    )
    reader.each(told.of(METRICS), knows_metrics)
    reader.each(told.of("complete"), bool, needed=True)
    rows = _table(reader, told, usage, caching, prefix, [around[at] for at, _ in typed])
    if not others:
        return rows, ~reader.bad
    more, plain = read_records([_like(said[at], unlike) for at in others], [around[at] for at in others])
    order = np.argsort([*(at for at, _ in typed), *others])
    return pa.concat_tables([rows, more]).take(pa.array(order)), np.concatenate([~reader.bad, plain])[order]


def read_records(bodies: Sequence[Any], around: Sequence[str | None]) -> tuple[pa.Table, Bools]:
    """Return the values that records tell, and which of them are in the plain form; the rows of others say nothing.

    `around` is the request that the line around each record names.
    """
    reader = _Reader(len(bodies))
    told = reader.objects(bodies, SAID_ELSEWHERE.isdisjoint)
    usage = reader.objects(told.of("usage"), USAGE.issuperset)
    caching, prefix = (reader.objects(told.of(name, NOTHING)) for name in ("caching", "prefix"))
    for name, value in (("event", RECORD_EVENT), ("v", RECORD_VERSION), ("status", "ok")):
        reader.said(told.of(name), value)
    reader.said(told.of("complete", True), True)
    if not usage.lack({"server_tool_use"}):
        reader.each(usage.of("server_tool_use"), lambda value: False)
    return _table(reader, told, usage, caching, prefix, around), ~reader.bad


def _table(
    reader: _Reader, told: _Members, usage: _Members, caching: _Members, prefix: _Members, around: Sequence[str | None]
) -> pa.Table:
    counts = _counts(reader, usage)
    ttl = pa.array(reader.choices(caching.of("ttl"), CACHE_TTLS), pa.string())
    proven = pc.if_else(
        pa.array(counts["split_known"]),
        pc.if_else(pa.array(counts["write_1h"] > 0), "1h", pc.if_else(pa.array(counts["write_5m"] > 0), "5m", None)),
        None,
    )
    named = reader.texts(told.of("request_id"))
    columns: dict[str, Any] = {
        "call_id": reader.texts(told.of("id"), needed=True),
        "started_ms": reader.whole(told.of("ts"), LATEST_MS - 1, EARLIEST_MS, needed=True),
        **{name: reader.texts(told.of(name)) for name in ("provider", "model", "engine")},
        **counts,
        **{name: reader.texts(usage.of(name)) for name in _WORDS},
        "enabled": reader.flags(caching.of("enabled")),
        "ttl": pc.coalesce(ttl, proven),
        "prefix_tokens": reader.whole(prefix.of("tokens"), MAX_TOKENS),
        "fingerprint": reader.texts(prefix.of("fingerprint")),
        "blocks": prefix.each(prefix_blocks, {"blocks"}),
        **{name: reader.durations(told.of(name)) for name in ("latency_ms", "ttft_ms")},
        **{name: reader.texts(told.of(name)) for name in ("stop_reason", "stop_category")},
        "other_id": reader.texts(told.of("api_request_id")),
        "has_output": reader.flags(told.of("has_output")),
        "reported": _money(reader.strings(told.of("cost_usd"))),
        "tenant": told.each(tenant, TENANTS),
        "prompt_store_bytes": reader.whole(told.of("prompt_store_bytes"), MAX_TOKENS),
        "workspace": reader.texts(told.of("workspace")),
        "request_id": pc.coalesce(named, pa.array(around, pa.string())),
    }
    arrays = [_array(columns[field.name], field.type) for field in RECORDS]
    return pa.table(arrays, schema=RECORDS)


RECORDS = pa.schema(
    [
        *((name, pa.string()) for name in ("call_id", "provider", "model", "engine")),
        *((name, pa.int64()) for name in ("started_ms", "input", "read", "write_5m", "write_1h", "written", "output")),
        ("split_known", pa.bool_()),
        *((name, pa.string()) for name in ("service_tier", "speed", "inference_geo", "ttl", "fingerprint", "blocks")),
        *((name, pa.string()) for name in ("stop_reason", "stop_category", "other_id", "tenant", "workspace")),
        *((name, pa.bool_()) for name in ("enabled", "has_output")),
        *((name, pa.int64()) for name in ("prefix_tokens", "prompt_store_bytes")),
        *((name, pa.float64()) for name in ("latency_ms", "ttft_ms")),
        ("reported", USD),
        ("request_id", pa.string()),
    ]
)
_WORDS = ("service_tier", "speed", "inference_geo")


class _Members(Protocol):
    """What some objects hold, by the names of their members."""

    def of(self, name: str, otherwise: Any = None) -> list[Any]:
        """Return a member of each."""
        ...

    def each(self, read: Callable[[dict[str, Any]], str | None], names: Names[str]) -> list[str | None]:
        """Return what is read of those that have a member of one of these names."""
        ...


class _Columns:
    """Objects that were decoded by their type, a column for each member."""

    def __init__(self, told: Sequence[Struct], kind: type[Struct]) -> None:
        self._columns = dict(zip(kind.__struct_fields__, zip(*map(astuple, told), strict=True), strict=True))
        self._count = len(told)

    def of(self, name: str, otherwise: Any = None) -> list[Any]:
        """Return a member of each."""
        return list(self._columns[name])

    def each(self, read: Callable[[dict[str, Any]], str | None], names: Names[str]) -> list[str | None]:
        """Return what is read of those that have a member of one of these names."""
        (name,) = names & self._columns.keys()
        values = self._columns[name]
        if values.count(None) == self._count:
            return [None] * self._count
        return [None if value is None else read({name: as_told(value)}) for value in values]


class _Objects:
    """Objects of JSON, a column for each member. Nearly all have the same members in the same order."""

    def __init__(self, bodies: Sequence[dict[str, Any]]) -> None:
        self._bodies = bodies
        self.shapes = set(map(tuple, bodies))
        self._columns: dict[str, tuple[Any, ...]] | None = None
        if len(self.shapes) == 1:
            names = next(iter(self.shapes))
            self._columns = dict(zip(names, zip(*[body.values() for body in bodies], strict=True), strict=True))

    def of(self, name: str, otherwise: Any = None) -> list[Any]:
        """Return a member of each."""
        if self._columns is None:
            return [body.get(name, otherwise) for body in self._bodies]
        return list(self._columns[name]) if name in self._columns else [otherwise] * len(self._bodies)

    def lack(self, names: Names[str]) -> bool:
        """Say that none has a member of one of these names."""
        return all(names.isdisjoint(shape) for shape in self.shapes)

    def each(self, read: Callable[[dict[str, Any]], str | None], names: Names[str]) -> list[str | None]:
        """Return what is read of those that have a member of one of these names."""
        if self.lack(names):
            return [None] * len(self._bodies)
        return [None if names.isdisjoint(body) else read(body) for body in self._bodies]


class _Reader:
    """Reads one member of all records at a time; `bad` are the records of which one was not as it should be."""

    def __init__(self, count: int) -> None:
        self.bad: Bools = np.zeros(count, dtype=np.bool_)

    def each(self, values: list[Any], fits: Fits, *, needed: bool = False) -> list[Any]:
        """Look at values one by one; those that do not fit make their records bad, and are told no further."""
        for at, value in enumerate(values):
            if value is None:
                if needed:
                    self.bad[at] = True
            elif not fits(value):
                self.bad[at], values[at] = True, None
        return values

    def objects(self, values: Sequence[Any], fits: Callable[[Collection[str]], bool] = lambda names: True) -> _Objects:
        """Return objects whose names fit; what is none is an empty one, of a bad record."""
        if set(map(type, values)) <= {dict}:
            told = _Objects(values)
            if all(fits(names) for names in told.shapes):
                return told
        wrong = [type(value) is not dict or not fits(value) for value in values]
        self.bad |= np.array(wrong, dtype=np.bool_)
        return _Objects([NOTHING if bad else value for value, bad in zip(values, wrong, strict=True)])

    def said(self, values: list[Any], wanted: Any) -> None:
        """Demand one value."""
        if values.count(wanted) != len(values) or not set(map(type, values)) <= {type(wanted)}:
            self.each(values, lambda value: type(value) is type(wanted) and value == wanted, needed=True)

    def strings(self, values: list[Any]) -> list[Any]:
        """Return strings of any length, or Nones."""
        return values if set(map(type, values)) <= {str, type(None)} else self.each(values, _is_text)

    def choices(self, values: list[Any], known: Collection[str]) -> list[Any]:
        """Return some known words, or Nones."""
        if set(map(type, values)) <= {str, type(None)} and set(values) <= {*known, None}:
            return values
        return self.each(values, lambda value: type(value) is str and value in known)

    def texts(self, values: list[Any], *, needed: bool = False) -> pa.Array:
        """Return short strings, or nulls."""
        kinds = set(map(type, values))
        if kinds <= {type(None)} and not (needed and kinds):
            return pa.nulls(len(values), pa.string())
        if not kinds <= {str, type(None)} or (needed and type(None) in kinds):
            self.each(values, _is_text, needed=needed)
        told = pa.array(values, pa.string())
        length = pc.min_max(pc.binary_length(told)).as_py()
        if length["min"] == 0 or (length["max"] or 0) > MAX_TEXT:
            told = pa.array(self.each(values, _is_short), pa.string())
        return told

    def whole(self, values: list[Any], most: int, least: int = 0, *, needed: bool = False) -> pa.Array:
        """Return whole numbers from `least` to `most`, or nulls."""
        kinds = set(map(type, values))
        if kinds <= {type(None)} and not (needed and kinds):
            return pa.nulls(len(values), pa.int64())
        if kinds != {int} or min(values) < least or max(values) > most:
            self.each(values, lambda value: type(value) is int and least <= value <= most, needed=needed)
        return pa.array(values, pa.int64())

    def counts(self, values: list[Any]) -> Ints:
        """Return counts of tokens, which are needed: zeros where they are none."""
        return np.asarray(pc.fill_null(self.whole(values, MAX_TOKENS, needed=True), 0), dtype=np.int64)

    def flags(self, values: list[Any]) -> pa.Array:
        """Return what is true or false, or nulls."""
        if not set(map(type, values)) <= {bool, type(None)}:
            self.each(values, lambda value: type(value) is bool)
        return pa.array(values, pa.bool_())

    def durations(self, values: list[Any]) -> pa.Array:
        """Return milliseconds, or nulls."""
        kinds = set(map(type, values))
        if kinds <= {type(None)}:
            return pa.nulls(len(values), pa.float64())
        if not kinds <= {int, float} or min(values) < 0 or max(values) >= _LONGEST_MS:
            self.each(values, lambda value: type(value) in (int, float) and 0 <= value < _LONGEST_MS)
        return pa.array(values, pa.float64())


def _counts(reader: _Reader, usage: _Members) -> dict[str, Any]:
    """Return what was counted, as arrays; a split that does not add up makes its record bad."""
    given, output = (reader.counts(usage.of(name)) for name in ("input_tokens", "output_tokens"))
    read, written = (
        reader.counts(usage.of(name, 0)) for name in ("cache_read_input_tokens", "cache_creation_input_tokens")
    )
    reader.bad |= given + read + written > MAX_TOKENS
    splits = usage.of("cache_creation")
    unsplit = np.array([split is None for split in splits], dtype=np.bool_)
    if unsplit.any():
        none = _NO_TYPED_SPLIT if isinstance(usage, _Columns) else _NO_SPLIT
        splits = [none if split is None else split for split in splits]
    if isinstance(usage, _Columns):
        split: _Members = _Columns(splits, Split)
    else:
        split = reader.objects(splits, lambda names: len(names) == 2)
    short, long = (reader.counts(split.of(name)) for name in (SPLIT_5M, SPLIT_1H))
    reader.bad |= ~unsplit & (short + long != written)
    short = np.where(unsplit, written, short)
    return {
        "input": given, "read": read, "write_5m": short, "write_1h": long, "written": written,
        "split_known": ~unsplit | (written == 0), "output": output,
    }  # fmt: skip


_NO_SPLIT = {SPLIT_5M: 0, SPLIT_1H: 0}
_NO_TYPED_SPLIT = Split(0, 0)


def _money(told: list[str | None]) -> pa.Array:
    """Read dollars as values.dollars does."""
    if told.count(None) == len(told):
        return pa.nulls(len(told), USD)
    texts = pa.array(told, pa.string())
    if pc.all(pc.match_substring_regex(texts, _MONEY)).as_py():
        return texts.cast(USD)
    return pa.array([None if value is None else dollars(value) for value in told], USD)


def _like(said: Any, unlike: Callable[[bytes], bool]) -> Any:
    if type(said) is not bytes:
        return said
    return None if unlike(said) else decoded(said)


def _is_text(value: Any) -> bool:
    return type(value) is str


def _is_short(value: Any) -> bool:
    return 0 < len(value) <= MAX_TEXT


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind)
