"""What the simulated provider bills: every call of a fleet, logged or not, and traffic the fleet knows nothing of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from core.pricing import PriceBook, price_usage
from core.usage import Usage

TOKEN_TYPES = (
    "uncached_input_tokens",
    "cache_read_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens",
    "cache_creation.ephemeral_1h_input_tokens",
    "output_tokens",
)
SERVICE_WORKSPACE = "wrkspc_sim_service"
OTHER_WORKSPACE = "wrkspc_sim_console"
SERVICE_KEY = "apikey_sim_service"
OTHER_KEY = "apikey_sim_console"


@dataclass(frozen=True, slots=True)
class Charge:
    """What one call is billed: tokens and list dollars by token type, in the order of TOKEN_TYPES."""

    at: datetime
    model: str
    tokens: tuple[int, ...]
    list_usd: tuple[Decimal, ...]
    web_searches: int = 0
    web_search_usd: Decimal = Decimal(0)
    workspace_id: str | None = SERVICE_WORKSPACE
    api_key_id: str | None = SERVICE_KEY
    service_tier: str = "standard"

    @property
    def context_window(self) -> str:
        """Return the context-window tier; the reports know no other step."""
        return "200k-1M" if sum(self.tokens[:4]) > 200_000 else "0-200k"


@dataclass(frozen=True, slots=True)
class Ledger:
    """All charges of an organization, and the share it gets off list prices."""

    charges: tuple[Charge, ...]
    discount: Decimal = Decimal(0)

    @classmethod
    def of_truths(
        cls,
        truths: Iterable[Mapping[str, Any]],
        book: PriceBook,
        *,
        unlogged_share: Decimal = Decimal(0),
        discount: Decimal = Decimal(0),
    ) -> Ledger:
        """Bill a fleet's calls on the Anthropic API, and beside them `unlogged_share` of all calls from elsewhere.

        The others repeat every so-manieth call of each model in another workspace, so that tokens and prices fit.
        """
        charges: list[Charge] = []
        owed: dict[str, Decimal] = {}
        for charge in _charges(truths, book):
            charges.append(charge)
            owed[charge.model] = owed.get(charge.model, Decimal(0)) + unlogged_share / (1 - unlogged_share)
            while owed[charge.model] >= 1:
                owed[charge.model] -= 1
                charges.append(replace(charge, workspace_id=OTHER_WORKSPACE, api_key_id=OTHER_KEY))
        return cls(tuple(charges), discount)

    def between(self, start: datetime, end: datetime) -> Iterator[Charge]:
        """Yield the charges of [start, end)."""
        return (charge for charge in self.charges if start <= charge.at < end)


def _charges(truths: Iterable[Mapping[str, Any]], book: PriceBook) -> Iterator[Charge]:
    for truth in truths:
        if truth["provider"] != "anthropic" or truth["cause"] == "error":
            continue
        at = datetime.fromtimestamp(truth["ts"] / 1000, UTC)
        usage = Usage(
            input_tokens=truth["input_tokens"],
            cache_read_tokens=truth["cache_read_tokens"],
            cache_write_5m_tokens=truth["cache_write_5m_tokens"],
            cache_write_1h_tokens=truth["cache_write_1h_tokens"],
            output_tokens=truth["output_tokens"],
        )
        priced = price_usage(book, usage, provider="anthropic", model=truth["model"], at=at)
        dollars = (
            priced.input_cost_usd,
            priced.cache_read_cost_usd,
            priced.cache_write_5m_cost_usd,
            priced.cache_write_1h_cost_usd,
            priced.output_cost_usd,
        )
        tokens = (
            usage.input_tokens,
            usage.cache_read_tokens,
            usage.cache_write_5m_tokens,
            usage.cache_write_1h_tokens,
            usage.output_tokens,
        )
        yield Charge(at, truth["model"], tokens, tuple(amount or Decimal(0) for amount in dollars))
