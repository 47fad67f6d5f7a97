"""Asks the tables questions: DuckDB in this process over the Parquet files of one snapshot, through Ibis.

A query never sees half a write: the list of files comes from one version of the table. DuckDB gets the list, not
the folder, because that is 1.3–6 times faster than going through a dataset and halves the memory.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Any
from uuid import uuid4

import duckdb
import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa

from core.errors import FixSettings
from core.store import scratch
from core.store.faults import explained
from core.store.lake import Lake
from core.store.one_dialect import load_duckdb_alone
from core.store.schema import ADDED, TABLES
from core.store.snapshot import Snapshot

_VIEWS_KEPT = 64
_SHAPES_KEPT = 512
_EXPRESSIONS_KEPT = 128
_WORD = uuid4().hex  # so that no name out of a log is taken for rows
_ROWS = f"rows{_WORD}"
_MEMORY = "2GB"
Ranged = tuple[str, datetime | None, datetime | None]
"""A table's rows of [start, end)."""
_shapes: OrderedDict[Hashable, str] = OrderedDict()
_shapes_guard = threading.Lock()
"""The SQL of shapes is the same for every reader of the process, whichever lake it reads."""

# few rows are copied on purpose: see Reader._few
warnings.filterwarnings("ignore", message="Arrow output on a DB-API result", category=UserWarning)


