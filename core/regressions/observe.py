"""Calls as sums over five minutes, one lane per engine and model: what change points are looked for in.

Rows are split by how long the lane had been quiet before the call (`gap`), because that, more than the clock, decides
what can be read: a call two hours after the last one writes anew however healthy the service is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from core.metrics.buckets import epoch_us
from core.metrics.scope import Scope, chosen, rows_of
from core.store.query import Reader

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

BIN_US = 300_000_000
GAPS_US = (5_000_000, 300_000_000, 3_600_000_000)
"""Bounds of the gap classes: at once (the first may still be writing), within 5 m, within 1 h, later."""
GAP_CLASSES = len(GAPS_US) + 1

KINDS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
_LANE = ("source", "engine", "model")
SWITCHES = ("provider", "caching_enabled", "cache_ttl", "service_tier", "speed", "price_book")
_WORDS = ("function_name", "function_version", *SWITCHES)


@dataclass(frozen=True, slots=True)
class Lane:
    """One engine on one model: rows in order of time, each a sum over calls of one five minutes, gap and version."""

    source: str
    engine: str | None
    model: str | None
    first_us: Ints
    last_us: Ints
    bin: Ints
    gap: Ints
    calls: Ints
    misses: Ints
    read: Ints
    prompt: Ints
    share: Floats  # Σ read ÷ prompt of each call
    share_sq: Floats
    priced: Ints
    cost: Ints  # picodollars
    log_cost: Floats
    log_cost_sq: Floats
    timed: Ints
    log_ms: Floats
    log_ms_sq: Floats
    ms: Floats
    tokens: dict[str, Ints]
    costs: dict[str, Ints]
    renewed: Ints  # calls whose prefix fingerprint is not that of the lane's call before
    fingerprints: Ints  # calls that tell one, and whose predecessor did
    written: Ints  # calls that wrote and read nothing
    words: dict[str, tuple[str | None, ...]]
    latency_of: str  # ttft_ms | latency_ms | duration_ms: what `ms` measures

    def __len__(self) -> int:
        return len(self.first_us)

    @property
    def version(self) -> tuple[str | None, ...]:
        """Return the function version of each row."""
        return self.words["function_version"]


def observe(reader: Reader, scope: Scope) -> list[Lane]:
    """Return the lanes of the scope, from three queries; filters of function versions are not for change points."""
    rows = _calls(reader, scope)
    table = reader.run(rows)
    durations = _durations(reader, scope)
    return [_lane(part, durations) for part in _parts(table)]


def _calls(reader: Reader, scope: Scope) -> ir.Table:
    rows = rows_of(reader, "calls", replace(scope, providers=(), function_versions=(), tenants=()))
    rows = rows.filter(rows.prompt_tokens > 0)
    rows = rows.mutate(
        model=ibis.coalesce(rows.model_id, rows.model),
        at_us=epoch_us(rows.ts),
        caching_enabled=rows.caching_enabled.cast("string"),
        is_priced=rows.price_status == "priced",
    )
    window = ibis.window(group_by=[rows[name] for name in _LANE], order_by=[rows.ts, rows.call_id])
    before_us, before = rows.at_us.lag().over(window), rows.prefix_fingerprint.lag().over(window)
    rows = rows.mutate(gap_us=rows.at_us - before_us, before_fingerprint=before)
    if scope.tenants:  # after looking at the calls before: tenants share their engine's cache
        rows = rows.filter(chosen(rows, "tenant", scope.tenants))
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
    keys = [rows[name] for name in (*_LANE, "bin", "gap", *_WORDS)]
    sums = {
        "first_us": rows.at_us.min(),
        "last_us": rows.at_us.max(),
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


def _parts(table: pa.Table) -> Iterator[pa.Table]:
    """Yield the rows of each lane in order of time."""
    if not table.num_rows:
        return
    table = table.sort_by([*((name, "ascending") for name in _LANE), ("first_us", "ascending"), ("gap", "ascending")])
    codes = np.zeros(table.num_rows, dtype=bool)
    for name in _LANE:
        column = table[name].fill_null("\0").combine_chunks().dictionary_encode().indices.to_numpy()
        codes[1:] |= column[1:] != column[:-1]
    bounds = [0, *np.flatnonzero(codes).tolist(), table.num_rows]
    for start, end in pairwise(bounds):
        yield table.slice(start, end - start)


def _lane(part: pa.Table, durations: dict[tuple[str, str | None], pa.Table]) -> Lane:
    source, engine, model = (part[name][0].as_py() for name in _LANE)
    calls = _ints(part, "calls")
    latency_of, timed, log_ms, log_ms_sq, ms = _latency(part, calls, durations.get((source, engine)))
    return Lane(
        source=source,
        engine=engine,
        model=model,
        first_us=_ints(part, "first_us"),
        last_us=_ints(part, "last_us"),
        bin=_ints(part, "bin"),
        gap=_ints(part, "gap"),
        calls=calls,
        misses=_ints(part, "misses"),
        read=_ints(part, "read"),
        prompt=_ints(part, "prompt"),
        share=_floats(part, "share_sum"),
        share_sq=_floats(part, "share_sq"),
        priced=_ints(part, "priced"),
        cost=_dollars(part, "cost_all"),
        log_cost=_floats(part, "log_cost_sum"),
        log_cost_sq=_floats(part, "log_cost_sq"),
        timed=timed,
        log_ms=log_ms,
        log_ms_sq=log_ms_sq,
        ms=ms,
        tokens={kind: _ints(part, f"{kind}_n") for kind in KINDS},
        costs={kind: _dollars(part, f"{kind}_usd") for kind in KINDS},
        renewed=_ints(part, "renewed"),
        fingerprints=_ints(part, "fingerprints"),
        written=_ints(part, "written"),
        words={name: tuple(part[name].to_pylist()) for name in _WORDS},
        latency_of=latency_of,
    )


def _latency(part: pa.Table, calls: Ints, durations: pa.Table | None) -> tuple[str, Ints, Floats, Floats, Floats]:
    """Return the sharpest latency most calls tell: time to first token, the call's, else the invocation's duration."""
    for name in ("ttft", "latency"):
        timed = _ints(part, f"log_{name}_n")
        if timed.sum() * 2 > calls.sum():
            sums = (_floats(part, f"log_{name}_sum"), _floats(part, f"log_{name}_sq"), _floats(part, f"{name}_ms_sum"))
            return f"{name}_ms", timed, *sums
    if durations is None:
        nothing = np.zeros(len(calls))
        return "latency_ms", np.zeros(len(calls), dtype=np.int64), nothing, nothing, nothing
    return "duration_ms", *_laid_on(part, durations)


def _laid_on(part: pa.Table, durations: pa.Table) -> tuple[Ints, Floats, Floats, Floats]:
    """Put each five minutes' durations on the first of its rows with the same version."""
    words = list(zip(_ints(part, "bin").tolist(), part["function_version"].to_pylist(), strict=True))
    first = {key: row for row, key in reversed(list(enumerate(words)))}
    sums = np.zeros((4, len(words)))
    keys = zip(durations["bin"].to_pylist(), durations["function_version"].to_pylist(), strict=True)
    rows = [first.get(key, -1) for key in keys]
    for at, name in enumerate(("n", "log_sum", "log_sq", "ms_sum")):
        np.add.at(sums[at], np.maximum(rows, 0), np.where(np.array(rows) >= 0, _floats(durations, name), 0.0))
    return sums[0].astype(np.int64), sums[1], sums[2], sums[3]


