"""Did a clear reach every environment? The log lines after it say so, one environment at a time.

A MISS of a prompt that the environment held before is proof. A HIT is not yet a failure: a request that started before
the clear took effect may end with the old prompt. Only a HIT of a request that started after it is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import ibis.expr.types as ir

from core.fleet.clear import Clear
from core.fleet.holdings import ACTIVE, LOOKBACK, Environment, environments
from core.metrics.scope import Scope, rows_of
from core.metrics.sources import freshness
from core.store.query import Reader

CLOCK_SLACK = timedelta(seconds=2)
"""How far Lambda's clock and ours may differ before a HIT counts against the clear."""

Proof = Literal["cleared", "not_yet", "stale", "unseen", "replaced"]
_PAIR = ("log_group", "log_stream", "engine")


@dataclass(frozen=True, slots=True)
class Answer:
    """What one environment that held the prompt has shown since the clear."""

    log_stream: str
    function_version: str | None
    proof: Proof
    first_miss: datetime | None
    last_old_hit: datetime | None  # start of the last request that still got the old prompt


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a clear is proved. `seen` of `expected` environments answered as they should."""

    clear: Clear
    answers: tuple[Answer, ...]
    new_environments: int  # started since, and missed
    complete_until: datetime | None  # the logs are collected up to here

    @property
    def expected(self) -> int:
        """Environments that were active and held the prompt."""
        return len(self.answers)

    @property
    def seen(self) -> int:
        """Environments that answered with a MISS, or were replaced."""
        return self.count("cleared") + self.count("replaced")

    @property
    def stale(self) -> int:
        """Environments that served the old prompt to a request that started after the clear took effect."""
        return self.count("stale")

    @property
    def complete(self) -> bool:
        """Say whether nothing is left to wait for."""
        if self.clear.method == "variable":
            return self.stale == 0 and self.new_environments > 0
        return self.seen == self.expected

    def count(self, proof: Proof) -> int:
        """Count the environments with this proof."""
        return sum(answer.proof == proof for answer in self.answers)

    def sentence(self) -> str:
        """Say it in one line, in UTC."""
        told = f"Cleared for requests starting after {self.clear.effective_at:%H:%M:%S} UTC; {self._seen()}."
        if self.stale:
            told += f" {self.stale} still served the old prompt after that: they do not follow this clear."
        return told

    def _seen(self) -> str:
        if self.clear.method == "variable":
            return f"{self.new_environments} new environments answered with a MISS"
        return f"{self.seen} of {self.expected} environments seen"


def follow(reader: Reader, clear: Clear, *, now: datetime, active: timedelta = ACTIVE) -> Progress:
    """Return what the tables know of the clear by now; call it again as the logs come in."""
    known = environments(reader, source=clear.source, now=clear.at, active=active)
    since = _since(reader, clear)
    held = [environment for environment in known if environment.active and environment.holds(clear.engine)]
    keys = {environment.key for environment in known}
    fresh = {key[:2] for key, row in since.items() if key[:2] not in keys and _is_new(row, clear)}
    arrived = [row["complete_until"] for row in freshness(reader, now=now) if row["source"] == clear.source]
    return Progress(
        clear=clear,
        answers=tuple(_answer(environment, clear, since) for environment in held),
        new_environments=len(fresh),
        complete_until=arrived[0] if arrived else None,
    )


def _answer(environment: Environment, clear: Clear, since: dict[tuple[Any, ...], dict[str, Any]]) -> Answer:
    rows = [row for item in environment.holds(clear.engine) if (row := since.get((*environment.key, item.engine)))]
    old_hits = [row["last_old_hit"] for row in rows if row["last_old_hit"] is not None]
    misses = [row["first_miss"] for row in rows if row["first_miss"] is not None]
    last_old = max(old_hits, default=None)
    return Answer(
        environment.log_stream,
        environment.function_version,
        _proof(clear, bool(misses), last_old),
        min(misses, default=None),
        last_old,
    )


def _is_new(row: dict[str, Any], clear: Clear) -> bool:
    """Say whether an environment that was not known before started after the clear, on the version it published."""
    version = row["function_version"]
    return row["first_miss"] is not None and (clear.version is None or version in (None, clear.version))


def _proof(clear: Clear, missed: bool, last_old_hit: datetime | None) -> Proof:
    if last_old_hit is not None and last_old_hit > clear.effective_at + CLOCK_SLACK:
        return "stale"
    if clear.method == "variable":
        return "replaced"  # it gets no request that starts after the switch
    if missed:
        return "cleared"
    return "unseen" if last_old_hit is None else "not_yet"


def _since(reader: Reader, clear: Clear) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return, for each environment and engine: its first MISS since the clear, and its last HIT before that."""
    scope = Scope(start=clear.at, end=clear.at + LOOKBACK, sources=(clear.source,))
    rows = rows_of(reader, "prompt_store_events", scope)
    rows = rows.filter(rows.log_stream.notnull() & rows.engine.notnull() & rows.kind.isin(["hit", "miss"]))
    if clear.engine is not None:
        rows = rows.filter(rows.engine == clear.engine)
    return {tuple(row[name] for name in _PAIR): row for row in reader.rows(_first_answers(reader, clear, rows))}


def _first_answers(reader: Reader, clear: Clear, rows: ir.Table) -> ir.Table:
    """Count a HIT from the start of its invocation, where that is known: that is when it chose its environment."""
    scope = Scope(start=clear.at - timedelta(hours=1), end=clear.at + LOOKBACK, sources=(clear.source,))
    starts = rows_of(reader, "invocations", scope)
    starts = starts.select(started_id=starts.invocation_id, started=starts.ts)
    told = rows.left_join(starts, rows.invocation_id == starts.started_id)
    told = told.select(*_PAIR, "kind", "ts", "function_version", started=told.started.coalesce(told.ts))
    misses = told.filter(told.kind == "miss")
    missed = misses.group_by(list(_PAIR)).aggregate(first_miss=misses.ts.min())
    missed = missed.rename({f"missed_{name}": name for name in _PAIR})
    # Not an equality on the group: it may be null.
    joined = told.left_join(
        missed,
        [
            told.log_group.fill_null("") == missed.missed_log_group.fill_null(""),
            told.log_stream == missed.missed_log_stream,
            told.engine == missed.missed_engine,
        ],
    )
    old = (joined.kind == "hit") & (joined.first_miss.isnull() | (joined.ts < joined.first_miss))
    return joined.group_by(list(_PAIR)).aggregate(
        first_miss=joined.first_miss.min(),
        last_old_hit=joined.started.max(where=old),
        function_version=joined.function_version.max(),
    )