class Reader:
    """Reads the tables of one lake; may be used from many threads at once."""

    def __init__(self, lake: Lake, *, threads: int | None = None, memory_limit: str = _MEMORY) -> None:
        """Open an in-memory DuckDB that needs no server, no file and no download."""
        self.lake = lake
        self._duck = duckdb.connect(
            config={
                "threads": str(threads or os.cpu_count() or 1),
                "memory_limit": memory_limit,
                "temp_directory": str(scratch.folder() / "duckdb"),  # not the folder the command is run in
                "autoinstall_known_extensions": "false",
                "preserve_insertion_order": "false",
            }
        )
        self._duck.execute("SET GLOBAL TimeZone = 'UTC'")
        self._guard = threading.Lock()
        self._views: OrderedDict[tuple[str, ...], str] = OrderedDict()
        self._count = 0
        self._days: dict[Hashable, dict[date, tuple[tuple[str, ...], list[dict[str, Any]]]]] = {}

    def table(self, name: str, start: datetime | None = None, end: datetime | None = None) -> ir.Table:
        """Return the rows of [start, end) of the table's newest version; empty while it does not exist.

        Run expressions built on it with `run`, which is safe from any thread.
        """
        rows = _named(name, self._view_of(self.lake.pinned(name), name, start, end))
        if start is not None:
            rows = rows.filter(rows.ts >= _moment(start))
        if end is not None:
            rows = rows.filter(rows.ts < _moment(end))
        return rows

    def span(
        self, name: str, start: datetime | None = None, end: datetime | None = None
    ) -> tuple[datetime, datetime] | None:
        """Return bounds in time of the table's rows in [start, end), to the day; None when it has none."""
        snapshot = self.lake.pinned(name)
        days = snapshot.days(start, end) if snapshot else []
        if not days:
            return None
        midnight = [datetime.combine(day, time.min, tzinfo=UTC) for day in (days[0], days[-1])]
        return midnight[0], midnight[1] + timedelta(days=1)

    def run(self, expression: ir.Table) -> pa.Table:
        """Run the expression on a cursor of its own and return its rows; DECIMAL stays decimal, times stay UTC."""
        return self.sql(_written(expression.op()))

    def sql(self, sql: str, given: Mapping[str, pa.Table] | None = None) -> pa.Table:
        """Run one statement of DuckDB's SQL, as benchmarks do; everything else asks through expressions.

        `given` are rows from elsewhere, by the name that the statement knows them by.
        """
        with self._faults("querying"), self._duck.cursor() as cursor:
            for name, rows in (given or {}).items():
                cursor.register(name, rows)  # seen by this cursor alone
            return cursor.sql(sql).to_arrow_table()

    def rows(self, expression: ir.Table) -> list[dict[str, Any]]:
        """Run the expression and return its rows as dicts."""
        return self._few(_written(expression.op()))

    def _few(self, sql: str) -> list[dict[str, Any]]:
        """Run one statement whose rows are few enough to become dicts.

        `sql` plans every statement twice, once for the types of its columns, which is a fifth of what a page's
        questions cost; here it is done once, and the rows are copied once more, which is nothing where they are few.
        """
        with self._faults("querying"), self._duck.cursor() as cursor:
            return cursor.execute(sql).to_arrow_table().to_pylist()

    def shaped(
        self,
        name: str,
        start: datetime | None,
        end: datetime | None,
        *,
        shape: Hashable | None,
        build: Callable[[ir.Table], ir.Table],
    ) -> list[dict[str, Any]]:
        """Run what `build` makes of the table's rows in [start, end), and return its rows; see `arrow`."""
        return self._few(self._put_in(_text(name, shape, build), {_ROWS: (name, start, end)}))

    def arrow(
        self,
        name: str,
        start: datetime | None,
        end: datetime | None,
        *,
        shape: Hashable | None,
        build: Callable[[ir.Table], ir.Table],
        given: Mapping[str, pa.Table] | None = None,
    ) -> pa.Table:
        """Run what `build` makes of the table's rows in [start, end); the same `shape` must make the same of them.

        Writing an expression as SQL takes longer than many a query: that is done once for each shape in a process,
        and the rows it is about are put in afterwards. None is the shape of what is hardly asked twice.
        """
        return self.sql(self._put_in(_text(name, shape, build), {_ROWS: (name, start, end)}), given)

    def joined(
        self, asked: Mapping[str, Ranged], *, shape: Hashable, build: Callable[[Mapping[str, ir.Table]], ir.Table]
    ) -> pa.Table:
        """Run what `build` makes of rows of several tables, each by a name of its own in `asked`; see `arrow`."""
        words = {f"{key}{_WORD}": ranged for key, ranged in asked.items()}

        def written() -> ir.Table:
            return build({key: _named(table, f"{key}{_WORD}") for key, (table, _, _) in asked.items()})

        tables = tuple((key, table) for key, (table, _, _) in asked.items())
        return self.sql(self._put_in(_shaped((tables, shape), written), words))

    def daily(self, name: str, *, shape: Hashable, build: Callable[[ir.Table], ir.Table]) -> list[dict[str, Any]]:
        """Run what `build` makes of all rows, which must be grouped by `date`, and remember the answer of each day.

        Only the days whose files have changed since are read again.
        """
        snapshot = self.lake.pinned(name)
        files: dict[date, tuple[str, ...]] = {}
        for day, uri in snapshot.files if snapshot else ():
            files[day] = (*files.get(day, ()), uri)
        with self._guard:
            known = dict(self._days.get((name, shape), {}))
        changed = [day for day, held in files.items() if day not in known or known[day][0] != held]
        if changed:
            assert snapshot
            view = self._view(name, tuple(uri for day in changed for uri in files[day]), grown=snapshot.grown)
            found = self._few(_text(name, shape, build).replace(f'"{_ROWS}"', f'"{view}"'))
            for day in changed:
                known[day] = (files[day], [row for row in found if row["date"] == day])
            with self._guard:
                self._days[name, shape] = {day: known[day] for day in files}
        return [row for day in files for row in known[day][1]]

    def _put_in(self, text: str, words: Mapping[str, Ranged]) -> str:
        """Return SQL with rows in place of words."""
        for word, (name, start, end) in words.items():
            view = self._view_of(self.lake.pinned(name), name, start, end)
            text = text.replace(f'"{word}"', _ranged(view, start, end))
        return text

    def close(self) -> None:
        """Give the memory back; the reader cannot be used after it."""
        self._duck.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @contextmanager
    def _faults(self, doing: str) -> Iterator[None]:
        """Tell a lost or damaged file and a lack of memory as errors of ours; other SQL errors are our bugs."""
        with explained(self.lake.path, doing):
            try:
                yield
            except (duckdb.IOException, duckdb.InvalidInputException) as error:
                raise OSError(str(error).split("\n", 1)[0]) from error
            except duckdb.OutOfMemoryException as error:
                raise FixSettings(
                    f"The query needs more memory than it may use: {str(error).splitlines()[0]}",
                    code="STO-009",
                    mend="Choose a shorter time range.",
                    about=(str(error).splitlines()[0],),
                ) from error

    def _view_of(self, snapshot: Snapshot | None, table: str, start: datetime | None, end: datetime | None) -> str:
        """Return the view over the files of one version that can hold rows of [start, end)."""
        files = tuple(snapshot.between(start, end)) if snapshot else ()
        return self._view(table, files, grown=snapshot is not None and snapshot.grown)

    def _view(self, table: str, files: tuple[str, ...], *, grown: bool) -> str:
        """Return the view over these files: they never change, so neither does it."""
        key = (table, *files)
        with self._guard:
            if key in self._views:
                self._views.move_to_end(key)
                return self._views[key]
            self._count += 1
            name = f"{table}_{self._count}"
            with self._faults("opening its files"), self._duck.cursor() as cursor:
                cursor.execute(f'CREATE VIEW "{name}" AS {_select(table, files, grown=grown)}')
                while len(self._views) >= _VIEWS_KEPT:
                    cursor.execute(f'DROP VIEW "{self._views.popitem(last=False)[1]}"')
            self._views[key] = name
            return name


