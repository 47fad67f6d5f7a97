"""The account of one call: fed with what the provider answers, closed exactly once, written as one record.

Accounting never breaks a call: what cannot be read or priced is left out of the record and warned about.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from core import telemetry
from core.caching.fingerprint import PrefixFingerprint, prefix_fingerprint
from core.caching.prompt_store import stored_bytes
from core.caching.request import PromptRequest, minimum_warning
from core.client import sdk
from core.client.settings import ClientSettings
from core.errors import CachewiseError
from core.pricing import PricedCall, default_book, price_usage
from core.usage import Usage, UsageStream
from core.usage.iterations import as_messages_iteration

if TYPE_CHECKING:
    from core.pricing import PriceBook


@dataclass(frozen=True, slots=True)
class CallReport:
    """What one call did and cost. `usage` and `cost_usd` are None when they are not known."""

    provider: str
    model: str
    status: str
    usage: Usage | None
    cost_usd: Decimal | None
    priced: PricedCall | None
    latency_ms: float
    ttft_ms: float | None
    message_id: str | None
    api_request_id: str | None
    attempts: int | None
    error_type: str | None
    prefix: PrefixFingerprint | None
    diagnosis: dict[str, Any] | None
    record: dict[str, Any] = field(repr=False)


def log_warning(message: str) -> None:
    """Warn through logging, which is imported only when there is something to say."""
    import logging

    logging.getLogger("core.client").warning(message)


@dataclass(slots=True)
class Desk:
    """Where accounts are kept: settings, price book, clocks (wall seconds, monotonic seconds) and the log."""

    settings: ClientSettings
    say: Callable[[str], object] = print
    warn: Callable[[str], object] = log_warning
    now: Callable[[], float] = time.time
    timer: Callable[[], float] = time.perf_counter
    book: PriceBook | None = None
    last: CallReport | None = None
    simulated: bool = False  # some answer came from a simulator
    _seen: set[tuple[str, str | None, str]] = field(default_factory=set)

    def price_book(self) -> PriceBook:
        """Return the price book; the built-in one is read when first needed."""
        if self.book is None:
            self.book = default_book()
        return self.book

    def is_first(self, code: str, engine: str | None, model: str) -> bool:
        """Say whether this check has not been made for this engine and model yet: once per environment is enough."""
        known = len(self._seen)
        self._seen.add((code, engine, model))
        return len(self._seen) > known


class CallAccount:
    """One call at one door, from the moment it is sent."""

    def __init__(
        self,
        desk: Desk,
        door: sdk.Door,
        request: PromptRequest,
        *,
        invocation_id: str | None = None,
        tenant: str | None = None,
        diagnose: bool = False,
        fallback: bool = False,
    ) -> None:
        self._desk, self._door, self._request = desk, door, request
        self._tenant = tenant
        self._invocation_id, self._diagnose, self._fallback = invocation_id, diagnose, fallback
        self._stream = UsageStream()
        self._diagnosis: dict[str, Any] | None = None
        self._ttft_ms: float | None = None
        self._api_request_id: str | None = None
        self._workspace: str | None = None
        self._attempts: int | None = None
        self._unreadable = False
        self.report: CallReport | None = None
        self._warn_too_short()
        self._started_ms = int(desk.now() * 1000)
        self._started = desk.timer()

    def answered(self, response: Any) -> None:
        """Note the ids of the HTTP response that began."""
        self._api_request_id, self._attempts = sdk.request_id(response), sdk.attempts(response)
        self._workspace = sdk.workspace(response)
        self._desk.simulated = self._desk.simulated or sdk.is_simulated(response)

    def feed(self, event: Any) -> None:
        """Follow one event of the stream, or a whole message."""
        if self._ttft_ms is None and getattr(event, "type", None) == "content_block_delta":
            self._ttft_ms = self._elapsed_ms()
        if self._diagnose:
            self._note_diagnosis(event)
        try:
            self._stream.feed(event)
        except CachewiseError as error:
            self._unreadable = True
            self._desk.warn(str(error))

    def close(self, error: BaseException | None = None) -> CallReport:
        """End the call, price it, write its lines and return the report; a second close changes nothing."""
        if self.report is None:
            self.report = self._close(error)
            self._desk.last = self.report
        return self.report

    def _close(self, error: BaseException | None) -> CallReport:
        latency_ms = self._elapsed_ms()
        if error is not None:
            self._api_request_id = sdk.request_id(error) or self._api_request_id
            self._attempts = sdk.attempts(error) or self._attempts
            self._workspace = sdk.workspace(error) or self._workspace
            self._desk.simulated = self._desk.simulated or sdk.is_simulated(error)
        usage = self._usage()
        priced = self._price(usage)
        cost = priced.cost_usd if priced is not None else None
        prefix = self._prefix()
        record = self._record(error, usage, cost, priced, prefix, latency_ms)
        self._write(usage, cost, record)
        if error is None and usage is not None:
            self._warn_not_cached(usage)
        return CallReport(
            provider=self._door.provider,
            model=self._door.model,
            status="ok" if error is None else "error",
            usage=usage,
            cost_usd=cost,
            priced=priced,
            latency_ms=latency_ms,
            ttft_ms=self._ttft_ms,
            message_id=self._stream.message_id,
            api_request_id=self._api_request_id,
            attempts=self._attempts,
            error_type=None if error is None else sdk.error_type(error),
            prefix=prefix,
            diagnosis=self._diagnosis,
            record=record,
        )

    def _record(
        self,
        error: BaseException | None,
        usage: Usage | None,
        cost: Decimal | None,
        priced: PricedCall | None,
        prefix: PrefixFingerprint | None,
        latency_ms: float,
    ) -> dict[str, Any]:
        cached = usage.cache_read_tokens + usage.cache_write_tokens if usage is not None else 0
        stream = self._stream
        record = telemetry.call_record(
            call_id=stream.message_id,
            started_ms=self._started_ms,
            provider=self._door.provider,
            model=self._door.model,
            engine=self._request.engine,
            tenant=self._tenant,
            usage=None if usage is None else as_messages_usage(usage),
            request_id=self._invocation_id,
            caching_enabled=self._request.caching_enabled,
            cache_ttl=self._request.cache_ttl,
            prefix_tokens=cached or None,  # what was read and written is the prefix; else its size is unknown
            prefix_fingerprint=prefix.prefix if prefix is not None else None,
            prefix_blocks=prefix.as_record() if prefix is not None else None,
            latency_ms=round(latency_ms, 3),
            ttft_ms=None if self._ttft_ms is None else round(self._ttft_ms, 3),
            stop_reason=stream.stop_reason,
            stop_category=stream.stop_category,
            has_output=stream.has_output if stream.stop_reason == "refusal" else None,
            status="ok" if error is None else "error",
            error_type=None if error is None else sdk.error_type(error),
            complete=usage.complete if usage is not None else False,
            cost_usd=cost,
            price_row=priced.price_row if priced is not None else None,
            api_request_id=self._api_request_id,
            attempts=self._attempts,
            fallback=self._fallback or None,
            diagnosis=self._diagnosis,
            prompt_store_bytes=stored_bytes(),
            workspace=self._workspace,
        )
        return telemetry.with_metrics(record, namespace=self._desk.settings.namespace)

    def _write(self, usage: Usage | None, cost: Decimal | None, record: dict[str, Any]) -> None:
        if usage is not None and cost is not None:
            self._desk.say(
                telemetry.api_cost_line(
                    cost_usd=cost,
                    input_tokens=usage.input_tokens,
                    output_tokens=usage.output_tokens,
                    cache_read=usage.cache_read_tokens,
                    cache_write=usage.cache_write_tokens,
                )
            )
        self._desk.say(telemetry.record_line(record))

    def _usage(self) -> Usage | None:
        """Return what the provider told of the usage; None when it told nothing, which is not zero."""
        if self._unreadable:
            return None
        try:
            usage = self._stream.usage()
        except CachewiseError as error:
            self._desk.warn(str(error))
            return None
        told = self._stream.message_id is not None or usage.prompt_tokens or usage.output_tokens
        return usage.with_write_ttl(self._ttl()) if told else None

    def _ttl(self) -> Any:
        return self._request.cache_ttl

    def _price(self, usage: Usage | None) -> PricedCall | None:
        if usage is None:
            return None
        try:
            return price_usage(
                self._desk.price_book(),
                usage,
                provider=self._door.provider,
                model=self._door.model,
                at=datetime.fromtimestamp(self._started_ms / 1000, UTC),
                stop_reason=self._stream.stop_reason,
                stop_category=self._stream.stop_category,
                has_output=self._stream.has_output,
            )
        except CachewiseError as error:
            self._desk.warn(str(error))
            return None

    def _prefix(self) -> PrefixFingerprint | None:
        key = self._desk.settings.fingerprint_key
        return prefix_fingerprint(tools=self._request.tools, system=self._request.system, key=key) if key else None

    def _note_diagnosis(self, event: Any) -> None:
        told = getattr(event, "message", event)
        if not hasattr(told, "diagnostics"):
            return
        reason = getattr(told.diagnostics, "cache_miss_reason", None)
        if told.diagnostics is None:
            self._diagnosis = {"type": "none"}
        elif reason is None:
            self._diagnosis = {"type": "pending"}  # the comparison had not finished: not the same as "no miss"
        else:
            missed = getattr(reason, "cache_missed_input_tokens", None)
            self._diagnosis = {"type": reason.type} | ({} if missed is None else {"missed_tokens": missed})

    def _warn_too_short(self) -> None:
        request, door, desk = self._request, self._door, self._desk
        if not request.caching_enabled or not desk.is_first("SVC-425", request.engine, door.model):
            return
        try:
            minimum = desk.price_book().cache_minimum_tokens(door.model, door.provider)
            warning = minimum_warning(request, minimum_tokens=minimum, model=door.model)
        except CachewiseError as error:
            warning = str(error)
        if warning is not None:
            desk.warn(warning)

    def _warn_not_cached(self, usage: Usage) -> None:
        request, door = self._request, self._door
        cached = usage.cache_read_tokens or usage.cache_write_tokens
        if cached or not request.caching_enabled or not usage.complete:
            return
        if self._desk.is_first("SVC-426", request.engine, door.model):
            self._desk.warn(
                f"SVC-426: engine {request.engine!r} asked for caching, but {door.model} neither wrote nor read its "
                "prefix. It is probably below the model's minimum: lengthen the prompt or switch caching off."
            )

    def _elapsed_ms(self) -> float:
        return (self._desk.timer() - self._started) * 1000


def as_messages_usage(usage: Usage) -> dict[str, Any]:
    """Write a Usage in the shape of the Messages API, so that the record reads like the provider's own."""
    written: dict[str, Any] = {
        "input_tokens": usage.input_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "output_tokens": usage.output_tokens,
    }
    if usage.ttl_split_known:
        written["cache_creation"] = _split(usage.cache_write_5m_tokens, usage.cache_write_1h_tokens)
    if usage.thinking_tokens is not None:
        written["output_tokens_details"] = {"thinking_tokens": usage.thinking_tokens}
    if usage.web_search_requests:
        written["server_tool_use"] = {"web_search_requests": usage.web_search_requests}
    for name in ("service_tier", "speed", "inference_geo"):
        if (value := getattr(usage, name)) is not None:
            written[name] = value
    if usage.iterations:
        written["iterations"] = [as_messages_iteration(step) for step in usage.iterations]
    return written


def _split(write_5m: int, write_1h: int) -> dict[str, int]:
    return {"ephemeral_5m_input_tokens": write_5m, "ephemeral_1h_input_tokens": write_1h}
