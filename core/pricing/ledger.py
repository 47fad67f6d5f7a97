"""The price columns of rows of the calls table: at ingest, and again when history is repriced.

Knows what the book cannot: that a text line says neither its model nor the TTL of its writes, and what the line
itself claimed to have cost. Needs pyarrow, so nothing that runs inside Lambda imports it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from core.pricing.book import PriceBook
from core.pricing.bulk import COLUMNS, price_table
from core.pricing.check import explain_reported
from core.pricing.reasons import reason as reason_of

TTL_UNKNOWN = reason_of("ttl_unknown")
MODEL_UNKNOWN = reason_of("model_unknown")
PRICED = COLUMNS
"""The columns that `price_columns` gives."""
_HALF_MICRODOLLAR = Decimal("0.0000005")
_MAX_EXPLAINED = (
    2_000  # figures looked into per batch: asking every model about every line would cost more than all else
)
_ASKED = ("ts", "provider", "model", "cache_ttl", "input_tokens", "output_tokens", "cache_read_tokens",
          "prompt_tokens", "reported_cost_usd")  # fmt: skip


def price_columns(book: PriceBook, calls: pa.Table) -> pa.Table:
    """Return the price columns of calls in the same order, with the reasons we know better than the book."""
    priced = price_table(book, calls)
    split_unknown = pc.and_(pc.is_null(calls["cache_write_5m_tokens"]), pc.is_valid(calls["input_tokens"]))
    reason = pc.if_else(split_unknown, TTL_UNKNOWN, priced["price_reason"])
    reason = pc.if_else(pc.is_null(calls["model"]), MODEL_UNKNOWN, reason)
    return priced.set_column(priced.column_names.index("price_reason"), "price_reason", reason.cast(pa.string()))


def price_checks(book: PriceBook, calls: pa.Table, cost_usd: pa.ChunkedArray) -> pa.Array:
    """Hold what every line claimed against its price: in bulk where they agree, one by one where not."""
    reported = calls["reported_cost_usd"]
    off = pc.abs(pc.subtract(reported, cost_usd))
    agrees = pc.fill_null(pc.less_equal(off, pa.scalar(_HALF_MICRODOLLAR, pa.decimal128(18, 12))), False)
    checks: list[str | None] = pc.if_else(agrees, "agrees", pa.scalar(None, pa.string())).to_pylist()
    asked = pc.and_(pc.is_valid(reported), pc.invert(agrees))
    rows = pc.indices_nonzero(asked).to_pylist()
    rows = rows[:: max(1, -(-len(rows) // _MAX_EXPLAINED))]  # spread, so that every engine and version has some
    if rows:
        explain = _explainer(book)
        for row, values in zip(rows, calls.select(_ASKED).take(pa.array(rows)).to_pylist(), strict=True):
            checks[row] = explain(*_question(values))
    return pa.array(checks, pa.string())


def _question(values: dict[str, Any]) -> tuple[Any, ...]:
    day = values["ts"].astimezone(UTC).date().toordinal()
    written = values["prompt_tokens"] - values["input_tokens"] - values["cache_read_tokens"]
    counts = values["input_tokens"], values["output_tokens"], values["cache_read_tokens"], written
    return day, values["reported_cost_usd"], values["provider"], values["model"], values["cache_ttl"], *counts


_EXPLAINERS: dict[str, Callable[..., str | None]] = {}


def _explainer(book: PriceBook) -> Callable[..., str | None]:
    """Return explain_reported over one book, remembering its answers: services repeat themselves."""
    if book.version not in _EXPLAINERS:

        @lru_cache(maxsize=50_000)
        def explain(
            day: int, reported: Decimal, provider: str, model: str | None, ttl: str | None,
            given: int, output: int, read: int, written: int,
        ) -> str | None:  # fmt: skip
            return explain_reported(
                book, reported=reported, at=datetime.fromordinal(day).replace(hour=12, tzinfo=UTC), provider=provider,
                model=model, cache_ttl=ttl, input_tokens=given, output_tokens=output, cache_read=read,
                cache_write=written,
            )  # fmt: skip

        _EXPLAINERS.clear()
        _EXPLAINERS[book.version] = explain
    return _EXPLAINERS[book.version]
