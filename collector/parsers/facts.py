"""What a line can say. A parser turns a message into facts; it knows neither streams nor prices."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from core.usage import Usage

Outcome = Literal["recognised", "ignored", "skipped"]
InvocationStatus = Literal["ok", "error", "timeout"]
Teller = Literal["record", "emf", "bedrock_log", "otel", "claude_code", "litellm", "anthropic_response", "batch_result"]
"""The format that told a call. Text lines have a fact of their own."""

ELSEWHERE: frozenset[str] = frozenset({"bedrock_log", "otel", "claude_code", "litellm", "batch_result"})
"""Formats written outside the Lambda stream: their lines belong to no START..REPORT around them."""


@dataclass(frozen=True, slots=True)
class StoreLine:
    """A line about the prompt store. `stamp_ms` is the time inside the text, finer than the event's own."""

    kind: Literal["hit", "miss", "stored"]
    engine: str
    request_id: str | None = None
    stamp_ms: int | None = None


@dataclass(frozen=True, slots=True)
class CostLine:
    """The text line of one call: it names neither model nor TTL."""

    reported_cost_usd: Decimal
    input_tokens: int
    output_tokens: int
    cache_read: int
    cache_write: int
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call with its usage, in whatever format it was told. `usage` is None when the call failed."""

    call_id: str | None
    started_ms: int | None
    provider: str | None
    model: str | None
    engine: str | None
    usage: Usage | None
    request_id: str | None = None
    caching_enabled: bool | None = None
    cache_ttl: str | None = None
    prefix_tokens: int | None = None
    prefix_fingerprint: str | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    stop_reason: str | None = None
    status: str = "ok"
    error_type: str | None = None
    complete: bool = True
    reported_cost_usd: Decimal | None = None
    stop_category: str | None = None
    told_by: Teller = "record"
    other_id: str | None = None  # a second id of the same call: the provider's request id beside the message's
    logged_ms: int | None = None  # a time the line tells that is not the request's start
    prefix_blocks: str | None = None  # "part:fingerprint …" in order
    cache_miss_reason: str | None = None
    has_output: bool | None = None  # of a refusal: whether any answer came with it
    tenant: str | None = None  # whom the call is charged to, as the caller tagged it
    prompt_store_bytes: int | None = None  # what the environment's prompt store held
    workspace: str | None = None  # Anthropic's id of it: each has a cache of its own


@dataclass(frozen=True, slots=True)
class Start:
    """An invocation begins. `json` tells the platform record from the text line."""

    request_id: str
    version: str | None = None
    json: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """An invocation ended, with what the platform measured."""

    request_id: str
    duration_ms: float | None = None
    billed_duration_ms: float | None = None
    init_ms: float | None = None
    restore_ms: float | None = None
    memory_mb: int | None = None
    max_memory_mb: int | None = None
    status: InvocationStatus = "ok"
    error_type: str | None = None
    json: bool = False


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The older text line of a timeout; newer platforms say it in REPORT only."""

    request_id: str


@dataclass(frozen=True, slots=True)
class LogsDropped:
    """The platform says that it lost log records: known data loss."""

    records: int
    reason: str


Fact = StoreLine | CostLine | CallRecord | Start | Report | TimedOut | LogsDropped


@dataclass(frozen=True, slots=True)
class Parsed:
    """The one counter a line ends in (outcome and kind), and the facts it told."""

    outcome: Outcome
    kind: str
    facts: tuple[Fact, ...] = ()


NOT_OURS = Parsed("ignored", "other")


def skipped(reason: str) -> Parsed:
    """Return the outcome of a line that looks like ours and cannot be used."""
    return Parsed("skipped", reason)
