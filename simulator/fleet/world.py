"""The fleet at work: requests arrive, environments serve them, Claude answers, and everybody writes log lines."""

from __future__ import annotations

import heapq
import string
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from core.pricing import PriceBook
from core.telemetry import (
    api_cost_line,
    call_record,
    prompt_store_hit_line,
    prompt_store_miss_line,
    prompt_stored_line,
    record_line,
    with_metrics,
)
from simulator.fleet.arrivals import arrivals, live_weights
from simulator.fleet.claude import DAY_MS, Answer, Claude
from simulator.fleet.engines import ENGINES, FUNCTIONS, Engine, Function
from simulator.fleet.environments import Environment, Pool
from simulator.fleet.lines import app_line, end_lines, init_line, start_line, trace_line
from simulator.fleet.plan import Plan

TIMEOUT_MS = 60_000
_LAST_CALL_MS = TIMEOUT_MS - 100  # an answer that ends later is cut off by the timeout
_SECOND_CALL_MS = TIMEOUT_MS - 10_000  # too little time is left to ask again
_TIMEOUT_SHARE = 0.0012
_CRASH_SHARE = 0.0003
_ABORT_SHARE = 0.004
_ERROR_SHARE = 0.002
_OVERLOAD_SHARE = 0.6
_PROMPT_BYTES = {engine.name: 4 * engine.prefix_tokens for engine in ENGINES}
_BASE62 = string.digits + string.ascii_letters


@dataclass(slots=True)
class Invocation:
    """One Lambda request: its log events in order, and the truth about its calls."""

    engine: Engine
    environment: Environment
    request_id: str
    cold: bool
    start_ms: int
    fate: str  # success | timeout | error
    calls_left: int
    init_ms: float | None = None
    events: list[tuple[int, str]] = field(default_factory=list)
    truths: list[dict[str, Any]] = field(default_factory=list)

    @property
    def tenant(self) -> str | None:
        """Whom the request is charged to: its id decides, so that the fleet's dice fall as they did without tenants."""
        tenants = self.engine.tenants
        return tenants[int(self.request_id[:8], 16) % len(tenants)] if tenants else None

    @property
    def function(self) -> Function:
        """The function that serves it."""
        return self.engine.function

    @property
    def stream(self) -> str:
        """The log stream it writes to."""
        return self.environment.stream

    @property
    def first_ms(self) -> int:
        """When its first event was written."""
        return self.events[0][0]

    def say(self, text: str, at_ms: int) -> None:
        """Write one line of the service."""
        json_logs = self.environment.version.json_logs
        line = app_line(text, at_ms=at_ms, request_id=self.request_id, dress=self.engine.dress, json_logs=json_logs)
        self.events.append((at_ms, line))


_Queue = list[tuple[int, int, Engine | Invocation]]  # when, tie-breaker, who arrives or calls


