"""What a mend really brought: the missed dollars per call before its mark against those after it.

    realised a month = (missed before / calls before − missed after / calls after) × calls after / days after × 30

That is what the calls since the mark would have lost as before, less what they did lose, so that more or fewer calls
are no gain and no loss. Mends that turn misses of one cause into misses of others by design (switching on, another
lifetime, a longer prefix) are measured over all causes of their engine, every other one over its own cause, with what
the engine's other causes did beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core import misses
from core.metrics.scope import Scope
from core.pricing import PriceBook
from core.promises.marks import Promise
from core.store.query import Reader
from core.traffic import Traffic, bounded, load_bounded, slices
from core.traffic.arrays import Bools, Coded, Floats, Ints, coded
from core.traffic.bounds import EVERY
from core.ttl.lab import DAYS_A_MONTH

BEFORE = timedelta(days=7)
LONGEST = timedelta(days=30)
FEWEST_DAYS = 1.0  # of both sides: less does not hold a day's rhythm
FEWEST_CALLS = 20
_DAYS_FOR_INTERVAL = 3
_DAY_MS = 86_400_000
_RESAMPLES = 2_000
_MICRO = Decimal("0.000001")
_ENGINE_WIDE = ("switch_on", "longer_prefix")
_LINE = ["engine", "ts", "cause", "usd"]

Status = Literal["measured", "too_early", "no_base", "no_price"]


@dataclass(frozen=True, slots=True)
class Realised:
    """What came of a promise; dollars are None unless `status` is "measured".

    `too_early`: fewer than a day or twenty calls since the mark. `no_base`: as few before it. `no_price`: calls
    without a price only.
    """

    status: Status
    measure: Literal["cause", "engine"]
    days: float
    calls: int
    days_before: float
    calls_before: int
    missed_usd: Decimal | None = None
    missed_before_usd: Decimal | None = None
    month_usd: Decimal | None = None
    low_usd: Decimal | None = None  # 90 % interval, days drawn anew; None: fewer than three days on a side
    high_usd: Decimal | None = None
    elsewhere_month_usd: Decimal | None = None  # what the engine's other causes cost more (+) or less (−)


_NOTHING = Realised("too_early", "cause", 0.0, 0, 0.0, 0)


@dataclass(frozen=True, slots=True)
class _Side:
    """The calls of one side of the mark, and what they missed, by day."""

    days: float
    calls: int
    own_usd: Decimal
    all_usd: Decimal
    daily_usd: Floats
    daily_calls: Floats


@dataclass(frozen=True, slots=True)
class Seen:
    """What promises are measured on: the calls of the engines concerned, and what they missed."""

    until_ms: int  # the newest call, of whatever engine
    engine: Coded
    start_ms: Ints
    priced: Bools
    lines: pa.Table  # engine, ts, cause, usd

    @staticmethod
    def of(calls: Traffic, lines: pa.Table, engines: Iterable[str | None]) -> Seen:
        """Keep of some traffic and its miss ledger what is asked of these engines."""
        wanted = set(engines)
        codes = [code for code, name in enumerate(calls.engine.values) if name in wanted]
        inside = calls.in_scope & np.isin(calls.engine.codes, [*codes, -1] if None in wanted else codes)
        kept = pc.is_in(lines["engine"], pa.array(list(wanted), pa.string()))  # null is among them if None is
        newest = int(calls.start_ms[calls.in_scope].max(initial=-1))
        return Seen(
            until_ms=newest + 1,
            engine=calls.engine.take(inside),
            start_ms=calls.start_ms[inside],
            priced=calls.rates.known[inside],
            lines=lines.filter(kept).select(_LINE),
        )

    @staticmethod
    def together(parts: Sequence[Seen]) -> Seen:
        """Join what was seen piece by piece."""
        return Seen(
            until_ms=max(part.until_ms for part in parts),
            engine=coded(pa.chunked_array([part.engine.arrow() for part in parts])),
            start_ms=np.concatenate([part.start_ms for part in parts]),
            priced=np.concatenate([part.priced for part in parts]),
            lines=pa.concat_tables([part.lines for part in parts]),
        )


def measure(reader: Reader, done: Sequence[Promise], book: PriceBook) -> dict[str, Realised]:
    """Measure promises on the days around each, some of them at a time; return what came of each by the mark's id."""
    engines = {promise.engine for promise in done}
    windows, parts = _windows(done), []
    for scope in windows:
        for part in slices(reader, scope, bounded(reader, scope).calls):
            traffic, _ = load_bounded(reader, part, book, at_once=EVERY)
            parts.append(Seen.of(traffic, misses.of_traffic(traffic), engines))
    if not parts:
        return {promise.action_id: _NOTHING for promise in done}
    seen = Seen.together(parts)
    seen = replace(seen, until_ms=max(seen.until_ms, _newest_ms(reader, windows[-1])))
    return {promise.action_id: realised(seen, promise) for promise in done}


def _newest_ms(reader: Reader, read: Scope) -> int:
    """Return the newest call, if it came after what was read: of a promise of long ago only its month is."""
    span = reader.span("calls", read.end)
    if span is None:
        return 0
    rows = reader.table("calls", max(read.end or span[0], span[1] - timedelta(days=1)))
    newest = reader.rows(rows.aggregate(ts=rows.ts.max()))[0]["ts"]
    return 0 if newest is None else _ms(newest)


