"""The nouns of a reconciliation: what the provider says, what the own logs say, and the two side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

Provider = Literal["anthropic", "bedrock"]
PROVIDERS: tuple[Provider, ...] = ("anthropic", "bedrock")
Via = Literal["analytics", "legacy", "cloudwatch", "cloudwatch+cost_explorer"]
Basis = Literal["list", "amount"]
"""Which of the provider's dollars the own cost is held against: list prices, or what is billed after discounts."""

TOKEN_TYPES = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write", "output")
"""`cache_write` stands for both writes where the provider does not tell them apart, as CloudWatch does not."""
OTHER_COSTS = ("web_search", "code_execution", "session_usage", "other")
"""What is billed by something other than tokens; such lines have dollars only."""
COMPONENTS = (*TOKEN_TYPES, *OTHER_COSTS)
NO_MODEL = ""
"""The model of a cost that belongs to none, such as code execution."""

GAPS = (
    "whole_organization",
    "no_priority_tier",
    "cost_daily_only",
    "context_window",
    "no_list_price",
    "no_dollars",
    "dollars_not_by_key",
    "no_requests",
    "writes_not_split",
    "usage_types_unknown",
    "quiet_models",
    "own_unpriced",
    "own_by_defaults",
    "own_incomplete",
    "own_prices",
)
"""What a comparison cannot tell, by name; docs/reconciliation.md and the catalogues explain each."""

Key = tuple[date, str, str]  # day, model, token type
DayModel = tuple[date, str]


@dataclass(frozen=True, slots=True)
class BilledLine:
    """What the provider says of one day, model and token type. None: it does not say."""

    day: date
    model: str
    token_type: str
    tokens: int | None = None
    list_usd: Decimal | None = None  # at list prices
    amount_usd: Decimal | None = None  # after discounts, before credits


@dataclass(frozen=True, slots=True)
class Bill:
    """The provider's own figures for the UTC days of [start, end)."""

    provider: Provider
    via: Via
    start: date
    end: date
    lines: tuple[BilledLine, ...]
    requests: Mapping[DayModel, int] | None = None  # None: it does not count them
    tells_list: bool = False
    tells_amount: bool = False
    refreshed_at: datetime | None = None  # how far its figures reach; None: it does not say
    estimated_days: frozenset[date] = frozenset()  # days it calls an estimate, or says nothing of: not even zero
    gaps: tuple[str, ...] = ()
    endpoint: str | None = None  # None: the provider's own
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class OwnFigure:
    """What the own logs say of one day, model and token type."""

    tokens: int | None
    usd: Decimal | None  # of the priced calls; None: none of them is priced


@dataclass(frozen=True, slots=True)
class Own:
    """The own figures of one provider's calls, for the same days."""

    cells: Mapping[Key, OwnFigure]
    requests: Mapping[DayModel, int]
    unpriced_calls: int = 0
    incomplete_calls: int = 0  # streams that broke off: their output is unknown here and billed there
    priority_calls: int = 0
    calls_by_defaults: int = 0  # their lines tell no model or TTL
    complete_until: datetime | None = None  # how far the slowest source has been read
    own_prices: bool = False  # negotiated prices or discounts are in force


@dataclass(frozen=True, slots=True)
class Line:
    """Both sides of one day, model and token type. None is unknown, and never zero."""

    day: date
    model: str
    token_type: str
    own_tokens: int | None
    billed_tokens: int | None
    own_usd: Decimal | None
    list_usd: Decimal | None
    amount_usd: Decimal | None
    provisional: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """Both sides of some lines, and what follows from them. Variances are own − billed, and that over billed."""

    own_tokens: int | None = None
    billed_tokens: int | None = None
    unlogged_tokens: int | None = None  # billed, and not in the logs
    overlogged_tokens: int | None = None  # in the logs, and not billed
    own_usd: Decimal | None = None
    list_usd: Decimal | None = None
    amount_usd: Decimal | None = None
    own_requests: int | None = None
    billed_requests: int | None = None
    basis: Basis = "list"

    @property
    def difference_tokens(self) -> int | None:
        """Return own − billed tokens."""
        return None if self.own_tokens is None or self.billed_tokens is None else self.own_tokens - self.billed_tokens

    @property
    def variance_tokens(self) -> float | None:
        """Return own − billed tokens, over billed."""
        return _ratio(self.difference_tokens, self.billed_tokens)

    @property
    def unlogged_share(self) -> float | None:
        """Return the share of the provider's tokens that the logs do not have."""
        return _ratio(self.unlogged_tokens, self.billed_tokens)

    @property
    def billed_usd(self) -> Decimal | None:
        """Return the provider's dollars that the own cost is held against."""
        return self.list_usd if self.basis == "list" else self.amount_usd

    @property
    def difference_usd(self) -> Decimal | None:
        """Return own − billed dollars."""
        return None if self.own_usd is None or self.billed_usd is None else self.own_usd - self.billed_usd

    @property
    def variance_usd(self) -> float | None:
        """Return own − billed dollars, over billed."""
        return _ratio(self.difference_usd, self.billed_usd)

    @property
    def implied_discount(self) -> float | None:
        """Return 1 − billed after discounts over billed at list prices."""
        if self.amount_usd is None or not self.list_usd:
            return None
        return float(1 - self.amount_usd / self.list_usd)

    def to_json(self) -> dict[str, Any]:
        """Return the figures and what follows from them as plain values."""
        told = ("own_tokens", "billed_tokens", "unlogged_tokens", "overlogged_tokens", "own_usd", "list_usd",
                "amount_usd", "own_requests", "billed_requests", "difference_tokens", "variance_tokens",
                "unlogged_share", "difference_usd", "variance_usd", "implied_discount")  # fmt: skip
        return {name: getattr(self, name) for name in told}


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """One provider's bill against the logs. `total` and `groups` leave provisional days out; `lines` have them all."""

    provider: Provider
    via: Via
    start: date
    end: date
    basis: Basis
    lines: tuple[Line, ...]
    total: Totals
    by_type: tuple[tuple[tuple[str, str], Totals], ...]  # (model, token type), the dearest model first
    by_day: tuple[tuple[date, Totals], ...]  # every day, provisional ones too
    provisional_days: tuple[date, ...]
    gaps: tuple[str, ...]
    refreshed_at: datetime | None = None
    own_complete_until: datetime | None = None
    unpriced_calls: int = 0
    incomplete_calls: int = 0
    priority_calls: int = 0
    endpoint: str | None = None
    simulated: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)  # of the run it belongs to


def add(values: Iterable[Decimal | None]) -> Decimal | None:
    """Return the sum of what is known; None when nothing is."""
    known = [value for value in values if value is not None]
    return sum(known, Decimal(0)) if known else None


def count(values: Iterable[int | None]) -> int | None:
    """Return the sum of what is known; None when nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _ratio(part: Decimal | int | None, whole: Decimal | int | None) -> float | None:
    return None if part is None or not whole else float(Decimal(part) / Decimal(whole))
