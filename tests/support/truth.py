"""Lives a fleet whose every cause is known, reads its logs, and holds the analysis to the truth."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa

from cli.demo import demo_root, demo_sources
from collector.pipeline import Collector
from collector.sources.files import FilesSource
from core.caching.cache_model import Block, CacheModel, Outcome
from core.pricing import PriceBook, default_book, price_usage
from core.settings import Settings
from core.store.lake import Lake
from core.store.query import Reader
from core.ttl.replay import PING_MS
from core.usage import Usage
from simulator.fleet.engines import ENGINES, Engine
from simulator.fleet.folder import FleetFolder, read_truth
from simulator.fleet.latency import expected_ttft_ms, ttft_ms
from simulator.fleet.plan import from_ms, plan_for
from simulator.fleet.writer import FleetWriter

Truth = dict[str, Any]
_BY_NAME = {engine.name: engine for engine in ENGINES}


def text_only() -> tuple[Engine, ...]:
    """The same fleet writing text lines alone: no record, no model, no TTL, no fingerprint, no start."""
    return tuple(
        replace(engine, function=replace(engine.function, tells_records=False), cost_lines=True) for engine in ENGINES
    )


@dataclass(frozen=True, slots=True)
class Fleet:
    """A fleet that has been lived through, and the lake of its logs."""

    lake: Lake
    truths: list[Truth]
    anchor: Any


def live(folder: Path, *, seed: int, days: int, now_ms: int, engines: Sequence[Engine] = ENGINES) -> Fleet:
    """Write `days` of history and collect it."""
    settings = Settings(store_path=str(folder), demo=True)
    book = default_book()
    writer = FleetWriter(
        FleetFolder(demo_root(settings)), book=book, now_ms=now_ms, days=days, seed=seed, engines=engines
    )
    writer.write_history(now_ms)
    lake = Lake(settings.lake_path)
    for source in demo_sources(settings):
        result = Collector(FilesSource(source), lake, book, defaults=source.defaults).run_pass()
        assert not result.problems
    truths = [truth for truth in read_truth(demo_root(settings)) if truth["cause"] != "error"]
    return Fleet(lake, truths, writer.identity.anchor)


@dataclass(slots=True)
class Confusion:
    """Tokens by (true cause, cause found), and how right what is called measured is."""

    tokens: Counter[tuple[str, str]] = field(default_factory=Counter)
    measured: int = 0
    measured_right: int = 0
    unmatched: int = 0

    def add(self, other: Confusion) -> None:
        """Take another's counts in."""
        self.tokens.update(other.tokens)
        self.measured += other.measured
        self.measured_right += other.measured_right
        self.unmatched += other.unmatched

    def share(self, *, without: Iterable[str] = ()) -> float:
        """Share of tokens under their true cause; `without` leaves true causes out."""
        kept = {pair: n for pair, n in self.tokens.items() if pair[0] not in set(without)}
        return sum(n for (true, found), n in kept.items() if true == found) / max(sum(kept.values()), 1)

    def named_share(self, *, without: Iterable[str] = ()) -> float:
        """The same of the tokens that were put under a cause at all: `unknown` claims nothing."""
        kept = {(true, found): n for (true, found), n in self.tokens.items() if true not in set(without)}
        named = {pair: n for pair, n in kept.items() if pair[1] != "unknown"}
        return sum(n for (true, found), n in named.items() if true == found) / max(sum(named.values()), 1)

    @property
    def measured_share(self) -> float:
        """Share of what is called measured that is right."""
        return self.measured_right / self.measured if self.measured else 1.0


def confuse(fleet: Fleet, lines: pa.Table) -> Confusion:
    """Hold the ledger's lines to the truth, call by call."""
    with Reader(fleet.lake) as reader:
        calls = reader.table("calls").select(
            "call_id", "invocation_id", "id_kind", "input_tokens", "cache_read_tokens", "prompt_tokens", "output_tokens"
        )
        keys = {row["call_id"]: row for row in reader.rows(calls)}
    found: dict[str, list[tuple[str, int, bool]]] = defaultdict(list)
    for call, cause, tokens, sure in zip(
        *(lines[name].to_pylist() for name in ("call_id", "cause", "tokens", "confidence")), strict=True
    ):
        found[call].append((cause, tokens, sure == "measured"))
    by_id, by_shape = _index(fleet.truths)
    result = Confusion()
    for call, entries in found.items():
        truth = by_id.get(call) or _pop(by_shape, _shape_of_row(keys[call]))
        if truth is None:
            result.unmatched += sum(tokens for _, tokens, _ in entries)
        else:
            _confuse_call(result, entries, _true_causes(truth))
    return result