def _windows(done: Sequence[Promise]) -> list[Scope]:
    """Return the ranges that must be read to measure these promises; where they overlap or touch, as one."""
    found: list[Scope] = []
    for at in sorted(promise.done_at for promise in done):
        start, end = at - BEFORE, at + LONGEST
        if found and start <= (found[-1].end or start):
            found[-1] = Scope(found[-1].start, end)
        else:
            found.append(Scope(start, end))
    return found


def realised(seen: Seen, promise: Promise) -> Realised:
    """Measure one promise on what was seen of the days around it."""
    engine_wide = promise.mend_key.startswith("set_") or promise.mend_key in _ENGINE_WIDE
    result = replace(_NOTHING, measure="engine" if engine_wide else "cause")
    own = seen.engine.codes < 0 if promise.engine is None else seen.engine.equals(promise.engine)
    done_ms = _ms(promise.done_at)
    until_ms = min(seen.until_ms, done_ms + _span_ms(LONGEST))
    if not own.any():
        return result
    from_ms = max(done_ms - _span_ms(BEFORE), int(seen.start_ms[own].min()))
    if promise.since is not None:
        from_ms = max(from_ms, min(_ms(promise.since), done_ms))
    lines = _lines_of(seen.lines, promise.engine)
    cause = None if engine_wide else promise.cause
    at_ms = seen.start_ms[own & seen.priced]
    before = _side(at_ms, lines, cause, from_ms, done_ms)
    after = _side(at_ms, lines, cause, done_ms, max(until_ms, done_ms))
    result = replace(result, days=after.days, calls=after.calls, days_before=before.days, calls_before=before.calls)
    if not len(at_ms):
        return replace(result, status="no_price")
    if after.days < FEWEST_DAYS or after.calls < FEWEST_CALLS:
        return result
    if before.days < FEWEST_DAYS or before.calls < FEWEST_CALLS:
        return replace(result, status="no_base")
    low, high = _interval(before, after)
    month = _month(before.own_usd, before.calls, after.own_usd, after)
    rest = _month(before.all_usd - before.own_usd, before.calls, after.all_usd - after.own_usd, after)
    return replace(
        result,
        status="measured",
        missed_usd=after.own_usd,
        missed_before_usd=before.own_usd,
        month_usd=month,
        low_usd=None if low is None else min(low, month),
        high_usd=None if high is None else max(high, month),
        elsewhere_month_usd=None if engine_wide else -rest,
    )


def _month(before_usd: Decimal, before_calls: int, after_usd: Decimal, after: _Side) -> Decimal:
    """Return the formula of this module."""
    would_have = before_usd * after.calls / before_calls
    return ((would_have - after_usd) * DAYS_A_MONTH / Decimal(str(after.days))).quantize(_MICRO)


def _interval(before: _Side, after: _Side) -> tuple[Decimal | None, Decimal | None]:
    """Return the 5th and 95th percentile over whole days of both sides drawn anew."""
    if min(len(before.daily_usd), len(after.daily_usd)) < _DAYS_FOR_INTERVAL:
        return None, None
    rng = np.random.default_rng(20_261_126)  # fixed: the same data give the same interval
    sums = []
    for side in (before, after):
        drawn = rng.integers(0, len(side.daily_usd), (_RESAMPLES, len(side.daily_usd)))
        sums.append((side.daily_usd[drawn].sum(axis=1), side.daily_calls[drawn].sum(axis=1)))
    (usd_before, n_before), (usd_after, n_after) = sums
    fair = n_before > 0
    if not fair.any():
        return None, None
    per_call = usd_before[fair] / n_before[fair]
    gain = (per_call * n_after[fair] - usd_after[fair]) * DAYS_A_MONTH / len(after.daily_usd)
    low, high = (Decimal(f"{value:.6f}") for value in np.percentile(gain, [5, 95]))
    return low, high


def _side(at_ms: Ints, lines: pa.Table, cause: str | None, start: int, end: int) -> _Side:
    at = at_ms[(at_ms >= start) & (at_ms < end)]
    stamps = lines["ts"].cast(pa.int64()).to_numpy() // 1000
    hit = (stamps >= start) & (stamps < end)
    part, stamps = lines.filter(pa.array(hit)), stamps[hit]
    own, own_stamps = part, stamps
    if cause is not None:
        same = pc.equal(part["cause"], cause).to_numpy()
        own, own_stamps = part.filter(pa.array(same)), stamps[same]
    days = max(end - start, 0) / _DAY_MS
    whole = int(days)
    return _Side(
        days=days,
        calls=len(at),
        own_usd=_sum(own),
        all_usd=_sum(part),
        daily_usd=_by_day(own_stamps - start, pc.fill_null(own["usd"].cast(pa.float64()), 0.0).to_numpy(), whole),
        daily_calls=_by_day(at - start, np.ones(len(at)), whole),
    )


def _by_day(age_ms: Ints, amounts: Floats, days: int) -> Floats:
    """Return sums of whole days; what is left over at the end is no day."""
    sums = np.zeros(days, dtype=np.float64)
    day = age_ms // _DAY_MS
    inside = day < days
    np.add.at(sums, day[inside], amounts[inside])
    return sums


def _sum(lines: pa.Table) -> Decimal:
    return pc.sum(lines["usd"]).as_py() or Decimal(0)


def _lines_of(lines: pa.Table, engine: str | None) -> pa.Table:
    same = pc.is_null(lines["engine"]) if engine is None else pc.equal(lines["engine"], engine)
    return lines.filter(pc.fill_null(same, False))


def _span_ms(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
