"""What each environment's prompt store holds, as its log lines tell: one environment = one log stream.

The lines are the only witness: an environment that died is not told apart from one that waits, so "active" means
"seen in the last minutes", and a prompt counts as held from its MISS on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import ibis.expr.types as ir

from core.metrics.scope import Scope, asked
from core.store.query import Reader

LOOKBACK = timedelta(hours=24)
"""How far back lines are read: longer than Lambda keeps an environment."""

ACTIVE = timedelta(minutes=60)
"""An environment seen this lately is expected to be warm still."""

_STREAM = ("source", "log_group", "log_stream")


@dataclass(frozen=True, slots=True)
class Holding:
    """One engine's prompt in one environment, within the lookback."""

    engine: str
    hits: int
    misses: int
    first_seen: datetime
    last_seen: datetime
    stored_at: datetime | None  # its last MISS; None: it was stored before the lookback
    last_clear: datetime | None  # the last clear that concerned it, if any
    fetch_ms: float | None  # how long its last known read took

    def age_s(self, now: datetime) -> float:
        """Seconds that the prompt has been held; at least, where its MISS is not in the lookback."""
        return (now - (self.stored_at or self.first_seen)).total_seconds()

    @property
    def held(self) -> bool:
        """Say whether it is still held: a line of it is younger than the last clear."""
        return self.last_clear is None or self.last_seen > self.last_clear


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment: when it was seen, and what its prompt store holds."""

    source: str
    log_group: str | None
    log_stream: str
    function_version: str | None
    first_seen: datetime
    last_seen: datetime
    active: bool
    holdings: tuple[Holding, ...] = field(default=())

    @property
    def key(self) -> tuple[str | None, str]:
        """What names the environment within its source."""
        return self.log_group, self.log_stream

    def holds(self, engine: str | None) -> tuple[Holding, ...]:
        """Return what a clear of this engine (None: of all) would take away."""
        return tuple(item for item in self.holdings if item.held and engine in (None, item.engine))


def environments(
    reader: Reader,
    *,
    source: str,
    now: datetime,
    active: timedelta = ACTIVE,
    lookback: timedelta = LOOKBACK,
) -> list[Environment]:
    """Return the source's environments as known at `now`, the latest seen first."""
    scope = Scope(start=now - lookback, end=now, sources=(source,))
    seen = {
        _key(row): row for row in asked(reader, "invocations", scope, shape="environments seen", build=_invocations)
    }
    lines: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in asked(reader, "prompt_store_events", scope, shape="store lines", build=_lines):
        lines.setdefault(_key(row), []).append(row)
    clears = clears_in(reader, scope)
    found = [_environment(key, seen.get(key), lines.get(key, []), clears, now - active) for key in {**seen, **lines}]
    return sorted(found, key=lambda item: (item.last_seen, item.log_stream), reverse=True)


def clears_in(reader: Reader, scope: Scope) -> list[dict[str, Any]]:
    """Return the last clears: a null stream is one of the whole fleet, a null engine one of all engines."""
    return asked(reader, "prompt_store_events", scope, shape="store clears", build=_clears)


def last_clear(clears: Iterable[dict[str, Any]], stream: str, engine: str) -> datetime | None:
    """Return when an engine's prompt was last cleared from an environment."""
    concerning = [
        clear["ts"] for clear in clears if clear["log_stream"] in (None, stream) and clear["engine"] in (None, engine)
    ]
    return max(concerning, default=None)


def holding_rows(found: Iterable[Environment], *, now: datetime) -> list[dict[str, Any]]:
    """Return one flat row for each environment and engine: what a table on a page or a terminal shows."""
    return [
        {
            "log_stream": environment.log_stream,
            "function_version": environment.function_version,
            "active": environment.active,
            "engine": item.engine,
            "held": item.held,
            "age_s": round(item.age_s(now), 1) if item.held else None,
            "hits": item.hits,
            "misses": item.misses,
            "last_seen": item.last_seen,
            "last_clear": item.last_clear,
        }
        for environment in found
        for item in environment.holdings
    ]


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _STREAM)


def _invocations(rows: ir.Table) -> ir.Table:
    rows = rows.filter(rows.log_stream.notnull())
    return rows.group_by(list(_STREAM)).aggregate(
        first=rows.ts.min(), last=rows.ts.max(), function_version=rows.function_version.max()
    )


def _lines(rows: ir.Table) -> ir.Table:
    rows = rows.filter(rows.log_stream.notnull() & rows.engine.notnull() & rows.kind.isin(["hit", "miss", "stored"]))
    missed = rows.kind == "miss"
    return rows.group_by([*_STREAM, "engine"]).aggregate(
        hits=rows.count(where=rows.kind == "hit"),
        misses=rows.count(where=missed),
        first=rows.ts.min(),
        last=rows.ts.max(),
        stored_at=rows.ts.max(where=missed),
        fetch_ms=rows.fetch_ms.last(where=missed & rows.fetch_ms.notnull(), order_by=rows.ts),
        function_version=rows.function_version.max(),
    )


def _clears(rows: ir.Table) -> ir.Table:
    rows = rows.filter(rows.kind == "clear")
    return rows.group_by(["log_stream", "engine"]).aggregate(ts=rows.ts.max())


def _environment(
    key: tuple[Any, ...],
    seen: dict[str, Any] | None,
    lines: list[dict[str, Any]],
    clears: list[dict[str, Any]],
    active_since: datetime,
) -> Environment:
    rows = [*([seen] if seen else []), *lines]
    last = max(row["last"] for row in rows)
    source, log_group, log_stream = key
    return Environment(
        source=source,
        log_group=log_group,
        log_stream=log_stream,
        function_version=next((row["function_version"] for row in rows if row["function_version"]), None),
        first_seen=min(row["first"] for row in rows),
        last_seen=last,
        active=last >= active_since,
        holdings=tuple(sorted((_holding(row, log_stream, clears) for row in lines), key=lambda item: item.engine)),
    )


def _holding(row: dict[str, Any], stream: str, clears: list[dict[str, Any]]) -> Holding:
    return Holding(
        engine=row["engine"],
        hits=row["hits"],
        misses=row["misses"],
        first_seen=row["first"],
        last_seen=row["last"],
        stored_at=row["stored_at"],
        last_clear=last_clear(clears, stream, row["engine"]),
        fetch_ms=row["fetch_ms"],
    )
