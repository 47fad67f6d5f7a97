"""Metrics over time: one row for each bucket that holds anything (and each member of one dimension, if asked)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pyarrow as pa

from core.metrics import aggregate, buckets
from core.metrics.catalog import DERIVED, METRICS, measures_of
from core.metrics.invocations import QUANTILE_NAMES
from core.metrics.leading import leading
from core.metrics.measure import Measure
from core.metrics.scope import Scope
from core.store.query import Reader

_DERIVED_OF_CALLS = (
    "token_hit_rate",
    "request_hit_rate",
    "write_amortization",
    "cost_per_request_usd",
    "net_savings_share",
    "unpriced_calls",
    "price_coverage",
)
_DERIVED_OF_STORE = ("prompt_store_lookups", "prompt_store_hit_rate")
_NOT_OVER_TIME = ("prompt_store_fetch_ms", "price_check_agrees", "price_check_other", "price_check_differs")
_BUCKET = pa.field("bucket", pa.timestamp("us", tz="UTC"))


def series(
    reader: Reader, scope: Scope, bucket: str, by: str | None = None, zone: str = "UTC", most: int | None = None
) -> pa.Table:
    """Return calls, tokens, dollars and Claude cache ratios by bucket (5m, hour, day of `zone`), in order of time.

    `bucket` is its start in UTC. Buckets without any call have no row. `most`: where `by` has more members than that,
    only the dearest are told apart, and the others are one (leading.others).
    """
    return _series(reader, scope, "calls", _DERIVED_OF_CALLS, bucket=bucket, by=by, zone=zone, most=most)


def days(reader: Reader, scope: Scope, zone: str = "UTC") -> list[Scope]:
    """Cut a scope at the midnights of a zone; days without any call are left out."""
    span = reader.span("calls", scope.start, scope.end)
    if span is None:
        return []
    begin = span[0] if scope.start is None else max(span[0], scope.start)
    end = span[1] if scope.end is None else min(span[1], scope.end)
    edges = [begin, *buckets.midnights(begin, end, buckets.zone_of(zone)), end]
    parts = [replace(scope, start=start, end=stop) for start, stop in pairwise(edges)]
    return [part for part in parts if reader.span("calls", part.start, part.end)]


def store_series(reader: Reader, scope: Scope, bucket: str, by: str | None = None, zone: str = "UTC") -> pa.Table:
    """Return prompt-store hits, misses and hit rate by bucket; no rows when the scope names a model or provider."""
    return _series(reader, scope, "prompt_store_events", _DERIVED_OF_STORE, bucket=bucket, by=by, zone=zone)


def latency_series(reader: Reader, scope: Scope, bucket: str, zone: str = "UTC") -> pa.Table:
    """Return response time quantiles (p50, p95, p99 in ms), count and cold starts by bucket.

    No rows when the scope names a model or provider: an invocation has neither.
    """
    wanted = ("response_time_ms", "response_times", "cold_starts")
    measures = {name: measures_of("invocations")[name] for name in wanted}
    rows = _bucketed(reader, scope, "invocations", measures, bucket=bucket, by=None, zone=zone)
    flat = [
        {
            "bucket": row["bucket"],
            **dict(zip(QUANTILE_NAMES, row["response_time_ms"] or (None, None, None), strict=True)),
            "count": row["response_times"],
            "cold_count": row["cold_starts"],
        }
        for row in rows
    ]
    counts = [pa.field(name, pa.int64()) for name in ("count", "cold_count")]
    schema = pa.schema([_BUCKET, *(pa.field(name, pa.float64()) for name in QUANTILE_NAMES), *counts])
    return pa.Table.from_pylist(flat, schema=schema)


def _series(
    reader: Reader,
    scope: Scope,
    table: str,
    derived: Iterable[str],
    *,
    bucket: str,
    by: str | None,
    zone: str,
    most: int | None = None,
) -> pa.Table:
    measures = {name: item for name, item in measures_of(table).items() if name not in _NOT_OVER_TIME}
    rows = _bucketed(reader, scope, table, measures, bucket=bucket, by=by, zone=zone, most=most)
    for row in rows:
        for name in derived:
            row[name] = DERIVED[name].of(row)
    dimension = [pa.field(by, pa.string())] if by else []
    fields = [pa.field(name, _type_of(name)) for name in (*measures, *derived)]
    return pa.Table.from_pylist(rows, schema=pa.schema([_BUCKET, *dimension, *fields]))


def _bucketed(
    reader: Reader,
    scope: Scope,
    table: str,
    measures: Mapping[str, Measure],
    *,
    bucket: str,
    by: str | None,
    zone: str,
    most: int | None = None,
) -> list[dict[str, Any]]:
    buckets.check_bucket(bucket)
    aggregate.check_columns([by] if by else [])
    place = buckets.zone_of(zone)
    names = [by] if by else []
    few = leading(reader, scope, by, most=most, tables=(table,)) if by else None
    found = aggregate.bucketed(reader, table, scope, measures, by=names, bucket=bucket, zone=place, few=few)
    rows = [
        {"bucket": buckets.start_of(number, bucket, place), **dict(zip(names, member, strict=True)), **sums}
        for (number, *member), sums in found.items()
    ]
    return sorted(rows, key=lambda row: (row["bucket"], str(row.get(by) or "") if by else ""))


def _type_of(name: str) -> pa.DataType:
    kinds = {"count": pa.int64(), "tokens": pa.int64(), "usd": pa.decimal128(38, 12)}
    return kinds.get(METRICS[name].unit, pa.float64())
