"""Every call that returned usage, as columns of numbers in the order of their starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.metrics.scope import Scope, chosen
from core.pricing import PriceBook
from core.store.query import Reader
from core.traffic.arrays import Bools, Coded, Ints, coded, combined, integers
from core.traffic.identity import effective
from core.traffic.rates import Modifiers, TokenRates, token_rates
from core.traffic.starts import before, with_starts
from core.traffic.unseen import Unseen, placed, without_answer
from core.traffic.waits import Waiting, bounded, usual_waits

LOOK_BACK = timedelta(days=8)
"""How much older traffic is read to know what was in the cache when the range begins."""

TTL_WORDS = {"5m": 300_000, "1h": 3_600_000}

_COLUMNS = (
    "call_id", "invocation_id", "ts", "ts_kind", "source", "account", "region", "told_by",
    "function_version", "engine", "tenant", "provider", "model", "service_tier", "speed", "inference_geo",
    "caching_enabled", "cache_ttl", "prefix_tokens", "prefix_fingerprint", "input_tokens", "cache_read_tokens",
    "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens", "prompt_tokens", "latency_ms", "ttft_ms",
    "price_check", "cache_miss_reason", "prefix_blocks", "workspace",
)  # fmt: skip


@dataclass(frozen=True)  # without slots: what is worked out once is kept
class Traffic:
    """Calls in the order of their starts. Times are Unix milliseconds, tokens whole numbers, -1 = unknown."""

    call_id: pa.Array
    start_ms: Ints
    begin_ms: Ints  # when the answer's first token came: from then on its entry can be read
    end_ms: Ints
    start_known: Bools  # told, not worked out
    in_scope: Bools  # the question is about it; the others only say what the cache held
    in_range: Bools  # of the time asked about, by whatever filter
    by_text: Bools
    engine: Coded
    model: Coded  # the price book's name where it has one
    provider: Coded
    version: Coded
    tenant: Coded  # whom the call is charged to
    source: Coded
    place: Coded  # one cache each: provider, and on Bedrock the region, at Anthropic the workspace
    speed: Coded
    fingerprint: Coded
    reason: Coded  # the API's own diagnosis
    blocks: Coded
    fetched: Bools  # its invocation read the prompt anew, from the table
    prompt: Ints
    input: Ints
    read: Ints
    write_5m: Ints
    write_1h: Ints
    output: Ints
    told_prefix: Ints
    enabled: Ints  # 1, 0 or -1
    ttl_ms: Ints  # policy in force; 0 = unknown
    minimum: Ints  # smallest prefix its model caches; -1 = unknown
    rates: TokenRates
    unseen: Unseen  # sent, but no log tells of their answers: not among the calls

    def __len__(self) -> int:
        return len(self.start_ms)

    @cached_property
    def cached(self) -> Ints:
        """Tokens up to the last breakpoint, as the API counted them: read and written ones."""
        return self.read + self.write_5m + self.write_1h

    @cached_property
    def lane(self) -> Ints:
        """One number for each engine × model × place: calls that would share a prefix."""
        orphan = np.where(self.engine.codes < 0, self.source.codes, -1)  # without an engine, the source stands for it
        return combined(self.engine.codes, orphan, self.model.codes, self.place.codes)

    def take(self, rows: Ints | Bools) -> Traffic:
        """Return some of the calls; what was not seen beside them is left out."""
        parts: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Unseen):
                parts[item.name] = Unseen.none()
            elif isinstance(value, Coded | TokenRates):
                parts[item.name] = value.take(rows)
            elif isinstance(value, pa.Array):
                mask = rows.dtype == np.bool_
                parts[item.name] = value.filter(pa.array(rows)) if mask else value.take(pa.array(rows))
            else:
                parts[item.name] = value[rows]
        return Traffic(**parts)


def load(reader: Reader, scope: Scope, book: PriceBook, *, look_back: timedelta = LOOK_BACK) -> Traffic:
    """Read the calls of the range and, marked as such, those before it and outside the filters."""
    earliest = _earlier(scope.start, look_back)
    asked = {
        "calls": ("calls", earliest, scope.end),
        "looked": ("prompt_store_events", before(earliest), scope.end),
        "opened": ("invocations", before(earliest), scope.end),
    }

    def build(rows: Mapping[str, ir.Table]) -> ir.Table:
        calls = rows["calls"]
        calls = calls.filter(calls.prompt_tokens > 0)  # a call that failed before any usage touched nothing
        columns = calls.select(*_COLUMNS).mutate(in_scope=_chosen(calls, scope))
        return with_starts(columns, rows["looked"], rows["opened"]).drop("invocation_id")

    shape = ("traffic", scope.shape())
    unanswered = without_answer(reader, start=earliest, end=scope.end)  # first: its tables are let go of by then
    return from_table(_ranged(reader.joined(asked, shape=shape, build=build), scope.start), book, unanswered)


def from_table(table: pa.Table, book: PriceBook, unanswered: pa.Table | None = None) -> Traffic:
    """Lay calls (with `began`, `fetched` and `in_scope`) out as traffic, with the requests nobody saw answered."""
    started, ended = _times(table)
    order = np.argsort(started, kind="stable")
    start_ms, end_ms = started[order] // 1000, ended[order] // 1000
    column = {name: coded(table[name]).take(order) for name in _words_in(table)}

    def number(name: str, missing: int = 0) -> Ints:
        return integers(table[name], missing)[order]

    prompt, fresh, read = (number(name) for name in ("prompt_tokens", "input_tokens", "cache_read_tokens"))
    by_text = column["told_by"].equals("text")
    model, ttl = effective(
        model=column["model"], ttl=column["cache_ttl"], check=column["price_check"], text=by_text,
        written=prompt - fresh - read, group=(column["source"].codes, column["engine"].codes),
        version=column["function_version"].codes,
    )  # fmt: skip
    lifetimes = np.array([*(TTL_WORDS.get(word, 0) for word in ttl.values), 0], dtype=np.int64)
    ttl_ms = lifetimes[ttl.codes]
    told_5m, told_1h = (number(name, -1) for name in ("cache_write_5m_tokens", "cache_write_1h_tokens"))
    write_5m, write_1h = _writes(prompt - fresh - read, told_5m, told_1h, ttl_ms, by_text)
    ttft_ms = _milliseconds(table["ttft_ms"])[order]
    modifiers = Modifiers(column["service_tier"], column["speed"], column["inference_geo"])
    rates, plain, ids = token_rates(
        book, provider=column["provider"], model=model, start_ms=start_ms, prompt=prompt, modifiers=modifiers
    )
    workspace = column["workspace"] if "workspace" in column else Coded(np.full(len(order), -1, dtype=np.int64), ())
    places = _places(column["provider"], column["region"], workspace)
    waiting = Waiting(
        ttft_ms=ttft_ms, lasted_ms=np.maximum(end_ms - start_ms, 0), model=plain, start_ms=start_ms,
        processed=prompt - read, output=number("output_tokens"), read=read > 0, wrote=prompt - fresh - read > 0,
        lane=combined(column["engine"].codes, column["source"].codes, plain, places.codes),
    )  # fmt: skip
    begin_ms, end_ms = _answers(ttft_ms, start_ms, end_ms, usual_waits(waiting))
    begin_ms = bounded(begin_ms, waiting)
    end_ms = np.maximum(end_ms, begin_ms)
    return Traffic(
        call_id=table["call_id"].combine_chunks().take(pa.array(order)),
        start_ms=start_ms,
        begin_ms=begin_ms,
        end_ms=end_ms,
        start_known=column["ts_kind"].equals("start"),
        in_scope=table["in_scope"].to_numpy()[order],
        in_range=table["in_range" if "in_range" in table.column_names else "in_scope"].to_numpy()[order],
        by_text=by_text,
        engine=column["engine"],
        model=Coded(plain, ids),
        provider=column["provider"],
        version=column["function_version"],
        tenant=column["tenant"],
        source=column["source"],
        place=places,
        speed=column["speed"],
        fingerprint=column["prefix_fingerprint"],
        reason=column["cache_miss_reason"],
        blocks=column["prefix_blocks"],
        fetched=table["fetched"].to_numpy()[order],
        prompt=prompt,
        input=fresh,
        read=read,
        write_5m=write_5m,
        write_1h=write_1h,
        output=number("output_tokens"),
        told_prefix=number("prefix_tokens", missing=-1),
        enabled=integers(table["caching_enabled"].cast(pa.int8()), missing=-1)[order],
        ttl_ms=ttl_ms,
        minimum=_minimums(book, model, column["provider"]),
        rates=rates,
        unseen=Unseen.none()
        if unanswered is None
        else placed(unanswered, source=column["source"], engine=column["engine"], start_ms=start_ms),
    )


def _earlier(start: datetime | None, look_back: timedelta) -> datetime | None:
    return None if start is None else start - look_back


def _ranged(table: pa.Table, start: datetime | None) -> pa.Table:
    """Add `in_range` to calls, and leave those before the range out of `in_scope`."""
    if start is None:
        return table.append_column("in_range", pa.array(np.ones(table.num_rows, dtype=np.bool_)))
    inside = pc.greater_equal(table["ts"], pa.scalar(start, type=table.schema.field("ts").type))
    place = table.column_names.index("in_scope")
    return table.set_column(place, "in_scope", pc.and_(table["in_scope"], inside)).append_column("in_range", inside)


def _chosen(rows: ir.Table, scope: Scope) -> ir.BooleanValue:
    import ibis

    inside: Any = ibis.literal(True)
    for name, values in scope.filters().items():
        inside = inside & chosen(rows, name, values).fill_null(False)
    return inside


def _times(table: pa.Table) -> tuple[Ints, Ints]:
    """Return each call's start and end in microseconds; a start nothing tells is when it was told."""
    logged = integers(table["ts"])
    began = integers(table["began"], missing=-1)
    latency_us = _milliseconds(table["latency_ms"]) * 1000
    told = coded(table["ts_kind"]).equals("start")
    worked_out = np.where(latency_us > 0, logged - latency_us, np.where(began >= 0, began, logged))
    started = np.where(told, logged, worked_out)
    return started, np.where(told, started + np.maximum(latency_us, 0), logged)


