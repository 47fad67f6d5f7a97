"""What the service says about itself: the four text lines, and one structured record per call.

Loads with the standard library alone: this module runs inside Lambda.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

RECORD_EVENT = "llm_usage"
RECORD_VERSION = 1
_MICRODOLLAR = Decimal("0.000001")


def prompt_store_hit_line(engine: str) -> str:
    """Return the line bodo writes when a prompt was found in memory."""
    return f"✅ Cache HIT for [{engine}] - DB query skipped (permanent cache)"


def prompt_store_miss_line(engine: str) -> str:
    """Return the line bodo writes before it reads a prompt from DynamoDB."""
    return f"❌ Cache MISS for [{engine}] - fetching from DB"


def prompt_stored_line(engine: str) -> str:
    """Return the line bodo writes once a prompt is kept for the life of the environment."""
    return f"💾 Permanently cached prompt for [{engine}]"


def api_cost_line(
    *, cost_usd: Decimal, input_tokens: int, output_tokens: int, cache_read: int, cache_write: int
) -> str:
    """Return the cost line of one call; dollars are rounded half up to six places, as the format shows them."""
    dollars = cost_usd.quantize(_MICRODOLLAR, rounding=ROUND_HALF_UP)
    return (
        f"💰 API Cost: ${dollars:f} | input: {input_tokens}, output: {output_tokens}, "
        f"cache_read: {cache_read}, cache_write: {cache_write}"
    )


def call_record(
    *,
    call_id: str | None,
    started_ms: int,
    provider: str,
    model: str,
    engine: str | None,
    usage: Mapping[str, Any] | None,
    request_id: str | None = None,
    caching_enabled: bool | None = None,
    cache_ttl: str | None = None,
    prefix_tokens: int | None = None,
    prefix_fingerprint: str | None = None,
    latency_ms: float | None = None,
    ttft_ms: float | None = None,
    stop_reason: str | None = None,
    status: str = "ok",
    error_type: str | None = None,
    complete: bool = True,
    cost_usd: Decimal | None = None,
) -> dict[str, Any]:
    """Build the structured record of one call: counts, ids and fingerprints, never text.

    `usage` is the provider's usage object as it came (Anthropic shape); `started_ms` is the request's start in
    Unix milliseconds; `model` is the model *requested*. Unknown members are left out.
    """
    record: dict[str, Any] = {
        "event": RECORD_EVENT,
        "v": RECORD_VERSION,
        "id": call_id,
        "request_id": request_id,
        "ts": started_ms,
        "provider": provider,
        "model": model,
        "engine": engine,
        "caching": {"enabled": caching_enabled, "ttl": cache_ttl},
        "prefix": {"tokens": prefix_tokens, "fingerprint": prefix_fingerprint},
        "status": status,
        "error_type": error_type,
        "complete": complete,
        "stop_reason": stop_reason,
        "latency_ms": latency_ms,
        "ttft_ms": ttft_ms,
        "usage": dict(usage) if usage is not None else None,
        "cost_usd": f"{cost_usd:f}" if cost_usd is not None else None,
    }
    return {key: value for key, value in record.items() if value is not None}


def record_line(record: Mapping[str, Any]) -> str:
    """Return the record as the one JSON line that is printed."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))
