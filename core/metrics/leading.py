"""Dimensions with too many members to show, such as a hundred thousand tenants: the dearest, and all others as one.

The others are summed by the same measures as every group, so that groups still add up to the total.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import ibis
import ibis.expr.types as ir

from core.metrics import aggregate
from core.metrics.scope import Scope, asked, within
from core.store.query import Reader

_OTHERS = "\0others "
"""No name that can be read begins so; the number of the others follows."""


@dataclass(frozen=True, slots=True)
class Leading:
    """The members that are told one by one, and how many others there are."""

    by: str
    members: tuple[str | None, ...]
    others: int

    def key(self, rows: ir.Table) -> ir.StringColumn:
        """Return what to group by: the member, or the name of all others."""
        column = rows[self.by]
        kept = column.isin([name for name in self.members if name is not None]).fill_null(None in self.members)
        return kept.ifelse(column, ibis.literal(f"{_OTHERS}{self.others}"))


def leading(
    reader: Reader, scope: Scope, by: str, *, most: int | None, tables: tuple[str, ...] = ("calls",)
) -> Leading | None:
    """Return the dearest members of a scope, of equally dear ones the busiest; None: there is room for all.

    `tables` are those whose rows will be grouped: their members are counted.
    """
    if most is None:
        return None

    def ranked(rows: ir.Table) -> ir.Table:
        grouped = rows.group_by(member=rows[by]).aggregate(cost_usd=rows.cost_usd.sum(), calls=rows.count())
        dearest = [ibis.desc(grouped.cost_usd, nulls_first=False), grouped.calls.desc(), grouped.member]
        return grouped.order_by(dearest).limit(most).select("member")

    def counted(told: Mapping[str, ir.Table]) -> ir.Table:
        named = [kept.select(member=kept[by]) for kept in (within(rows, scope) for rows in told.values())]
        members = reduce(lambda one, two: one.union(two), named).distinct()
        return members.aggregate(n=members.count())

    first = [row["member"] for row in asked(reader, "calls", scope, shape=("dearest", by, most), build=ranked)]
    known = {table: (table, scope.start, scope.end) for table in tables if aggregate.answers(table, scope, [by])}
    whole = reader.joined(known, shape=("members", scope.shape(), by), build=counted)
    others = whole["n"][0].as_py() - len(first)
    return Leading(by, tuple(first), others) if others > 0 else None


def others(name: object) -> int | None:
    """Return how many members a group stands for, if it is that of all others."""
    told = name.removeprefix(_OTHERS) if isinstance(name, str) and name.startswith(_OTHERS) else ""
    return int(told) if told.isdecimal() else None
