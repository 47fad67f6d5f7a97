"""A fleet whose conversations change in every way a prompt can: the ground truth of the causes the demo never has.

The demo's engines cache a system prompt alone. Here whole conversations are cached (a breakpoint at the end of the
system prompt and one at the end of the messages), two or more at a time in every engine, and before any request its
tools, system prompt, messages, model or speed may change, or it may grow past the look-back. The cache model answers;
the logs are real ones, by record with listed blocks or by text lines alone. The true cause is what was done to the
conversation since its last call; where it would have been dead anyway, its expiry.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pyarrow as pa

from collector.pipeline import Collector
from core.caching.cache_model import LOOKBACK_POSITIONS, TTL_MS, Block, CacheModel, Outcome, Ttl
from core.pricing import default_book, price_usage
from core.settings import LineDefaults
from core.store.lake import Lake
from core.store.query import Reader
from core.telemetry import api_cost_line, call_record, prompt_store_hit_line, record_line
from core.usage import Usage
from tests.support.collecting import files_source
from tests.support.log_lines import dressed, payload, report, rid, start
from tests.support.rows import NOON
from tests.support.truth import Confusion

MODELS = ("claude-opus-5-5", "claude-opus-5")
MINIMUM, WAIT_MS, LASTS_MS = 512, 900, 2_000
PAUSE_MS = 62 * 60_000
TALK_LIMIT = 60  # turns after which a conversation is left
ACTS = {"go on": 60, "new": 3, "messages": 4, "lookback": 3, "beside": 3, "tools": 3, "system": 3, "model": 4,
        "speed": 3, "pause": 3}  # fmt: skip
"""What may happen before a request, and how often of a hundred or so."""
OF_ENGINE = ("model", "speed", "tools", "system")
"""Changes that every conversation of the engine has to bear."""

GREETINGS = ("hello", "good morning", "can you help me?")
"""Openings that conversations have in common."""

Truth = tuple[str, str | None]


@dataclass(slots=True)
class _Talk:
    """One conversation: its turns, when it was last asked, and what was done to it since."""

    turns: list[str]
    asked_ms: int | None = None
    scope: tuple[str, str] = ("", "")  # model and speed it was asked with
    done: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Engine:
    name: str
    ttl: Ttl
    tools: list[str]
    system: list[str]
    talks: list[_Talk]
    model: str = MODELS[0]
    speed: str = "standard"


@dataclass(slots=True)
class Changing:
    """A day of such a fleet; `truths` holds the cause and part of each call's prefix miss by its invocation."""

    seed: int
    text: bool
    logs: list[tuple[int, str]] = field(default_factory=list)
    truths: dict[str, Truth] = field(default_factory=dict)

    @classmethod
    def live(cls, seed: int, *, text: bool = False, requests: int = 250, talks: int = 2) -> Changing:
        """Live three engines through a number of requests each, one with entries of five minutes."""
        fleet = cls(seed, text)
        for number, ttl in enumerate(("1h", "5m", "1h")):
            _Life(fleet, number, ttl, requests, talks).run()  # type: ignore[arg-type]
        return fleet

    def collect(self, folder: Path) -> Lake:
        """Write the logs and have the real collector read them."""
        path, lake = folder / "changing.jsonl", Lake(folder / "lake")
        path.write_text("".join(f"{line}\n" for _, line in sorted(self.logs)), encoding="utf-8")
        defaults = LineDefaults(model=MODELS[0], cache_ttl="1h", caching_enabled=True)
        result = Collector(files_source(path), lake, default_book(), defaults=defaults).run_pass(final=True)
        assert result.new_calls == len(self.logs)
        return lake


