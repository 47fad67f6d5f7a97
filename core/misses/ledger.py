"""The miss ledger: every prompt token that was not read from the Claude cache, under exactly one cause, with its price.

A call gives at most two lines: its prefix, as far as it was not read, under the cause that was found, and what comes
after the breakpoint, as dynamic tail. Together they are its prompt less what it read, whatever the causes are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from core.metrics.scope import Scope
from core.misses.causes import CODE, CONFIDENCES, NAMES
from core.misses.judge import EVIDENCE, INFERRED, MEASURED, Verdict, judge
from core.misses.mending import savings
from core.pricing import PriceBook, default_book
from core.store.query import Reader
from core.store.schema import USD, UTC
from core.traffic import Traffic, load
from core.traffic.arrays import Bools, Coded, Ints, usd, words
from core.traffic.rates import TokenRates

SCHEMA = pa.schema(
    [
        pa.field("call_id", pa.string()),
        pa.field("ts", UTC),  # start of the request, worked out for text lines
        pa.field("engine", pa.string()),
        pa.field("tenant", pa.string()),  # whom the call is charged to; null: untagged
        pa.field("model", pa.string()),  # the price book's name
        pa.field("provider", pa.string()),
        pa.field("function_version", pa.string()),
        pa.field("source", pa.string()),
        pa.field("cause", pa.string()),
        pa.field("detail", pa.string()),  # which part changed: tools | system | messages | model | speed
        pa.field("tokens", pa.int64()),
        pa.field("usd", USD),  # what a read of these tokens would have saved; null: no price
        pa.field("recoverable_usd", USD),  # the part that the cause's mend would bring back, net of what it costs
        pa.field("confidence", pa.string()),  # measured | inferred | unknown
        pa.field("evidence", pa.string()),
        pa.field("gap_ms", pa.int64()),  # since the engine's last use of its entry
        pa.field("ttl_ms", pa.int64()),  # lifetime of that entry
        pa.field("previous_call_id", pa.string()),
        pa.field("previous_version", pa.string()),
        pa.field("previous_fingerprint", pa.string()),
        pa.field("fingerprint", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of one kind: which calls, how many tokens of each kind of price, under what cause."""

    row: Ints
    input: Ints
    write_5m: Ints
    write_1h: Ints
    cause: Ints
    confidence: Ints
    evidence: Ints

    @property
    def tokens(self) -> Ints:
        """All tokens of each line."""
        return self.input + self.write_5m + self.write_1h


def ledger(reader: Reader, scope: Scope, *, book: PriceBook | None = None) -> pa.Table:
    """Return the ledger's lines, call × cause, in order of time; see SCHEMA. Σ tokens = Σ (prompt − read)."""
    return of_traffic(load(reader, scope, book or default_book()))


def of_traffic(calls: Traffic, verdict: Verdict | None = None) -> pa.Table:
    """Return the ledger's lines of traffic already read, and judged where the verdict is given."""
    verdict = verdict or judge(calls)
    recoverable = savings(calls, verdict)
    prefix, tail = prefix_lines(calls, verdict), tail_lines(calls, verdict)
    table = pa.concat_tables([_table(calls, verdict, prefix, recoverable), _table(calls, verdict, tail, None)])
    return table.take(pa.array(np.argsort(np.concatenate([prefix.row, tail.row]), kind="stable")))


def prefix_lines(calls: Traffic, verdict: Verdict) -> Lines:
    """Return what was missed before the breakpoint: writes, and plain input where nothing was cached."""
    idle = calls.cached == 0
    row = np.flatnonzero(calls.in_scope & (np.where(idle, verdict.prefix, calls.write_5m + calls.write_1h) > 0))
    return Lines(
        row=row,
        input=np.where(idle, verdict.prefix, 0)[row],
        write_5m=calls.write_5m[row],
        write_1h=calls.write_1h[row],
        cause=verdict.cause[row],
        confidence=verdict.confidence[row],
        evidence=verdict.evidence[row],
    )


def tail_lines(calls: Traffic, verdict: Verdict) -> Lines:
    """Return what comes after the breakpoint."""
    tail = np.where(calls.cached == 0, calls.input - verdict.prefix, calls.input)
    row = np.flatnonzero(calls.in_scope & (tail > 0))
    nothing = np.zeros(len(row), dtype=np.int64)
    measured = verdict.prefix_measured[row]
    return Lines(
        row=row,
        input=tail[row],
        write_5m=nothing,
        write_1h=nothing,
        cause=nothing + CODE["dynamic_tail"],
        confidence=np.where(measured, MEASURED, INFERRED),
        evidence=np.where(measured, EVIDENCE.index("usage"), EVIDENCE.index("never_cached")),
    )


def lost(lines: Lines, rates: TokenRates) -> Ints:
    """Return what a read of each line's tokens would have saved, in picodollars; the rates are those of its calls."""
    return (
        lines.input * (rates.input - rates.read)
        + lines.write_5m * (rates.write_5m - rates.read)
        + lines.write_1h * (rates.write_1h - rates.read)
    )


def _table(calls: Traffic, verdict: Verdict, lines: Lines, recoverable: Ints | None) -> pa.Table:
    row = lines.row
    rates = calls.rates.take(row)
    back = np.zeros(len(row), dtype=np.int64) if recoverable is None else recoverable[row]
    before = verdict.previous[row] if recoverable is not None else np.full(len(row), -1, dtype=np.int64)
    told = before >= 0
    columns = {
        "call_id": calls.call_id.take(pa.array(row)),
        "ts": pa.array(calls.start_ms[row] * 1000, UTC),
        "engine": calls.engine.take(row).arrow(),
        "tenant": calls.tenant.take(row).arrow(),
        "model": calls.model.take(row).arrow(),
        "provider": calls.provider.take(row).arrow(),
        "function_version": calls.version.take(row).arrow(),
        "source": calls.source.take(row).arrow(),
        "cause": words(lines.cause, NAMES),
        "detail": verdict.detail.take(row).arrow() if recoverable is not None else pa.nulls(len(row), pa.string()),
        "tokens": pa.array(lines.tokens),
        "usd": usd(lost(lines, rates), rates.known),
        "recoverable_usd": usd(back, rates.known),
        "confidence": words(lines.confidence, CONFIDENCES),
        "evidence": words(lines.evidence, EVIDENCE),
        "gap_ms": _known(verdict.gap_ms[row], told),
        "ttl_ms": _known(verdict.ttl_ms[row], told),
        "previous_call_id": calls.call_id.take(pa.array(before, mask=~told)),
        "previous_version": _word_before(calls.version, before, told),
        "previous_fingerprint": _word_before(calls.fingerprint, before, told),
        "fingerprint": calls.fingerprint.take(row).arrow(),
    }
    return pa.table(columns, schema=SCHEMA)


def _known(values: Ints, told: Bools) -> pa.Array:
    return pa.array(values, mask=~told)


def _word_before(column: Coded, before: Ints, told: Bools) -> pa.Array:
    codes = column.codes[np.maximum(before, 0)] if len(column.codes) else before
    return Coded(np.where(told, codes, -1), column.values).arrow()
