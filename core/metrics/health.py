"""The state of the tables and of their figures: ingest over time, what each price row priced, size and files."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import ibis.expr.types as ir

from core.metrics import buckets
from core.metrics.scope import Scope, rows_of
from core.store.care import crowded_days
from core.store.query import Reader
from core.store.rewrite import bytes_of
from core.store.schema import TABLES

_LINES = ("lines_recognised", "lines_ignored", "lines_skipped", "late_events")


def ingest_series(reader: Reader, scope: Scope, bucket: str, zone: str = "UTC") -> list[dict[str, Any]]:
    """Return lines by outcome, late events and the greatest lag and lateness of each bucket, in order of time.

    A pass counts where it began. The lag of a pass is how far its data stopped short of it: `ts` − `complete_until`.
    """
    buckets.check_bucket(bucket)
    span = reader.span("ingest_passes", scope.start, scope.end)
    if span is None:
        return []
    place = buckets.zone_of(zone)
    passes = rows_of(reader, "ingest_passes", Scope(scope.start, scope.end, sources=scope.sources))
    lag_us = buckets.epoch_us(passes.ts) - buckets.epoch_us(passes.complete_until)
    grouped = passes.group_by(bucket=buckets.key(passes, bucket, place, span)).aggregate(
        **{name: passes[name].sum() for name in _LINES},
        passes=passes.count(),
        max_lateness_ms=passes.max_lateness_ms.max(),
        lag_ms=lag_us.max() / 1000.0,
    )
    found = sorted(reader.rows(grouped), key=lambda row: row["bucket"])
    return [{**row, "bucket": buckets.start_of(row["bucket"], bucket, place)} for row in found]


def price_rows(reader: Reader, scope: Scope) -> list[dict[str, Any]]:
    """Return what each price row priced in the scope, the dearest first: calls, dollars, first and last call."""
    calls = rows_of(reader, "calls", scope)
    priced = calls.filter(calls.price_status == "priced")
    grouped = priced.group_by(["price_row", "model_id", "provider"]).aggregate(
        calls=priced.count(),
        cost_usd=priced.cost_usd.sum(),
        first_ts=priced.ts.min(),
        last_ts=priced.ts.max(),
        price_books=priced.price_book.nunique(),
    )
    rows = reader.rows(grouped)
    return sorted(rows, key=lambda row: (-row["cost_usd"], str(row["price_row"])))


def tables(reader: Reader) -> list[dict[str, Any]]:
    """Return version, files, bytes, rows and days of every table, and how many days wait for compaction."""
    return [_table(reader, name) for name in TABLES]


def _table(reader: Reader, name: str) -> dict[str, Any]:
    snapshot = reader.lake.pinned(name)
    days = [day for day, _ in snapshot.files] if snapshot else []
    return {
        "table": name,
        "version": snapshot.version if snapshot else None,
        "files": len(days),
        "bytes": bytes_of(reader.lake, name),
        "rows": _count(reader.table(name), reader) if days else 0,
        "first_day": min(days, default=None),
        "last_day": max(days, default=None),
        "crowded_days": len(crowded_days(snapshot.files, datetime.now(UTC).date())) if snapshot else 0,
    }


def _count(rows: ir.Table, reader: Reader) -> int:
    return int(reader.rows(rows.aggregate(n=rows.count()))[0]["n"])
