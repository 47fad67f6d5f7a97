"""What is watched: each channel says how much one row speaks for a change of a given size, in nats.

Shares and logarithms are weighed as normal values, misses as coin throws, the price of a token by the book's own rates.
A row's voice is divided by how much hours clump, and no call may say more than three nats: a single odd call proves
nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.regressions.baseline import DAYS, Baseline, Calendar, Past, Sums, learn
from core.regressions.lane import KINDS, Bools, Floats, Lane, added
from core.regressions.model import Metric

_PER_CALL = 3.0
_LEAST_SHARE, _MOST_SHARE = 0.01, 0.97


@dataclass(frozen=True, slots=True)
class Channel:
    """One thing watched: the metric it belongs to, and the changes worth an alarm (the first is the smallest)."""

    name: str
    metric: Metric
    levels: tuple[float, ...]
    worse: int  # +1: more is worse, -1: less is worse
    floor: float  # least standard deviation of one call's value
    weigh: Callable[[Channel, Lane, Calendar, int, Past, Bools], tuple[Floats, Baseline | None] | None]
    sums: Callable[[Lane], Sums]


def of_shares(lane: Lane) -> Sums:
    """Read share of each call that read anything; the others are the business of the misses."""
    return Sums.of(lane.calls - lane.misses, lane.share, lane.share_sq)


def of_misses(lane: Lane) -> Sums:
    """Calls that read nothing."""
    return Sums.of(lane.calls, lane.misses, lane.misses)


def of_costs(lane: Lane) -> Sums:
    """Logarithm of each call's dollars."""
    return Sums.of(lane.priced, lane.log_cost, lane.log_cost_sq)


def of_latencies(lane: Lane) -> Sums:
    """Logarithm of each call's milliseconds."""
    return Sums.of(lane.timed, lane.log_ms, lane.log_ms_sq)


def _normal(
    channel: Channel, lane: Lane, calendar: Calendar, day: int, past: Past, spoiled: Bools
) -> tuple[Floats, Baseline | None] | None:
    """Weigh values around their mean: n·δ(y − μ − δ/2) ÷ σ², for each size δ of change."""
    known = learn(past, day, floor=channel.floor, tolerance=channel.levels[0] / 2)
    if known is None:
        return None
    rows, sums = calendar.rows(day), past.sums
    gap, n = lane.gap[rows], sums.n[rows]
    left = channel.worse * (sums.total[rows] - n * known.expected(gap, calendar.season[rows]))
    variance = known.variance[gap] * known.clumping
    voices = [
        step * (left - n * step / 2) / variance for step in (max(level, 3 * known.spread) for level in channel.levels)
    ]
    return _bounded(np.array(voices), n), known


def _thrown(
    channel: Channel, lane: Lane, calendar: Calendar, day: int, past: Past, spoiled: Bools
) -> tuple[Floats, Baseline | None] | None:
    """Weigh misses as coin throws: k·ln(p₁/p₀) + (n − k)·ln((1 − p₁)/(1 − p₀))."""
    known = learn(past, day, floor=channel.floor, tolerance=channel.levels[0] / 2)
    if known is None:
        return None
    rows, sums = calendar.rows(day), past.sums
    gap, n, misses = lane.gap[rows], sums.n[rows], sums.total[rows]
    usual = np.clip(known.expected(gap, calendar.season[rows]), _LEAST_SHARE, _MOST_SHARE)
    voices = []
    for level in channel.levels:
        worse = usual + max(level, 3 * known.spread) if level < 0.5 else np.full_like(usual, level)
        able = worse - usual >= channel.levels[0] - 1e-9
        worse = np.clip(worse, _LEAST_SHARE, _MOST_SHARE)
        voice = misses * np.log(worse / usual) + (n - misses) * np.log((1 - worse) / (1 - usual))
        voices.append(np.where(able & (worse > usual), voice, 0.0) / known.clumping)
    return _bounded(np.array(voices), n), known


def _price(
    channel: Channel, lane: Lane, calendar: Calendar, day: int, past: Past, spoiled: Bools
) -> tuple[Floats, Baseline | None] | None:
    """Weigh the dollars against what the same tokens cost before: there is no chance in it, so calls just count."""
    dearer = price_index(lane, calendar, day, spoiled)
    if dearer is None:
        return None
    n = lane.priced[calendar.rows(day)].astype(np.float64)
    voice = n * np.where(dearer >= 1 + channel.levels[0], _PER_CALL, -_PER_CALL)
    return voice[np.newaxis, :], None


def price_index(lane: Lane, calendar: Calendar, day: int, spoiled: Bools) -> Floats | None:
    """Return each row's cost of the day over the same tokens at the baseline's rates; None without a baseline."""
    early, late = calendar.between(day - DAYS, day)
    past, now = early + np.flatnonzero(~spoiled[early:late]), calendar.rows(day)
    if lane.priced[past].sum() < 30:
        return None
    paid, reference = np.zeros(len(now)), np.zeros(len(now))
    for kind in KINDS:
        tokens, cost = lane.tokens[kind], lane.costs[kind]
        before = int(tokens[past].sum())
        if before == 0:
            continue
        paid += cost[now]
        reference += tokens[now] * (added(cost[past]) / before)
    return np.divide(paid, reference, out=np.ones(len(paid)), where=reference > 0)


def _bounded(voices: Floats, n: Floats) -> Floats:
    """Keep a call from saying too much; a row of which nothing is known says nothing."""
    return np.minimum(np.nan_to_num(voices), _PER_CALL * n)


CHANNELS: tuple[Channel, ...] = (
    Channel("read_share", "read_share", (0.10, 0.35), -1, 0.03, _normal, of_shares),
    Channel("miss_share", "miss_share", (0.25, 0.90), 1, 0.05, _thrown, of_misses),
    Channel("cost", "cost_per_request", (0.15, 0.60), 1, 0.05, _normal, of_costs),
    Channel("unit_price", "cost_per_request", (0.03,), 1, 0.0, _price, of_costs),
    Channel("latency", "latency", (0.20, 0.60), 1, 0.05, _normal, of_latencies),
)
