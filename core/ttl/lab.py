"""What the TTL Lab shows: every policy's dollars a month with an interval, the advice, the gaps and the crossover."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import numpy as np

from core.metrics.buckets import zone_of
from core.metrics.scope import Scope
from core.pricing import PriceBook, default_book
from core.store.query import Reader
from core.traffic import load
from core.traffic.arrays import Floats, Ints
from core.ttl.chunks import GAP_EDGES_MS, IN_FORCE, OBSERVED
from core.ttl.replay import LONG_MS, PING_MS, SHORT_MS
from core.ttl.study import POLICIES, Lab, of_traffic

DAYS_A_MONTH = 30
"""What every "a month" of Cachewise means."""
FEWEST_DAYS = 3  # below it, days drawn anew say nothing
RESAMPLES = 2_000
LOW, HIGH = 5, 95  # percentiles of the bootstrap: a 90 % interval
Rows = list[dict[str, Any]]


def lab(reader: Reader, scope: Scope, *, book: PriceBook | None = None) -> Lab:
    """Read the calls in scope, with those before them, and replay every policy."""
    return of_traffic(load(reader, scope, book or default_book()))


def compare(found: Lab) -> Rows:
    """Return one row per engine and policy.

    Keys: engine, policy, configured, best, calls, reads, writes, pings, cost_usd (in the range), month_usd, and
    against the configured policy saving_month_usd with low and high (90 % interval, bootstrap over days).
    """
    rows: Rows = []
    for at in _present(found):
        best = best_policy(found, at)
        for policy in POLICIES:
            low, high = _interval(found, at, policy)
            rows.append(
                {
                    "engine": found.engines[at],
                    "policy": policy,
                    "configured": policy == found.configured[at],
                    "best": policy == best,
                    "calls": int(found.calls[at]),
                    "reads": int(found.reads[policy][at]),
                    "writes": int(found.writes[policy][at]),
                    "pings": int(found.pings[at]) if policy == "5m_keep_alive" else 0,
                    "cost_usd": _usd(_cost(found, policy, at)),
                    "month_usd": _month(found, _cost(found, policy, at)),
                    "saving_month_usd": _month(found, _saving(found, at, policy)),
                    "saving_low_usd": low,
                    "saving_high_usd": high,
                }
            )
    return rows


def advise(found: Lab) -> Rows:
    """Return one row per engine, the greatest saving first: which policy is cheapest, and how well the model fits.

    Keys: engine, configured, best, policy_saving_usd (in the range), saving_month_usd with low and high, sure (the
    interval excludes zero), off_is_best, cacheable_share (prefix ≥ the model's minimum), observed_usd, replayed_usd,
    model_error (replayed / observed − 1), bursts, pre_warm_month_usd.
    """
    rows: Rows = []
    for at in _present(found):
        best = best_policy(found, at)
        low, high = _interval(found, at, best)
        observed, replayed = _cost(found, OBSERVED, at), _cost(found, IN_FORCE, at)
        burst = found.bursts[at]
        rows.append(
            {
                "engine": found.engines[at],
                "configured": found.configured[at],
                "best": best,
                "policy_saving_usd": _usd(_saving(found, at, best)),
                "saving_month_usd": _month(found, _saving(found, at, best)),
                "saving_low_usd": low,
                "saving_high_usd": high,
                "sure": best == found.configured[at] or low > 0,
                "off_is_best": best == "off" and found.configured[at] != "off",
                "cacheable_share": int(found.cacheable[at]) / int(found.calls[at]),
                "observed_usd": _usd(observed),
                "replayed_usd": _usd(replayed),
                "model_error": replayed / observed - 1 if observed else None,
                "bursts": len(burst.starts_ms),
                "pre_warm_month_usd": _month(found, max(burst.saving, 0)),
            }
        )
    return sorted(rows, key=lambda row: -row["saving_month_usd"])


def mix(found: Lab) -> dict[str, Any]:
    """Return the month of all engines: as configured, each policy for all alike, and each engine on its best.

    Dollars are None where no call has a price; `unpriced_calls` are in no figure.
    """
    present = _present(found)

    def month(choose: dict[int, str]) -> Decimal | None:
        return _month(found, sum(_cost(found, policy, at) for at, policy in choose.items())) if present else None

    configured = month({at: found.configured[at] for at in present})
    best = month({at: best_policy(found, at) for at in present})
    observed, replayed = (sum(_cost(found, name, at) for at in present) for name in (OBSERVED, IN_FORCE))
    return {
        "configured_month_usd": configured,
        **{f"all_{policy}_month_usd": month(dict.fromkeys(present, policy)) for policy in POLICIES},
        "best_mix_month_usd": best,
        "saving_month_usd": None if configured is None or best is None else configured - best,
        "best_mix": {found.engines[at]: best_policy(found, at) for at in present},
        "observed_usd": _usd(observed) if present else None,
        "replayed_usd": _usd(replayed) if present else None,
        "model_error": replayed / observed - 1 if observed else None,
        "unpriced_calls": found.unpriced_calls,
        "span_days": found.span_days,
    }


def gaps(found: Lab, engine: str | None = None, *, every: bool = False) -> Rows:
    """Return (from_ms, to_ms, gaps, share) of one engine, or of all; the 5m and 1h rules are edges. to_ms None: ∞."""
    counts = found.gaps.sum(axis=0) if every else found.gaps[found.engines.index(engine)]
    whole = int(counts.sum())
    edges = [*GAP_EDGES_MS, None]
    return [
        {"from_ms": edges[at], "to_ms": edges[at + 1], "gaps": int(n), "share": int(n) / whole if whole else None}
        for at, n in enumerate(counts.tolist())
    ]


def crossover(found: Lab, engine: str | None) -> dict[str, Any]:
    """Return where 1h begins to beat 5m for an engine, and cost per 1,000 calls over the share of medium pauses.

    With q the share of gaps from 5 minutes to 1 hour and z of longer ones: 5m pays a write on q + z, 1h on z only, so
    they meet at q* = z (w1h − w5m) / (w5m − read). `curve` rows: pause_share, off, 5m, 1h, 5m_keep_alive (USD).
    """
    at = found.engines.index(engine)
    typical, counts = found.typical[at], found.gaps[at]
    whole = int(counts.sum())
    if typical is None or not whole:
        return {"engine": engine, "medium_share": None, "long_share": None, "crossover_share": None, "curve": []}
    edges = np.array(GAP_EDGES_MS)
    long = int(counts[edges >= LONG_MS].sum()) / whole
    medium = int(counts[(edges >= SHORT_MS) & (edges < LONG_MS)].sum()) / whole
    step = typical.write_5m - typical.read
    pings = max(-(-typical.idle_ms // PING_MS) - 1, 0)
    most = step // max(typical.read, 1)
    curve = []
    for share in np.linspace(0, 1 - long, 41).tolist():
        reads_5m, reads_1h = 1 - long - share, 1 - long
        kept = share if pings <= most else 0.0
        kept_alive = (
            (reads_5m + kept) * typical.read
            + (long + share - kept) * typical.write_5m
            + (share * min(pings, most) + long * most) * typical.read
        )
        costs = {
            "off": typical.input,
            "5m": reads_5m * typical.read + (long + share) * typical.write_5m,
            "1h": reads_1h * typical.read + long * typical.write_1h,
            "5m_keep_alive": kept_alive,
        }
        curve.append(
            {"pause_share": share} | {name: cost * typical.prefix * 1000 / 1e12 for name, cost in costs.items()}
        )
    return {
        "engine": engine,
        "medium_share": medium,
        "long_share": long,
        "crossover_share": long * (typical.write_1h - typical.write_5m) / step if step > 0 else None,
        "curve": curve,
    }


def bursts(found: Lab, *, zone: str = "UTC") -> Rows:
    """Return one row per engine with bursts: how many, what pre-warming would save, and at which hours they come.

    `predictable` is the share of bursts that begin in the two commonest hours of the day: only those can be met by
    a schedule.
    """
    where = zone_of(zone)
    rows: Rows = []
    for at in _present(found):
        burst = found.bursts[at]
        if not len(burst.starts_ms):
            continue
        hours = Counter(datetime.fromtimestamp(ms / 1000, where).hour for ms in burst.starts_ms.tolist())
        common = hours.most_common(2)
        rows.append(
            {
                "engine": found.engines[at],
                "bursts": len(burst.starts_ms),
                "writes_beside": burst.writes_beside,
                "saving_usd": _usd(burst.saving),
                "saving_month_usd": _month(found, burst.saving),
                "hours": sorted(hour for hour, _ in common),
                "predictable": sum(count for _, count in common) / len(burst.starts_ms),
                "pays": burst.saving > 0,
            }
        )
    return sorted(rows, key=lambda row: -row["saving_usd"])


def best_policy(found: Lab, at: int) -> str:
    """Return the cheapest policy of an engine; the configured one where nothing is cheaper."""
    costs = {policy: _cost(found, policy, at) for policy in POLICIES}
    least = min(costs.values())
    configured = found.configured[at]
    return configured if costs[configured] == least else next(name for name in POLICIES if costs[name] == least)


def _present(found: Lab) -> list[int]:
    return [at for at in range(len(found.engines)) if found.calls[at]]


def _cost(found: Lab, policy: str, at: int) -> int:
    return sum(found.costs[policy][at].tolist())


def _saving(found: Lab, at: int, policy: str) -> int:
    return _cost(found, found.configured[at], at) - _cost(found, policy, at)


def _interval(found: Lab, at: int, policy: str) -> tuple[Decimal, Decimal]:
    """Return the 5th and 95th percentile of the monthly saving, days drawn anew with replacement."""
    daily: Ints = found.costs[found.configured[at]][at] - found.costs[policy][at]
    sums = _resampled(len(daily)) @ daily.astype(np.float64)
    if not daily.any():
        return Decimal(0), Decimal(0)
    low, high = np.percentile(sums, [LOW, HIGH])
    return _month(found, int(low)), _month(found, int(high))


@lru_cache(maxsize=8)
def _resampled(days: int) -> Floats:
    """Return how often each day is drawn, in each resample. The same seed always: the same data, the same interval."""
    drawn = np.random.default_rng(20_261_123).multinomial(days, np.full(days, 1 / days), RESAMPLES)
    return drawn.astype(np.float64)


def _month(found: Lab, picodollars: int) -> Decimal:
    """Carry the range over to 30 days."""
    return (_usd(picodollars) * DAYS_A_MONTH / Decimal(str(found.span_days))).quantize(Decimal("0.000001"))


def _usd(picodollars: int) -> Decimal:
    return Decimal(picodollars).scaleb(-12)
