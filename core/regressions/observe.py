"""Reads calls as lanes: some hundred thousand calls at a time are summed, and the sums are kept aside until all are.

Whether a lane was quiet before a call, and had another prefix, is carried from one piece to the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.metrics.buckets import epoch_us
from core.metrics.scope import Scope, chosen, within
from core.regressions.lane import BIN_US, GAPS_US, KINDS, WORDS, Ints, Key, Lane, lane_of
from core.regressions.shelf import Shelf
from core.store.query import Reader
from core.traffic.arrays import coded, combined, integers
from core.traffic.bounds import pieces

AT_ONCE = 400_000
"""Calls that are summed at once; as many sums are in memory at once when they are looked through."""
_LANE = ("source", "engine", "model")
_BEFORE = "lanes_before"
_CARRIED = pa.schema(
    [*((name, pa.string()) for name in _LANE), ("before_us", pa.int64()), ("before_fingerprint", pa.string())]
)
_MOST_USD = Decimal(9_000_000)
_COUNTS = ("calls", "log_ttft_n", "log_latency_n")


@dataclass(slots=True)
class Version:
    """One version of a function: its first call, and how many of its calls say that caching is off, and on."""

    first_us: int
    off: int = 0
    on: int = 0


class Lanes:
    """All lanes of a scope, one after the other, as often as is asked; and the versions their calls tell of.

    Use as a context: at its end the sums are gone.
    """

    def __init__(self) -> None:
        """Make it empty."""
        self.versions: dict[tuple[str, str, str], Version] = {}  # by source, function, version
        self._shelf, self._durations = Shelf(), Shelf()
        self._numbers: dict[Key, int] = {}
        self._engines: dict[tuple[str, str | None], int] = {}  # whose durations are known
        self._told: Ints = np.zeros((len(_COUNTS), 0), dtype=np.int64)

    def __enter__(self) -> Lanes:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Throw the sums away."""
        self._shelf.close()
        self._durations.close()

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Lane]:
        """Yield every lane; so many at a time are read as make AT_ONCE sums."""
        keys = list(self._numbers)
        upto = np.cumsum(self._shelf.sizes())
        for batch in np.split(np.arange(len(upto)), np.flatnonzero(np.diff(upto // AT_ONCE)) + 1):
            own = [self._engines.get(keys[number][:2], -1) for number in batch.tolist()]
            durations = dict(self._durations.take(np.unique(own)))
            for number, rows in self._shelf.take(batch):
                yield lane_of(keys[number], rows, durations.get(self._engines.get(keys[number][:2], -1)))

    def silent(self) -> bool:
        """Say whether there is a lane most of whose calls tell no time of their own."""
        calls, ttft, latency = self._told
        return bool((np.maximum(ttft, latency) * 2 <= calls).any())


def observe(reader: Reader, scope: Scope) -> Lanes:
    """Return the lanes of the scope; filters of providers and function versions are not for change points."""
    wide = replace(scope, providers=(), function_versions=())
    lanes = Lanes()
    try:
        _fill(lanes, reader, wide)
    except BaseException:
        lanes.close()
        raise
    return lanes


def _fill(lanes: Lanes, reader: Reader, scope: Scope) -> None:
    before: dict[Key, tuple[int, str | None]] = {}
    parts = pieces(reader, scope.start, scope.end, at_once=AT_ONCE)
    shape = ("sums of lanes", scope.shape())
    for start, end in parts:
        given = {_BEFORE: _carried(before)}
        _put(lanes, reader.arrow("calls", start, end, shape=shape, build=lambda rows: _sums(rows, scope), given=given),
             before)  # fmt: skip
    if scope.tenants or not lanes.silent():
        return  # an invocation has no tenant: of some tenants' calls its duration is not known
    for start, end in parts:
        rows = reader.arrow("invocations", start, end, shape="sums of durations", build=_durations)
        lanes._durations.put(_numbered(rows, _LANE[:2], lanes._engines), _plain(rows, without=_LANE))


def _carried(before: dict[Key, tuple[int, str | None]]) -> pa.Table:
    columns = zip(*((*key, *last) for key, last in before.items()), strict=True) if before else ((),) * len(_CARRIED)
    return pa.table([pa.array(column, kind.type) for column, kind in zip(columns, _CARRIED, strict=True)], _CARRIED)


def _sums(rows: ir.Table, scope: Scope) -> ir.Table:
    """Return sums by lane, five minutes, gap and words; with each lane's last call, for the piece that follows."""
    asked = replace(scope, tenants=())  # tenants share their engine's cache: the calls before are anybody's
    rows = within(rows, asked)
    rows = rows.filter(rows.prompt_tokens > 0)
    rows = rows.mutate(
        model=ibis.coalesce(rows.model_id, rows.model),
        at_us=epoch_us(rows.ts),
        caching_enabled=rows.caching_enabled.cast("string"),
        is_priced=rows.price_status == "priced",
    )
    known = ibis.table(ibis.Schema.from_pyarrow(_CARRIED), name=_BEFORE)
    known = known.rename({f"known_{name}": name for name in _LANE})
    rows = rows.left_join(known, [rows[name].identical_to(known[f"known_{name}"]) for name in _LANE])
    window = ibis.window(group_by=[rows[name] for name in _LANE], order_by=[rows.ts, rows.call_id])
    lag_us = rows.at_us.lag().over(window)
    rows = rows.mutate(
        gap_us=rows.at_us - ibis.coalesce(lag_us, rows.before_us),
        before_fingerprint=lag_us.isnull().ifelse(
            rows.before_fingerprint, rows.prefix_fingerprint.lag().over(window)
        ),
        is_last=rows.at_us.lead().over(window).isnull(),
        mine=chosen(rows, "tenant", scope.tenants).fill_null(False) if scope.tenants else ibis.literal(True),
    )  # fmt: skip
    gap = ibis.cases(
        *((rows.gap_us < bound, ibis.literal(code, type="int64")) for code, bound in enumerate(GAPS_US)),
        else_=ibis.literal(len(GAPS_US), type="int64"),
    )
    told = rows.ttft_ms.notnull() & (rows.ttft_ms > 0)
    rows = rows.mutate(
        gap=gap,
        bin=(rows.at_us - rows.at_us % BIN_US).cast("int64"),
        share=rows.cache_read_tokens.fill_null(0) / rows.prompt_tokens,
        log_cost=(rows.is_priced & (rows.cost_usd > 0))
        .ifelse(rows.cost_usd.cast("float64"), ibis.null("float64"))
        .ln(),
        log_ttft=told.ifelse(rows.ttft_ms, ibis.null("float64")).ln(),
        log_latency=(rows.latency_ms > 0).ifelse(rows.latency_ms, ibis.null("float64")).ln(),
        comparable=rows.prefix_fingerprint.notnull() & rows.before_fingerprint.notnull(),
    )
    writes = rows.cache_write_5m_tokens.fill_null(0) + rows.cache_write_1h_tokens.fill_null(0)
    unread = rows.cache_read_tokens.fill_null(0) == 0
    keys = [rows[name] for name in (*_LANE, "mine", "bin", "gap", *WORDS)]
    sums = {
        "first_us": rows.at_us.min(),
        "last_us": rows.at_us.max(),
        "lasts": _number(rows.is_last),
        "last_fingerprint": rows.is_last.ifelse(rows.prefix_fingerprint, ibis.null("string")).max(),
        "calls": rows.count(),
        "misses": _number(unread),
        "written": _number(unread & (writes > 0)),
        "read": rows.cache_read_tokens.sum(),
        "prompt": rows.prompt_tokens.sum(),
        "share_sum": rows.share.sum(),
        "share_sq": (rows.share * rows.share).sum(),
        "priced": rows.log_cost.count(),
        "log_cost_sum": rows.log_cost.sum(),
        "log_cost_sq": (rows.log_cost * rows.log_cost).sum(),
        "log_ttft_n": rows.log_ttft.count(),
        "log_ttft_sum": rows.log_ttft.sum(),
        "log_ttft_sq": (rows.log_ttft * rows.log_ttft).sum(),
        "ttft_ms_sum": told.ifelse(rows.ttft_ms, ibis.null("float64")).sum(),
        "log_latency_n": rows.log_latency.count(),
        "log_latency_sum": rows.log_latency.sum(),
        "log_latency_sq": (rows.log_latency * rows.log_latency).sum(),
        "latency_ms_sum": rows.latency_ms.sum(),
        "renewed": _number(rows.comparable & (rows.prefix_fingerprint != rows.before_fingerprint)),
        "fingerprints": _number(rows.comparable),
        "cost_all": rows.cost_usd.sum(),
        **{f"{kind}_n": rows[f"{kind}_tokens"].sum() for kind in KINDS},
        **{f"{kind}_usd": rows[f"{kind}_cost_usd"].sum() for kind in KINDS},
    }
    return rows.group_by(keys).aggregate(**sums)


def _number(where: ir.BooleanValue) -> ir.IntegerScalar:
    return where.ifelse(1, ibis.null("int8")).count()


def _put(lanes: Lanes, rows: pa.Table, before: dict[Key, tuple[int, str | None]]) -> None:
    """Lay the sums of one piece aside, and remember what is asked of all: versions, counts, each lane's last call."""
    lasts = rows.filter(pc.greater(rows["lasts"], 0))
    told = (lasts[name].to_pylist() for name in ("last_us", "last_fingerprint"))
    before.update(zip(_keys(lasts, _LANE), zip(*told, strict=True), strict=True))
    rows = rows.filter(rows["mine"]).sort_by([("first_us", "ascending"), ("gap", "ascending")])
    numbers = _numbered(rows, _LANE, lanes._numbers)
    counts = [np.bincount(numbers, integers(rows[name]), len(lanes._numbers)) for name in _COUNTS]
    whole = np.array(counts, dtype=np.int64)
    whole[:, : lanes._told.shape[1]] += lanes._told
    lanes._told = whole
    _remember_versions(lanes.versions, rows)
    lanes._shelf.put(numbers, _plain(rows, without=(*_LANE, "mine", "lasts", "last_fingerprint")))


def _remember_versions(versions: dict[tuple[str, str, str], Version], rows: pa.Table) -> None:
    rows = rows.filter(pc.is_valid(rows["function_version"])).select(
        ["source", "function_name", "function_version", "first_us", "calls", "caching_enabled"]
    )
    names: dict[tuple[str, str, str], int] = {}
    filled = rows.set_column(1, "function_name", pc.fill_null(rows["function_name"], ""))
    numbers = _numbered(filled, ("source", "function_name", "function_version"), names)
    enabled, calls = coded(rows["caching_enabled"]), integers(rows["calls"])
    first = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(first, numbers, integers(rows["first_us"]))
    off, on = (np.bincount(numbers, calls * enabled.equals(word), len(names)) for word in ("false", "true"))
    for key, first_us, off_calls, on_calls in zip(names, first.tolist(), off.tolist(), on.tolist(), strict=True):
        known = versions.setdefault(key, Version(first_us))
        known.first_us = min(known.first_us, first_us)
        known.off += int(off_calls)
        known.on += int(on_calls)


def _durations(rows: ir.Table) -> ir.Table:
    """Return warm invocations' durations by five minutes, for engines whose calls do not tell their own."""
    rows = rows.filter((rows.status == "ok") & (rows.duration_ms > 0) & rows.engine.notnull() & (rows.calls == 1))
    at_us = epoch_us(rows.ts)
    rows = rows.mutate(bin=(at_us - at_us % BIN_US).cast("int64"), log_ms=rows.duration_ms.ln())
    return rows.group_by([rows.source, rows.engine, rows.bin, rows.function_version]).aggregate(
        n=rows.count(), log_sum=rows.log_ms.sum(), log_sq=(rows.log_ms * rows.log_ms).sum(),
        ms_sum=rows.duration_ms.sum(),
    )  # fmt: skip


def _keys(rows: pa.Table, names: Sequence[str]) -> Iterator[Any]:
    return zip(*(rows[name].to_pylist() for name in names), strict=True)


def _numbered(rows: pa.Table, names: Sequence[str], known: dict[Any, int]) -> Ints:
    """Return the number of each row's key, numbering those that are new."""
    codes = combined(*(coded(rows[name]).codes for name in names))
    first = np.unique(codes, return_index=True)[1]
    numbers = [known.setdefault(key, len(known)) for key in _keys(rows.take(pa.array(first)), names)]
    return np.array(numbers, dtype=np.int64)[codes]


def _plain(rows: pa.Table, *, without: Sequence[str] = ()) -> pa.Table:
    """Return rows as they are kept: dollars as whole picodollars, words by number."""
    return pa.table({name: _column(rows[name]) for name in rows.column_names if name not in without})


def _column(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    if pa.types.is_string(column.type):
        return column.combine_chunks().dictionary_encode()
    if not pa.types.is_decimal(column.type):
        return column
    return _picodollars(column) if column.type.scale else column.cast(pa.int64())


def _picodollars(column: pa.ChunkedArray) -> pa.Array:
    """Return dollars as whole picodollars, at most as many as 63 bits hold: $9 million in five minutes of one lane."""
    most = pa.scalar(_MOST_USD, pa.decimal128(38, 12))
    whole = pc.min_element_wise(column.cast(pa.decimal128(38, 12)), most, skip_nulls=False).combine_chunks()
    words = np.frombuffer(whole.buffers()[1], dtype="<i8")[::2]  # the low half of each 128-bit unscaled number
    known = whole.is_valid().to_numpy(zero_copy_only=False)
    return pa.array(words[whole.offset : whole.offset + len(whole)], mask=~known)
