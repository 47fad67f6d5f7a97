"""The state of the data itself: how fresh each source is, what its lines were, what there is to filter by."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial, reduce
from operator import or_
from typing import Any

import ibis
import ibis.expr.types as ir

from core.store.query import Reader
from core.store.schema import TABLES

_COUNTERS = (
    "lines_read",
    "lines_recognised",
    "lines_ignored",
    "lines_skipped",
    "new_calls",
    "new_invocations",
    "new_prompt_store_events",
    "duplicates",
    "late_events",
)
_NOTED = ("dropped_records", "clock_ahead")
"""What a pass notes among its outcomes when there is any of it."""
BACKLOG = timedelta(minutes=20)
"""A pass that read lines and ends further back than this is still catching up with older logs."""
_STALLED, _PAUSED = timedelta(minutes=10), timedelta(minutes=1)
_STILL_READ = timedelta(days=1)  # a source whose last pass is older than this, by the newest of all, is retired
_LATEST = (
    "kind",
    "ts",
    "finished_at",
    "status",
    "error_code",
    "error_message",
    "complete_until",
    "window_start",
    "window_end",
    "lines_read",
    "outcomes_json",
)
_DIMENSIONS = {
    "engines": "engine",
    "models": "model",
    "providers": "provider",
    "function_versions": "function_version",
    "sources": "source",
}

MOST_TENANTS = 500
"""As many tenants can be chosen from a list: those with the most calls. Any other can be named."""
MOST_CHOICES = 500
"""The same of engines, models, function versions and whatever else logs name."""
_MOST_A_DAY = 1_000  # combinations of names of one source that are looked at: those with the most rows


def freshness(reader: Reader, *, now: datetime | None = None) -> list[dict[str, Any]]:
    """Return, for each source: its last pass, how far its data is complete, and its line counters.

    Counters are {"total": {...}, "last_24h": {...}}, each with `skipped_by_reason`, an example of each reason and
    the records Lambda says it dropped; the last pass's columns keep their names, its start is `last_pass_at`.
    `error` are the values that its error is `about` and how many `more` errors there were; None: not told.
    `complete_until` is the furthest any pass reached. `reading` says that a long pass is under way, `catching_up`
    that more of the past is coming in, and `read_until` how far either has come.
    """
    present = now or datetime.now(UTC)
    passes = reader.table("ingest_passes")
    minute = present.replace(second=0, microsecond=0)  # a question that differs each time is written anew each time
    recent = passes.filter(passes.ts >= minute - timedelta(hours=24))
    total, last_24h = _counters(reader, passes), _counters(reader, recent)
    return [
        {
            **_renamed(latest, present),
            "total": total[latest["source"]],
            "last_24h": last_24h.get(latest["source"], _no_counters()),
        }
        for latest in sorted(_latest(reader, passes), key=lambda row: row["source"] or "")
    ]


def complete_until(reader: Reader) -> datetime | None:
    """Return how far the slowest source that is still being read has come; None where nothing says so."""
    told = [row for row in freshness(reader) if row["complete_until"] is not None]
    if not told:
        return None
    newest = max(row["last_pass_at"] for row in told)
    reached: list[datetime] = [row["complete_until"] for row in told if newest - row["last_pass_at"] <= _STILL_READ]
    return min(reached)


def options(reader: Reader) -> dict[str, Any]:
    """Return every engine, model, provider, function version and source seen, and the first and last moment.

    Where there are very many, MOST_CHOICES of each are named, of tenants MOST_TENANTS: those with the most calls.
    """
    seen: dict[str, Counter[str]] = {name: Counter() for name in _DIMENSIONS}
    moments: list[datetime] = []
    for table in ("calls", "invocations", "prompt_store_events"):
        columns = {name: column for name, column in _DIMENSIONS.items() if column in TABLES[table].names}
        for row in reader.daily(table, shape="options", build=partial(_seen, tuple(columns.values()))):
            moments += [row["first"], row["last"]]
            for name, column in columns.items():
                if row[column] is not None:
                    seen[name][row[column]] += row["rows"]
    found: dict[str, Any] = {
        name: sorted(member for member, _ in members.most_common(None if name == "sources" else MOST_CHOICES))
        for name, members in seen.items()
    }
    found["tenants"] = _tenants(reader)
    return found | {"first_ts": min(moments, default=None), "last_ts": max(moments, default=None)}


def _seen(columns: tuple[str, ...], rows: ir.Table) -> ir.Table:
    found = rows.group_by(["date", *columns]).aggregate(rows=rows.count(), first=rows.ts.min(), last=rows.ts.max())
    day = ibis.window(group_by=["date", "source"])
    order = [found["rows"].desc(), *(found[name] for name in columns)]
    place = ibis.row_number().over(group_by=["date", "source"], order_by=order)
    found = found.mutate(first=found["first"].min().over(day), last=found["last"].max().over(day), place=place)
    return found.filter(found["place"] < _MOST_A_DAY).drop("place")


def _tenants(reader: Reader) -> list[str]:
    calls: Counter[str] = Counter()
    for row in reader.daily("calls", shape="tenants", build=_busiest_tenants):
        calls[row["tenant"]] += row["calls"]
    return sorted(name for name, _ in calls.most_common(MOST_TENANTS))


def _busiest_tenants(rows: ir.Table) -> ir.Table:
    told = rows.filter(rows.tenant.notnull())
    counted = told.group_by(["date", "tenant"]).aggregate(calls=told.count())
    place = ibis.row_number().over(group_by="date", order_by=[counted.calls.desc(), counted.tenant])
    return counted.mutate(place=place).filter(lambda table: table.place < MOST_TENANTS).drop("place")


def _latest(reader: Reader, passes: ir.Table) -> list[dict[str, Any]]:
    last = {f"{name}_": passes[name].first(order_by=passes.ts.desc(), include_null=True) for name in _LATEST}
    grouped = passes.group_by("source").aggregate(
        **last,
        complete_to=passes.complete_until.max(),
        passes=passes.count(),
        max_lateness_ms=passes.max_lateness_ms.max(),
    )
    return reader.rows(grouped)


def _renamed(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    plain = {name: row[f"{name}_"] for name in _LATEST}
    plain["last_pass_at"] = plain.pop("ts")
    plain["error"] = json.loads(plain.pop("outcomes_json") or "{}").get("error")
    reached = plain["complete_until"]
    return {
        "source": row["source"],
        **plain,
        "complete_until": row["complete_to"],
        "reading": _is_reading(plain, now),
        "catching_up": _is_catching_up(plain, now),
        "read_until": reached or plain["window_end"],
        "passes": row["passes"],
        "max_lateness_ms": row["max_lateness_ms"],
    }


def _is_reading(latest: Mapping[str, Any], now: datetime) -> bool:
    """Tell whether a collector is in the middle of a pass that takes several steps, such as a first one."""
    return latest["status"] == "reading" and now - (latest["finished_at"] or latest["last_pass_at"]) <= _STALLED


def _is_catching_up(latest: Mapping[str, Any], now: datetime) -> bool:
    """Tell whether more of the past is coming in: a pass is under way, or one has just ended far behind."""
    at, reached = latest["last_pass_at"], latest["complete_until"]
    behind = reached is not None and at - reached > BACKLOG and bool(latest["lines_read"])
    just_ended = now - (latest["finished_at"] or at) <= _PAUSED and latest["status"] != "failed"
    return _is_reading(latest, now) or (behind and just_ended)


def _counters(reader: Reader, passes: ir.Table) -> dict[str, dict[str, Any]]:
    sums = {name: passes[name].sum() for name in _COUNTERS}
    found: dict[str, dict[str, Any]] = {
        row["source"]: _no_counters() | {name: int(row[name] or 0) for name in _COUNTERS}
        for row in reader.rows(passes.group_by("source").aggregate(**sums))
    }
    for source, told in _outcomes(reader, passes).items():
        found[source] |= told | {"skipped_by_reason": dict(told["skipped_by_reason"].most_common())}
    return found


def _outcomes(reader: Reader, passes: ir.Table) -> dict[str, dict[str, Any]]:
    """Add up the reasons of skips and the dropped records; passes with the same outcomes are read once."""
    noted = (passes.outcomes_json.contains(f'"{name}"') for name in _NOTED)
    some = passes.filter(reduce(or_, noted, passes.lines_skipped > 0))
    found: dict[str, dict[str, Any]] = {}
    for row in reader.rows(some.group_by(["source", "outcomes_json"]).aggregate(times=some.count())):
        told = json.loads(row["outcomes_json"] or "{}")
        into = found.setdefault(row["source"], _no_outcomes() | {"skipped_by_reason": Counter()})
        for reason, lines in told.get("skipped", {}).items():
            into["skipped_by_reason"][reason] += lines * row["times"]
        into["skip_examples"] = {**told.get("examples", {}), **into["skip_examples"]}
        for name in _NOTED:
            into[name] += told.get(name, 0) * row["times"]
    return found


def _no_counters() -> dict[str, Any]:
    return dict.fromkeys(_COUNTERS, 0) | _no_outcomes()


def _no_outcomes() -> dict[str, Any]:
    return {"skipped_by_reason": {}, "skip_examples": {}} | dict.fromkeys(_NOTED, 0)