class World:
    """The whole fleet. The same seed, plan and sequence of hours give the same events."""

    def __init__(self, *, seed: int, plan: Plan, book: PriceBook, engines: Sequence[Engine] = ENGINES) -> None:
        self._seed = seed
        self._plan = plan
        self._engines = tuple(engines)
        self._claude = Claude(seed=seed, plan=plan, book=book)
        self._pools = {function.name: Pool(function, plan) for function in FUNCTIONS}
        self._live_weights = live_weights(self._engines)

    def hour(self, hour_ms: int, *, live: bool = False, salt: str = "") -> list[Invocation]:
        """Return the invocations that begin in the hour starting at `hour_ms`, by their start.

        Hours must be asked for in order. `live` keeps the busy engines busy at night too. `salt` makes an hour that
        is begun a second time a different one.
        """
        rng = Random(f"{self._seed}:{hour_ms}:{salt}")  # noqa: S311 - a simulation must be repeatable
        coming: list[tuple[int, Engine]] = []
        for engine in self._engines:
            weight = self._live_weights.get(engine.name, 0.0) if live else 0.0
            own = Random(f"{self._seed}:{hour_ms}:{salt}:{engine.name}")  # noqa: S311
            coming += [(at_ms, engine) for at_ms in arrivals(engine, hour_ms, own, live_weight=weight)]
        queue: _Queue = [(at_ms, order, engine) for order, (at_ms, engine) in enumerate(coming)]
        heapq.heapify(queue)
        if hour_ms % DAY_MS == 0:
            self._claude.forget(hour_ms)
        return self._serve(queue, rng)

    def _serve(self, queue: _Queue, rng: Random) -> list[Invocation]:
        """Work through arrivals and calls in order of time, until every invocation of the hour has ended."""
        done: list[Invocation] = []
        order = len(queue)
        while queue:
            at_ms, _, what = heapq.heappop(queue)
            if isinstance(what, Engine):
                what = self._open(what, at_ms, rng)
                done.append(what)
                next_ms: int | None = what.events[-1][0] + rng.randint(6, 24)
            else:
                next_ms = self._call(what, at_ms, rng)
            if next_ms is not None:
                heapq.heappush(queue, (next_ms, order, what))
                order += 1
        done.sort(key=lambda invocation: invocation.first_ms)
        return done

    def _open(self, engine: Engine, at_ms: int, rng: Random) -> Invocation:
        """Start an invocation up to its first call: environment, START, prompt store."""
        function = engine.function
        environment, cold = self._pools[function.name].take(at_ms, rng)
        version = str(environment.version.number)
        json_logs = environment.version.json_logs
        init_ms = rng.uniform(780, 1_650) if cold else None
        start_ms = at_ms + int(init_ms or 0)
        draw = rng.random()
        fate = "timeout" if draw < _TIMEOUT_SHARE else "error" if draw < _TIMEOUT_SHARE + _CRASH_SHARE else "success"
        invocation = Invocation(
            engine=engine,
            environment=environment,
            request_id=_uuid(rng),
            cold=cold,
            start_ms=start_ms,
            fate=fate,
            calls_left=1 + (rng.random() < engine.second_call_share),
            init_ms=init_ms,
        )
        if cold:
            line = init_line(function, version, environment.stream, at_ms=at_ms, json_logs=json_logs)
            invocation.events.append((at_ms, line))
        opened = start_line(function, version, invocation.request_id, at_ms=start_ms, json_logs=json_logs)
        invocation.events.append((start_ms, opened))
        if rng.random() < 0.25:
            invocation.say("WebSocket message received", start_ms + 1)
        self._look_up_prompt(invocation, invocation.events[-1][0] + rng.randint(1, 4), rng)
        return invocation

    def _look_up_prompt(self, invocation: Invocation, at_ms: int, rng: Random) -> None:
        engine, store = invocation.engine, invocation.environment.prompt_store
        if engine.name in store:
            invocation.say(_bare(engine, prompt_store_hit_line(engine.name)), at_ms)
            return
        invocation.say(_bare(engine, prompt_store_miss_line(engine.name)), at_ms)
        fetched_ms = at_ms + int(rng.uniform(100, 200)) + (rng.randint(20, 60) if not store else 0)
        store[engine.name] = self._plan.revision(engine.name, engine.function.name, at_ms)
        invocation.say(_bare(engine, prompt_stored_line(engine.name)), fetched_ms)

    def _call(self, invocation: Invocation, at_ms: int, rng: Random) -> int | None:
        """Make one call; return when the next begins, or None when the invocation has ended."""
        invocation.calls_left -= 1
        if invocation.fate == "success" and self._refused(invocation, at_ms, rng):
            failed_ms = at_ms + rng.randint(1_800, 4_200)  # after the client's two retries
            self._tell_error(invocation, at_ms, failed_ms)
            self._close(invocation, failed_ms, rng)
            return None
        engine = invocation.engine
        aborted = invocation.fate == "success" and rng.random() < _ABORT_SHARE
        answer = self._claude.call(
            engine,
            at_ms,
            version=invocation.environment.version,
            revision=invocation.environment.prompt_store[engine.name],
            message_tokens=_tokens(engine.message_tokens, 0.45, rng),
            output_tokens=_tokens(engine.output_tokens, 0.5, rng),
            rng=rng,
            aborted=aborted,
        )
        call_id = _message_id(answer.provider, rng)
        end_ms = at_ms + int(answer.latency_ms)
        if invocation.fate == "success" and end_ms > invocation.start_ms + _LAST_CALL_MS:
            invocation.fate = "timeout"  # Lambda stops it in mid-answer: Claude bills the call, the log never tells
        logged = invocation.fate == "success" and (engine.function.tells_records or not aborted)
        invocation.truths.append(_truth(invocation, at_ms, answer, call_id, complete=not aborted, logged=logged))
        if invocation.fate == "success":
            self._tell_call(invocation, at_ms, end_ms, answer, call_id, complete=not aborted)
            if invocation.calls_left > 0 and end_ms < invocation.start_ms + _SECOND_CALL_MS:
                return end_ms + rng.randint(15, 90)
        self._close(invocation, end_ms, rng)
        return None

    def _refused(self, invocation: Invocation, at_ms: int, rng: Random) -> bool:
        overloaded = self._plan.overload.holds(at_ms) and invocation.function.tells_records
        return rng.random() < (_OVERLOAD_SHARE if overloaded else _ERROR_SHARE)

    def _tell_call(
        self, invocation: Invocation, at_ms: int, end_ms: int, answer: Answer, call_id: str, *, complete: bool
    ) -> None:
        engine, function = invocation.engine, invocation.function
        if function.tells_records:
            record = call_record(
                call_id=call_id,
                started_ms=at_ms,
                provider=answer.provider,
                model=answer.model,
                engine=engine.name,
                tenant=invocation.tenant,
                usage=answer.usage(),
                request_id=invocation.request_id,
                caching_enabled=invocation.environment.version.caching_enabled,
                cache_ttl=engine.ttl,
                prefix_tokens=answer.prefix_tokens,
                prefix_fingerprint=answer.prefix_fingerprint,
                latency_ms=round(answer.latency_ms, 1),
                ttft_ms=round(answer.ttft_ms, 1),
                stop_reason="end_turn" if complete else None,
                complete=complete,
                cost_usd=answer.cost_usd,
                prompt_store_bytes=_store_bytes(invocation.environment),
            )
            invocation.say(record_line(with_metrics(record) if engine.metrics else record), end_ms)
        if complete and (engine.cost_lines or not function.tells_records):
            outcome = answer.outcome
            line = api_cost_line(
                cost_usd=answer.cost_usd,
                input_tokens=outcome.uncached,
                output_tokens=answer.output_tokens,
                cache_read=outcome.read,
                cache_write=outcome.write_5m + outcome.write_1h,
            )
            invocation.say(line, end_ms + 1)

    def _tell_error(self, invocation: Invocation, at_ms: int, failed_ms: int) -> None:
        engine = invocation.engine
        provider, model = self._claude.door(engine, at_ms)
        logged = engine.function.tells_records
        whose = _whose(invocation, at_ms, call_id=None, provider=provider, model=model)
        invocation.truths.append({**whose, "cause": "error", "logged": logged})
        if not logged:
            invocation.say("Claude API error: overloaded_error (529)", failed_ms)
            return
        record = call_record(
            call_id=None,
            started_ms=at_ms,
            provider=provider,
            model=model,
            engine=engine.name,
            tenant=invocation.tenant,
            usage=None,
            request_id=invocation.request_id,
            caching_enabled=invocation.environment.version.caching_enabled,
            cache_ttl=engine.ttl,
            latency_ms=float(failed_ms - at_ms),
            status="error",
            error_type="overloaded_error",
            complete=False,
        )
        invocation.say(record_line(record), failed_ms)

    def _close(self, invocation: Invocation, at_ms: int, rng: Random) -> None:
        """Write what ends an invocation, and give the environment back."""
        environment, function = invocation.environment, invocation.function
        match invocation.fate:
            case "timeout":
                duration_ms = float(TIMEOUT_MS)
            case "error":
                duration_ms = min(at_ms - invocation.start_ms + rng.uniform(0, 500), TIMEOUT_MS - 1.0)
            case _:
                duration_ms = at_ms - invocation.start_ms + rng.uniform(4, 38)
        end_ms = invocation.start_ms + int(duration_ms)
        environment.memory_mb = min(function.memory_mb, environment.memory_mb + (rng.random() < 0.05))
        trace = trace_line(f"{rng.getrandbits(128):032x}", f"{rng.getrandbits(64):016x}") if function.traced else None
        closing = end_lines(
            function,
            invocation.request_id,
            at_ms=end_ms,
            json_logs=environment.version.json_logs,
            duration_ms=duration_ms,
            init_ms=invocation.init_ms,
            memory_mb=environment.memory_mb,
            status=invocation.fate,
            trace=trace,
        )
        invocation.events += [(end_ms, line) for line in closing]
        self._pools[function.name].give_back(environment, end_ms + 1, killed=invocation.fate != "success")