class _Life:
    """One engine's life."""

    def __init__(self, fleet: Changing, number: int, ttl: Ttl, requests: int, talks: int) -> None:
        self._fleet, self._requests, self._first = fleet, requests, number * 100_000
        self._rng = Random(f"changing:{fleet.seed}:{number}")
        self._cache = CacheModel(minimum_tokens=MINIMUM)
        self._now_ms = round(NOON.timestamp() * 1000) + number * 7_000
        self._sent = 0
        parts = [[self._new(part) for _ in range(self._rng.randint(2, 4))] for part in ("tools", "system")]
        self._engine = _Engine(f"engine-{number}", ttl, *parts, [self._talk() for _ in range(talks)])

    def run(self) -> None:
        """Send the requests, each after something may have happened."""
        acts, weights = list(ACTS), list(ACTS.values())
        while self._sent < self._requests:
            self._now_ms += self._rng.randint(30_000, 240_000)
            self._step(self._rng.choices(acts, weights)[0] if self._sent else "new")

    def _step(self, act: str) -> None:
        engine, rng = self._engine, self._rng
        place = rng.randrange(len(engine.talks))
        if act == "pause":
            self._now_ms += PAUSE_MS
        if act == "new" or (act == "go on" and len(engine.talks[place].turns) > TALK_LIMIT):
            engine.talks[place] = self._talk()
        elif act in OF_ENGINE and engine.talks[place].asked_ms is not None:  # one thing at a time
            self._change(act)
        talk = engine.talks[place]
        if act == "messages" and len(talk.turns) > 2 and talk.asked_ms is not None:  # what the user had asked
            talk.turns[rng.randrange(2, len(talk.turns), 2)] = self._new("turn")
            talk.done.add("messages")
        elif act == "lookback" and talk.asked_ms is not None:
            talk.turns += [self._new("turn") for _ in range(LOOKBACK_POSITIONS + rng.randint(0, 5))]
            talk.done.add("lookback")
        elif talk.asked_ms is not None and rng.random() < 0.8:
            talk.turns += [self._new("turn"), self._new("turn")]
        self._ask(talk, self._now_ms)
        if act == "beside":
            talk.done.add("beside")
            self._ask(talk, self._now_ms + rng.randint(50, WAIT_MS - 100))

    def _change(self, act: str) -> None:
        engine = self._engine
        if act == "model":
            engine.model = MODELS[1 - MODELS.index(engine.model)]
        elif act == "speed":
            engine.speed = "fast" if engine.speed == "standard" else "standard"
        else:
            part = engine.tools if act == "tools" else engine.system
            part[self._rng.randrange(len(part))] = self._new(act)
            for talk in engine.talks:
                talk.done.add(act)

    def _ask(self, talk: _Talk, at_ms: int) -> None:
        engine = self._engine
        parts = {"tools": engine.tools, "system": engine.system, "messages": talk.turns}
        told = [(part, name) for part, names in parts.items() for name in names]
        marks = {len(engine.tools) + len(engine.system) - 1, len(told) - 1}
        blocks = [
            Block(name, _tokens(name), engine.ttl if place in marks else None) for place, (_, name) in enumerate(told)
        ]
        blocks.append(Block(self._new("question"), self._rng.randint(40, 400)))
        outcome = self._cache.request(
            at_ms, blocks=blocks, workspace=engine.speed, model=engine.model, response_begins_ms=at_ms + WAIT_MS
        )
        request_id = rid(self._first + self._sent)
        self._fleet.truths[request_id] = self._truth(talk, at_ms)
        self._tell(request_id, told, outcome, at_ms)
        talk.asked_ms, talk.scope, talk.done = at_ms, (engine.model, engine.speed), set()
        self._sent += 1

    def _truth(self, talk: _Talk, at_ms: int) -> Truth:
        if talk.asked_ms is None:
            return "first_touch", None
        if at_ms - talk.asked_ms > TTL_MS[self._engine.ttl]:
            return f"expired_{self._engine.ttl}", None
        scope = (self._engine.model, self._engine.speed)
        turned = [name for name, was, now in zip(("model", "speed"), talk.scope, scope, strict=True) if was != now]
        for change in (*turned, "tools", "system", "messages"):
            if change in turned or change in talk.done:
                return "prefix_changed", change
        words = {"lookback": "lookback", "beside": "concurrent_first_write"}
        return next((cause for act, cause in words.items() if act in talk.done), "first_touch"), None

    def _tell(self, request_id: str, told: list[tuple[str, str]], outcome: Outcome, at_ms: int) -> None:
        """Write the invocation's lines: a cost line, or a record with fingerprints."""
        engine, end_ms = self._engine, at_ms + LASTS_MS
        output = self._rng.randint(20, 400)
        if self._fleet.text:
            line = self._cost_line(outcome, output, at_ms)
        else:
            usage = {
                "input_tokens": outcome.uncached, "cache_read_input_tokens": outcome.read,
                "cache_creation_input_tokens": outcome.missed, "output_tokens": output, "speed": engine.speed,
                "cache_creation": {"ephemeral_5m_input_tokens": outcome.write_5m,
                                   "ephemeral_1h_input_tokens": outcome.write_1h},
            }  # fmt: skip
            line = record_line(
                call_record(
                    call_id=f"msg_{self._fleet.seed}_{self._first + self._sent}", started_ms=at_ms,
                    provider="anthropic", model=engine.model, engine=engine.name, usage=usage, request_id=request_id,
                    caching_enabled=True, cache_ttl=engine.ttl, prefix_tokens=outcome.read + outcome.missed,
                    prefix_fingerprint=_hash(" ".join(name for _, name in told)), latency_ms=float(LASTS_MS),
                    ttft_ms=float(WAIT_MS),
                    prefix_blocks=[{"part": part, "fingerprint": _hash(name)} for part, name in told],
                )
            )  # fmt: skip
        events = [
            (at_ms - 3, start(request_id)),
            (at_ms, dressed(prompt_store_hit_line(engine.name), at_ms, request_id)),
            (end_ms, dressed(line, end_ms, request_id)),
            (end_ms + 1, f"END RequestId: {request_id}"),
            (end_ms + 2, report(request_id, ms=LASTS_MS + 5.0)),
        ]
        stream = f"2026/11/20/[12]{_hash(request_id)}"
        self._fleet.logs.append((at_ms, json.dumps(payload(events, stream=stream, put=self._first + self._sent))))

    def _cost_line(self, outcome: Outcome, output: int, at_ms: int) -> str:
        counts = Usage(
            input_tokens=outcome.uncached, cache_read_tokens=outcome.read, cache_write_5m_tokens=outcome.write_5m,
            cache_write_1h_tokens=outcome.write_1h, output_tokens=output, speed=self._engine.speed,
        )  # fmt: skip
        priced = price_usage(default_book(), counts, provider="anthropic", model=self._engine.model, at=NOON)
        assert priced.cost_usd is not None
        return api_cost_line(
            cost_usd=priced.cost_usd, input_tokens=outcome.uncached, output_tokens=output, cache_read=outcome.read,
            cache_write=outcome.missed,
        )  # fmt: skip

    def _talk(self) -> _Talk:
        opening = self._rng.choice(GREETINGS) if self._rng.random() < 0.3 else self._new("turn")
        return _Talk([opening, self._new("turn")])

    def _new(self, what: str) -> str:
        return f"{what} {self._rng.getrandbits(60):x}"


