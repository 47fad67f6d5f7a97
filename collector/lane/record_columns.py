"""Records read as plain values to the columns that they tell themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.lane.arrays import known_by, moments, same, texts
from collector.lane.records import FIELDS, RecordRow
from core.caching.cacheable import is_cacheable
from core.settings import LineDefaults

Columns = dict[str, Any]
Minimum = Callable[[str, str], int | None]


def record_columns(rows: Sequence[RecordRow], defaults: LineDefaults, minimum: Minimum) -> Columns:
    """Return the columns that records themselves tell: what `rows.py` makes of each, one by one."""
    told = dict(zip(FIELDS, zip(*rows, strict=True) if rows else [()] * len(FIELDS), strict=True))
    given, read, output, write_5m, write_1h = (
        np.array(told[name], dtype=np.int64) for name in ("input", "read", "output", "write_5m", "write_1h")
    )
    written, known = write_5m + write_1h, np.array(told["split_known"], dtype=np.bool_)
    prompt = given + read + written
    ttls = [ttl or defaults.cache_ttl for ttl in told["ttl"]]
    for ttl, place in (("5m", write_5m), ("1h", write_1h)):  # writes of unknown lifetime: as the policy says
        asked = ~known & np.array([one == ttl for one in ttls], dtype=np.bool_)
        write_5m[asked] = write_1h[asked] = 0
        place[asked] = written[asked]
        known |= asked
    split = pa.array(known | (written == 0))
    providers = [provider or defaults.provider for provider in told["provider"]]
    models = [model or defaults.model for model in told["model"]]
    enabled = [defaults.caching_enabled if one is None else one for one in told["enabled"]]
    values = zip(enabled, (read + written).tolist(), prompt.tolist(), told["prefix_tokens"], models, providers,
                 strict=True)  # fmt: skip
    return {
        "call_id": texts(told["call_id"]),
        "id_kind": [
            "message" if call_id.startswith("msg_") or told_by != "bedrock" else "request"
            for call_id, told_by in zip(told["call_id"], told["provider"], strict=True)
        ],
        "ts": moments(np.array(told["started_ms"], dtype=np.int64)),
        "ts_kind": same("start", given),
        "other_id": texts(told["other_id"]),
        "tenant": texts(told["tenant"]),
        "prompt_store_bytes": pa.array(told["prompt_store_bytes"], pa.int64()),
        "workspace": texts(told["workspace"]),
        "provider": texts(providers),
        "model": texts(models),
        "model_known_by": known_by(told["model"], models),
        "status": same("ok", given),
        "complete": same(True, given),
        "stop_reason": texts(told["stop_reason"]),
        "stop_category": texts(told["stop_category"]),
        "has_output": pa.array(told["has_output"], pa.bool_()),
        "service_tier": texts(told["service_tier"]),
        "speed": texts(told["speed"]),
        "inference_geo": texts(told["inference_geo"]),
        "caching_enabled": pa.array(enabled, pa.bool_()),
        "cache_ttl": texts(ttls),
        "ttl_known_by": known_by(told["ttl"], ttls),
        "cacheable": pa.array(
            [
                True
                if cached
                else is_cacheable(
                    caching_enabled=on, cached_tokens=cached, prompt_tokens=all_of_it, prefix_tokens=prefix,
                    minimum_tokens=minimum(model, provider) if model else None,
                )
                for on, cached, all_of_it, prefix, model, provider in values
            ],
            pa.bool_(),
        ),
        "prefix_tokens": pa.array(told["prefix_tokens"], pa.int64()),
        "prefix_fingerprint": texts(told["fingerprint"]),
        "prefix_blocks": texts(told["blocks"]),
        "input_tokens": given,
        "cache_read_tokens": read,
        "cache_write_5m_tokens": pc.if_else(split, pa.array(write_5m), pa.scalar(None, pa.int64())),
        "cache_write_1h_tokens": pc.if_else(split, pa.array(write_1h), pa.scalar(None, pa.int64())),
        "output_tokens": output,
        "prompt_tokens": prompt,
        "web_search_requests": same(0, given),
        "latency_ms": pa.array(told["latency_ms"], pa.float64()),
        "ttft_ms": pa.array(told["ttft_ms"], pa.float64()),
        "reported_cost_usd": pa.array(told["reported"], pa.decimal128(18, 12)),
    }  # fmt: skip
