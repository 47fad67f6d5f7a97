"""Which environments still serve an older prompt than their sisters: the price of a prompt store that never forgets.

A prompt is told apart by the fingerprint of its prefix or, in text lines, by the number of its cached tokens. A prompt
whose fingerprint changes with every call is no drift but a broken prefix, and is left to core.regressions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import ibis
import ibis.expr.types as ir

from core.metrics.scope import Scope, asked
from core.store.query import Reader

LOOKBACK = timedelta(hours=24)
ACTIVE = timedelta(minutes=60)
"""An environment seen this lately is expected to be warm still."""
SETTLED_CALLS = 2  # a prompt must be seen this often before the others count as behind it
_MOST_PROMPTS = 0.3  # distinct prompts per call above which the prefix is broken, not drifting

KnownBy = Literal["fingerprint", "size"]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Drifted:
    """One environment that served an engine's older prompt after the newest had been seen elsewhere."""

    source: str
    log_stream: str
    function_version: str | None
    engine: str
    model: str | None
    holds: str  # fingerprint, or "<n> tokens"
    held_since: datetime  # its MISS, or the first call seen with it
    newest: str
    newest_since: datetime  # first call with it, anywhere
    sisters: int  # environments that serve the newest
    calls_behind: int  # calls with the old prompt since the newest was seen
    last_seen: datetime
    same_version: bool  # False: an older deploy that is still being drained, which passes by itself
    known_by: KnownBy

    def behind_for(self, now: datetime) -> timedelta:
        """Return for how long it has been behind."""
        return now - self.newest_since

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


def prompts(
    reader: Reader,
    *,
    now: datetime,
    sources: Sequence[str] = (),
    active: timedelta = ACTIVE,
    lookback: timedelta = LOOKBACK,
) -> list[Drifted]:
    """Return the environments behind their sisters at `now`, the latest seen first."""
    scope = Scope(start=now - lookback, end=now, sources=tuple(sources))
    held = asked(reader, "calls", scope, shape="prompts held", build=_held)
    stored = {
        (row["source"], row["log_stream"], row["engine"]): row["stored_at"]
        for row in asked(reader, "prompt_store_events", scope, shape="prompts stored", build=_stored)
    }
    return drifted(held, stored, active_since=now - active)


def drifted(
    held: Iterable[Row], stored: Mapping[tuple[str, str, str], datetime], *, active_since: datetime
) -> list[Drifted]:
    """Return who is behind; `held` has a row for each environment, engine, model and prompt it served."""
    lanes: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in held:
        lanes[row["source"], row["function_name"], row["engine"], row["model"], row["provider"]].append(row)
    found = [item for rows in lanes.values() for item in _of_lane(rows, stored, active_since)]
    return sorted(found, key=lambda item: (item.last_seen, item.log_stream), reverse=True)


def _of_lane(rows: list[Row], stored: Mapping[tuple[str, str, str], datetime], active_since: datetime) -> list[Drifted]:
    calls: dict[str, int] = defaultdict(int)
    first: dict[str, datetime] = {}
    for row in rows:
        calls[row["prompt"]] += row["calls"]
        first[row["prompt"]] = min(row["first"], first.get(row["prompt"], row["first"]))
    settled = [prompt for prompt in calls if calls[prompt] >= SETTLED_CALLS]
    if len(settled) < 2 or len(calls) > _MOST_PROMPTS * sum(calls.values()) + 1:
        return []
    newest = max(settled, key=lambda prompt: (first[prompt], prompt))
    latest: dict[str, Row] = {}
    for row in rows:
        seen = latest.get(row["log_stream"])
        latest[row["log_stream"]] = row if seen is None or row["last"] > seen["last"] else seen
    sisters = [row for row in latest.values() if row["prompt"] == newest]
    versions = {row["function_version"] for row in sisters}
    return [
        _behind(row, newest, first[newest], len(sisters), versions, stored)
        for row in latest.values()
        if row["prompt"] != newest
        and row["prompt"] in settled
        and row["last"] > first[newest]
        and row["last"] >= active_since
        and row["engine"] is not None
    ]


def _behind(
    row: Row,
    newest: str,
    since: datetime,
    sisters: int,
    versions: set[str | None],
    stored: Mapping[tuple[str, str, str], datetime],
) -> Drifted:
    span = (row["last"] - row["first"]).total_seconds()
    after = (row["last"] - max(since, row["first"])).total_seconds()
    share = after / span if span > 0 else 1.0
    return Drifted(
        source=row["source"],
        log_stream=row["log_stream"],
        function_version=row["function_version"],
        engine=row["engine"],
        model=row["model"],
        holds=row["prompt"],
        held_since=stored.get((row["source"], row["log_stream"], row["engine"]), row["first"]),
        newest=newest,
        newest_since=since,
        sisters=sisters,
        calls_behind=max(1, round(row["calls"] * share)),
        last_seen=row["last"],
        same_version=row["function_version"] in versions,
        known_by="fingerprint" if row["told"] else "size",
    )


def _held(rows: ir.Table) -> ir.Table:
    rows = rows.filter((rows.prompt_tokens > 0) & rows.log_stream.notnull() & rows.engine.notnull())
    cached = (
        rows.cache_read_tokens.fill_null(0)
        + rows.cache_write_5m_tokens.fill_null(0)
        + rows.cache_write_1h_tokens.fill_null(0)
    )
    rows = rows.mutate(
        model=ibis.coalesce(rows.model_id, rows.model),
        told=rows.prefix_fingerprint.notnull(),
        prompt=ibis.coalesce(
            rows.prefix_fingerprint, (cached > 0).ifelse(cached.cast("string") + " tokens", ibis.null("string"))
        ),
    )
    rows = rows.filter(rows.prompt.notnull())
    keys = (
        "source",
        "function_name",
        "function_version",
        "log_stream",
        "engine",
        "model",
        "provider",
        "prompt",
        "told",
    )
    return rows.group_by([rows[name] for name in keys]).aggregate(
        calls=rows.count(), first=rows.ts.min(), last=rows.ts.max()
    )


def _stored(rows: ir.Table) -> ir.Table:
    rows = rows.filter((rows.kind == "miss") & rows.log_stream.notnull() & rows.engine.notnull())
    return rows.group_by([rows.source, rows.log_stream, rows.engine]).aggregate(stored_at=rows.ts.max())
