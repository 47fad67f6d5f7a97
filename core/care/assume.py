"""Laying a source's present defaults over calls that do not say their model or the TTL of their writes.

Only what the call's own line left open is changed. The tokens stay; writes of a TTL nobody told are booked under the
default's, by the rule that lines are read by (core/assumed.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.assumed import Minimum, Said, fill
from core.settings import LineDefaults, Settings
from core.store.schema import CALLS

ASSUMED = (
    "provider", "model", "model_known_by", "cache_ttl", "ttl_known_by", "cache_write_5m_tokens",
    "cache_write_1h_tokens", "caching_enabled", "cacheable",
)  # fmt: skip
"""The columns that defaults fill in."""
NEEDED = (*ASSUMED, "source", "told_by", "prefix_tokens")
_COUNTS = ("input_tokens", "cache_read_tokens", "prompt_tokens", "billed_steps")
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
    """Lay the defaults over one call; what they leave open stays as earlier ones filled it."""
    text, failed = row["told_by"] == "text", row["prompt_tokens"] is None
    told_model, told_ttl = row["model_known_by"] == "record", row["ttl_known_by"] == "record"
    kept_ttl = given.cache_ttl is None or row["billed_steps"] is not None
    written = 0 if failed else row["prompt_tokens"] - row["input_tokens"] - row["cache_read_tokens"]
    said = Said(
        provider=None if text and given.model is not None else row["provider"],
        model=row["model"] if told_model else None,
        cache_ttl=row["cache_ttl"] if told_ttl else None,
        caching_enabled=None if text else row["caching_enabled"],
        written_tokens=written,
        split=(row["cache_write_5m_tokens"], row["cache_write_1h_tokens"]) if told_ttl or kept_ttl else None,
        read_tokens=row["cache_read_tokens"] or 0,
        prompt_tokens=row["prompt_tokens"] or 0,
        prefix_tokens=row["prefix_tokens"],
    )
    defaults = replace(
        given,
        model=given.model or row["model"],
        cache_ttl=row["cache_ttl"] if kept_ttl else given.cache_ttl,
        caching_enabled=row["caching_enabled"] if given.caching_enabled is None else given.caching_enabled,
    )
    known = fill(said, defaults, minimum)
    row |= {"provider": known.provider, "model": known.model, "model_known_by": known.model_known_by}
    if failed:  # there are no tokens to book
        return
    row |= {
        "cache_ttl": known.cache_ttl,
        "ttl_known_by": known.ttl_known_by,
        "cache_write_5m_tokens": known.write_5m_tokens,
        "cache_write_1h_tokens": known.write_1h_tokens,
        "caching_enabled": known.caching_enabled,
        "cacheable": known.cacheable,
    }