def _confuse_call(result: Confusion, entries: list[tuple[str, int, bool]], true: dict[str, int]) -> None:
    """Tokens found under their true cause are right; what is left over on both sides is paired in order."""
    left, wrong = dict(true), []
    for cause, tokens, measured in entries:
        right = min(tokens, left.get(cause, 0))
        if right:
            left[cause] -= right
            result.tokens[cause, cause] += right
        result.measured += tokens if measured else 0
        result.measured_right += right if measured else 0
        if tokens > right:
            wrong.append([cause, tokens - right])
    for cause, tokens in left.items():
        for entry in wrong:
            pair = min(tokens, entry[1])
            if pair:
                result.tokens[cause, entry[0]] += pair
                tokens, entry[1] = tokens - pair, entry[1] - pair


def _true_causes(truth: Truth) -> dict[str, int]:
    """The truth in the ledger's words: expiry by its TTL, and a first touch of another provider's cache as such."""
    words = {"expired": f"expired_{_BY_NAME[truth['engine']].ttl}"}
    if truth["provider"] == "bedrock":
        words["first_touch"] = "region_workspace"
    return {words.get(cause, cause): tokens for cause, tokens in truth["missed"].items()}


def _index(truths: list[Truth]) -> tuple[dict[str, Truth], dict[Any, list[Truth]]]:
    by_shape: dict[Any, list[Truth]] = defaultdict(list)
    for truth in truths:
        by_shape[_shape(truth)].append(truth)
    return {truth["call_id"]: truth for truth in truths}, by_shape


def _shape(truth: Truth) -> tuple[Any, ...]:
    prompt = sum(truth[f"{name}_tokens"] for name in ("input", "cache_read", "cache_write_5m", "cache_write_1h"))
    return truth["request_id"], truth["input_tokens"], truth["cache_read_tokens"], prompt, truth["output_tokens"]


def _shape_of_row(row: dict[str, Any]) -> tuple[Any, ...]:
    names = ("invocation_id", "input_tokens", "cache_read_tokens", "prompt_tokens", "output_tokens")
    return tuple(row[name] for name in names)


def _pop(by_shape: dict[Any, list[Truth]], shape: tuple[Any, ...]) -> Truth | None:
    return by_shape[shape].pop() if by_shape.get(shape) else None


def rerun(fleet: Fleet, policy: str, *, seed: int | None = None) -> dict[str, Decimal]:
    """Send the same requests to the Claude simulation's cache again under a policy; return the logged calls' cost.

    Latency follows what each call reads: each answer is as much faster or slower than usual as it was; with a seed,
    that is drawn anew. Keep-alives are requests of their own, sent as they fall due.
    """
    return _Rerun(fleet, policy, seed).run()


