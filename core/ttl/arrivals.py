"""The calls as the replay needs them: when they came, what they share, what each token costs under each policy."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from core.misses.causes import CODE
from core.misses.judge import Verdict, judge
from core.traffic import Traffic
from core.traffic.arrays import Bools, Ints, by_lane, combined
from core.ttl.replay import LONG_MS, SHORT_MS

_NEW = [CODE[name] for name in ("first_touch", "prefix_changed", "after_deploy", "after_clear", "lookback")]
"""Why a call writes behind what it read, under whatever lifetime: no earlier call had left those tokens behind."""

_SURELY_BEGUN = 3  # times the usual wait: by then an answer has begun


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Calls as the replay needs them, in any order. Tokens are whole numbers, rates picodollars a token."""

    engine: Ints  # codes into `engines`
    engines: tuple[str | None, ...]
    lane: Ints  # calls that share one prefix
    start_ms: Ints
    begin_ms: Ints
    prefix: Ints
    fresh: Ints  # of them, the new end that a call which reads the others writes: a conversation that has grown
    eligible: Bools  # long enough to be cached
    marked: Bools  # had a breakpoint
    ttl_ms: Ints  # lifetime asked for
    tail_cost: Ints  # what comes after the breakpoint, and the output: the same under every policy
    observed_cost: Ints
    rate_input: Ints
    rate_read: Ints
    rate_5m: Ints
    rate_1h: Ints
    counted: Bools  # in scope and priced
    in_range: Bools  # of the time asked about, whatever the filters: how long the range is
    told: Bools  # False: nobody saw its answer; it writes and refreshes, and only its keep-alives cost anything here
    unpriced: int = 0  # calls in scope without a price: in no figure

    def extended(self, like: Ints, start_ms: Ints) -> Arrivals:
        """Add requests without an answer, each like the call in a row, after whose usual wait it was readable."""
        changed = {
            "start_ms": start_ms,
            "begin_ms": start_ms + np.maximum(self.begin_ms[like] - self.start_ms[like], 0),
            "tail_cost": np.zeros(len(like), dtype=np.int64),
            "observed_cost": np.zeros(len(like), dtype=np.int64),
            "told": np.zeros(len(like), dtype=np.bool_),
        }
        columns: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        plain: dict[str, Any] = {name: columns.pop(name) for name in ("engines", "unpriced")}
        whole: dict[str, Any] = {
            name: np.concatenate((held, changed.get(name, held[like]))) for name, held in columns.items()
        }
        return Arrivals(**plain, **whole)


def arrivals(calls: Traffic, verdict: Verdict | None = None) -> Arrivals:
    """Return the arrivals of traffic: calls of one fingerprint share a prefix.

    Without fingerprints, calls of one engine share it until the miss ledger finds that it changed.
    """
    verdict = verdict or judge(calls)
    prefix = verdict.prefix
    rates = calls.rates
    known = calls.fingerprint.codes >= 0
    engine = calls.engine.codes + 1
    lane = combined(
        calls.fingerprint.codes,
        np.where(known, -1, combined(calls.lane, verdict.generation)),
        calls.model.codes,
        calls.place.codes,
        engine,
    )
    eligible = (calls.minimum < 0) | (prefix >= calls.minimum)
    idle = calls.cached == 0
    marked = eligible & ~(idle & (calls.by_text | (calls.enabled != 1)))
    usual = np.where(calls.ttl_ms > 0, calls.ttl_ms, SHORT_MS)
    ttl_ms = np.where(calls.write_1h > 0, LONG_MS, np.where(calls.write_5m > 0, SHORT_MS, usual))
    output = calls.output * rates.output
    prompt = (
        calls.input * rates.input + calls.read * rates.read
        + calls.write_5m * rates.write_5m + calls.write_1h * rates.write_1h
    )  # fmt: skip
    seen = Arrivals(
        engine=engine,
        engines=(None, *calls.engine.values),
        lane=lane,
        start_ms=calls.start_ms,
        begin_ms=calls.begin_ms,
        prefix=prefix,
        fresh=_fresh(calls, verdict),
        eligible=eligible,
        marked=marked,
        ttl_ms=ttl_ms,
        tail_cost=(calls.prompt - prefix) * rates.input + output,
        observed_cost=prompt + output,
        rate_input=rates.input,
        rate_read=rates.read,
        rate_5m=rates.write_5m,
        rate_1h=rates.write_1h,
        counted=calls.in_scope & rates.known,
        in_range=calls.in_range,
        unpriced=int(np.count_nonzero(calls.in_scope & ~rates.known)),
        told=np.ones(len(calls), dtype=np.bool_),
    )
    sent = _sent(calls, seen)
    return seen.extended(calls.unseen.like[sent], calls.unseen.start_ms[sent])


def _fresh(calls: Traffic, verdict: Verdict) -> Ints:
    """Return the tokens that a call wrote behind what it read, where no lifetime would have had them read."""
    new = (calls.read > 0) & np.isin(verdict.cause, _NEW)
    return np.where(new, np.minimum(calls.write_5m + calls.write_1h, verdict.prefix), 0)


def _sent(calls: Traffic, known: Arrivals) -> Bools:
    """Say which requests without an answer reached Claude: those that what came next does not deny.

    Had it been sent, it would have kept the prefix warm; a call soon after that wrote it anew denies it.
    """
    like, start = calls.unseen.like, calls.unseen.start_ms
    order = by_lane(known.lane, known.start_ms)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    following = order[np.minimum(place[like] + 1, len(order) - 1)] if len(order) else like
    same = (known.lane[following] == known.lane[like]) & (known.start_ms[following] > start)
    since = known.start_ms[following] - start
    begun = known.begin_ms[like] - known.start_ms[like]
    wrote = calls.cached[following] > calls.read[following]
    denied = (
        same & wrote & (calls.read[following] == 0) & (since > _SURELY_BEGUN * begun) & (since <= known.ttl_ms[like])
    )
    return ~denied
