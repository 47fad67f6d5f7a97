"""One odd input, what it should give, and the lines that most of them are made of."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

T0 = 1_795_132_800_000
ISO = "2026-11-20T00:00:00.000Z"
USAGE = {
    "input_tokens": 10,
    "output_tokens": 20,
    "cache_read_input_tokens": 30,
    "cache_creation_input_tokens": 90,
    "cache_creation": {"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 50},
}
_PRICES = tuple(Decimal(price) for price in ("5", "0.5", "6.25", "10", "25"))  # Opus 4.5, $ per million, as in Counts
_numbers = itertools.count(1)

Counts = tuple[int | None, int | None, int | None, int | None, int | None, Decimal | None]
"""input, read, written for 5m and for 1h, output; dollars."""


@dataclass(frozen=True, slots=True)
class Odd:
    """An input with the calls it tells, the lines to be skipped by reason, and the problem to be told."""

    name: str
    content: bytes
    calls: tuple[Counts, ...]
    skips: Mapping[str, int]
    suffix: str
    problem: str | None


def odd(
    name: str,
    content: str | bytes,
    calls: Sequence[Counts] = (),
    skips: Mapping[str, int] | None = None,
    *,
    suffix: str = ".log",
    problem: str | None = None,
) -> Odd:
    """Return a case."""
    data = content.encode() if isinstance(content, str) else content
    return Odd(name, data, tuple(calls), skips or {}, suffix, problem)


def usd(*counts: int, times: Decimal = Decimal(1)) -> Decimal:
    """Return what counts cost on Claude Opus 4.5."""
    return sum((count * price for count, price in zip(counts, _PRICES, strict=False)), Decimal(0)) * times / 1_000_000


def row(*counts: int, x: Decimal = Decimal(1), price: bool = True) -> Counts:
    """Return the counts of a call with its dollars; `x` is a modifier, `price` False: it has none."""
    given = (*counts, *(0 for _ in range(5 - len(counts))))
    return (*given, usd(*given, times=x) if price else None)  # type: ignore[return-value]  # five counts


PLAIN = row(10, 30, 0, 0, 20)
FULL = row(10, 30, 40, 50, 20)
FAILED: Counts = (None,) * 6


def new_id() -> str:
    """Return the id of another message."""
    return f"msg_odd{next(_numbers):05d}"


def text(body: object, **more: Any) -> str:
    """Return JSON as Python writes it."""
    return json.dumps(body, ensure_ascii=False, **more)


def lines(*told: object) -> str:
    """Return JSON lines; strings as they are."""
    return "\n".join(one if isinstance(one, str) else text(one) for one in told) + "\n"


def cost(i: int = 10, o: int = 20, r: int = 30, w: int = 0) -> str:
    """Return a text line of a call."""
    return f"💰 API Cost: $0.000001 | input: {i}, output: {o}, cache_read: {r}, cache_write: {w}"


def record(i: int = 10, o: int = 20, r: int = 30, w5: int = 0, w1: int = 0, **more: Any) -> dict[str, Any]:
    """Return a call record."""
    usage = {
        "input_tokens": i,
        "output_tokens": o,
        "cache_read_input_tokens": r,
        "cache_creation_input_tokens": w5 + w1,
        "cache_creation": {"ephemeral_5m_input_tokens": w5, "ephemeral_1h_input_tokens": w1},
    }
    head = {"event": "llm_usage", "v": 1, "id": new_id(), "ts": T0, "provider": "anthropic", "model": "claude-opus-4-5"}
    return {**head, "engine": "e", "usage": usage, **more}