class _Rerun:
    def __init__(self, fleet: Fleet, policy: str, seed: int | None) -> None:
        self._fleet, self._plan = fleet, plan_for(fleet.anchor)
        self._ttl: Any = {"off": None, "5m": "5m", "1h": "1h", "5m_keep_alive": "5m"}[policy]
        self._pings = policy == "5m_keep_alive"
        self._book = default_book()
        self._cache = CacheModel(minimum_tokens=self._minimum)
        self._rng = None if seed is None else Random(seed)
        self._rates: dict[Any, tuple[Decimal, ...]] = {}
        self._cost: dict[str, Decimal] = defaultdict(Decimal)
        self._due: list[tuple[int, int, int, Truth]] = []  # when, tie-breaker, how many before, whose
        self._last: dict[Any, int] = {}

    def run(self) -> dict[str, Decimal]:
        truths = sorted(self._fleet.truths, key=lambda truth: truth["ts"])
        for number, truth in enumerate(truths):
            self._send_due(truth["ts"])
            outcome = self._ask(truth, truth["ts"])
            if truth["logged"]:
                self._cost[truth["engine"]] += self._price(truth, outcome, truth["output_tokens"])
            if self._pings:
                self._last[self._key(truth)] = truth["ts"]
                heapq.heappush(self._due, (truth["ts"] + PING_MS, number, 1, truth))
        self._send_due(truths[-1]["ts"])
        return self._cost

    def _send_due(self, now_ms: int) -> None:
        while self._due and self._due[0][0] < now_ms:
            at_ms, number, count, truth = heapq.heappop(self._due)
            rates = self._rates_of(truth)
            if self._last[self._key(truth)] != truth["ts"] or count > (rates[2] - rates[1]) // rates[1]:
                continue
            outcome = self._ask(truth, at_ms)
            if outcome.prompt == 0 or outcome.cause in ("below_minimum", "off"):
                continue
            self._cost[truth["engine"]] += self._price(truth, replace(outcome, uncached=0), 0)
            heapq.heappush(self._due, (at_ms + PING_MS, number, count + 1, truth))

    def _ask(self, truth: Truth, at_ms: int) -> Outcome:
        prompt = sum(truth[f"{name}_tokens"] for name in ("input", "cache_read", "cache_write_5m", "cache_write_1h"))
        key = self._key(truth)
        blocks = (
            Block(key[2], truth["prefix_tokens"], self._ttl),
            Block("message", prompt - truth["prefix_tokens"]),
        )
        begins = 10**18
        outcome = self._cache.request(at_ms, blocks=blocks, workspace=key[0], model=key[1], response_begins_ms=begins)
        self._cache.response_began(
            at_ms + self._waits(truth, outcome, prompt), blocks=blocks, workspace=key[0], model=key[1]
        )
        return outcome

    def _waits(self, truth: Truth, outcome: Outcome, prompt: int) -> int:
        model, provider = truth["model"], truth["provider"]
        if self._rng is not None:
            return int(ttft_ms(model, outcome, provider, self._rng))
        usual, then = (
            expected_ttft_ms(model, prompt=prompt, read=read, provider=provider)
            for read in (outcome.read, truth["cache_read_tokens"])
        )
        return int(usual * truth["ttft_ms"] / then)

    def _key(self, truth: Truth) -> tuple[str, str, str]:
        """Which content it sent: its revision and, where a version put the time in, its second."""
        engine = _BY_NAME[truth["engine"]]
        version = next(
            v for v in self._plan.versions[engine.function.name] if str(v.number) == truth["function_version"]
        )
        stamp = f"/{truth['ts'] // 1000}" if engine.name in version.timestamped else ""
        return truth["provider"], truth["model"], f"{engine.name}/{truth['prefix_tokens']}{stamp}"

    def _minimum(self, model: str) -> int:
        return self._book.cache_minimum_tokens(model, "bedrock" if "anthropic." in model else "anthropic") or 0

    def _price(self, truth: Truth, outcome: Outcome, output: int) -> Decimal:
        counts = (outcome.uncached, outcome.read, outcome.write_5m, outcome.write_1h, output)
        return sum((n * rate for n, rate in zip(counts, self._rates_of(truth), strict=True)), Decimal(0))

    def _rates_of(self, truth: Truth) -> tuple[Decimal, ...]:
        key = (truth["provider"], truth["model"], truth["ts"] // 86_400_000)
        if key not in self._rates:
            self._rates[key] = tuple(_rate(self._book, usage, truth) for usage in _ONE_TOKEN)
        return self._rates[key]


_ONE_TOKEN = (
    Usage(input_tokens=1),
    Usage(cache_read_tokens=1),
    Usage(cache_write_5m_tokens=1),
    Usage(cache_write_1h_tokens=1),
    Usage(output_tokens=1),
)


def _rate(book: PriceBook, usage: Usage, truth: Truth) -> Decimal:
    priced = price_usage(book, usage, provider=truth["provider"], model=truth["model"], at=from_ms(truth["ts"]))
    assert priced.cost_usd is not None
    return priced.cost_usd