def _answers(ttft_ms: Ints, start_ms: Ints, end_ms: Ints, usual_ms: Ints) -> tuple[Ints, Ints]:
    """Return when each answer began and ended. Untold, it began after the usual wait of a call like it."""
    end_ms = np.maximum(end_ms, start_ms)
    lasted = end_ms - start_ms
    guess = np.where(lasted > 0, np.minimum(usual_ms, lasted), usual_ms)
    begin_ms = start_ms + np.where(ttft_ms >= 0, ttft_ms, guess)
    return begin_ms, np.maximum(end_ms, begin_ms)


def _milliseconds(column: pa.ChunkedArray) -> Ints:
    values = column.cast(pa.float64()).fill_null(-1.0).to_numpy()
    return np.floor(np.clip(values, -1.0, 1e9)).astype(np.int64)


def _writes(written: Ints, told_5m: Ints, told_1h: Ints, ttl_ms: Ints, by_text: Bools) -> tuple[Ints, Ints]:
    """Return the writes by lifetime. A text line's go under the TTL in force, as do those nobody split."""
    unsplit = by_text | (told_5m < 0) | (told_1h < 0)
    long = ttl_ms == TTL_WORDS["1h"]
    write_1h = np.where(unsplit, np.where(long, written, 0), told_1h)
    return written - write_1h, write_1h


