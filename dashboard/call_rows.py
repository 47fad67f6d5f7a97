"""Single calls as rows of a table: numbers, states in words, never a prompt or an answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.metrics.coverage import DEFAULTS
from core.store.schema import TABLES
from dashboard import format as fmt
from dashboard import miss_words, price_words
from dashboard.components import Column
from dashboard.i18n import Language, translate

CSV_COLUMNS = tuple(name for name in TABLES["calls"].names if name not in ("date", "check_keys", "row_rank"))
COLUMNS = (
    Column("ts", "moment", "col.ts"),
    Column("engine", "word", "col.engine"),
    Column("state", "word", "col.call_status"),
    Column("cost_usd", "money"),
    Column("prompt_tokens", "tokens"),
    Column("cache_read_tokens", "tokens"),
    Column("read_share", "ratio", "col.read_share"),
    Column("output_tokens", "tokens"),
    Column("cause", "text", "col.cause"),
    Column("model", "text", "col.model"),
    Column("provider", "word", "col.provider"),
    Column("tenant", "text", "col.tenant"),
    Column("function_version", "word", "col.function_version"),
    Column("latency_ms", "ms", "col.latency_ms"),
    Column("ttft_ms", "ms", "col.ttft_ms"),
    Column("net_savings_usd", "money"),
    Column("price_reason", "text", "col.reason"),
    Column("from_defaults", "word", "col.from_defaults"),
    Column("call_id", "text", "col.call_id"),
)
LIVE = ("ts", "engine", "state", "model", "cost_usd", "prompt_tokens", "read_share", "cause", "function_version")


def row(call: Mapping[str, Any], cause: str, lang: Language) -> dict[str, Any]:
    """Return a call with its read share, its state and the cause of what it missed, in words."""
    prompt, read = call["prompt_tokens"], call["cache_read_tokens"]
    return {
        **call,
        "read_share": read / prompt if prompt and read is not None else None,
        "state": translate(lang, "calls.failed" if _failed(call) else "calls.ok"),
        "cause": cause,
        "price_reason": price_words.reason(call.get("price_reason"), lang),
        "from_defaults": _from_defaults(call, lang),
    }


def _from_defaults(call: Mapping[str, Any], lang: Language) -> str:
    """Return what the call's own line does not say, so that its source's defaults do."""
    names = [name for name in ("model", "ttl") if call.get(f"{name}_known_by") == DEFAULTS]
    return translate(lang, f"calls.from_defaults.{'_'.join(names) or 'nothing'}")


def cause_words(
    call: Mapping[str, Any], judged: Mapping[str, str | None], since: datetime | None, lang: Language
) -> str:
    """Return why a call's prefix missed, that it did not, that it failed, or that nobody has judged it yet.

    `judged` are causes by call id, None: nothing was missed. Calls before `since` are not judged: theirs is unknown.
    """
    if since is not None and call["ts"] < since:
        return fmt.UNKNOWN
    name = call["call_id"]
    if name in judged:
        cause = judged[name]
        return translate(lang, "calls.cause.none") if cause is None else miss_words.cause(cause, lang)
    return translate(lang, "calls.cause.failed" if _failed(call) else "calls.cause.not_yet")


def _failed(call: Mapping[str, Any]) -> bool:
    """Say whether a call gave no usage, as core.metrics says it: what was processed before a stream broke counts."""
    return call["status"] == "error" and not ((call["prompt_tokens"] or 0) + (call["output_tokens"] or 0))
