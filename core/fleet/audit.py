"""The audit log: who did what to which target, what was there before and after, and how it ended.

An action leaves two rows: "started" before anything is touched, and how it ended after it; a "started" without an end
is an action whose process died. Values of variables, prompts and keys never come here.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import pyarrow as pa

from core.store.lake import Lake
from core.store.query import Reader
from core.store.schema import TABLES

Result = Literal["started", "done", "failed", "refused"]
Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Action:
    """One action under way; `record` writes a row of it."""

    action_id: str
    actor: str
    action: str
    target: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """An action as the audit log tells it: its last result, and what was known before and after."""

    action_id: str
    ts: datetime  # when it started
    ended_at: datetime | None
    actor: str
    action: str
    target: str
    result: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def new_action(action: str, target: str, *, actor: str) -> Action:
    """Name an action; nothing is written yet."""
    return Action(uuid.uuid4().hex, actor, action, target)


def record(
    lake: Lake,
    action: Action,
    result: Result,
    *,
    now: datetime,
    before: Facts | None = None,
    after: Facts | None = None,
) -> None:
    """Write one row of the action; what cannot be written must not be done, so errors go up."""
    row = {
        "date": now.astimezone(UTC).date(),
        "action_id": f"{action.action_id}/{result}",
        "ts": now,
        "actor": action.actor,
        "action": action.action,
        "target": action.target,
        "before_json": _json(before),
        "after_json": _json(after),
        "result": result,
    }
    lake.commit("actions", pa.Table.from_pylist([row], schema=TABLES["actions"]))


def mark_clear(lake: Lake, *, source: str, engine: str | None, now: datetime, action_id: str) -> None:
    """Write the clear as a prompt-store event of the whole fleet, so that charts show its marker."""
    row: dict[str, Any] = dict.fromkeys(TABLES["prompt_store_events"].names) | {
        "date": now.astimezone(UTC).date(),
        "event_key": f"clear/{action_id}",
        "ts": now,
        "source": source,
        "engine": engine,
        "kind": "clear",
        "attribution": "none",
        "suspected_redelivery": False,
        "row_rank": 1,
    }
    lake.commit("prompt_store_events", pa.Table.from_pylist([row], schema=TABLES["prompt_store_events"]))


def recorded_actions(reader: Reader, *, action: str | None = None, target: str | None = None) -> list[Recorded]:
    """Return the actions of the audit log, the latest first."""
    rows = reader.table("actions")
    if action is not None:
        rows = rows.filter(rows.action == action)
    if target is not None:
        rows = rows.filter(rows.target == target)
    told: dict[str, list[dict[str, Any]]] = {}
    for row in reader.rows(rows):
        told.setdefault(row["action_id"].split("/")[0], []).append(row)
    found = [_joined(action_id, sorted(parts, key=_order)) for action_id, parts in told.items()]
    return sorted(found, key=lambda item: item.ts, reverse=True)


def _joined(action_id: str, parts: list[dict[str, Any]]) -> Recorded:
    first, last = parts[0], parts[-1]
    return Recorded(
        action_id=action_id,
        ts=first["ts"],
        ended_at=None if last["result"] == "started" else last["ts"],
        actor=first["actor"],
        action=first["action"],
        target=first["target"],
        result=last["result"],
        before=json.loads(first["before_json"] or "{}"),
        after=json.loads(last["after_json"] or "{}"),
    )


def _order(row: dict[str, Any]) -> tuple[datetime, bool]:
    return row["ts"], row["result"] != "started"


def _json(facts: Facts | None) -> str | None:
    return None if facts is None else json.dumps(dict(facts), ensure_ascii=False, sort_keys=True, default=str)
