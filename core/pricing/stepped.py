"""Calls that took several billed steps, in a table: each is priced by the scalar path, for its steps decide.

Few calls have steps (compaction, advisor, server-side fallback), so they cost the columnar path nothing.
Needs pyarrow, so nothing that runs inside Lambda imports it.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from core.pricing.cost import PricedCall, price_usage
from core.usage import Usage
from core.usage.iterations import read_steps_text

if TYPE_CHECKING:
    import pyarrow as pa

    from core.pricing.book import PriceBook

STEPS = "billed_steps"
_COUNTS = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens")
_NEEDED = (*_COUNTS, "ts", "model")
_NAMES = {"status": "price_status", "reason": "price_reason"}


def lay_over(book: PriceBook, calls: pa.Table, priced: pa.Table) -> pa.Table:
    """Return the price columns with those of calls that have steps replaced by what their steps cost.

    A call whose counts, time or model are not known stays unpriced: its columns say why.
    """
    if STEPS not in calls.column_names or calls.column(STEPS).null_count == calls.num_rows:
        return priced
    import pyarrow as pa
    import pyarrow.compute as pc

    mask = pc.is_valid(calls.column(STEPS))
    for name in _NEEDED:
        mask = pc.and_(mask, pc.is_valid(calls.column(name)))
    found = [_priced(book, row) for row in calls.filter(mask).to_pylist()]
    if not found:
        return priced
    for place, field in enumerate(priced.schema):
        if field.name not in found[0]:  # the book's version is the same for all
            continue
        values = pa.array([row[field.name] for row in found], field.type)
        column = pc.replace_with_mask(priced.column(place).combine_chunks(), mask.combine_chunks(), values)
        priced = priced.set_column(place, field, column)
    return priced


def _priced(book: PriceBook, row: dict[str, Any]) -> dict[str, Any]:
    call: PricedCall = price_usage(
        book,
        _usage(row),
        provider=row.get("provider"),
        model=row["model"],
        at=row["ts"],
        stop_reason=row.get("stop_reason"),
        stop_category=row.get("stop_category"),
        has_output=row.get("has_output"),
    )
    return {_NAMES.get(name, name): value for name, value in asdict(call).items()}


def _usage(row: dict[str, Any]) -> Usage:
    return Usage(
        **{name: row[name] for name in _COUNTS},
        web_search_requests=row.get("web_search_requests") or 0,
        service_tier=row.get("service_tier"),
        speed=row.get("speed"),
        inference_geo=row.get("inference_geo"),
        iterations=read_steps_text(row[STEPS]),
        complete=row.get("complete") is not False,
        ttl_split_known=row.get("ttl_split_known") is not False,
    )