def _places(provider: Coded, region: Coded, workspace: Coded) -> Coded:
    """Name each cache: Bedrock keeps one per region, Anthropic one per workspace, in so far as calls tell it."""
    bedrock = provider.equals("bedrock")
    room = _known_workspace(workspace, provider.equals("anthropic"))
    pairs = combined(provider.codes, np.where(bedrock, region.codes, room))
    names: list[str] = []
    for row in np.unique(pairs, return_index=True)[1].tolist() if len(pairs) else []:
        seller = provider.values[provider.codes[row]] if provider.codes[row] >= 0 else "unknown"
        where, words = (region.codes[row], region.values) if bedrock[row] else (room[row], workspace.values)
        names.append(f"{seller} {words[where]}" if where >= 0 else seller)
    return Coded(pairs, tuple(names))


def _known_workspace(workspace: Coded, asked: Bools) -> Ints:
    """Return the workspace of each call; -1 for all where fewer than two are told of: then nothing sets calls apart.

    A call that does not tell its own, such as a text line, is taken to be in the commonest.
    """
    nowhere = np.full(len(workspace.codes), -1, dtype=np.int64)
    told = asked & (workspace.codes >= 0)
    counts = np.bincount(workspace.codes[told], minlength=len(workspace.values))
    if np.count_nonzero(counts) < 2:
        return nowhere
    return np.where(told, workspace.codes, np.where(asked, int(np.argmax(counts)), -1))


def _minimums(book: PriceBook, model: Coded, provider: Coded) -> Ints:
    pairs = combined(model.codes, provider.codes)
    found: list[int] = []
    for row in np.unique(pairs, return_index=True)[1].tolist() if len(pairs) else []:
        name = model.values[model.codes[row]] if model.codes[row] >= 0 else None
        seller = provider.values[provider.codes[row]] if provider.codes[row] >= 0 else None
        smallest = book.cache_minimum_tokens(name, seller) if name else None
        found.append(-1 if smallest is None else smallest)
    return np.array(found, dtype=np.int64)[pairs] if found else np.zeros(0, dtype=np.int64)


def _words_in(table: pa.Table) -> list[str]:
    return [
        name
        for name in table.column_names
        if pa.types.is_string(table.schema.field(name).type) and name not in ("call_id", "invocation_id")
    ]
