"""What to do next: the miss ledger and the TTL Lab joined into ranked actions, with dollars a month and an interval.

Both are asked about the same range. An action is listed while its cause goes on: what was mended, or what passed by
itself, is history and not advice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from core import misses, ttl
from core.metrics.buckets import zone_of
from core.metrics.scope import Scope
from core.ttl.lab import DAYS_A_MONTH

DAYS = 7
"""Actions are judged on the last days only: long enough for a week's rhythm, short enough to be about now."""

EFFORTS: dict[str, str] = {
    "switch_on": "setting", "one_place": "setting", "set_5m": "setting", "set_1h": "setting",
    "stable_prefix": "code", "more_breakpoints": "code", "set_off": "code",
    "longer_prefix": "prompt", "pre_warm": "schedule", "set_5m_keep_alive": "schedule",
}  # fmt: skip
"""What each mend takes: a setting, a change of code or of the prompt, or a scheduled request."""

_DAY_MS = 86_400_000
_FEWEST_CALLS = 20  # so many calls without a miss before it can be called over
_BEGUN_CALLS = 5  # a cause that has just begun is none before so many calls: a month is not told from one of them
_SPACINGS = 10  # and so many times the usual distance between two: by chance, once in e^10
_RESAMPLES = 2_000
_ZERO = Decimal(0)
Rows = list[dict[str, Any]]


def recent(scope: Scope, *, zone: str, now: datetime | None = None) -> Scope:
    """Return the seven days of a zone up to the end of a scope, the last of them as far as it goes.

    Wherever the scope begins: the same action has the same dollars whatever range it is seen in.
    """
    place = zone_of(zone)
    end = scope.end or now or datetime.now(UTC)
    last = (end - timedelta(microseconds=1)).astimezone(place).date()
    start = datetime.combine(last - timedelta(days=DAYS - 1), time(), tzinfo=place)
    return replace(scope, start=start.astimezone(UTC))


def findings(lines: pa.Table, lab: ttl.Lab) -> dict[str, Any]:
    """Return what was missed, what of it can be had back, and where most of that lies.

    Keys: those of core.misses.total, with recoverable_usd over causes and lifetimes; top_cause, top_engine and
    top_usd: the engine's cause that would bring back most (None: nothing can be had back).
    """
    whole, found = misses.total(lines), mends(lines, lab)
    top = found[0] if found else {}
    return whole | {
        "recoverable_usd": None if whole["usd"] is None else _sum(row["recoverable_usd"] for row in found),
        "top_cause": top.get("cause"),
        "top_engine": top.get("engine"),
        "top_usd": top.get("recoverable_usd"),
    }


def mends(lines: pa.Table, lab: ttl.Lab) -> Rows:
    """Return core.misses.recoverable over causes and lifetimes: what each engine's mends bring back, the most first.

    Another lifetime counts for nothing while the prefix changes: what it would save, the prefix's own mend does.
    """
    return _known(misses.recoverable(lines, lifetimes(lines, lab)))


def recoverable_lines(lines: pa.Table, lab: ttl.Lab) -> pa.Table:
    """Return the ledger's lines of every engine's cause in which something can be had back."""
    picked = pa.array(np.zeros(lines.num_rows, dtype=bool))
    for mend in mends(lines, lab):
        engine = lines["engine"]
        same = pc.is_null(engine) if mend["engine"] is None else pc.equal(engine, mend["engine"])
        picked = pc.or_(picked, pc.and_(pc.fill_null(same, False), pc.equal(lines["cause"], mend["cause"])))
    return lines.filter(picked)


def by_cause(lines: pa.Table, lab: ttl.Lab) -> Rows:
    """Return core.misses.by_cause with recoverable_usd over causes and lifetimes, rest_usd, and cumulative_share.

    `engines` names those in which something can be had back, the most first; the rest is usd − recoverable_usd.
    """
    found = mends(lines, lab)
    rows, seen = misses.by_cause(lines), 0.0
    for row in rows:
        own = [mend for mend in found if mend["cause"] == row["cause"]]
        back = _sum(mend["recoverable_usd"] for mend in own)
        seen += row["usd_share"] or 0.0
        row |= {
            "recoverable_usd": None if row["usd"] is None else back,
            "rest_usd": None if row["usd"] is None else max(_ZERO, row["usd"] - back),
            "engines": [mend["engine"] for mend in own],
            "cumulative_share": None if row["usd_share"] is None else min(seen, 1.0),
        }
    return rows


