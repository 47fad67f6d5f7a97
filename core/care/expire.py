"""Retention: dropping whole UTC dates that are older than anyone needs. The audit log is never dropped."""

from __future__ import annotations

from datetime import UTC, date, datetime

from core.care import saved
from core.fleet.audit import Action, new_action, record
from core.store.lake import Lake
from core.store.query import Reader
from core.store.rewrite import Dropped, drop_before, older_than

EXPIRES = ("calls", "invocations", "prompt_store_events", "ingest_passes", "probes")
ACTION = "expire"


def foresee(lake: Lake, first_kept: date) -> list[Dropped]:
    """Say what an expiry would take away from each table."""
    return [older_than(lake, table, first_kept) for table in EXPIRES]


def expire(lake: Lake, first_kept: date, *, actor: str, now: datetime | None = None) -> Action:
    """Drop every row before a UTC date, one transaction for each table; files go with the next vacuum.

    The newest pass of a source that carries its cursor stays: without it the source would be read from the start.
    """
    action = new_action(ACTION, f"before {first_kept.isoformat()}", actor=actor)
    told = {item.table: {"rows": item.rows, "days": item.days} for item in foresee(lake, first_kept)}
    record(lake, action, "started", now=now or datetime.now(UTC), before=told)
    cursors = _cursors(lake)
    for table in EXPIRES:
        keep = cursors if table == "ingest_passes" else ()
        if told[table]["rows"] > len(keep):
            drop_before(lake, table, first_kept, keep=keep, note=f"{ACTION}/{action.action_id}")
    files = saved.drop_before(lake, first_kept)
    record(lake, action, "done", now=now or datetime.now(UTC), after={**told, "undo_files": files})
    return action


def _cursors(lake: Lake) -> tuple[str, ...]:
    """Return the pass of every source that holds its present cursor."""
    with Reader(lake) as reader:
        passes = reader.table("ingest_passes")
        sources = [row["source"] for row in reader.rows(passes.select("source").distinct())]
    newest = [lake.last_pass(source) for source in sources if source is not None]
    return tuple(row["pass_id"] for row in newest if row)
