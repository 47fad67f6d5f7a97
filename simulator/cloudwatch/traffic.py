"""A service's life written into a hostile log group, with the truth about it: seeded, so that it can be lived again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Literal
from uuid import UUID

from core.telemetry import (
    api_cost_line,
    call_record,
    prompt_store_hit_line,
    prompt_store_miss_line,
    prompt_stored_line,
    record_line,
)
from simulator.cloudwatch.log_groups import Event, LogGroup
from simulator.cloudwatch.truth import TrueCall, TrueInvocation, TrueStoreEvent, Truth
from simulator.fleet.engines import Dress, Function
from simulator.fleet.lines import app_line, end_lines, start_line

Telling = Literal["text", "record", "both"]
FUNCTION = Function("bodo-hostile", "/aws/lambda/bodo-hostile", "bodo-hostile", 512, 7, True, False)
ENGINES = ("sales", "faq", "tutor", "한국어")
_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS


@dataclass(frozen=True, slots=True)
class Lateness:
    """How long events stay invisible: shares of all, each with its bound in milliseconds."""

    steps: tuple[tuple[float, int], ...] = (
        (0.80, 8_000),
        (0.12, 2 * _MINUTE_MS),
        (0.05, 15 * _MINUTE_MS),
        (0.03, 90 * _MINUTE_MS),
    )

    def draw(self, rng: Random) -> int:
        """Return one delay."""
        drawn, below = rng.random(), 0
        for share, bound in self.steps:
            if drawn < share:
                return rng.randint(below, bound)
            drawn, below = drawn - share, bound
        return rng.randint(below, self.steps[-1][1])


PROMPT = Lateness(((1.0, 3_000),))
"""Nothing is late: for tests of other things."""


@dataclass(frozen=True, slots=True)
class Life:
    """How much happens, and how badly it is told."""

    seed: int
    start_ms: int
    hours: float = 2.0
    environments: int = 6
    requests: int = 90
    lateness: Lateness = Lateness()
    late_event_share: float = 0.25  # events with a delay of their own; the others share their delivery's
    copy_share: float = 0.06  # deliveries made twice, under another id
    skews_ms: tuple[int, ...] = (0, 0, 0, -20 * _MINUTE_MS, 4 * _MINUTE_MS)


@dataclass(slots=True)
class _Line:
    at_ms: int
    message: str
    tells: TrueCall | TrueStoreEvent | None = None
    events: list[Event] = field(default_factory=list)


@dataclass(slots=True)
class _Environment:
    stream: str
    version: str
    dress: Dress
    json_logs: bool
    telling: Telling
    skew_ms: int
    free_ms: int
    ingested_ms: int = 0
    known: set[str] = field(default_factory=set)


def live(group: LogGroup, life: Life) -> Truth:
    """Put the whole life into the group at once: each event becomes visible when its time has come."""
    rng = Random(f"{life.seed}:life")  # noqa: S311  # must be repeatable
    truth = Truth()
    environments = list(_environments(life, rng))
    span_ms = round(life.hours * _HOUR_MS)
    arrivals = sorted(life.start_ms + rng.randrange(span_ms) for _ in range(life.requests))
    for at_ms in arrivals:
        env = rng.choice(environments)
        lines = _request(env, max(at_ms, env.free_ms), life, rng, truth)
        for delivery in _deliveries(lines, rng):
            _deliver(group, env, delivery, life, rng)
        for line in lines:
            if line.tells is not None:
                truth.logged(line.tells, line.events)
    return truth


def _environments(life: Life, rng: Random) -> Iterator[_Environment]:
    for number in range(life.environments):
        version = str(FUNCTION.first_version + number % 2)
        stream = f"2026/11/20/[{version}]{rng.getrandbits(128):032x}"
        dress: Dress = rng.choice(("print", "logging"))
        telling: Telling = rng.choice(("text", "record", "both"))
        yield _Environment(stream, version, dress, rng.random() < 0.3, telling, rng.choice(life.skews_ms), 0)


def _request(env: _Environment, at_ms: int, life: Life, rng: Random, truth: Truth) -> list[_Line]:
    """Live one invocation; return its lines with times of the environment's own clock."""
    request_id = str(UUID(int=rng.getrandbits(128), version=4))
    cold = not env.known and env.free_ms == 0
    begun_ms = at_ms + env.skew_ms
    say = {"json_logs": env.json_logs}
    lines = [_Line(begun_ms, start_line(FUNCTION, env.version, request_id, at_ms=begun_ms, **say))]
    clock_ms = begun_ms
    engines: set[str] = set()
    calls = 0
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        engine = rng.choice(ENGINES)
        engines.add(engine)
        clock_ms = _look_up(env, engine, request_id, clock_ms, rng, lines)
        if rng.random() < 0.92:
            clock_ms = _call(env, engine, request_id, clock_ms, life, rng, lines, truth)
            calls += 1
    status: Literal["ok", "timeout", "error", "open"] = rng.choices(("ok", "timeout", "error", "open"), (90, 4, 4, 2))[
        0
    ]
    ended_ms = clock_ms + rng.randint(1, 40)
    duration_ms = float(ended_ms - begun_ms)
    if status != "open":
        word = "success" if status == "ok" else status
        for message in end_lines(
            FUNCTION, request_id, at_ms=ended_ms, duration_ms=duration_ms, init_ms=310.25 if cold else None,
            memory_mb=131, status=word, **say,
        ):  # fmt: skip
            lines.append(_Line(ended_ms, message))
    # sometimes the next START stands in the millisecond of this REPORT
    env.free_ms = ended_ms - env.skew_ms + rng.choice((0, 0, 1, 700, 20_000))
    truth.invocations.append(
        TrueInvocation(
            request_id, begun_ms, env.version, status, duration_ms if status != "open" else None, calls,
            next(iter(engines)) if len(engines) == 1 else None, cold if status != "open" else None,
        )
    )  # fmt: skip
    return lines


