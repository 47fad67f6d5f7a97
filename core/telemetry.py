"""What the service says about itself: the four text lines, and one structured record per call.

The record is at once a CloudWatch embedded-metric document (EMF), so that one printed line is the ledger entry and four
metrics: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
EMF promises at-least-once delivery: money is counted from the line's own members, never from the metrics.

Loads with the standard library alone: this module runs inside Lambda.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

RECORD_EVENT = "llm_usage"
RECORD_VERSION = 1
METRIC_NAMESPACE = "Bodo/Claude"
METRIC_UNITS = {
    "ClaudeCacheHitRate": "Percent",  # this call's cache_read / prompt tokens
    "ApiCostPerRequest": "None",  # USD
    "ResponseTime": "Milliseconds",  # request sent until the answer's end
    "InputTokens": "Count",
    "CacheReadTokens": "Count",
    "CacheWriteTokens": "Count",
    "OutputTokens": "Count",
}
MAX_TENANT = 128  # characters of a tenant's tag
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
    prefix_blocks: Sequence[Mapping[str, Any]] | None = None,
    api_request_id: str | None = None,
    attempts: int | None = None,
    fallback: bool | None = None,
    diagnosis: Mapping[str, Any] | None = None,
    stop_category: str | None = None,
    has_output: bool | None = None,
    price_row: str | None = None,
    tenant: str | None = None,
    prompt_store_bytes: int | None = None,
    workspace: str | None = None,
) -> dict[str, Any]:
    """Build the structured record of one call: counts, ids and fingerprints, never text.

    `usage` is the provider's usage object as it came (Anthropic shape); `started_ms` is the request's start in
    Unix milliseconds; `model` is the model *requested*; `request_id` is the Lambda invocation's, `api_request_id` the
    provider's; `attempts` counts HTTP requests, retries included; `tenant` is whom the call is charged to, as
    `tenant_tag` keeps it; `prompt_store_bytes` is what all prompts in the environment's prompt store take;
    `workspace` is Anthropic's id of the workspace the request was made in. Unknown members are left out.
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
        "tenant": tenant_tag(tenant),
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
        "api_request_id": api_request_id,
        "attempts": attempts,
        "fallback": fallback,
        "diagnosis": dict(diagnosis) if diagnosis is not None else None,
        "stop_category": stop_category,
        "has_output": has_output,
        "price_row": price_row,
        "prompt_store_bytes": prompt_store_bytes,
        "workspace": workspace,
    }
    if prefix_blocks:
        record["prefix"]["blocks"] = [dict(block) for block in prefix_blocks]
    return {key: value for key, value in record.items() if value is not None}


def tenant_tag(value: object) -> str | None:
    """Return a tenant's tag as it is kept: 1 to 128 printable characters; what is anything else is no tag.

    A tag names whom a call is charged to: a customer's or a team's id, never a person, never text of a prompt.
    """
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if 0 < len(text) <= MAX_TENANT and text.isprintable() else None


def with_metrics(record: Mapping[str, Any], *, namespace: str = METRIC_NAMESPACE) -> dict[str, Any]:
    """Return the record as an EMF document: the metrics at its root, named by an `_aws` member.

    A metric that this call does not know (a failed call has no cost, a broken stream no output) is left out; without
    any metric the record stays as it is. Dimensions are engine and provider only: each combination is billed.
    """
    metrics = _metrics_of(record)
    if not metrics:
        return dict(record)
    dimensions = [name for name in ("engine", "provider") if record.get(name)]
    directive = {
        "Namespace": namespace,
        "Dimensions": [dimensions],
        "Metrics": [{"Name": name, "Unit": METRIC_UNITS[name]} for name in metrics],
    }
    return {**record, **metrics, "_aws": {"Timestamp": record["ts"], "CloudWatchMetrics": [directive]}}


def _metrics_of(record: Mapping[str, Any]) -> dict[str, int | float]:
    if record.get("status") != "ok":
        return {}
    usage = record.get("usage") or {}
    fresh, read = usage.get("input_tokens"), usage.get("cache_read_input_tokens")
    written = usage.get("cache_creation_input_tokens")
    complete = record.get("complete", True)
    known = {
        "ClaudeCacheHitRate": _share(read, fresh, written),
        # A float at the very edge: CloudWatch takes no other number. The exact figure is `cost_usd`.
        "ApiCostPerRequest": float(record["cost_usd"]) if complete and "cost_usd" in record else None,
        "ResponseTime": record.get("latency_ms") if complete else None,
        "InputTokens": fresh,
        "CacheReadTokens": read,
        "CacheWriteTokens": written,
        "OutputTokens": usage.get("output_tokens") if complete else None,
    }
    return {name: value for name, value in known.items() if value is not None}


def _share(read: int | None, fresh: int | None, written: int | None) -> float | None:
    if read is None or fresh is None or written is None or not (prompt := read + fresh + written):
        return None
    return round(100 * read / prompt, 2)


def record_line(record: Mapping[str, Any]) -> str:
    """Return the record as the one JSON line that is printed."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))