def _durations(reader: Reader, scope: Scope) -> dict[tuple[str, str | None], pa.Table]:
    """Return warm invocations' durations by five minutes, for engines whose calls do not tell their own.

    An invocation has no tenant: of some tenants' calls its duration is not known.
    """
    if scope.tenants:
        return {}
    rows = reader.table("invocations", scope.start, scope.end)
    rows = rows.filter((rows.status == "ok") & (rows.duration_ms > 0) & rows.engine.notnull() & (rows.calls == 1))
    at_us = epoch_us(rows.ts)
    rows = rows.mutate(bin=(at_us - at_us % BIN_US).cast("int64"), log_ms=rows.duration_ms.ln())
    keys = [rows.source, rows.engine, rows.bin, rows.function_version]
    table = reader.run(
        rows.group_by(keys).aggregate(
            n=rows.count(), log_sum=rows.log_ms.sum(), log_sq=(rows.log_ms * rows.log_ms).sum(),
            ms_sum=rows.duration_ms.sum(),
        )
    )  # fmt: skip
    pairs = set(zip(table["source"].to_pylist(), table["engine"].to_pylist(), strict=True))
    return {
        (source, engine): table.filter(pc.and_(pc.equal(table["source"], source), pc.equal(table["engine"], engine)))
        for source, engine in pairs
    }


def _ints(table: pa.Table, name: str) -> Ints:
    return table[name].cast(pa.int64()).fill_null(0).to_numpy()


def _floats(table: pa.Table, name: str) -> Floats:
    return table[name].cast(pa.float64()).fill_null(0.0).to_numpy()


def _dollars(table: pa.Table, name: str) -> Ints:
    """Return dollars as whole picodollars; a sum over five minutes stays far below what 63 bits hold ($9 million)."""
    column = table[name].cast(pa.decimal128(38, 12)).combine_chunks()
    words = np.frombuffer(column.buffers()[1], dtype="<i8")[::2]  # the low half of each 128-bit unscaled number
    values = words[column.offset : column.offset + len(column)]
    return np.where(column.is_valid().to_numpy(zero_copy_only=False), values, 0)


def summed(codes: Ints, values: Floats | Ints, size: int = 0) -> Floats:
    """Add up the values of each code."""
    return np.bincount(codes, values, size).astype(np.float64)


def moment(at_us: int) -> datetime:
    """Return microseconds since 1970 as a UTC time."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(at_us))
