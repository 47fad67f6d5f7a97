"""The simulated service behind the HTTP routes: who may call, what the cache does, what is answered.

It keeps fingerprints, counts and ids; no prompt text and no key outlives the request that brought it.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from core.caching.cache_model import Block, CacheModel, Outcome
from simulator.messages.catalog import Catalog, Provider
from simulator.messages.clock import SimulatedClock
from simulator.messages.diagnosis import Diagnoses
from simulator.messages.errors import ApiError, authentication
from simulator.messages.faults import Fault, FaultPlan
from simulator.messages.latency import Latency
from simulator.messages.request import Prompt, Reader
from simulator.messages.wire import Answer

KEY_PREFIX = "sk-ant-sim"  # real keys start otherwise: one sent here by mistake is refused
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_YET = sys.maxsize
_CALLS_KEPT = 50_000
_TIDY_EVERY = 1000
_FORGET_AFTER_MS = 4 * 3_600_000
_HELD_POLL_S = 0.002


@dataclass(frozen=True, slots=True)
class CallSeen:
    """What the simulator remembers of a request, for tests and for its state page."""

    at: datetime
    request_id: str
    message_id: str | None
    provider: Provider
    workspace: str
    model: str
    status: int
    retry: int
    usage: dict[str, Any] | None = None
    cause: str | None = None
    ttft_ms: float | None = None


@dataclass(slots=True)
class Call:
    """One request that is being answered."""

    answer: Answer
    scope: str
    model_id: str
    blocks: list[Block]
    ttft_ms: float


class Service:
    """Answers prompts. Runs on one event loop; the clock, faults and hold may be moved from other threads."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        clock: SimulatedClock,
        latency: Latency,
        faults: FaultPlan,
        api_keys: Collection[str] | None = None,
        output_tokens: int | None = None,
    ) -> None:
        self.catalog, self.clock, self.latency, self.faults = catalog, clock, latency, faults
        self.output_tokens = output_tokens
        self.calls: deque[CallSeen] = deque(maxlen=_CALLS_KEPT)
        self.held = False
        self.waiting = 0
        self._started = 0
        self.reader = Reader()
        self._workspaces = None if api_keys is None else frozenset(map(self._workspace, api_keys))
        self._minimums: dict[str, int] = {}
        self._cache = CacheModel(minimum_tokens=self._minimums.__getitem__)
        self._diagnoses = Diagnoses()

    def workspace_of(self, key: str | None) -> str:
        """Return the workspace a key belongs to: each key has its own. Refuse a key that is missing or unknown."""
        if not key:
            raise authentication("x-api-key header is required")
        workspace = self._workspace(key)
        accepted = key.startswith(KEY_PREFIX) if self._workspaces is None else workspace in self._workspaces
        if not accepted:
            raise authentication("invalid x-api-key")
        return workspace

    def _workspace(self, key: str) -> str:
        return f"wrkspc_sim_{self.reader.fingerprint('workspace', key)[:12]}"

    def next_fault(self) -> Fault | None:
        """Return the fault that strikes inside this answer; raise the one that replaces it."""
        fault = self.faults.next_fault()
        refusal = fault.refusal() if fault is not None else None
        if refusal is not None:
            raise refusal
        return fault

    def start(self, prompt: Prompt, *, provider: Provider, workspace: str, pending: bool = False) -> Call:
        """Let the request touch the cache at its start. What it writes cannot be read before `begin`."""
        now = self.clock.now()
        model = self.catalog.find(prompt.model, provider, day=now.date())
        scope, model_id = f"{provider}/{workspace}", f"{provider}/{model.model_id}"
        self._minimums[model_id] = model.minimum_tokens
        blocks = prompt.blocks()
        self._tidy(now)
        outcome = self._cache.request(
            _ms(now), blocks=blocks, workspace=scope, model=model_id, response_begins_ms=_NOT_YET
        )
        diagnostics = self._diagnoses.compare(prompt, at=now, workspace=scope, model_id=model_id)
        if pending and prompt.previous_message_id is not None:
            diagnostics = {"cache_miss_reason": None}
        answer = self._answer(prompt, outcome, diagnostics)
        self._diagnoses.remember(prompt, at=now, workspace=scope, message_id=answer.message_id, model_id=model_id)
        ttft_ms = self.latency.time_to_first_token_ms(
            processed_tokens=outcome.prompt - outcome.read, read_tokens=outcome.read
        )
        return Call(answer, scope, model_id, blocks, ttft_ms)

    async def begin(self, call: Call) -> None:
        """Wait for the first byte of the answer (and while responses are held), then let others read the entries."""
        await asyncio.sleep(call.ttft_ms / 1000)
        await self._while_held()
        self._cache.response_began(_ms(self.clock.now()), blocks=call.blocks, workspace=call.scope, model=call.model_id)

    async def _while_held(self) -> None:
        self.waiting += 1
        try:
            while self.held:
                await asyncio.sleep(_HELD_POLL_S)
        finally:
            self.waiting -= 1

    async def generate(self, call: Call, *, share: float = 1.0) -> None:
        """Take the time that `share` of the answer's words take."""
        await asyncio.sleep(share * self.latency.generation_ms(call.answer.output_tokens) / 1000)

    def note(self, seen: CallSeen, call: Call | None = None, error: ApiError | None = None) -> None:
        """Remember how a request ended."""
        if call is not None:
            usage = call.answer.usage(output_tokens=call.answer.output_tokens)
            message_id, cause = call.answer.message_id, call.answer.outcome.cause
            seen = replace(seen, message_id=message_id, usage=usage, cause=cause, ttft_ms=call.ttft_ms)
        self.calls.append(replace(seen, status=error.status) if error is not None else seen)

    def _tidy(self, now: datetime) -> None:
        """Drop long expired entries now and then, so that a demo can run for weeks."""
        self._started += 1
        if self._started % _TIDY_EVERY == 0:
            self._cache.forget(_ms(now) - _FORGET_AFTER_MS)

    def _answer(self, prompt: Prompt, outcome: Outcome, diagnostics: dict[str, Any] | None) -> Answer:
        wanted = self.output_tokens if self.output_tokens is not None else _typical_length(prompt)
        cut = wanted > prompt.max_tokens or prompt.max_tokens == 0
        return Answer(
            message_id=f"msg_sim_{secrets.token_hex(12)}",
            model=prompt.model,
            outcome=outcome,
            output_tokens=min(wanted, prompt.max_tokens),
            stop_reason="max_tokens" if cut else "end_turn",
            speed=prompt.speed,
            diagnostics=diagnostics,
        )


def new_request_id() -> str:
    """Return a request id that cannot be taken for a real one."""
    return f"req_sim_{secrets.token_hex(12)}"


def _typical_length(prompt: Prompt) -> int:
    """Return an answer length that is stable for a prompt of this size: 24 to 183 tokens."""
    return 24 + prompt.tokens * 37 % 160


def _ms(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)