def by_engine(lines: pa.Table, lab: ttl.Lab) -> Rows:
    """Return core.misses.by_engine with `dearest`, the dearest cause avoidable or not, and recoverable_usd of all."""
    dearest: dict[str | None, str] = {}
    for row in misses.groups(lines, ("engine", "cause")):
        dearest.setdefault(row["engine"], row["cause"])
    found, rows = mends(lines, lab), misses.by_engine(lines)
    for row in rows:
        back = _sum(mend["recoverable_usd"] for mend in found if mend["engine"] == row["engine"])
        row |= {"dearest": dearest[row["engine"]], "recoverable_usd": None if row["usd"] is None else back}
    return rows


def groups(lines: pa.Table, lab: ttl.Lab, by: tuple[str, ...]) -> Rows:
    """Return core.misses.groups with recoverable_usd over causes and lifetimes, where `by` is engine, cause or both.

    By any other column it is over causes alone: what another lifetime saves is an engine's, and not told of its parts.
    """
    if by == ("cause",):
        return by_cause(lines, lab)
    rows = misses.groups(lines, by)
    if not by or set(by) - {"engine", "cause"}:
        return rows
    found = mends(lines, lab)
    for row in rows:
        own = [mend["recoverable_usd"] for mend in found if all(mend[name] == row[name] for name in by)]
        row["recoverable_usd"] = None if row["usd"] is None else _sum(own)
    return rows


def lifetimes(lines: pa.Table, lab: ttl.Lab) -> Rows:
    """Return core.ttl.advise, with `prefix_first`: while an engine's prefix changes, no lifetime can be judged."""
    changed = _changed_prefixes(lines)
    return [
        row | {"prefix_first": changed.get(row["engine"], _ZERO) > row["policy_saving_usd"]} for row in ttl.advise(lab)
    ]


def actions(lines: pa.Table, lab: ttl.Lab) -> Rows:
    """Return what can be done, the most dollars a month first.

    Keys: engine, cause, mend_key, effort, month_usd, low_usd and high_usd (90 % interval; None: too few days), days,
    calls, tokens, usd, measured_share, since (None: as long as the range tells), since_version, last_seen, detail,
    configured and best (of a lifetime).
    """
    found = [*_cause_actions(lines, lab), *_lifetime_actions(lines, lab)]
    return sorted(found, key=lambda row: -row["month_usd"])


def _cause_actions(lines: pa.Table, lab: ttl.Lab) -> Rows:
    course = _Course.of(lines, lab)
    rows: Rows = []
    for group in _known(misses.recoverable(lines)):
        stretch = course.of_group(group["engine"], group["cause"])
        if group["cause"].startswith("expired") or stretch is None:
            continue
        month, low, high = stretch.month()
        rows.append(
            _row(group, mend_key=group["mend_key"], month=(month, low, high), days=stretch.days)
            | {
                "since": stretch.since,
                "since_version": stretch.version if stretch.since else None,
                "last_seen": stretch.last_seen,
                "detail": stretch.detail,
            }
        )
    return rows


def _lifetime_actions(lines: pa.Table, lab: ttl.Lab) -> Rows:
    if lab.span_days < ttl.FEWEST_DAYS:
        return []  # nothing is sure yet
    switched_off = {row["engine"] for row in misses.recoverable(lines) if row["cause"] == "caching_off"}
    expired: dict[str | None, dict[str, Any]] = {}
    for row in misses.groups(lines, ("engine", "cause")):
        if row["cause"].startswith("expired"):
            expired.setdefault(row["engine"], row)
    rows: Rows = []
    for advice in lifetimes(lines, lab):
        engine, best = advice["engine"], advice["best"]
        told_already = advice["configured"] == "off" and engine in switched_off
        if best == advice["configured"] or not advice["sure"] or advice["prefix_first"] or told_already:
            continue
        group = expired.get(engine) or {"engine": engine, "cause": None}
        month = (advice["saving_month_usd"], advice["saving_low_usd"], advice["saving_high_usd"])
        rows.append(
            _row(group, mend_key=f"set_{best}", month=month, days=lab.span_days)
            | {"configured": advice["configured"], "best": best}
        )
    return [row for row in rows if row["month_usd"] > 0]


def _row(
    group: Mapping[str, Any], *, mend_key: str, month: tuple[Decimal, Decimal | None, Decimal | None], days: float
) -> dict[str, Any]:
    return {
        "engine": group["engine"],
        "cause": group["cause"],
        "mend_key": mend_key,
        "effort": EFFORTS[mend_key],
        "month_usd": month[0],
        "low_usd": month[1],
        "high_usd": month[2],
        "days": days,
        **{name: group.get(name) for name in ("calls", "tokens", "usd", "measured_share")},
        **dict.fromkeys(("since", "since_version", "last_seen", "detail", "configured", "best")),
    }


