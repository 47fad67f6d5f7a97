"""Rows of every table with sane defaults: a test names only the columns it is about.

`make_call(input_tokens=10, cache_read_tokens=90)` derives the date, the prompt size and the money (at Claude
Opus 4.5's list prices, 1h writes at twice the input price) unless the test gives them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from core.store.schema import TABLES

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
"""When everything happens, unless a test says otherwise."""

_PER_TOKEN = {
    "input": Decimal("0.000005"),
    "cache_read": Decimal("0.0000005"),
    "cache_write_5m": Decimal("0.00000625"),
    "cache_write_1h": Decimal("0.00001"),
    "output": Decimal("0.000025"),
}
_numbers = itertools.count(1)

Row = dict[str, Any]


def make_call(**overrides: Any) -> Row:
    """Return one row of `calls`: priced, told by a record, 100 uncached tokens in and 10 out by default."""
    number = next(_numbers)
    row: Row = {
        "call_id": f"msg_{number:06d}",
        "id_kind": "message",
        "ts": NOON,
        "ts_kind": "start",
        "source": "bodo",
        "log_group": "/aws/lambda/bodo-ws",
        "log_stream": "2026/11/20/[1]abc",
        "event_id": f"{number:056d}",
        "told_by": "record",
        "attribution": "explicit",
        "suspected_redelivery": False,
        "function_name": "bodo-ws",
        "function_version": "1",
        "engine": "tutor",
        "provider": "anthropic",
        "model": "claude-opus-4-5",
        "model_id": "claude-opus-4-5",
        "model_known_by": "record",
        "status": "ok",
        "complete": True,
        "caching_enabled": True,
        "cache_ttl": "1h",
        "ttl_known_by": "record",
        "cacheable": True,
        "input_tokens": 100,
        "cache_read_tokens": 0,
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 0,
        "output_tokens": 10,
        "web_search_requests": 0,
        "price_status": "priced",
        "price_row": "test-row",
        "price_book": "test-book",
        "row_rank": 3,
        **overrides,
    }
    _count_prompt(row)
    if row["price_status"] == "priced" and row["status"] == "ok":
        _price(row)
    return _whole("calls", row)


def make_failed_call(**overrides: Any) -> Row:
    """Return one row of `calls` for a request that returned no usage."""
    unknown = dict.fromkeys(
        ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens")
    )
    return make_call(
        **{
            "status": "error",
            "error_type": "overloaded_error",
            "cacheable": None,
            "price_status": "unpriced",
            "price_reason": "no usage",
            "price_row": None,
            **unknown,
            **overrides,
        }
    )


def make_unpriced_call(**overrides: Any) -> Row:
    """Return one row of `calls` whose model has no price: tokens are known, dollars are not."""
    return make_call(
        **{
            "model": "claude-unheard-of",
            "model_id": None,
            "price_status": "unpriced",
            "price_reason": "unknown model",
            "price_row": None,
            **overrides,
        }
    )


def make_invocation(**overrides: Any) -> Row:
    """Return one row of `invocations`: warm, closed, one second long by default."""
    number = next(_numbers)
    row: Row = {
        "invocation_id": f"inv-{number:06d}",
        "ts": NOON,
        "source": "bodo",
        "log_group": "/aws/lambda/bodo-ws",
        "log_stream": "2026/11/20/[1]abc",
        "function_name": "bodo-ws",
        "function_version": "1",
        "engine": "tutor",
        "status": "ok",
        "duration_ms": 1000.0,
        "billed_duration_ms": 1000.0,
        "cold": False,
        "memory_mb": 512,
        "max_memory_mb": 120,
        "calls": 1,
        "row_rank": 1,
        **overrides,
    }
    if row["duration_ms"] is not None and "response_time_ms" not in row:
        extra = (row.get("init_ms") or 0) + (row.get("restore_ms") or 0) if row["cold"] else 0
        row["response_time_ms"] = row["duration_ms"] + extra
    return _whole("invocations", row)


def make_open_invocation(**overrides: Any) -> Row:
    """Return one row of `invocations` whose REPORT line was not seen yet."""
    unknown = dict.fromkeys(("duration_ms", "billed_duration_ms", "cold", "memory_mb", "max_memory_mb"))
    return make_invocation(**{"status": "open", "row_rank": 0, **unknown, **overrides})


def make_store_event(kind: str = "hit", **overrides: Any) -> Row:
    """Return one row of `prompt_store_events`: hit | miss | stored | clear."""
    number = next(_numbers)
    return _whole(
        "prompt_store_events",
        {
            "event_key": f"event-{number:06d}",
            "ts": NOON,
            "source": "bodo",
            "log_group": "/aws/lambda/bodo-ws",
            "log_stream": "2026/11/20/[1]abc",
            "attribution": "positional",
            "suspected_redelivery": False,
            "function_name": "bodo-ws",
            "function_version": "1",
            "engine": "tutor",
            "kind": kind,
            "fetch_ms": 150.0 if kind == "miss" else None,
            "row_rank": 2,
            **overrides,
        },
    )


def make_pass(**overrides: Any) -> Row:
    """Return one row of `ingest_passes`: a pass that read ten lines and recognised all."""
    number = next(_numbers)
    row: Row = {
        "pass_id": f"pass-{number:06d}",
        "source": "bodo",
        "kind": "files",
        "ts": NOON,
        "status": "done",
        "lines_read": 10,
        "lines_recognised": 10,
        "lines_ignored": 0,
        "lines_skipped": 0,
        "outcomes_json": '{"recognised":{"cost":10},"ignored":{},"skipped":{}}',
        "new_calls": 10,
        "new_invocations": 0,
        "new_prompt_store_events": 0,
        "duplicates": 0,
        "late_events": 0,
        "requests": 0,
        "retries": 0,
        "cursor_json": "{}",
        **overrides,
    }
    row.setdefault("finished_at", row["ts"] + timedelta(seconds=1))
    row.setdefault("complete_until", row["ts"])
    return _whole("ingest_passes", row)


def table_of(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Return the rows as an Arrow table of that table's schema."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=TABLES[name])


def _count_prompt(row: Row) -> None:
    parts = [row[f"{part}_tokens"] for part in ("input", "cache_read", "cache_write_5m", "cache_write_1h")]
    row.setdefault("prompt_tokens", None if None in parts else sum(parts))


def _price(row: Row) -> None:
    """Fill whatever dollars the test did not give, so that the parts add up to the whole exactly."""
    parts = {part: row[f"{part}_tokens"] * price for part, price in _PER_TOKEN.items()}
    for part, cost in parts.items():
        row.setdefault(f"{part}_cost_usd", cost)
    row.setdefault("tools_cost_usd", Decimal(0))
    costs = [row[f"{part}_cost_usd"] for part in parts] + [row["tools_cost_usd"]]
    row.setdefault("cost_usd", sum(costs, Decimal(0)))
    base, read = _PER_TOKEN["input"], _PER_TOKEN["cache_read"]
    row.setdefault("gross_savings_usd", row["cache_read_tokens"] * (base - read))
    premium = sum(
        (row[f"{ttl}_tokens"] * (_PER_TOKEN[ttl] - base) for ttl in ("cache_write_5m", "cache_write_1h")), Decimal(0)
    )
    row.setdefault("write_premium_usd", premium)
    row.setdefault("net_savings_usd", row["gross_savings_usd"] - row["write_premium_usd"])
    row.setdefault("no_cache_cost_usd", row["cost_usd"] + row["net_savings_usd"])


def _whole(name: str, row: Row) -> Row:
    """Return the row with every column of the table, refusing names the table does not have."""
    schema = TABLES[name]
    strangers = set(row) - set(schema.names)
    if strangers:
        raise KeyError(f"{name} has no column {sorted(strangers)}")
    row.setdefault("date", row["ts"].astimezone(UTC).date())
    return {column: row.get(column) for column in schema.names}
