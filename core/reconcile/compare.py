"""Holds the own figures against the provider's, line by line: pure, so that every rule of it can be tested."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from core.reconcile.model import (
    COMPONENTS,
    TOKEN_TYPES,
    Basis,
    Bill,
    BilledLine,
    DayModel,
    Key,
    Line,
    Own,
    OwnFigure,
    Reconciliation,
    Totals,
    add,
    count,
)

SETTLING = timedelta(hours=1)
"""A day is provisional until this long after its end, where the provider does not say how far its figures reach."""
_WRITES = ("cache_write_5m", "cache_write_1h")
_STEPPED = "claude-haiku-5-5"  # priced by prompt size, which sums of tokens do not tell

Group = TypeVar("Group")


def compare(own: Own, bill: Bill, *, now: datetime) -> Reconciliation:
    """Return both sides of every day, model and token type, and their totals over the settled days.

    A line that one side does not have is zero there: both list what was used, and nothing else. What a side does not
    count at all (dollars without Cost Explorer, tokens of a web search) is None.
    """
    basis: Basis = "amount" if own.own_prices or not bill.tells_list else "list"
    own = _joined_writes(own) if "writes_not_split" in bill.gaps else own
    provisional = _provisional(own, bill, now)
    lines = _lines(own, bill, provisional)
    settled = [line for line in lines if not line.provisional]
    days = sorted({line.day for line in lines})
    by_day = _grouped(lines, lambda line: line.day, basis)
    by_type = _grouped(settled, lambda line: (line.model, line.token_type), basis)
    return Reconciliation(
        provider=bill.provider,
        via=bill.via,
        start=bill.start,
        end=bill.end,
        basis=basis,
        lines=tuple(lines),
        total=_with_requests(_total(settled, basis), own, bill, {line.day for line in settled}),
        by_type=tuple(sorted(by_type.items(), key=lambda item: _by_dollars(item, by_type))),
        by_day=tuple((day, _with_requests(by_day[day], own, bill, {day})) for day in days),
        provisional_days=tuple(day for day in days if day in provisional),
        gaps=_gaps(own, bill, lines),
        refreshed_at=bill.refreshed_at,
        own_complete_until=own.complete_until,
        unpriced_calls=own.unpriced_calls,
        incomplete_calls=own.incomplete_calls,
        priority_calls=own.priority_calls,
        endpoint=bill.endpoint,
        simulated=bill.simulated,
    )


def _lines(own: Own, bill: Bill, provisional: set[date]) -> list[Line]:
    billed: dict[Key, list[BilledLine]] = defaultdict(list)
    for line in bill.lines:
        billed[line.day, line.model, line.token_type].append(line)
    keys = sorted({*own.cells, *billed}, key=lambda key: (key[0], key[1], COMPONENTS.index(key[2])))
    return [_line(key, own.cells.get(key), billed.get(key, []), bill, key[0] in provisional) for key in keys]


def _line(key: Key, own: OwnFigure | None, billed: list[BilledLine], bill: Bill, provisional: bool) -> Line:
    day, model, token_type = key
    in_tokens = token_type in TOKEN_TYPES
    return Line(
        day=day,
        model=model,
        token_type=token_type,
        own_tokens=(own.tokens if own else 0) if in_tokens else None,
        billed_tokens=(count(line.tokens for line in billed) or 0) if in_tokens else None,
        own_usd=own.usd if own else Decimal(0),
        list_usd=(add(line.list_usd for line in billed) or Decimal(0)) if bill.tells_list else None,
        amount_usd=(add(line.amount_usd for line in billed) or Decimal(0)) if bill.tells_amount else None,
        provisional=provisional,
    )


def _provisional(own: Own, bill: Bill, now: datetime) -> set[date]:
    """Return the days on which either side may still grow."""
    told = [moment for moment in (bill.refreshed_at or now - SETTLING, own.complete_until) if moment is not None]
    reached = min(told)
    days = {bill.start + timedelta(days=n) for n in range((bill.end - bill.start).days)}
    growing = {day for day in days if _end_of(day) > reached}
    return growing | (bill.estimated_days & days)


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), tzinfo=UTC)


def _grouped(lines: Iterable[Line], key: Callable[[Line], Group], basis: Basis) -> dict[Group, Totals]:
    groups: dict[Group, list[Line]] = defaultdict(list)
    for line in lines:
        groups[key(line)].append(line)
    return {group: _total(members, basis) for group, members in groups.items()}


def _total(lines: Iterable[Line], basis: Basis) -> Totals:
    """Add lines up. What one side has more is netted over days and over the two kinds of writes, and no further:

    a call at midnight may be of one day here and of the next one there, and a text line does not say for how long it
    wrote; but a cache read is never an output token.
    """
    lines = list(lines)
    differences: dict[tuple[str, str], int] = defaultdict(int)
    for line in lines:
        if line.own_tokens is not None and line.billed_tokens is not None:
            kind = "cache_write" if line.token_type in _WRITES else line.token_type
            differences[line.model, kind] += line.own_tokens - line.billed_tokens
    return Totals(
        own_tokens=count(line.own_tokens for line in lines),
        billed_tokens=count(line.billed_tokens for line in lines),
        unlogged_tokens=sum(-n for n in differences.values() if n < 0) if differences else None,
        overlogged_tokens=sum(n for n in differences.values() if n > 0) if differences else None,
        own_usd=add(line.own_usd for line in lines),
        list_usd=add(line.list_usd for line in lines),
        amount_usd=add(line.amount_usd for line in lines),
        basis=basis,
    )


def _with_requests(total: Totals, own: Own, bill: Bill, days: set[date]) -> Totals:
    return replace(total, own_requests=_on(own.requests, days), billed_requests=_on(bill.requests, days))


def _on(requests: Mapping[DayModel, int] | None, days: set[date]) -> int | None:
    if requests is None or not days:
        return None
    return sum(number for (day, _), number in requests.items() if day in days)


def _by_dollars(
    item: tuple[tuple[str, str], Totals], every: Mapping[tuple[str, str], Totals]
) -> tuple[Decimal, str, int]:
    """Order models by what they cost, and token types as they are named."""
    (model, token_type), _ = item
    costs = [
        max(totals.billed_usd or Decimal(0), totals.own_usd or Decimal(0))
        for (other, _), totals in every.items()
        if other == model
    ]
    return -sum(costs, Decimal(0)), model, COMPONENTS.index(token_type)


def _joined_writes(own: Own) -> Own:
    """Return the own figures with both kinds of writes as one, as the provider tells them."""
    cells: dict[Key, OwnFigure] = {}
    for (day, model, token_type), figure in own.cells.items():
        key = (day, model, "cache_write" if token_type in _WRITES else token_type)
        before = cells.get(key, OwnFigure(None, None))
        cells[key] = OwnFigure(count((before.tokens, figure.tokens)), add((before.usd, figure.usd)))
    return replace(own, cells=cells)


def _gaps(own: Own, bill: Bill, lines: Iterable[Line]) -> tuple[str, ...]:
    told = list(bill.gaps)
    if any(line.model == _STEPPED for line in lines):
        told.append("context_window")
    if not bill.tells_list and bill.tells_amount:
        told.append("no_list_price")
    for found, name in (
        (own.unpriced_calls, "own_unpriced"),
        (own.calls_by_defaults, "own_by_defaults"),
        (own.incomplete_calls, "own_incomplete"),
        (own.own_prices, "own_prices"),
        (bill.requests is None, "no_requests"),
    ):
        if found:
            told.append(name)
    return tuple(dict.fromkeys(told))