def _look_up(env: _Environment, engine: str, request_id: str, at_ms: int, rng: Random, lines: list[_Line]) -> int:
    """Look into the prompt store: HIT, or MISS and, a little later, the line that says it is kept."""

    def write(text: str, what: TrueStoreEvent, when_ms: int) -> None:
        line = app_line(text, at_ms=when_ms, request_id=request_id, dress=env.dress, json_logs=env.json_logs)
        lines.append(_Line(when_ms, line, what))

    at_ms = _step(at_ms, rng.choice((0, 0, 1, 5)), rng)
    if engine in env.known:
        for _ in range(rng.choice((1, 1, 1, 2))):  # two equal lines in one millisecond are two looks
            write(prompt_store_hit_line(engine), TrueStoreEvent("hit", engine, request_id), at_ms)
        return at_ms
    stored_ms = at_ms + rng.randint(60, 240)
    fetch_ms = float(stored_ms - at_ms)
    write(prompt_store_miss_line(engine), TrueStoreEvent("miss", engine, request_id, fetch_ms), at_ms)
    write(prompt_stored_line(engine), TrueStoreEvent("stored", engine, request_id), stored_ms)
    env.known.add(engine)
    return stored_ms


def _call(
    env: _Environment, engine: str, request_id: str, at_ms: int, life: Life, rng: Random, lines: list[_Line],
    truth: Truth,
) -> int:  # fmt: skip
    """Ask Claude once; tell it by a record, by the cost line, or by both, in either order."""
    told_ms = _step(at_ms, rng.randint(300, 2_500), rng)
    failed = env.telling != "text" and rng.random() < 0.05
    tokens = (0, 0, 0, 0) if failed else (rng.randint(5, 9), 3_000, rng.choice((0, 0, 800)), rng.randint(100, 103))
    message_id = None if failed or env.telling == "text" else f"msg_{rng.getrandbits(80):020x}"
    call = TrueCall(message_id, request_id, engine, tokens, failed)
    truth.calls.append(call)
    told: list[_Line] = []
    if env.telling != "text":
        told.append(_Line(told_ms, _record(call, at_ms, rng) + "\n", call if message_id is None else None))
    if env.telling != "record" and not failed:
        text = api_cost_line(
            cost_usd=Decimal("0.001"), input_tokens=tokens[0], output_tokens=tokens[3], cache_read=tokens[1],
            cache_write=tokens[2],
        )  # fmt: skip
        line = app_line(text, at_ms=told_ms, request_id=request_id, dress=env.dress, json_logs=env.json_logs)
        told.append(_Line(told_ms, line, call if message_id is None else None))
    if rng.random() < 0.5:
        told.reverse()
    if len(told) == 2:  # written one after the other: a delivery may end between them
        told_ms += rng.choice((0, 1, 3))
        told[1] = _Line(told_ms, told[1].message, told[1].tells)
    lines.extend(told)
    return told_ms


