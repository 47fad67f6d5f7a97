"""What a question is about: a time range and filters, laid over any table that has the columns."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import ibis.expr.types as ir

from core.errors import FixSettings
from core.store.query import Reader
from core.store.schema import TABLES

_COLUMNS = {
    "engines": "engine",
    "models": "model",
    "providers": "provider",
    "function_versions": "function_version",
    "sources": "source",
    "tenants": "tenant",
}

NONE = ""
"""Among the values of a filter: the rows that have none. It is no name of anything, and no tenant's tag."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Rows of [start, end) that match every filter given; an empty filter matches all."""

    start: datetime | None = None
    end: datetime | None = None
    engines: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    function_versions: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for moment in (self.start, self.end):
            if moment is not None and moment.tzinfo is None:
                raise FixSettings(
                    f"{moment} has no time zone.", code="MET-001", mend="Give a time with its zone.", about=(moment,)
                )
        if self.start is not None and self.end is not None and self.start > self.end:
            raise FixSettings(
                f"The range starts at {self.start.isoformat()}, after its end {self.end.isoformat()}.",
                code="MET-001",
                mend="Swap the two.",
                about=(self.start.isoformat(), self.end.isoformat()),
            )

    def filters(self) -> dict[str, tuple[str, ...]]:
        """Return the filters in force, by column."""
        return {column: values for name, column in _COLUMNS.items() if (values := getattr(self, name))}

    def shape(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Return everything that decides the SQL of a question; the times only say which rows it is about."""
        return tuple(sorted(self.filters().items()))

    def fits(self, table: str) -> bool:
        """Say whether the table has every filtered column; if not, its numbers are unknown here, not wrong."""
        return set(self.filters()) <= set(TABLES[table].names)


def rows_of(reader: Reader, table: str, scope: Scope) -> ir.Table:
    """Return the table's rows in scope; the caller has checked that the scope fits the table."""
    return within(reader.table(table, scope.start, scope.end), scope)


def asked(
    reader: Reader, table: str, scope: Scope, *, shape: Hashable | None, build: Callable[[ir.Table], ir.Table]
) -> list[dict[str, Any]]:
    """Run what `build` makes of the table's rows in scope; the same `shape` must make the same of them.

    It is written as SQL once for each shape and filter in a process, which takes longer than many an answer.
    """
    narrowed = None if shape is None else (shape, scope.shape())
    return reader.shaped(table, scope.start, scope.end, shape=narrowed, build=lambda rows: build(within(rows, scope)))


def within(rows: ir.Table, scope: Scope) -> ir.Table:
    """Return the rows that match the filters, whatever their time."""
    for column, values in scope.filters().items():
        rows = rows.filter(chosen(rows, column, values))
    return rows


def chosen(rows: ir.Table, column: str, values: Sequence[str]) -> ir.BooleanValue:
    """Say which rows have one of a filter's values; NONE among them means the rows where it is not known."""
    named = rows[column].isin(values)
    return named | rows[column].isnull() if NONE in values else named
