"""One reader per wire shape: Messages and InvokeModel, Converse, invocation metrics, OpenTelemetry, our own names.

Field meanings: https://platform.claude.com/docs/en/api/messages and
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.errors import BadInput
from core.usage.counts import count, first_count, mapping, plain, shown, split_writes, word
from core.usage.iterations import read_iterations, split_told, summed_split
from core.usage.model import Iteration, Usage

INVOCATION_METRICS = "amazon-bedrock-invocationMetrics"
_CACHE_FIELDS = ("cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation")
_MESSAGES = ("input_tokens", "output_tokens", *_CACHE_FIELDS)
_CONVERSE = ("inputTokens", "outputTokens", "totalTokens")
_METRICS = ("inputTokenCount", "outputTokenCount")
_READS = ("cacheReadInputTokens", "cacheReadInputTokenCount")
_WRITES = ("cacheWriteInputTokens", "cacheWriteInputTokenCount")
_OWN = ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")

_OTEL = "gen_ai.usage."
_OTEL_INPUT = (f"{_OTEL}input_tokens", f"{_OTEL}prompt_tokens")
_OTEL_OUTPUT = (f"{_OTEL}output_tokens", f"{_OTEL}completion_tokens")
_OTEL_READ = (f"{_OTEL}cache_read.input_tokens", f"{_OTEL}cache_read_input_tokens")
_OTEL_WRITE = (
    f"{_OTEL}cache_creation.input_tokens",
    f"{_OTEL}cache_write.input_tokens",
    f"{_OTEL}cache_creation_input_tokens",
)
_OTEL_5M = "anthropic.usage.cache_creation.ephemeral_5m_input_tokens"
_OTEL_1H = "anthropic.usage.cache_creation.ephemeral_1h_input_tokens"
_OTEL_COMPACTION = "anthropic.usage.compaction."


def from_any(obj: Any) -> Usage:
    """Read a usage object of any known shape, or the response around it. Raises BadInput when none fits."""
    table = mapping(obj, "usage")
    inner = table.get("usage")
    probe = mapping(inner, "usage") if inner is not None else table
    metadata = table.get("metadata")
    if inner is None and isinstance(metadata, Mapping) and "usage" in metadata:
        return from_converse(table)
    if _has(probe, _OWN):
        return from_counts(probe)
    if any(isinstance(key, str) and key.startswith(_OTEL) for key in _otel_attributes(table)):
        return from_otel(table)
    if _has(probe, _CONVERSE):
        return from_converse(table)
    if _has(probe, _MESSAGES):
        return from_messages(table)
    if _has(probe, _METRICS) or INVOCATION_METRICS in table:
        return from_invocation_metrics(table)
    raise BadInput(
        f"usage with fields {shown(sorted(map(str, probe)))} has no token counts of a known shape.",
        code="USG-002",
        mend="Accepted: Anthropic Messages, Bedrock InvokeModel or Converse, OpenTelemetry gen_ai attributes.",
    )


def from_messages(response: Any) -> Usage:
    """Read an Anthropic usage object or the response that holds it; its input tokens exclude cached ones.

    Bedrock's invocation metrics fill in only what the usage itself does not say about the cache: replacing the
    usage by them loses cache tokens.
    """
    table = mapping(response, "response")
    usage = mapping(table["usage"], "usage") if table.get("usage") is not None else table
    metrics = table.get(INVOCATION_METRICS)
    if not _has(usage, _MESSAGES):
        if metrics is not None:
            return from_invocation_metrics(metrics)
        raise BadInput(
            "usage has no token counts.", code="USG-002", mend="Accepted: input_tokens, output_tokens and cache counts."
        )
    if metrics is not None and not _has(usage, _CACHE_FIELDS):
        usage = {**usage, **_cache_counts(mapping(metrics, INVOCATION_METRICS))}
    return messages_usage(usage, complete=count(usage, "output_tokens") is not None)


def messages_usage(usage: Mapping[str, Any], *, complete: bool) -> Usage:
    """Build Usage from the fields of one Anthropic usage object."""
    split = mapping(usage.get("cache_creation"), "cache_creation")
    split_5m = count(split, "ephemeral_5m_input_tokens", within="cache_creation.")
    split_1h = count(split, "ephemeral_1h_input_tokens", within="cache_creation.")
    creation = count(usage, "cache_creation_input_tokens")
    tools = mapping(usage.get("server_tool_use"), "server_tool_use")
    details = mapping(usage.get("output_tokens_details"), "output_tokens_details")
    iterations = read_iterations(usage.get("iterations"), split_1h=split_1h)
    write_5m, write_1h, known = split_writes(creation, split_5m, split_1h)
    write_5m, write_1h = summed_split(iterations, creation) or (write_5m, write_1h)
    return Usage(
        input_tokens=count(usage, "input_tokens") or 0,
        cache_read_tokens=count(usage, "cache_read_input_tokens") or 0,
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
        output_tokens=count(usage, "output_tokens") or 0,
        thinking_tokens=count(details, "thinking_tokens", within="output_tokens_details."),
        web_search_requests=count(tools, "web_search_requests", within="server_tool_use.") or 0,
        service_tier=word(usage, "service_tier"),
        speed=word(usage, "speed"),
        inference_geo=word(usage, "inference_geo"),
        iterations=iterations,
        complete=complete,
        ttl_split_known=known or bool(write_1h) or (bool(iterations) and split_told(usage.get("iterations"))),
    )


def from_converse(response: Any) -> Usage:
    """Read Bedrock Converse. `totalTokens` tells whether a gateway has folded cached tokens into `inputTokens`."""
    table = mapping(response, "response")
    table = mapping(table["metadata"], "metadata") if table.get("metadata") is not None else table
    usage = mapping(table["usage"], "usage") if table.get("usage") is not None else table
    if not _has(usage, _CONVERSE):
        raise BadInput("usage has no inputTokens.", code="USG-002", mend="Accepted: a Converse usage object.")
    fresh, out = count(usage, "inputTokens") or 0, count(usage, "outputTokens")
    read, split = first_count(usage, *_READS) or 0, _converse_split(usage)
    write_5m, write_1h, known = split_writes(first_count(usage, *_WRITES), *split)
    cached = read + write_5m + write_1h
    total = count(usage, "totalTokens")
    if cached and total is not None and total == fresh + (out or 0) and fresh >= cached:
        fresh -= cached
    return Usage(
        input_tokens=fresh,
        cache_read_tokens=read,
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
        output_tokens=out or 0,
        service_tier=_tier(table.get("serviceTier")),
        complete=out is not None,
        ttl_split_known=known,
    )


def from_invocation_metrics(metrics: Any) -> Usage:
    """Read `amazon-bedrock-invocationMetrics`; `inputTokenCount` excludes cached tokens, the TTL is not told."""
    table = mapping(metrics, INVOCATION_METRICS)
    table = mapping(table.get(INVOCATION_METRICS, table), INVOCATION_METRICS)
    if not _has(table, _METRICS):
        raise BadInput(
            "invocation metrics have no inputTokenCount.", code="USG-002", mend=f"Accepted: {INVOCATION_METRICS}."
        )
    out = count(table, "outputTokenCount")
    cache = _cache_counts(table)
    write = cache.get("cache_creation_input_tokens") or 0
    return Usage(
        input_tokens=count(table, "inputTokenCount") or 0,
        cache_read_tokens=cache.get("cache_read_input_tokens") or 0,
        cache_write_5m_tokens=write,
        output_tokens=out or 0,
        complete=out is not None,
        ttl_split_known=not write,
    )


def from_otel(attributes: Any) -> Usage:
    """Read OpenTelemetry GenAI attributes: input tokens include cached ones and are converted.

    A record whose cached tokens exceed its input cannot be inclusive: it carries Anthropic's raw count, kept as is.
    """
    table = _otel_attributes(mapping(attributes, "attributes"))
    fresh, out = first_count(table, *_OTEL_INPUT), first_count(table, *_OTEL_OUTPUT)
    if fresh is None and out is None:
        raise BadInput("attributes have no gen_ai.usage token counts.", code="USG-002", mend="Send input_tokens.")
    fresh, read = fresh or 0, first_count(table, *_OTEL_READ) or 0
    split = count(table, _OTEL_5M), count(table, _OTEL_1H)
    write_5m, write_1h, known = split_writes(first_count(table, *_OTEL_WRITE), *split)
    cached = read + write_5m + write_1h
    usage = Usage(
        input_tokens=fresh - cached if fresh >= cached else fresh,
        cache_read_tokens=read,
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
        output_tokens=out or 0,
        thinking_tokens=count(table, f"{_OTEL}reasoning.output_tokens"),
        service_tier=word(table, "anthropic.response.service_tier"),
        iterations=(),
        complete=out is not None,
        ttl_split_known=known,
    )
    return _with_compaction(usage, table)


def from_counts(table: Mapping[str, Any]) -> Usage:
    """Read counts that already carry Cachewise's own names (the columns of the calls table)."""
    return Usage(
        input_tokens=count(table, "input_tokens") or 0,
        cache_read_tokens=count(table, "cache_read_tokens") or 0,
        cache_write_5m_tokens=count(table, "cache_write_5m_tokens") or 0,
        cache_write_1h_tokens=count(table, "cache_write_1h_tokens") or 0,
        output_tokens=count(table, "output_tokens") or 0,
        thinking_tokens=count(table, "thinking_tokens"),
        web_search_requests=count(table, "web_search_requests") or 0,
        service_tier=word(table, "service_tier"),
        speed=word(table, "speed"),
        inference_geo=word(table, "inference_geo"),
        complete=table.get("complete") is not False,
    )