def _record(call: TrueCall, started_ms: int, rng: Random) -> str:
    given, read, write, output = call.tokens
    usage = {
        "input_tokens": given, "cache_read_input_tokens": read, "cache_creation_input_tokens": write,
        "output_tokens": output,
    }  # fmt: skip
    return record_line(
        call_record(
            call_id=call.message_id, started_ms=started_ms, provider="anthropic", model="claude-opus-4-5",
            engine=call.engine, usage=None if call.failed else usage, caching_enabled=True, cache_ttl="1h",
            request_id=call.request_id if rng.random() < 0.5 else None, status="error" if call.failed else "ok",
            error_type="overloaded_error" if call.failed else None,
        )
    )  # fmt: skip


def _step(at_ms: int, by_ms: int, rng: Random) -> int:
    """Move on; three times in ten to a full ten milliseconds, so that events crowd into one."""
    later_ms = at_ms + by_ms
    rounded_ms = later_ms - later_ms % 10
    return rounded_ms if rounded_ms >= at_ms and rng.random() < 0.3 else later_ms


def _deliveries(lines: list[_Line], rng: Random) -> Iterator[list[_Line]]:
    """Cut a request's lines into deliveries; lines of one millisecond travel together."""
    batch: list[_Line] = []
    for line in lines:
        if batch and line.at_ms > batch[-1].at_ms and rng.random() < 0.3:
            yield batch
            batch = []
        batch.append(line)
    yield batch


def _deliver(group: LogGroup, env: _Environment, batch: list[_Line], life: Life, rng: Random) -> None:
    """Put one delivery, and sometimes its copy: taken in after it, though perhaps seen before it."""
    written_ms = batch[-1].at_ms - env.skew_ms
    ingested_ms = max(env.ingested_ms + 1, written_ms + rng.randint(150, 1_500))
    delay_ms = life.lateness.draw(rng)
    if rng.random() < 0.3:  # taken in late, not only shown late
        ingested_ms, delay_ms = ingested_ms + delay_ms, 0
    else:
        env.ingested_ms = ingested_ms
    _put(group, env, batch, ingested_ms, delay_ms, life, rng)
    if rng.random() < life.copy_share:
        part = batch if rng.random() < 0.5 else rng.sample(batch, 1)
        _put(group, env, part, ingested_ms + rng.randint(1_000, 10 * _MINUTE_MS), 0, life, rng)


def _put(
    group: LogGroup, env: _Environment, batch: list[_Line], ingested_ms: int, delay_ms: int, life: Life, rng: Random
) -> None:
    visible = [
        ingested_ms + (life.lateness.draw(rng) if rng.random() < life.late_event_share else delay_ms) for _ in batch
    ]
    lines = [(line.at_ms, line.message) for line in batch]
    events = group.put(env.stream, lines, ingested_ms=ingested_ms, visible_ms=visible)
    for line, event in zip(batch, events, strict=True):
        line.events.append(event)
