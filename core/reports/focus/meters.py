"""The meters of a call: what kinds of token (or search) it is charged for, and each kind's sums by charge.

All arithmetic is on whole picodollars, so that quantity × unit price is the cost, to the last digit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir

from core.metrics import aggregate, buckets
from core.metrics.scope import Scope, asked
from core.store.query import Reader

TokenType = Literal["input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "web_search"]

KEYS = (
    "provider", "account", "region", "model_id", "engine", "tenant", "function_name", "function_version", "price_row",
    "price_book", "service_tier", "speed", "inference_geo", "model_known_by", "ttl_known_by",
)  # fmt: skip
_PICO = 10**12
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Meter:
    """One kind of charge: its columns, and what people call it."""

    kind: TokenType
    quantity: str
    cost: str
    label: str


METERS = (
    Meter("input", "input_tokens", "input_cost_usd", "uncached input tokens"),
    Meter("cache_read", "cache_read_tokens", "cache_read_cost_usd", "cache read tokens"),
    Meter("cache_write_5m", "cache_write_5m_tokens", "cache_write_5m_cost_usd", "5-minute cache write tokens"),
    Meter("cache_write_1h", "cache_write_1h_tokens", "cache_write_1h_cost_usd", "1-hour cache write tokens"),
    Meter("output", "output_tokens", "output_cost_usd", "output tokens"),
    Meter("web_search", "web_search_requests", "tools_cost_usd", "web searches"),
)


@ibis.udf.scalar.builtin(signature=(("int64", "int64"), "int64"))  # type: ignore[untyped-decorator]
def divide(a: ir.IntegerColumn, b: ir.IntegerColumn) -> ir.IntegerColumn:
    """Divide whole numbers by DuckDB's own: the portable spelling goes through floating point."""


def charges(reader: Reader, scope: Scope, meter: Meter, period: str) -> Iterator[dict[str, Any]]:
    """Return a meter's sums by charge period (day or hour of UTC), KEYS, lifetime and unit price, in order of time.

    Keys: bucket, KEYS, cache_ttl, rate (picodollars for one unit; None: more than one price), quantity, cost,
    no_cache (picodollars). Only priced calls are charged: what has no price is in `left_out`.
    """
    span = reader.span("calls", scope.start, scope.end)
    if span is None:
        return
    shape = ("charges", meter, period, buckets.changes(_UTC, *span))
    for row in asked(reader, "calls", scope, shape=shape, build=lambda rows: _sums(rows, meter, period, span)):
        yield {
            "bucket": buckets.start_of(row["bucket"], period, _UTC),
            **{name: row[f"by_{name}"] for name in KEYS},
            "cache_ttl": row["by_lifetime"] or _lifetime(meter),
            "rate": row["by_rate"],
            **{name: int(row[name]) for name in ("quantity", "cost", "no_cache")},
        }


def _sums(rows: ir.Table, meter: Meter, period: str, span: tuple[datetime, datetime]) -> ir.Table:
    rows = aggregate.marked("calls", rows)
    rows = rows.filter(rows.priced & (rows[meter.quantity] > 0))
    cost = _pico(rows[meter.cost])
    rows = rows.mutate(
        pico=cost,
        plain=_no_cache(rows, meter, cost),
        lifetime=rows.cache_ttl if meter.kind == "cache_read" else ibis.literal(None, type="string"),
        rate=(cost % rows[meter.quantity] == 0).ifelse(
            divide(cost, rows[meter.quantity]), ibis.literal(None, type="int64")
        ),
    )
    keys = {f"by_{name}": rows[name] for name in KEYS}
    keys["bucket"] = buckets.key(rows, period, _UTC, span)
    sums = rows.group_by(**keys, by_lifetime=rows.lifetime, by_rate=rows.rate).aggregate(
        quantity=rows[meter.quantity].sum(), cost=rows.pico.sum(), no_cache=rows.plain.sum()
    )
    return sums.order_by([sums.bucket, *(sums[name] for name in keys if name != "bucket")])


def _no_cache(rows: ir.Table, meter: Meter, cost: ir.IntegerValue) -> ir.IntegerValue:
    """Return what the same tokens would have cost at the input price.

    The premium of a call is over both lifetimes. What its writes would have cost plain is split by tokens; the
    1-hour part takes what is left, so that both add up.
    """
    if meter.kind == "cache_read":
        return cost + _pico(rows.gross_savings_usd)
    if meter.kind not in ("cache_write_5m", "cache_write_1h"):
        return cost
    short, long = rows.cache_write_5m_tokens.fill_null(0), rows.cache_write_1h_tokens.fill_null(0)
    spent = _pico(rows.cache_write_5m_cost_usd.fill_null(0)) + _pico(rows.cache_write_1h_cost_usd.fill_null(0))
    plain = spent - _pico(rows.write_premium_usd)
    plain_short = (long == 0).ifelse(plain, divide(plain, short + long) * short)
    return plain_short if meter.kind == "cache_write_5m" else plain - (short == 0).ifelse(0, plain_short)


def _pico(dollars: ir.DecimalValue) -> ir.IntegerValue:
    return (dollars.cast("decimal(38,12)") * ibis.literal(_PICO, type="int64")).cast("int64")


def _lifetime(meter: Meter) -> str | None:
    return meter.kind.removeprefix("cache_write_") if meter.kind.startswith("cache_write_") else None
