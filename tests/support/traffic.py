"""Traffic from rows, without a lake: what `core.traffic.load` would have read."""

from __future__ import annotations

from collections.abc import Container, Iterable
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from core.pricing import default_book
from core.store.schema import UTC
from core.traffic.calls import Traffic, from_table
from tests.support.rows import NOON, Row, make_call, table_of

PREFIX = 6_000
FRESH = 100


def traffic_of(rows: Iterable[Row], *, fetched: Container[str] = (), before: Container[str] = ()) -> Traffic:
    """Lay rows out as traffic; `fetched` and `before` name calls that fetched their prompt or are out of scope."""
    rows = list(rows)
    table = table_of("calls", rows)
    ids = table["call_id"].to_pylist()
    table = table.append_column("began", pa.nulls(len(ids), UTC))
    table = table.append_column("fetched", pa.array([name in fetched for name in ids], pa.bool_()))
    table = table.append_column("in_scope", pa.array([name not in before for name in ids], pa.bool_()))
    return from_table(table, default_book())


def at(**since: float) -> datetime:
    """A moment after NOON: at(minutes=3)."""
    return NOON + timedelta(**since)


def reads(ts: datetime, **other: Any) -> Row:
    """A call that read its whole prefix."""
    return make_call(ts=ts, cache_read_tokens=PREFIX, **(_recorded() | other))


def writes(ts: datetime, *, ttl: str = "1h", **other: Any) -> Row:
    """A call that wrote its whole prefix."""
    return make_call(ts=ts, cache_ttl=ttl, **({f"cache_write_{ttl}_tokens": PREFIX} | _recorded() | other))


def idle(ts: datetime, **other: Any) -> Row:
    """A call that neither read nor wrote."""
    return make_call(ts=ts, **({"input_tokens": PREFIX + FRESH} | _recorded() | other))


def text(row: Row) -> Row:
    """The same call as a text line tells it."""
    return row | {
        "told_by": "text", "ts_kind": "logged", "prefix_tokens": None, "prefix_fingerprint": None, "ttft_ms": None,
        "latency_ms": None, "id_kind": "event", "model_known_by": "defaults", "ttl_known_by": "defaults",
    }  # fmt: skip


def _recorded() -> Row:
    return {"prefix_tokens": PREFIX, "prefix_fingerprint": "aaaa", "ttft_ms": 900.0, "latency_ms": 2_000.0}
