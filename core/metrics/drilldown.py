"""The single calls behind a number, what they add up to, and the latest of all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa

from core.errors import FixSettings
from core.metrics import aggregate
from core.metrics.catalog import DERIVED, measures_of
from core.metrics.scope import Scope, within
from core.store.query import Reader
from core.store.schema import TABLES

MOST_ROWS = 10_000
_BACK = (timedelta(hours=1), timedelta(days=1), timedelta(days=8))
_DERIVED = ("cost_per_request_usd", "price_coverage", "request_hit_rate", "token_hit_rate", "unpriced_calls")


@dataclass(frozen=True, slots=True)
class Which:
    """Which calls of a scope are meant; None leaves both in. The words are those of the metrics.

    `returned`: gave usage, or failed. `priced`: has a price; a failed call is neither. `read`: read something from the
    Claude cache; a failed call is neither. `call_ids`: only these.
    """

    returned: bool | None = None
    priced: bool | None = None
    read: bool | None = None
    call_ids: tuple[str, ...] | None = None

    @property
    def once(self) -> bool:
        """Say whether calls are named one by one: their question is long, and hardly asked twice."""
        return self.call_ids is not None

    def of(self, rows: ir.Table) -> ir.Table:
        """Return the rows meant; `rows` are such as `aggregate.marked` marked."""
        if self.returned is not None:
            rows = rows.filter(rows.returned if self.returned else ~rows.returned)
        if self.priced is not None:
            rows = rows.filter(rows.returned & (rows.priced if self.priced else ~rows.priced))
        if self.read is not None:
            some = (rows.cache_read_tokens > 0).fill_null(False)
            rows = rows.filter(rows.returned & (some if self.read else ~some))
        if self.call_ids is not None:
            rows = rows.filter(rows.call_id.isin(self.call_ids or ("",)))
        return rows


ALL = Which()


def calls_page(reader: Reader, scope: Scope, limit: int = 500, order: str = "ts desc", which: Which = ALL) -> pa.Table:
    """Return up to `limit` calls with every column, ordered by one column, "asc" or "desc"; unknown values last."""
    column, direction = _order(order)
    if not 0 < limit <= MOST_ROWS:
        raise FixSettings(
            f"limit = {limit} is out of range.", code="MET-005", mend=f"Accepted: 1 to {MOST_ROWS}.", about=(limit,)
        )

    def build(rows: ir.Table) -> ir.Table:
        rows = which.of(aggregate.marked("calls", within(rows, scope))).drop("returned", "priced")
        key = rows[column].desc(nulls_first=False) if direction == "desc" else rows[column].asc()
        return rows.order_by(key, rows.call_id.asc()).limit(limit)

    shape = None if which.once else ("page", scope.shape(), which, column, direction, limit)
    return reader.arrow("calls", scope.start, scope.end, shape=shape, build=build)


def calls_total(reader: Reader, scope: Scope, which: Which = ALL) -> dict[str, Any]:
    """Return what the calls meant add up to, by the same definitions as `summary`; None is unknown, never zero."""
    sums = aggregate.totals(reader, "calls", scope, measures_of("calls"), which=which)
    return sums | {name: DERIVED[name].of(sums) for name in _DERIVED}


def latest_calls(reader: Reader, scope: Scope, limit: int, newest: datetime) -> pa.Table:
    """Return the newest `limit` calls up to `newest`, reading no more days than it takes: at most eight."""
    found = None
    for back in _BACK:
        recent = replace(scope, start=newest - back, end=newest + timedelta(seconds=1))
        found = calls_page(reader, recent, limit=limit)
        if found.num_rows == limit:
            break
    assert found is not None
    return found


def _order(order: str) -> tuple[str, str]:
    column, _, direction = order.partition(" ")
    if column not in TABLES["calls"].names or direction not in ("asc", "desc"):
        raise FixSettings(
            f'"{order}" is not an order of calls.',
            code="MET-005",
            mend='Accepted: a column and asc or desc, as "ts desc".',
            about=(order,),
        )
    return column, direction