def _whose(invocation: Invocation, at_ms: int, *, call_id: str | None, provider: str, model: str) -> dict[str, Any]:
    return {
        "call_id": call_id,
        "request_id": invocation.request_id,
        "ts": at_ms,
        "source": invocation.function.source,
        "engine": invocation.engine.name,
        "provider": provider,
        "model": model,
        "function_version": str(invocation.environment.version.number),
    }


def _truth(
    invocation: Invocation, at_ms: int, answer: Answer, call_id: str, *, complete: bool, logged: bool
) -> dict[str, Any]:
    outcome = answer.outcome
    return {
        **_whose(invocation, at_ms, call_id=call_id, provider=answer.provider, model=answer.model),
        "cause": answer.cause,
        "missed": answer.missed,
        "prefix_tokens": answer.prefix_tokens,
        "input_tokens": outcome.uncached,
        "cache_read_tokens": outcome.read,
        "cache_write_5m_tokens": outcome.write_5m,
        "cache_write_1h_tokens": outcome.write_1h,
        "output_tokens": answer.output_tokens,
        "ttft_ms": round(answer.ttft_ms, 3),
        "cost_usd": f"{answer.cost_usd:f}",
        "complete": complete,
        "logged": logged,
    }


def _bare(engine: Engine, line: str) -> str:
    """Drop the brackets around the engine where this engine's code never wrote them."""
    return line if engine.brackets else line.replace(f"[{engine.name}]", engine.name)


def _tokens(median: int, spread: float, rng: Random) -> int:
    return max(8, int(median * rng.lognormvariate(0, spread)))


def _uuid(rng: Random) -> str:
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def _message_id(provider: str, rng: Random) -> str:
    body = "".join(rng.choices(_BASE62, k=22))
    return f"msg_bdrk_01{body}" if provider == "bedrock" else f"msg_01{body}"


def _store_bytes(environment: Environment) -> int | None:
    """Return what the prompts of an environment take, at four bytes a token."""
    return sum(_PROMPT_BYTES.get(name, 0) for name in environment.prompt_store) or None