@dataclass(slots=True)
class Parts:
    """How right the part named is, where the prefix changed and the ledger says so."""

    tokens: int = 0
    right: int = 0
    named: int = 0


def confuse_changing(fleet: Changing, lake: Lake, lines: pa.Table) -> tuple[Confusion, Parts]:
    """Hold the ledger's lines to the truth: causes of all tokens, parts of changed prefixes."""
    with Reader(lake) as reader:
        calls = reader.table("calls").select("call_id", "invocation_id")
        invocation = {row["call_id"]: row["invocation_id"] for row in reader.rows(calls)}
    result, parts = Confusion(), Parts()
    for line in lines.to_pylist():
        cause, tokens = line["cause"], line["tokens"]
        told = fleet.truths.get(invocation[line["call_id"]])
        true, part = ("dynamic_tail", None) if cause == "dynamic_tail" or told is None else told
        if told is None:
            result.unmatched += tokens
            continue
        result.tokens[true, cause] += tokens
        if line["confidence"] == "measured":
            result.measured += tokens
            result.measured_right += tokens if true == cause else 0
        if true == cause == "prefix_changed":
            parts.tokens += tokens
            parts.named += tokens if line["detail"] else 0
            parts.right += tokens if line["detail"] == part else 0
    return result, parts


def _tokens(name: str) -> int:
    return 150 + int(_hash(name)[:4], 16) % 700


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
