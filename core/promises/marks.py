"""Actions marked done: kept in the audit log with the dollars a month that were promised at that time.

A mark is never changed: taking it back is a second entry that names the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from core.errors import FixSettings
from core.fleet.audit import Recorded, new_action, record, recorded_actions
from core.store.lake import Lake
from core.store.query import Reader

MARK, UNMARK = "mend_done", "mend_undone"
OLDEST = timedelta(days=30)
"""How long ago a mend may have taken effect when it is marked."""

_MONEY = ("month_usd", "low_usd", "high_usd")
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Promise:
    """One action marked done: what it would bring a month, as it was known then, and from when on it counts."""

    action_id: str
    engine: str | None
    cause: str | None
    mend_key: str
    month_usd: Decimal
    low_usd: Decimal | None
    high_usd: Decimal | None
    done_at: datetime  # when the mend took effect
    marked_at: datetime
    actor: str
    since: datetime | None = None  # when the cause had begun
    configured: str | None = None  # of a lifetime: what was in force, and what was advised
    best: str | None = None

    @property
    def key(self) -> tuple[str | None, str | None, str]:
        """Return what makes it the same action: engine, cause and mend."""
        return self.engine, self.cause, self.mend_key


def key_of(action: Row) -> tuple[str | None, str | None, str]:
    """Return an advised action's identity, as `Promise.key`."""
    return action["engine"], action["cause"], action["mend_key"]


def mark_done(lake: Lake, action: Row, *, actor: str, now: datetime, done_at: datetime | None = None) -> str:
    """Write that an action of core.advice was done, with what it promised, and return the mark's id.

    `done_at`: when the mend took effect, now if not given. Raises FixSettings where that is in the future or long ago.
    """
    effect = done_at or now
    if not now - OLDEST <= effect <= now:
        raise FixSettings(
            f"A mend cannot have taken effect at {effect.isoformat()}.",
            code="PRM-001",
            mend=f"Give a time within the last {OLDEST.days} days, not in the future.",
            about=(effect.isoformat(),),
        )
    engine, cause, mend_key = key_of(action)
    done = new_action(MARK, f"{mend_key}: {engine or 'unknown engine'}", actor=actor)
    before = {
        "engine": engine,
        "cause": cause,
        "mend_key": mend_key,
        **{name: None if action[name] is None else str(action[name]) for name in _MONEY},
        "since": _text(action.get("since")),
        "configured": action.get("configured"),
        "best": action.get("best"),
    }
    record(lake, done, "done", now=now, before=before, after={"done_at": effect.isoformat()})
    return done.action_id


def undo(lake: Lake, promise: Promise, *, actor: str, now: datetime) -> None:
    """Take a mark back: the action is advised again while its cause goes on."""
    again = new_action(UNMARK, promise.action_id, actor=actor)
    told = {"engine": promise.engine, "mend_key": promise.mend_key, "done_at": promise.done_at.isoformat()}
    record(lake, again, "done", now=now, before=told, after={})


def promises(reader: Reader) -> list[Promise]:
    """Return the actions that are marked done, the latest first; of one action the latest mark counts."""
    undone = {entry.target for entry in recorded_actions(reader, action=UNMARK)}
    marks = [_promise(entry) for entry in recorded_actions(reader, action=MARK) if entry.action_id not in undone]
    latest: dict[tuple[str | None, str | None, str], Promise] = {}
    for mark in marks:
        latest.setdefault(mark.key, mark)
    return list(latest.values())


def still_open(actions: Iterable[Row], done: Sequence[Promise], *, window_start: datetime) -> list[dict[str, Any]]:
    """Return the actions left to do, each with `promise`: the mark that did not keep (None: never marked).

    A mark hides its action while days from before it are still looked at. When the cause begins anew after it, or goes
    on through a window that lies wholly behind it, the action comes back.
    """
    marks = {mark.key: mark for mark in done}
    left = []
    for action in actions:
        mark = marks.get(key_of(action))
        since = action.get("since")
        anew = mark is not None and since is not None and since > mark.done_at
        if mark is None or anew or mark.done_at <= window_start:
            left.append({**action, "promise": mark})
    return left


def _promise(entry: Recorded) -> Promise:
    told = entry.before
    money = {name: None if told.get(name) is None else Decimal(told[name]) for name in _MONEY}
    return Promise(
        action_id=entry.action_id,
        engine=told["engine"],
        cause=told["cause"],
        mend_key=told["mend_key"],
        month_usd=money["month_usd"] or Decimal(0),
        low_usd=money["low_usd"],
        high_usd=money["high_usd"],
        done_at=datetime.fromisoformat(entry.after["done_at"]),
        marked_at=entry.ts,
        actor=entry.actor,
        since=None if told.get("since") is None else datetime.fromisoformat(told["since"]),
        configured=told.get("configured"),
        best=told.get("best"),
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
