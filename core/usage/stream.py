"""Following the usage of one call through its stream: Anthropic server-sent events, Bedrock chunks, ConverseStream.

Counts in `message_delta` are running totals: they overwrite what `message_start` said, they are never added to it.
No text of the answer is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.errors import BadInput
from core.usage.counts import mapping, text
from core.usage.model import Usage
from core.usage.shapes import INVOCATION_METRICS, from_converse, from_invocation_metrics, from_messages, messages_usage

_CACHE_FIELDS = ("cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation")
_WITHOUT_USAGE = ("content_block_start", "content_block_delta", "content_block_stop", "ping")


class UsageStream:
    """Feed it every event of one stream; ask for `usage()` at any time, also after the stream broke off."""

    def __init__(self) -> None:
        self.message_id: str | None = None
        self.model: str | None = None
        self.stop_reason: str | None = None
        self.stop_category: str | None = None
        self.has_output = False
        self.error_type: str | None = None
        self._usage: dict[str, Any] = {}
        self._metrics: Mapping[str, Any] | None = None
        self._converse: Mapping[str, Any] | None = None
        self._output_told = False
        self._stopped = False

    def feed(self, event: Any) -> None:
        """Take one event: an SDK object, a mapping, a raw SSE line, or a Bedrock chunk."""
        if isinstance(event, str | bytes):
            event = _decode(event)
            if event is None:
                return
        kind = event.get("type") if isinstance(event, Mapping) else getattr(event, "type", None)
        if kind in _WITHOUT_USAGE:  # most events of a stream: not worth converting
            self.has_output = self.has_output or kind.startswith("content_block")
            return
        table = mapping(event, "event")
        if kind is None:
            self._feed_aws(table)
            return
        self._feed_anthropic(str(kind), table)
        if table.get(INVOCATION_METRICS) is not None:
            self._metrics = mapping(table[INVOCATION_METRICS], INVOCATION_METRICS)

    def usage(self) -> Usage:
        """Return what is known so far; `complete` is False until the final output count and the end have come."""
        if self._converse is not None:
            return from_converse(self._converse)
        complete = self._output_told and (self._stopped or self.stop_reason is not None) and self.error_type is None
        if not self._usage:
            if self._metrics is None:
                return Usage(complete=False)
            return from_invocation_metrics(self._metrics)
        if self._metrics is None or any(self._usage.get(field) is not None for field in _CACHE_FIELDS):
            return messages_usage(self._usage, complete=complete)
        told = from_messages({"usage": self._usage, INVOCATION_METRICS: self._metrics})
        return told if complete else replace(told, complete=False)

    def _feed_anthropic(self, kind: str, table: Mapping[str, Any]) -> None:
        if kind == "message_start":
            message = mapping(table.get("message"), "message")
            self.message_id, self.model = text(message.get("id")), text(message.get("model"))
            self._overwrite(message.get("usage"))
        elif kind == "message_delta":
            self._stop(mapping(table.get("delta"), "delta"))
            self._overwrite(table.get("usage"), final=True)
        elif kind == "message_stop":
            self._stopped = True
            message = mapping(table.get("message"), "message")  # the SDK's helper repeats the final message
            self._overwrite(message.get("usage") if message else table.get("usage"), final=True)
        elif kind == "message":
            self._feed_message(table)
        elif kind == "error":
            self.error_type = text(mapping(table.get("error"), "error").get("type")) or "error"

    def _feed_message(self, message: Mapping[str, Any]) -> None:
        """Take a whole, unstreamed message as the one event of its stream."""
        self.message_id, self.model = text(message.get("id")), text(message.get("model"))
        self.has_output = bool(message.get("content"))
        self._stop(message)
        self._stopped = True
        self._overwrite(message.get("usage"), final=True)

    def _feed_aws(self, table: Mapping[str, Any]) -> None:
        """Take a Bedrock event: InvokeModel chunks wrap Anthropic events, ConverseStream names its own."""
        if isinstance(table.get("chunk"), Mapping):
            self.feed(table["chunk"].get("bytes", b""))
        elif "metadata" in table:
            self._converse = mapping(table["metadata"], "metadata")
        elif "messageStop" in table:
            self.stop_reason = text(mapping(table["messageStop"], "messageStop").get("stopReason"))
        elif "contentBlockDelta" in table:
            self.has_output = True
        elif table.get("usage") is not None:
            self._overwrite(table["usage"], final=True)
        if table.get(INVOCATION_METRICS) is not None:
            self._metrics = mapping(table[INVOCATION_METRICS], INVOCATION_METRICS)

    def _stop(self, delta: Mapping[str, Any]) -> None:
        self.stop_reason = text(delta.get("stop_reason")) or self.stop_reason
        details = mapping(delta.get("stop_details"), "stop_details")
        self.stop_category = text(details.get("category")) or self.stop_category

    def _overwrite(self, told: Any, *, final: bool = False) -> None:
        """Lay the newest totals over the older ones; a field that is absent or null keeps its value."""
        fields = {key: value for key, value in mapping(told, "usage").items() if value is not None}
        self._usage.update(fields)
        self._output_told = self._output_told or (final and "output_tokens" in fields)


def _decode(line: str | bytes) -> Any:
    """Read a raw SSE line or the JSON of a chunk; lines that carry no data give None."""
    try:
        written = (line.decode("utf-8") if isinstance(line, bytes) else line).strip()
        if written.startswith("data:"):
            written = written[5:].strip()
        if not written.startswith("{"):
            return None
        return json.loads(written)
    except ValueError:
        raise BadInput(
            f"a stream event of {len(line)} bytes is not JSON.",
            code="USG-004",
            mend="Feed whole events, one at a time.",
        ) from None
