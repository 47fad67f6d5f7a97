"""Spend logs of a LiteLLM proxy: rows of its LiteLLM_SpendLogs table, exported as JSON.

https://docs.litellm.ai/docs/proxy/cost_tracking
Its `prompt_tokens` include what was read from and written to the Claude cache; keys and user names are not kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from collector.parsers.facts import CallRecord, Parsed, skipped
from collector.parsers.values import (
    caching_seen,
    dollars,
    inner,
    may_be_claude,
    moment_ms,
    possible,
    tenant,
    text,
    written_ttl,
)
from core.telemetry import tenant_tag
from core.usage import Usage
from core.usage.counts import count, first_count, mapping, split_writes, word
from core.usage.iterations import read_iterations

_OTHER_MODEL = Parsed("ignored", "other_model")
_OWN_CACHE = Parsed("ignored", "litellm_cache_hit")
_OTHER_CALL = Parsed("ignored", "other_call")
_PROVIDERS = {"anthropic": "anthropic", "bedrock": "bedrock", "bedrock_converse": "bedrock"}
_NO_REQUEST = re.compile("batch|file|moderation|embedding|rerank|image|speech|transcription|ocr")


def is_spend_log(body: Mapping[str, Any]) -> bool:
    """Say whether a JSON object is a row of the spend logs."""
    return "call_type" in body and "request_id" in body and "startTime" in body


def parse_spend_log(body: Mapping[str, Any]) -> Parsed:
    """Read one row. Raises BadInput on a bad count."""
    model = text(body, "model")
    if not may_be_claude(model):
        return _OTHER_MODEL
    if _NO_REQUEST.search(str(body.get("call_type"))):
        return _OTHER_CALL
    if str(body.get("cache_hit")).lower() == "true":
        return _OWN_CACHE  # answered by the proxy itself: Claude was not asked
    started, ended = moment_ms(body.get("startTime")), moment_ms(body.get("endTime"))
    if started is None:
        return skipped("bad_time")
    meta = _object(body.get("metadata"))
    failed = body.get("status") == "failure" or meta.get("status") == "failure"
    usage = _usage(body, meta)
    if usage is None and not failed:
        return skipped("no_usage")
    first = moment_ms(body.get("completionStartTime"))
    fact = CallRecord(
        call_id=text(body, "request_id"),
        started_ms=started,
        provider=_provider(body, model),
        model=model,
        engine=_engine(body, meta),
        usage=None if failed else usage,
        caching_enabled=caching_seen(usage),
        cache_ttl=written_ttl(usage),
        latency_ms=float(ended - started) if ended is not None and ended >= started else None,
        ttft_ms=float(first - started) if first is not None and first != ended and first >= started else None,
        status="error" if failed else "ok",
        error_type=(text(_object(meta.get("error_information")), "error_class") or "error") if failed else None,
        complete=usage is None or usage.complete,
        reported_cost_usd=None if failed else dollars(body.get("spend")),
        told_by="litellm",
        tenant=_tenant(body, meta),
    )
    return Parsed("recognised", "litellm", (fact,))


def _usage(body: Mapping[str, Any], meta: Mapping[str, Any]) -> Usage | None:
    """Take the cached tokens out of the prompt; counts that cannot be inside it were never part of it."""
    prompt, output = count(body, "prompt_tokens"), count(body, "completion_tokens")
    if prompt is None and output is None:
        return None
    told = {**_object(meta.get("additional_usage_values")), **_object(meta.get("usage_object"))}
    details = mapping(told.get("prompt_tokens_details"), "prompt_tokens_details")
    split = mapping(
        details.get("cache_creation_token_details") or told.get("cache_creation"), "cache_creation_token_details"
    )
    read = _or(first_count(told, "cache_read_input_tokens"), first_count(details, "cached_tokens"))
    creation = _or(first_count(told, "cache_creation_input_tokens"), first_count(details, "cache_creation_tokens"))
    write_5m, write_1h, known = split_writes(
        creation, count(split, "ephemeral_5m_input_tokens"), count(split, "ephemeral_1h_input_tokens")
    )
    cached = (read or 0) + write_5m + write_1h
    fresh = prompt or 0
    return possible(
        Usage(
            input_tokens=fresh - cached if fresh >= cached else fresh,
            cache_read_tokens=read or 0,
            cache_write_5m_tokens=write_5m,
            cache_write_1h_tokens=write_1h,
            output_tokens=output or 0,
            thinking_tokens=count(
                mapping(told.get("completion_tokens_details"), "completion_tokens_details"), "reasoning_tokens"
            ),
            web_search_requests=count(mapping(told.get("server_tool_use"), "server_tool_use"), "web_search_requests")
            or 0,
            service_tier=word(told, "service_tier"),
            speed=word(told, "speed"),
            inference_geo=word(told, "inference_geo"),
            iterations=read_iterations(told.get("iterations"), split_1h=write_1h),
            complete=output is not None,
            ttl_split_known=known,
        )
    )


def _or(first: int | None, second: int | None) -> int | None:
    return first if first is not None else second


def _object(value: Any) -> Mapping[str, Any]:
    """Return an object; the proxy writes some of its columns as JSON inside a string."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return {}
    return value if isinstance(value, Mapping) else {}


def _provider(body: Mapping[str, Any], model: str | None) -> str | None:
    """Return who served the call; a vendor that the price book does not know keeps its name, and has no price."""
    said = text(body, "custom_llm_provider")
    named = said or (model or "").partition("/")[0]
    if named in _PROVIDERS:
        return _PROVIDERS[named]
    if named.startswith("vertex"):
        return "vertex"
    return "bedrock" if "anthropic." in (model or "") else said


def _engine(body: Mapping[str, Any], meta: Mapping[str, Any]) -> str | None:
    """Return the engine: named by the caller's metadata or by a tag engine:<name>, else the team's alias."""
    named = text(inner(meta, "spend_logs_metadata"), "engine")
    return named or _tagged(body, "engine") or text(meta, "user_api_key_team_alias")


def _tenant(body: Mapping[str, Any], meta: Mapping[str, Any]) -> str | None:
    """Return the tenant: named by the caller's metadata or by a tag tenant:<name>, else the proxy's team.

    `end_user` and `user` are people as often as customers, so they are not taken.
    """
    named = tenant(inner(meta, "spend_logs_metadata"), {"tenant": _tagged(body, "tenant")})
    team = text(meta, "user_api_key_team_alias") or text(body, "team_id") or text(meta, "user_api_key_team_id")
    return named or tenant_tag(team)


def _tagged(body: Mapping[str, Any], name: str) -> str | None:
    """Return the value of the first tag "name:value" of a request."""
    tags = body.get("request_tags")
    if isinstance(tags, str):
        try:
            tags = orjson.loads(tags)
        except orjson.JSONDecodeError:
            return None
    found = (tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()
    return next((tag.partition(":")[2] for tag in found if tag.startswith(f"{name}:") and tag != f"{name}:"), None)
