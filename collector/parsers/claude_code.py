"""Session files of Claude Code: JSON lines below ~/.claude/projects, one per block of a message.

A message is written several times while it grows, always under its one id: `more_complete` says which line counts.
Answers of subagents (sidechains) are calls like any other. What the program itself put in (`<synthetic>`) is none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from collector.parsers.claude_ids import SYNTHETIC, provider_of
from collector.parsers.facts import CallRecord, Parsed, skipped
from collector.parsers.values import caching_seen, dollars, inner, messages_usage_in, moment_ms, text, written_ttl
from core.usage import Usage
from core.usage.shapes import INVOCATION_METRICS

_NO_CALL = Parsed("ignored", "session")
_MADE_UP = Parsed("ignored", "synthetic")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9]")


def is_session_line(body: Mapping[str, Any]) -> bool:
    """Say whether a JSON object is a line of a session file."""
    if body.get("type") == "assistant" and isinstance(body.get("message"), Mapping):
        return "timestamp" in body
    return "sessionId" in body and "uuid" in body and "level" not in body


def parse_session_line(body: Mapping[str, Any]) -> Parsed:
    """Read a line: an answer's usage, or nothing of ours. Raises BadInput on a bad count."""
    message = inner(body, "message")
    if body.get("type") != "assistant" or not message:
        return _NO_CALL
    model, message_id = text(message, "model"), text(message, "id")
    if model == SYNTHETIC or body.get("isApiErrorMessage") is True:
        return _MADE_UP
    if not isinstance(message.get("usage"), Mapping):
        return skipped("no_usage")
    logged = moment_ms(body.get("timestamp"))
    if logged is None:
        return skipped("bad_time")
    usage = _usage_in(message)
    fact = CallRecord(
        call_id=message_id,
        started_ms=None,
        provider=provider_of(message_id, model),
        model=model,
        engine=text(body, "cwd"),
        usage=usage,
        caching_enabled=caching_seen(usage),
        cache_ttl=written_ttl(usage),
        stop_reason=text(message, "stop_reason"),
        complete=usage.complete,
        reported_cost_usd=dollars(body.get("costUSD")),
        stop_category=text(inner(message, "stop_details"), "category"),
        told_by="claude_code",
        other_id=text(body, "requestId"),
        logged_ms=logged,
    )
    return Parsed("recognised", "claude_code", (fact,))


def more_complete(new: CallRecord, old: CallRecord) -> bool:
    """Say whether a later line tells more of a message: it ended, or its answer grew; equal ones are the last's."""
    return completeness(new) >= completeness(old)


@lru_cache(maxsize=4096)
def project_name(cwd: str | None, path: str | None) -> str | None:
    """Return the project of a session: the folder it was opened in, wherever it went afterwards.

    The session's file lies in a folder named after that path with every other character made a dash.
    """
    parts = re.split(r"[\\/]", cwd) if cwd else []
    folder = re.split(r"[\\/]", path)[-2] if path and len(re.split(r"[\\/]", path)) > 1 else ""
    separator = "\\" if cwd and "\\" in cwd else "/"
    for length in range(len(parts), 0, -1):
        if _NOT_PLAIN.sub("-", separator.join(parts[:length])) == folder:
            return parts[length - 1] or None
    return next((part for part in reversed(parts) if part), None)


def _usage_in(message: Mapping[str, Any]) -> Usage:
    """Read a message's usage; the lines of one message mostly repeat it to the letter, so that it is read once."""
    if INVOCATION_METRICS in message:
        return messages_usage_in(message)
    return _usage_told(orjson.dumps(message["usage"]))


@lru_cache(maxsize=64)
def _usage_told(usage: bytes) -> Usage:
    return messages_usage_in({"usage": orjson.loads(usage)})


def completeness(call: CallRecord) -> tuple[bool, int, int]:
    """Return what says how much of a message a line tells: it ended, its output, its prompt."""
    usage = call.usage
    return call.stop_reason is not None, usage.output_tokens if usage else 0, usage.prompt_tokens if usage else 0
