"""The nouns of the price book: models, dated rows, rules, discounts, and the rates that follow from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

Scope = Literal["anthropic", "bedrock-global", "bedrock-regional"]
SCOPES: tuple[Scope, ...] = ("anthropic", "bedrock-global", "bedrock-regional")
Provider = Literal["anthropic", "claude-platform-aws", "bedrock"]
DIMENSIONS = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A requested model as the price book knows it: which model, on which price list."""

    model_id: str
    scope: Scope
    provider: Provider
    flags: tuple[str, ...] = ()  # doubts worth showing beside a price


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Why there is no price. Never the same as a price of zero."""

    reason: str
    model_id: str | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """Five prices in USD per million tokens; None: no such price exists."""

    input: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal | None
    cache_read: Decimal
    output: Decimal


@dataclass(frozen=True, slots=True)
class Row:
    """One dated price of one model on one price list, for prompts longer than `over` tokens."""

    id: str
    model: str
    scope: Scope
    start: date  # the first UTC date it holds; date.min: as far back as anyone asks
    card: Card | None  # None: from `start` on there is no such price any more
    end: date | None = None  # the first UTC date it no longer holds (negotiated rows only)
    over: int = 0
    custom: bool = False

    def holds(self, day: date) -> bool:
        """Say whether the row is in force on a UTC date."""
        return self.start <= day and (self.end is None or day < self.end)


@dataclass(frozen=True, slots=True)
class Model:
    """What the book knows of a model beside its prices."""

    id: str
    aliases: tuple[str, ...] = ()
    retires: date | None = None  # from this UTC date on no longer served by the Claude API
    platform_aws: bool = True
    inference_geo: bool = False
    cache_min_anthropic: int | None = None
    cache_min_bedrock: int | None = None
    bedrock_profiles: tuple[str, ...] = ()  # the regional profiles AWS lists a price for; empty: not restricted
    unpriced: str | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A multiplier from a UTC date on, until the next window of the same key. None: not offered."""

    key: str
    start: date
    multiplier: Decimal | None


@dataclass(frozen=True, slots=True)
class RefusalRule:
    """From a UTC date on, a refusal without output is free unless its category is listed."""

    start: date
    billed_categories: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that changes a price, as data."""

    batch: Decimal = Decimal(1)
    geo: tuple[Window, ...] = ()
    fast: tuple[Window, ...] = ()
    refusals: tuple[RefusalRule, ...] = ()
    web_search_usd_per_1000: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Discount:
    """A percentage off list prices for a provider, a model and a time; None matches all."""

    percent: Decimal
    provider: str | None = None
    model: str | None = None
    start: date = date.min
    end: date | None = None


@dataclass(frozen=True, slots=True)
class Rates:
    """What one token costs after every modifier, in whole picodollars (1e-12 USD), and one web search."""

    row: str
    input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int | None
    output: int
    web_search: int
    flags: tuple[str, ...] = field(default=())
