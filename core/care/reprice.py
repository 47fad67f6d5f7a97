"""Re-applying the present price book to calls that are stored: first what would change, then the change.

One UTC date at a time, in pieces that fit into memory, each date in one Delta transaction. What a row said before is
saved beside the tables, so that the change can be undone long after Delta has forgotten the version before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from core.care.assume import ASSUMED, NEEDED, assume
from core.care.saved import Saved
from core.errors import CachewiseError
from core.fleet.audit import Action, new_action, record
from core.pricing import PriceBook
from core.pricing.ledger import PRICED, price_checks, price_columns
from core.settings import LineDefaults
from core.store.lake import Lake
from core.store.rewrite import batches, rewrite_day
from core.store.schema import CALLS

ACTION = "reprice"
_NEW = (*PRICED, "price_check", *ASSUMED)
_DECIDES = tuple(name for name in PRICED if name != "price_book")  # another book with the same price changes nothing
_NEEDED = (
    "call_id", "ts", "input_tokens", "output_tokens", "cache_read_tokens", "prompt_tokens", "web_search_requests",
    "billed_steps", "service_tier", "speed", "inference_geo", "stop_reason", "stop_category", "has_output", "complete",
    "reported_cost_usd", "row_rank", *PRICED, "price_check", *NEEDED,
)  # fmt: skip
_Defaults = Mapping[str, LineDefaults]
_ZERO = Decimal(0)


@dataclass(slots=True)
class ModelChange:
    """What repricing does to the calls of one requested model; dollars count priced calls only."""

    model: str | None
    provider: str | None
    calls: int = 0
    changed: int = 0
    now_priced: int = 0  # had no price, and would get one
    now_unpriced: int = 0
    still_unpriced: int = 0  # neither had one nor would get one
    old_usd: Decimal = _ZERO
    new_usd: Decimal = _ZERO

    @property
    def change_usd(self) -> Decimal:
        """New minus old dollars."""
        return self.new_usd - self.old_usd

    def facts(self) -> dict[str, Any]:
        """Return it for the audit log and for --json: dollars as decimal strings."""
        names = ("model", "provider", "calls", "changed", "now_priced", "now_unpriced", "still_unpriced")
        dollars = {name: f"{getattr(self, name):f}" for name in ("old_usd", "new_usd", "change_usd")}
        return {name: getattr(self, name) for name in names} | dollars


@dataclass(frozen=True, slots=True)
class Plan:
    """What repricing would change: nothing is written yet."""

    book: str
    start: datetime | None
    end: datetime | None
    days: tuple[date, ...] = ()  # those that hold a row to change
    models: tuple[ModelChange, ...] = ()
    books_before: tuple[str, ...] = ()
    defaults: Mapping[str, LineDefaults] = field(default_factory=dict)  # by source; empty: calls keep what they say

    @property
    def calls(self) -> int:
        """Calls looked at."""
        return sum(item.calls for item in self.models)

    @property
    def changed(self) -> int:
        """Calls that would say something else."""
        return sum(item.changed for item in self.models)

    def facts(self) -> dict[str, Any]:
        """Return it for the audit log and for --json."""
        return {
            "book": self.book,
            "books_before": list(self.books_before),
            "from": self.start,
            "to": self.end,
            "days": len(self.days),
            "calls": self.calls,
            "changed": self.changed,
            "defaults_of": sorted(self.defaults),
            "models": [item.facts() for item in self.models],
        }


@dataclass(slots=True)
class _Tally:
    """Adds up the pieces of a plan."""

    models: dict[tuple[str | None, str | None], ModelChange] = field(default_factory=dict)
    books: set[str] = field(default_factory=set)

    def add(self, before: pa.Table, after: pa.Table, changed: pa.ChunkedArray) -> None:
        for part in _sums(before, after, changed):
            key = part["model"], part["provider"]
            into = self.models.setdefault(key, ModelChange(*key))
            for name in ("calls", "changed", "now_priced", "now_unpriced", "still_unpriced", "old_usd", "new_usd"):
                setattr(into, name, getattr(into, name) + (part[name] or 0))
        self.books |= set(pc.unique(before["price_book"].filter(changed)).to_pylist()) - {None}


def plan(
    lake: Lake,
    book: PriceBook,
    start: datetime | None = None,
    end: datetime | None = None,
    *,
    defaults: _Defaults | None = None,
) -> Plan:
    """Price every call of [start, end) again and say what would change, by model, without changing anything.

    `defaults`, by source, are taken for calls whose own line says no model or no TTL.
    """
    assumed = defaults or {}
    tally, days = _Tally(), []
    for day in _days(lake, start, end):
        touched = False
        for piece in batches(lake, "calls", day, _NEEDED):
            wanted = piece.filter(_inside(piece["ts"], start, end))
            if not wanted.num_rows:
                continue
            after, changed = _repriced(book, wanted, assumed)
            tally.add(wanted, after, changed)
            touched = touched or bool(pc.any(changed).as_py())
        if touched:
            days.append(day)
    models = sorted(tally.models.values(), key=lambda item: (-abs(item.change_usd), -item.calls, str(item.model)))
    return Plan(book.version, start, end, tuple(days), tuple(models), tuple(sorted(tally.books)), assumed)


def apply(lake: Lake, book: PriceBook, planned: Plan, *, actor: str, now: datetime | None = None) -> Action:
    """Write what was planned, date by date. Calls that came since are priced by their own time and left alone."""
    action = new_action(ACTION, f"calls {_range(planned)}", actor=actor)
    record(lake, action, "started", now=now or datetime.now(UTC), before=planned.facts())
    changed = days = 0
    try:
        for day in planned.days:
            changed += _reprice_day(lake, book, planned, day, action)
            days += 1
    except CachewiseError:
        with suppress(CachewiseError):  # on a full disk the audit log is full too; the error itself is what to tell
            told = {"book": planned.book, "changed": changed, "days": days}
            record(lake, action, "failed", now=now or datetime.now(UTC), after=told)
        raise
    done = {"book": planned.book, "changed": changed, "days": len(planned.days)}
    record(lake, action, "done", now=now or datetime.now(UTC), after=done)
    return action


def _reprice_day(lake: Lake, book: PriceBook, planned: Plan, day: date, action: Action) -> int:
    """Reprice one date; the old values are on disk before the new ones are in the table."""
    count = 0
    with Saved.writing(lake, action.action_id, day) as saved:

        def change(piece: pa.Table) -> pa.Table:
            nonlocal count
            after, changed = _repriced(book, piece, planned.defaults)
            changed = pc.and_(changed, _inside(piece["ts"], planned.start, planned.end))
            count += pc.sum(changed).as_py() or 0
            saved.write(piece.filter(changed))
            return _laid_over(piece, after, changed)

        rewrite_day(lake, "calls", day, change, note=f"{ACTION}/{action.action_id}", before_commit=saved.finish)
    return count


def _repriced(book: PriceBook, calls: pa.Table, defaults: _Defaults) -> tuple[pa.Table, pa.ChunkedArray]:
    """Return the new columns, and which rows they change."""
    filled = assume(calls, defaults, book.cache_minimum_tokens) if defaults else calls
    after = price_columns(book, filled)
    changed = pa.chunked_array([pa.repeat(False, calls.num_rows)])
    for name in _DECIDES:
        changed = pc.or_(changed, pc.invert(same(calls[name], after[name])))
    for name in ASSUMED:
        if defaults:
            changed = pc.or_(changed, pc.invert(same(calls[name], filled[name])))
        after = after.append_column(name, filled[name])
    moved = filled.filter(changed)
    checks = (
        price_checks(book, moved, after["cost_usd"].filter(changed)) if moved.num_rows else pa.nulls(0, pa.string())
    )
    kept = calls["price_check"].combine_chunks()
    return after.append_column("price_check", pc.replace_with_mask(kept, changed.combine_chunks(), checks)), changed


def same(left: pa.ChunkedArray, right: pa.ChunkedArray) -> pa.ChunkedArray:
    """Compare two columns row by row; unknown is the same as unknown."""
    both_unknown = pc.and_(pc.is_null(left), pc.is_null(right))
    return pc.or_(both_unknown, pc.fill_null(pc.equal(left, right), False))


def _laid_over(piece: pa.Table, after: pa.Table, changed: pa.ChunkedArray) -> pa.Table:
    """Return the piece with the new columns where the mask says so."""
    for name in _NEW:
        place, kind = CALLS.get_field_index(name), CALLS.field(name)
        piece = piece.set_column(place, kind, pc.if_else(changed, after[name].cast(kind.type), piece[name]))
    return piece


def _sums(before: pa.Table, after: pa.Table, changed: pa.ChunkedArray) -> list[dict[str, Any]]:
    """Add up a piece by model and provider."""
    was, now = (pc.equal(part["price_status"], "priced") for part in (before, after))
    columns = {
        "calls": pa.repeat(1, before.num_rows),
        "changed": changed.cast(pa.int64()),
        "now_priced": pc.and_(now, pc.invert(was)).cast(pa.int64()),
        "now_unpriced": pc.and_(was, pc.invert(now)).cast(pa.int64()),
        "still_unpriced": pc.invert(pc.or_(was, now)).cast(pa.int64()),
        "old_usd": before["cost_usd"],
        "new_usd": after["cost_usd"],
    }
    table = pa.table({"model": before["model"], "provider": before["provider"], **columns})
    grouped = table.group_by(["model", "provider"]).aggregate([(name, "sum") for name in columns])
    return grouped.rename_columns(["model", "provider", *columns]).to_pylist()


def _inside(ts: pa.ChunkedArray, start: datetime | None, end: datetime | None) -> pa.ChunkedArray:
    inside = pc.is_valid(ts)
    if start is not None:
        inside = pc.and_(inside, pc.greater_equal(ts, pa.scalar(start, ts.type)))
    if end is not None:
        inside = pc.and_(inside, pc.less(ts, pa.scalar(end, ts.type)))
    return inside


def _days(lake: Lake, start: datetime | None, end: datetime | None) -> Sequence[date]:
    snapshot = lake.pinned("calls")
    return snapshot.days(start, end) if snapshot else []


def _range(planned: Plan) -> str:
    parts = [
        f"{word} {moment.isoformat()}"
        for word, moment in (("from", planned.start), ("to", planned.end))
        if moment is not None
    ]
    return " ".join(parts) or "of all days"
