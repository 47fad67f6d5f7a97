"""Taking a repricing back: every row it changed says again what it said before; rows that came since stay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from core.care import saved
from core.care.reprice import ACTION
from core.care.saved import SCHEMA
from core.errors import FixSettings
from core.fleet.audit import Recorded, new_action, record, recorded_actions
from core.store.lake import Lake
from core.store.query import Reader
from core.store.rewrite import rewrite_day
from core.store.schema import CALLS

UNDO = "undo reprice"


def undoable(lake: Lake) -> list[Recorded]:
    """Return the repricings that changed anything and were not undone, the latest first.

    One that failed before its first date changed nothing, and stands in the way of no other.
    """
    with Reader(lake) as reader:
        done = recorded_actions(reader, action=ACTION)
        undone = {item.target for item in recorded_actions(reader, action=UNDO) if item.result == "done"}
    told = [item for item in done if item.action_id not in undone and item.before.get("changed")]
    return [item for item in told if item.result == "done" or saved.days_of(lake, item.action_id)]


def undo(lake: Lake, action_id: str | None = None, *, actor: str, now: datetime | None = None) -> dict[str, Any]:
    """Undo a repricing (the latest if none is named); return {"undone", "restored", "kept", "days"}.

    `kept` are rows that the collector has told anew since: their price is of the new telling. Raises FixSettings
    when there is nothing to undo, or when a later repricing of the same dates stands in the way.
    """
    chosen = _chosen(undoable(lake), action_id)
    days = saved.days_of(lake, chosen.action_id)
    if not days:
        raise FixSettings(
            f"What calls said before repricing {chosen.action_id} is no longer there.",
            code="STO-013",
            mend="Those dates have expired, or the folder was cleaned by hand; reprice with the older price files.",
            about=(chosen.action_id,),
        )
    action = new_action(UNDO, chosen.action_id, actor=actor)
    record(lake, action, "started", now=now or datetime.now(UTC), before={"days": len(days)})
    restored = kept = 0
    for day in days:
        before = saved.read(lake, chosen.action_id, day)
        back, anew = _restore_day(lake, day, before, str(chosen.before["book"]))
        restored, kept = restored + back, kept + anew
    told = {"undone": chosen.action_id, "restored": restored, "kept": kept, "days": len(days)}
    record(lake, action, "done", now=now or datetime.now(UTC), after=told)
    return told


def _chosen(candidates: Sequence[Recorded], action_id: str | None) -> Recorded:
    found = [item for item in candidates if action_id in (None, item.action_id)]
    if not found:
        known = ", ".join(item.action_id for item in candidates) or "none"
        raise FixSettings(
            f"There is no repricing {action_id or ''} to undo.".replace("  ", " "),
            code="STO-011",
            mend=f"Known: {known}.",
            about=(action_id or "",),
        )
    later = [item for item in candidates if item.ts > found[0].ts and _overlap(item, found[0])]
    if later:
        raise FixSettings(
            f"Repricing {later[-1].action_id} came later and covers the same dates as {found[0].action_id}.",
            code="STO-012",
            mend="Undo the later one first: cachewise reprice --undo.",
            about=(later[-1].action_id, found[0].action_id),
        )
    return found[0]


def _overlap(one: Recorded, other: Recorded) -> bool:
    def end(item: Recorded, name: str, default: datetime) -> datetime:
        return datetime.fromisoformat(item.before[name]) if item.before.get(name) else default

    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    return end(one, "from", first) < end(other, "to", last) and end(other, "from", first) < end(one, "to", last)


def _restore_day(lake: Lake, day: date, before: pa.Table, book: str) -> tuple[int, int]:
    """Put the saved values back where the row is still the one that was repriced; return (restored, told anew).

    A row that says neither the one nor the other was saved and then not written, on a disk that was full, say.
    """
    count = anew = 0
    restored = [name for name in SCHEMA.names if name in before.column_names and name not in ("call_id", "row_rank")]

    def change(piece: pa.Table) -> pa.Table:
        nonlocal count, anew
        place = pc.index_in(piece["call_id"], value_set=before["call_id"])
        rank = before["row_rank"].take(place)
        same_row = pc.equal(piece["row_rank"], rank)
        anew += pc.sum(pc.invert(same_row)).as_py() or 0  # of a call that was not repriced it is neither
        ours = pc.fill_null(pc.and_(same_row, pc.equal(piece["price_book"], book)), False)
        count += pc.sum(ours).as_py() or 0
        for name in restored:
            column = pc.if_else(ours, before[name].take(place), piece[name])
            piece = piece.set_column(CALLS.get_field_index(name), CALLS.field(name), column)
        return piece

    rewrite_day(lake, "calls", day, change, note=UNDO)
    return count, anew
