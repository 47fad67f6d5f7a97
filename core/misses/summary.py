"""The ledger's lines added up: by cause, by engine, over time, and what could be had back. Sums equal the total."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import FixSettings
from core.metrics.buckets import check_bucket, zone_of
from core.misses.causes import BY_NAME, CAUSES
from core.store.schema import USD, UTC

GROUPS = ("cause", "engine", "tenant", "model", "provider", "function_version", "source", "detail", "confidence")
_SIZE_MS = {"5m": 300_000, "hour": 3_600_000, "day": 86_400_000}
_ZERO = Decimal(0)
Rows = list[dict[str, Any]]


def total(lines: pa.Table) -> dict[str, Any]:
    """Return tokens missed, what they cost above a read, what could be had back, and how sure the causes are."""
    rows = groups(lines, ())
    return rows[0] if rows else _row({}, tokens=0, usd=None, recoverable=None, calls=0, measured=0, inferred=0)


def groups(lines: pa.Table, by: Sequence[str]) -> Rows:
    """Return the sums of every group of columns (see GROUPS), dearest first.

    Keys: the columns of `by`, tokens, usd, recoverable_usd, calls, measured_tokens, inferred_tokens, unknown_tokens,
    measured_share. Dollars are None where no line of the group has a price.
    """
    for name in by:
        if name not in GROUPS:
            raise FixSettings(
                f'"{name}" is not something to group misses by.',
                code="MIS-001",
                mend=f"Accepted: {', '.join(GROUPS)}.",
                about=(name,),
            )
    if not lines.num_rows:
        return []
    sure = {
        name: pc.if_else(pc.equal(lines["confidence"], name), lines["tokens"], 0) for name in ("measured", "inferred")
    }
    table = lines.select([*by, "tokens", "usd", "recoverable_usd", "call_id"])
    for name, column in sure.items():
        table = table.append_column(f"{name}_tokens", column)
    found = table.group_by(list(by)).aggregate(
        [("tokens", "sum"), ("usd", "sum"), ("recoverable_usd", "sum"), ("call_id", "count_distinct"),
         ("measured_tokens", "sum"), ("inferred_tokens", "sum")]
    )  # fmt: skip
    rows = [
        _row(
            {name: row[name] for name in by}, tokens=row["tokens_sum"], usd=row["usd_sum"],
            recoverable=row["recoverable_usd_sum"], calls=row["call_id_count_distinct"],
            measured=row["measured_tokens_sum"], inferred=row["inferred_tokens_sum"],
        )
        for row in found.to_pylist()
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-(row["usd"] or _ZERO), -row["tokens"]))


def by_cause(lines: pa.Table) -> Rows:
    """Return one row per cause that occurs, dearest first, with its meaning, mend and share of all missed dollars."""
    rows = groups(lines, ("cause",))
    whole = sum((row["usd"] or _ZERO for row in rows), _ZERO)
    for row in rows:
        cause = BY_NAME[row["cause"]]
        row |= {
            "usd_share": float((row["usd"] or _ZERO) / whole) if whole else None,
            "avoidable": cause.avoidable,
            "meaning": cause.meaning,
            "mend_key": cause.mend_key,
            "mend": cause.mend,
            "change": cause.change,
        }
    return rows


def by_engine(lines: pa.Table) -> Rows:
    """Return one row per engine, dearest first, with its dearest avoidable cause (None: it has none)."""
    tops: dict[str | None, dict[str, Any]] = {}
    for row in groups(lines, ("engine", "cause")):
        if BY_NAME[row["cause"]].avoidable:
            tops.setdefault(row["engine"], row)
    rows = groups(lines, ("engine",))
    for row in rows:
        top = tops.get(row["engine"])
        row |= {"top_cause": top and top["cause"], "top_cause_usd": top and top["usd"]}
    return rows


def series(lines: pa.Table, bucket: str = "day", *, zone: str = "UTC") -> pa.Table:
    """Return (bucket, cause, tokens, usd, calls): one row per bucket and cause that occur, in order of time."""
    check_bucket(bucket)
    starts = _bucket_starts(lines["ts"].cast(pa.int64()).to_numpy() // 1000, bucket, zone)
    table = lines.select(["cause", "tokens", "usd", "call_id"]).append_column("bucket", pa.array(starts * 1000, UTC))
    found = table.group_by(["bucket", "cause"]).aggregate([("tokens", "sum"), ("usd", "sum"), ("call_id", "count")])
    found = found.sort_by([("bucket", "ascending"), ("cause", "ascending")])
    return pa.table(
        {
            "bucket": found["bucket"],
            "cause": found["cause"],
            "tokens": found["tokens_sum"],
            "usd": found["usd_sum"].cast(USD),
            "calls": found["call_id_count"],
        }
    )


def recoverable(lines: pa.Table, advice: Iterable[Mapping[str, Any]] = ()) -> Rows:
    """Return one row per engine and cause whose mend brings money back, the most first.

    `advice` are the rows of core.advice.lifetimes (or core.ttl.advise): another lifetime is the mend of expired
    entries, and only the replay knows what it saves. Without it expired entries are listed with what is known: nothing
    (recoverable_usd None).
    """
    saved = {row["engine"]: row for row in advice}
    rows: Rows = []
    for row in groups(lines, ("engine", "cause")):
        cause = BY_NAME[row["cause"]]
        expired = row["cause"].startswith("expired")
        back = _by_lifetime(row, saved) if expired else row["recoverable_usd"]
        if cause.avoidable and (back is None or back > 0):
            rows.append(
                row | {"recoverable_usd": back, "mend_key": cause.mend_key, "mend": cause.mend, "change": cause.change,
                       "best_policy": saved.get(row["engine"], {}).get("best") if expired else None}
            )  # fmt: skip
    _once_per_engine(rows)
    rows = [row for row in rows if row["recoverable_usd"] is None or row["recoverable_usd"] > 0]
    return sorted(rows, key=lambda row: -(row["recoverable_usd"] or _ZERO))


def _by_lifetime(row: Mapping[str, Any], saved: Mapping[Any, Mapping[str, Any]]) -> Decimal | None:
    told = saved.get(row["engine"])
    if told is None or told["policy_saving_usd"] is None:
        return None
    if told.get("prefix_first"):
        return _ZERO
    return max(_ZERO, min(told["policy_saving_usd"], row["usd"] or _ZERO))


def _once_per_engine(rows: Rows) -> None:
    """An engine with entries expired at both lifetimes has one saving: it goes to the dearer cause."""
    seen: set[Any] = set()
    for row in rows:
        if row["cause"].startswith("expired"):
            if row["engine"] in seen and row["recoverable_usd"] is not None:
                row["recoverable_usd"] = _ZERO
            seen.add(row["engine"])


def _row(
    group: dict[str, Any], *, tokens: int, usd: Decimal | None, recoverable: Decimal | None, calls: int,
    measured: int, inferred: int,
) -> dict[str, Any]:  # fmt: skip
    return group | {
        "tokens": tokens,
        "usd": usd,
        "recoverable_usd": recoverable,
        "calls": calls,
        "measured_tokens": measured,
        "inferred_tokens": inferred,
        "unknown_tokens": tokens - measured - inferred,
        "measured_share": measured / tokens if tokens else None,
    }


def _bucket_starts(at_ms: np.ndarray, bucket: str, zone: str) -> np.ndarray:
    """Return the start of each moment's bucket in the viewer's zone, right across summer time."""
    where, size = zone_of(zone), _SIZE_MS[bucket]
    hours, back = np.unique(at_ms // _SIZE_MS["hour"], return_inverse=True)
    offsets = np.array(
        [int(datetime.fromtimestamp(int(hour) * 3600, where).utcoffset().total_seconds()) * 1000 for hour in hours],  # type: ignore[union-attr]
        dtype=np.int64,
    )
    offset = offsets[back.reshape(-1)] if len(hours) else np.zeros(0, dtype=np.int64)
    local = at_ms + offset
    return local - local % size - offset


CAUSE_ORDER: tuple[str, ...] = tuple(cause.name for cause in CAUSES)
