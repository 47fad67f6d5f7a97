"""The single calls behind a number."""

from __future__ import annotations

import pyarrow as pa

from core.errors import FixSettings
from core.metrics.scope import Scope, rows_of
from core.store.query import Reader
from core.store.schema import TABLES

MOST_ROWS = 10_000


def calls_page(reader: Reader, scope: Scope, limit: int = 500, order: str = "ts desc") -> pa.Table:
    """Return up to `limit` calls with every column, ordered by one column, "asc" or "desc"; unknown values last."""
    column, direction = _order(order)
    if not 0 < limit <= MOST_ROWS:
        raise FixSettings(f"limit = {limit} is out of range.", code="MET-005", mend=f"Accepted: 1 to {MOST_ROWS}.")
    rows = rows_of(reader, "calls", scope)
    key = rows[column].desc(nulls_first=False) if direction == "desc" else rows[column].asc()
    return reader.run(rows.order_by(key, rows.call_id.asc()).limit(limit))


def _order(order: str) -> tuple[str, str]:
    column, _, direction = order.partition(" ")
    if column not in TABLES["calls"].names or direction not in ("asc", "desc"):
        raise FixSettings(
            f'"{order}" is not an order of calls.',
            code="MET-005",
            mend='Accepted: a column and asc or desc, as "ts desc".',
        )
    return column, direction