def _has(table: Mapping[str, Any], fields: tuple[str, ...]) -> bool:
    return any(table.get(field) is not None for field in fields)


def _cache_counts(metrics: Mapping[str, Any]) -> dict[str, int]:
    read, write = first_count(metrics, *reversed(_READS)), first_count(metrics, *reversed(_WRITES))
    named = {"cache_read_input_tokens": read, "cache_creation_input_tokens": write}
    return {name: value for name, value in named.items() if value is not None}


def _converse_split(usage: Mapping[str, Any]) -> tuple[int | None, int | None]:
    details = plain(usage.get("cacheDetails"))
    if not details:
        return None, None
    if not isinstance(details, list):
        raise BadInput(f"cacheDetails = {shown(details)} is not a list.", code="USG-002", mend="Accepted: a list.")
    sums = {"5m": 0, "1h": 0}
    for item in details:
        entry = mapping(item, "cacheDetails[]")
        if entry.get("ttl") not in sums:
            raise BadInput(
                f"cacheDetails[].ttl = {shown(entry.get('ttl'))} is unknown.", code="USG-003", mend="Accepted: 5m, 1h."
            )
        sums[entry["ttl"]] += count(entry, "inputTokens", within="cacheDetails[].") or 0
    return sums["5m"], sums["1h"]


def _tier(value: Any) -> str | None:
    return word(value, "type") if isinstance(value, Mapping) else word({"serviceTier": value}, "serviceTier")


def _otel_attributes(table: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = table.get("attributes")
    return inner if isinstance(inner, Mapping) else table


def _with_compaction(usage: Usage, table: Mapping[str, Any]) -> Usage:
    """Spans tell a compaction as two sums; its prompt is billed as fresh input, for its cache share is not told."""
    prompt = count(table, f"{_OTEL_COMPACTION}input_tokens") or 0
    output = count(table, f"{_OTEL_COMPACTION}output_tokens") or 0
    if not prompt and not output:
        return usage
    return replace(
        usage,
        iterations=(
            usage.as_step(),
            Iteration("compaction", None, input_tokens=prompt, output_tokens=output),
        ),
    )
