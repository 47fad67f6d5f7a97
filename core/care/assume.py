"""Laying a source's present defaults over calls that do not say their model or the TTL of their writes.

Only what the call's own line left open is changed. The tokens stay; writes of a TTL nobody told are booked under the
default's. See collector/rows.py, which does the same when a line is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.caching.cacheable import is_cacheable
from core.settings import LineDefaults, Settings
from core.store.schema import CALLS

ASSUMED = (
    "provider", "model", "model_known_by", "cache_ttl", "ttl_known_by", "cache_write_5m_tokens",
    "cache_write_1h_tokens", "caching_enabled", "cacheable",
)  # fmt: skip
"""The columns that defaults fill in."""
NEEDED = (*ASSUMED, "source", "told_by", "prefix_tokens")
_COUNTS = ("input_tokens", "cache_read_tokens", "prompt_tokens", "billed_steps")
Minimum = Callable[[str, str | None], int | None]
Row = dict[str, Any]


def defaults_of(settings: Settings) -> dict[str, LineDefaults]:
    """Return the defaults of every source by the name its rows carry; paths given by hand are lent a source's."""
    found: dict[str, LineDefaults] = {}
    for source in settings.sources:
        found |= dict.fromkeys((source.name, f"{source.name}/files", f"{source.name}/stdin"), source.defaults)
    if len(settings.sources) == 1:
        found |= {name: settings.sources[0].defaults for name in ("files", "stdin") if name not in found}
    return found


def assume(calls: pa.Table, defaults: Mapping[str, LineDefaults], minimum: Minimum) -> pa.Table:
    """Return the calls with what their lines do not say taken from their source's defaults."""
    said = pc.and_(pc.equal(calls["model_known_by"], "record"), pc.equal(calls["ttl_known_by"], "record"))
    ours = pc.is_in(calls["source"], value_set=pa.array(list(defaults), pa.string()))
    places = pc.indices_nonzero(pc.and_(ours, pc.invert(pc.fill_null(said, False))))
    rows: list[Row] = calls.select([*NEEDED, *_COUNTS]).take(places).to_pylist()
    if not rows:
        return calls
    for row in rows:
        _fill(row, defaults[row["source"]], minimum)
    mask = np.zeros(calls.num_rows, dtype=bool)
    mask[places.to_numpy()] = True
    chosen = pa.array(mask)
    for name in ASSUMED:
        kind = CALLS.field(name)
        filled = pa.array([row[name] for row in rows], kind.type)
        told = calls[name].combine_chunks().cast(kind.type)
        calls = calls.set_column(calls.column_names.index(name), kind, pc.replace_with_mask(told, chosen, filled))
    return calls


def _fill(row: Row, given: LineDefaults, minimum: Minimum) -> None:
    text = row["told_by"] == "text"
    if given.model is not None and row["model_known_by"] != "record":
        row["model"], row["model_known_by"] = given.model, "defaults"
        row["provider"] = given.provider if text else row["provider"]
    if row["prompt_tokens"] is None:  # it failed: there are no tokens to book
        return
    written = row["prompt_tokens"] - row["input_tokens"] - row["cache_read_tokens"]
    if given.cache_ttl is not None and row["ttl_known_by"] != "record" and row["billed_steps"] is None:
        row["cache_ttl"], row["ttl_known_by"] = given.cache_ttl, "defaults"
        split = (0, written) if given.cache_ttl == "1h" else (written, 0)
        row["cache_write_5m_tokens"], row["cache_write_1h_tokens"] = split
    if text and given.caching_enabled is not None:
        row["caching_enabled"] = given.caching_enabled
    row["cacheable"] = is_cacheable(
        caching_enabled=row["caching_enabled"],
        cached_tokens=row["cache_read_tokens"] + written,
        prompt_tokens=row["prompt_tokens"],
        prefix_tokens=row["prefix_tokens"],
        minimum_tokens=minimum(row["model"], row["provider"]) if row["model"] else None,
    )