def _text(name: str, shape: Hashable | None, build: Callable[[ir.Table], ir.Table]) -> str:
    """Return the SQL of a shape, with a word where the rows of its table belong."""
    return _shaped(None if shape is None else (name, shape), lambda: build(_named(name, _ROWS)))


def _shaped(key: Hashable | None, build: Callable[[], ir.Table]) -> str:
    """Return the SQL of what `build` makes, written the first time that this key is asked for in a process."""
    if key is None:
        return _as_sql(build())
    with _shapes_guard:
        known = _shapes.get(key)
        if known is not None:
            _shapes.move_to_end(key)
            return known
    text = _as_sql(build())
    with _shapes_guard:
        _shapes[key] = text
        while len(_shapes) > _SHAPES_KEPT:
            _shapes.popitem(last=False)
    return text


def _named(table: str, name: str) -> ir.Table:
    """Return an expression of a table of ours under the name that SQL is to give it."""
    return ibis.table(_schema(table), name=name)


@cache
def _schema(table: str) -> ibis.Schema:
    return ibis.Schema.from_pyarrow(TABLES[table])


@lru_cache(maxsize=_EXPRESSIONS_KEPT)
def _written(operation: ops.Node) -> str:
    """Return an expression as SQL: one that is asked again, of the same files and range, is not written again."""
    return _as_sql(operation.to_expr())


def _as_sql(expression: ir.Expr) -> str:
    load_duckdb_alone()
    return str(ibis.to_sql(expression, dialect="duckdb", pretty=False))


def _select(table: str, files: tuple[str, ...], *, grown: bool) -> str:
    if not files:
        nulls = ", ".join(f'CAST(NULL AS {_duck_type(field.type)}) AS "{field.name}"' for field in TABLES[table])
        return f"SELECT {nulls} WHERE false"
    columns = ", ".join(f'"{name}"' for name in TABLES[table].names)
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    told = "hive_partitioning = true, hive_types = {'date': DATE}"
    if not grown:
        return f"SELECT {columns} FROM read_parquet([{listed}], {told}, union_by_name = false)"
    # Which file has which column is read from all of them, so only of tables where they may differ; the second part
    # has no rows: it is there for columns that none of these files has.
    lacking = ", ".join(f'CAST(NULL AS {_duck_type(TABLES[table].field(n).type)}) AS "{n}"' for n in ADDED[table])
    return (
        f"SELECT {columns} FROM (SELECT * FROM read_parquet([{listed}], {told}, union_by_name = true) "
        f"UNION ALL BY NAME SELECT {lacking} WHERE false)"
    )


def _ranged(view: str, start: datetime | None, end: datetime | None) -> str:
    """Return the view's rows of [start, end) as SQL that may stand where a table may."""
    bounds = [
        f"ts {sign} TIMESTAMPTZ '{at.astimezone(UTC).isoformat()}'" for sign, at in ((">=", start), ("<", end)) if at
    ]
    return f'(SELECT * FROM "{view}" WHERE {" AND ".join(bounds)})' if bounds else f'"{view}"'


def _duck_type(kind: pa.DataType) -> str:
    names = {
        pa.string(): "VARCHAR",
        pa.bool_(): "BOOLEAN",
        pa.int32(): "INTEGER",
        pa.int64(): "BIGINT",
        pa.float64(): "DOUBLE",
        pa.date32(): "DATE",
    }
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision},{kind.scale})"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMPTZ"
    return names[kind]


def _moment(value: datetime) -> ir.Scalar:
    return ibis.literal(value.astimezone(UTC), type="timestamp('UTC', 6)")
