"""What one token of each kind costs, for every call, in whole picodollars: the book's own answer to each question."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.pricing import PriceBook
from core.pricing.model import ModelRef, Rates
from core.pricing.quote import Question
from core.traffic.arrays import Bools, Coded, Ints, combined

_MS_PER_DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class TokenRates:
    """Picodollars a token, by kind; zero where the call has no price (`known` is False)."""

    input: Ints
    read: Ints
    write_5m: Ints
    write_1h: Ints
    output: Ints
    known: Bools

    def take(self, rows: Ints | Bools) -> TokenRates:
        """Return some of the rows."""
        return TokenRates(*(getattr(self, name)[rows] for name in self.__slots__))

    def write(self, ttl_ms: Ints | int) -> Ints:
        """Return the write rate under a lifetime."""
        return np.where(np.asarray(ttl_ms) == 3_600_000, self.write_1h, self.write_5m)


@dataclass(frozen=True, slots=True)
class Modifiers:
    """Columns that decide a rate beside model, day and size."""

    tier: Coded
    speed: Coded
    geo: Coded


def token_rates(
    book: PriceBook, *, provider: Coded, model: Coded, start_ms: Ints, prompt: Ints, modifiers: Modifiers
) -> tuple[TokenRates, Ints, tuple[str, ...]]:
    """Return the rates of every call, the code of its model's plain id and the ids."""
    turning = np.array([np.datetime64(day, "D") for day in book.days], dtype="datetime64[D]").astype(np.int64)
    segment = np.searchsorted(turning, start_ms // _MS_PER_DAY, side="right")
    size = np.searchsorted(np.array(book.thresholds, dtype=np.int64), prompt, side="left")
    columns = (provider, model, modifiers.tier, modifiers.speed, modifiers.geo)
    group = combined(*(column.codes for column in columns), segment, size)
    distinct, first = np.unique(group, return_index=True)
    table = np.zeros((6, len(distinct)), dtype=np.int64)
    ids: list[str] = []
    plain = np.full(len(distinct), -1, dtype=np.int64)
    for at, row in enumerate(first.tolist()):
        told = [column.values[column.codes[row]] if column.codes[row] >= 0 else None for column in columns]
        name, rates = _ask(book, told, int(segment[row]), int(size[row]))
        if name is not None:
            plain[at] = ids.index(name) if name in ids else len(ids)
            ids += [name] if name not in ids else []
        if rates is not None:
            long = rates.cache_write_1h if rates.cache_write_1h is not None else rates.cache_write_5m
            table[:, at] = (rates.input, rates.cache_read, rates.cache_write_5m, long, rates.output, 1)
    spread = table[:, group]
    fresh, read, write_5m, write_1h, output, known = spread
    return TokenRates(fresh, read, write_5m, write_1h, output, known == 1), plain[group], tuple(ids)


def _ask(book: PriceBook, told: list[str | None], segment: int, size: int) -> tuple[str | None, Rates | None]:
    provider, model, tier, speed, geo = told
    if model is None:
        return None, None
    ref = book.resolve(model, provider)
    if not isinstance(ref, ModelRef):
        return ref.model_id or model, None
    rates = book.rates(Question(ref, segment, size, tier or "", speed or "", geo or ""))
    return ref.model_id, rates if isinstance(rates, Rates) else None