def _changed_prefixes(lines: pa.Table) -> dict[Any, Decimal]:
    return {
        row["engine"]: row["usd"] or _ZERO
        for row in misses.groups(lines, ("engine", "cause"))
        if row["cause"] == "prefix_changed"
    }


@dataclass(frozen=True, slots=True)
class _Stretch:
    """How long one cause has been going on in one engine, and what it cost in that time."""

    since: datetime | None
    last_seen: datetime
    days: float
    back_usd: Decimal
    daily_usd: npt.NDArray[np.float64]  # whole days only, the latest first
    version: str | None
    detail: str | None

    def month(self) -> tuple[Decimal, Decimal | None, Decimal | None]:
        """Return dollars a month with the 5th and 95th percentile of days drawn anew."""
        month = (self.back_usd * DAYS_A_MONTH / Decimal(str(self.days))).quantize(Decimal("0.000001"))
        count = len(self.daily_usd)
        if count < ttl.FEWEST_DAYS:
            return month, None, None
        rng = np.random.default_rng(20_261_123)  # fixed: the same data give the same interval
        means = self.daily_usd[rng.integers(0, count, (_RESAMPLES, count))].mean(axis=1)
        low, high = (Decimal(f"{value * DAYS_A_MONTH:.6f}") for value in np.percentile(means, [5, 95]))
        return month, min(low, month), max(high, month)


@dataclass(frozen=True, slots=True)
class _Course:
    """The ledger's lines as columns, in order of time."""

    lines: pa.Table
    at_ms: npt.NDArray[np.int64]
    call: npt.NDArray[np.int64]  # number of the call among all calls
    from_ms: int  # the range, which filters do not shorten
    to_ms: int

    @staticmethod
    def of(lines: pa.Table, lab: ttl.Lab) -> _Course:
        ids = lines["call_id"].combine_chunks().dictionary_encode()
        codes = pc.fill_null(pc.cast(ids.indices, pa.int64()), -1).to_numpy() if lines.num_rows else np.zeros(0)
        starts = np.ones(len(codes), dtype=np.bool_)
        starts[1:] = codes[1:] != codes[:-1]  # a call's lines lie beside each other
        at_ms = lines["ts"].cast(pa.int64()).to_numpy() // 1000
        from_ms, to_ms = int(at_ms.min(initial=lab.from_ms)), int(at_ms.max(initial=lab.to_ms))
        return _Course(lines, at_ms, np.cumsum(starts), from_ms, to_ms)

    def of_group(self, engine: str | None, cause: str) -> _Stretch | None:
        """Return the stretch in which a cause goes on, or None where it is over or has hardly begun."""
        same = pc.is_null(self.lines["engine"]) if engine is None else pc.equal(self.lines["engine"], engine)
        of_engine = pc.fill_null(same, False).to_numpy()
        hit = of_engine & pc.equal(self.lines["cause"], cause).to_numpy()
        calls, rows = np.unique(self.call[of_engine]), np.flatnonzero(hit)
        first, last = np.searchsorted(calls, self.call[rows[[0, -1]]])
        quiet = max(_FEWEST_CALLS, _SPACINGS * (last - first + 1) / len(rows))
        if len(calls) - 1 - last > quiet:
            return None
        until, began = self.to_ms, first > quiet
        if began and len(rows) < _BEGUN_CALLS:
            return None
        start = int(self.at_ms[rows[0]]) if began else self.from_ms
        days = max((until - start) / _DAY_MS, 1 / 24)
        picked = self.lines.take(pa.array(rows))
        back = pc.fill_null(picked["recoverable_usd"].cast(pa.float64()), 0.0).to_numpy()
        return _Stretch(
            since=_moment(start) if began else None,
            last_seen=_moment(int(self.at_ms[rows[-1]])),
            days=days,
            back_usd=pc.sum(picked["recoverable_usd"]).as_py() or _ZERO,
            daily_usd=_by_day((until - self.at_ms[rows]) // _DAY_MS, back, int(days)),
            version=picked["function_version"][0].as_py(),
            detail=_usual(picked["detail"]),
        )


def _by_day(age: npt.NDArray[np.int64], back: npt.NDArray[np.float64], days: int) -> npt.NDArray[np.float64]:
    """Return sums of whole days before the end; what is left over at the beginning is no day."""
    sums = np.zeros(days, dtype=np.float64)
    np.add.at(sums, age[age < days], back[age < days])
    return sums


def _usual(column: pa.ChunkedArray) -> str | None:
    """Return the commonest known value."""
    counts = pc.value_counts(column.drop_null()).to_pylist()
    return max(counts, key=lambda row: row["counts"])["values"] if counts else None


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _known(rows: Iterable[dict[str, Any]]) -> Rows:
    return [row for row in rows if row["recoverable_usd"]]


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, _ZERO)
