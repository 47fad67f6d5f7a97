"""What records tell to the columns of the calls table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.lane.arrays import either, filled, known_by, moments, same
from collector.lane.lines import Bools, Ints
from collector.parsers.clock import SKEW_MS
from core.caching.cacheable import is_cacheable
from core.settings import LineDefaults

Columns = dict[str, Any]
Minimum = Callable[[str, str], int | None]


def record_columns(rows: pa.Table, defaults: LineDefaults, minimum: Minimum) -> Columns:
    """Return the columns that records themselves tell: what `rows.py` makes of each, one by one."""
    told = {name: rows[name].combine_chunks() for name in rows.column_names}
    given, read, output, write_5m, write_1h = (
        told[name].to_numpy().copy() for name in ("input", "read", "output", "write_5m", "write_1h")
    )
    written, known = write_5m + write_1h, told["split_known"].to_numpy(zero_copy_only=False).copy()
    prompt = given + read + written
    ttls = filled(told["ttl"], defaults.cache_ttl)
    for ttl, place in (("5m", write_5m), ("1h", write_1h)):  # writes of unknown lifetime: as the policy says
        asked = ~known & pc.fill_null(pc.equal(ttls, ttl), False).to_numpy(zero_copy_only=False)
        write_5m[asked] = write_1h[asked] = 0
        place[asked] = written[asked]
        known |= asked
    split = pa.array(known | (written == 0))
    providers, models = filled(told["provider"], defaults.provider), filled(told["model"], defaults.model)
    enabled = filled(told["enabled"], defaults.caching_enabled)
    by_message = pc.or_(
        pc.starts_with(told["call_id"], "msg_"), pc.fill_null(pc.not_equal(told["provider"], "bedrock"), True)
    )
    return {
        **{name: told[name] for name in _AS_TOLD},
        "id_kind": pc.if_else(by_message, "message", "request"),
        "provider": providers,
        "model": models,
        "model_known_by": known_by(told["model"], models),
        "status": same("ok", given),
        "complete": same(True, given),
        "caching_enabled": enabled,
        "cache_ttl": ttls,
        "ttl_known_by": known_by(told["ttl"], ttls),
        "cacheable": _cacheable(enabled, read + written, prompt, told["prefix_tokens"], models, providers, minimum),
        "prefix_fingerprint": told["fingerprint"],
        "prefix_blocks": told["blocks"],
        "input_tokens": given,
        "cache_read_tokens": read,
        "cache_write_5m_tokens": pc.if_else(split, pa.array(write_5m), pa.scalar(None, pa.int64())),
        "cache_write_1h_tokens": pc.if_else(split, pa.array(write_1h), pa.scalar(None, pa.int64())),
        "output_tokens": output,
        "prompt_tokens": prompt,
        "web_search_requests": same(0, given),
        "reported_cost_usd": told["reported"],
    }


def record_times(rows: pa.Table, ms: Ints, stamped: Bools, *, own: bool, now_ms: int) -> tuple[Columns, Bools]:
    """Return the columns of when calls happened, and which of them are dated ahead of the line that tells them.

    `ms` are the lines' times; `own` says that they are not those of lines near them (see collector/rows.py).
    """
    started = rows["started_ms"].to_numpy()
    ahead: Bools = started > (ms if own else np.maximum(ms, now_ms)) + SKEW_MS
    kinds = pc.if_else(pa.array(ahead), either(stamped, "logged", "file"), "start")
    return {"ts": moments(np.where(ahead, ms, started)), "ts_kind": kinds}, ahead


def joined_columns(joined: Bools, usd: pa.Array, reported: pa.Array, keys: pa.Array) -> Columns:
    """Return what records say with the cost lines that tell the same calls, where they are joined with one.

    `usd` are the dollars of the cost lines, null where there is none; `keys` those of the joined ones alone.
    """
    paired, nothing = pa.array(joined), pa.scalar(None, pa.string())
    return {
        "told_by": same("record", joined),
        "reported_cost_usd": pc.coalesce(usd, reported),
        "checked_by": pc.if_else(paired, "text", nothing),
        "check_keys": pc.replace_with_mask(pa.nulls(len(joined), pa.string()), paired, keys),
        "check_note": pc.if_else(paired, "confirmed", nothing),
    }


_AS_TOLD = (
    "call_id", "other_id", "tenant", "prompt_store_bytes", "workspace", "stop_reason", "stop_category", "has_output",
    "service_tier", "speed", "inference_geo", "prefix_tokens", "latency_ms", "ttft_ms",
)  # fmt: skip


def _cacheable(
    enabled: pa.Array, cached: Ints, prompt: Ints, prefix: pa.Array, models: pa.Array, providers: pa.Array,
    minimum: Minimum,
) -> pa.Array:  # fmt: skip
    """Ask `is_cacheable` of each call that proves nothing by what it read or wrote."""
    answers = np.ones(len(cached), dtype=np.bool_)
    unknown = np.zeros(len(cached), dtype=np.bool_)
    asked = np.flatnonzero(cached == 0)
    of_them = [column.take(pa.array(asked)).to_pylist() for column in (enabled, prefix, models, providers)]
    for at, on, tokens, model, provider in zip(asked.tolist(), *of_them, strict=True):
        answer = is_cacheable(
            caching_enabled=on, cached_tokens=0, prompt_tokens=int(prompt[at]), prefix_tokens=tokens,
            minimum_tokens=minimum(model, provider) if model else None,
        )  # fmt: skip
        answers[at], unknown[at] = bool(answer), answer is None
    return pa.array(answers, mask=unknown)
