"""The hard budget of a run: the worst case of a request is set aside before it is sent.

Law: spent + reserved ≤ budget at every moment, whatever the server answers, as long as it bills no more prompt tokens
than were reserved for. Should it ever bill more, that is recorded as it is and the budget closes at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from core.errors import CachewiseError
from core.pricing import PriceBook, price_usage
from core.usage import Usage

_GEOGRAPHIES = (None, "us")  # a workspace may have a default geography, which is dearer; the request does not say


class BudgetSpent(CachewiseError):
    """The next request could cost more than is left. Nothing was sent."""


@dataclass(slots=True)
class Budget:
    """Dollars of one run. `reserve` before a request, then exactly one of `settle`, `lose` or `release`."""

    limit_usd: Decimal
    spent_usd: Decimal = Decimal(0)
    reserved_usd: Decimal = Decimal(0)
    exact: bool = True
    closed: bool = False
    _dearest: Decimal = field(default=Decimal(0), repr=False)

    @property
    def left_usd(self) -> Decimal:
        """What may still be reserved."""
        return Decimal(0) if self.closed else max(Decimal(0), self.limit_usd - self.spent_usd - self.reserved_usd)

    @property
    def needed_usd(self) -> Decimal:
        """The smallest limit with which everything so far would have been allowed."""
        return self._dearest

    def reserve(self, worst_usd: Decimal) -> Decimal:
        """Set the worst case of a request aside. Raises BudgetSpent when it does not fit."""
        if worst_usd > self.left_usd:
            why = "the server billed more than was asked for" if self.closed else f"${plain(self.left_usd)} are left"
            raise BudgetSpent(
                f"The next request may cost ${plain(worst_usd)}, and {why} of ${plain(self.limit_usd)}.",
                code="PRB-402",
                mend="Raise --budget or probe.budget_usd, or choose a cheaper model.",
            )
        self.reserved_usd += worst_usd
        self._dearest = max(self._dearest, self.spent_usd + self.reserved_usd)
        return worst_usd

    def settle(self, reserved_usd: Decimal, cost_usd: Decimal) -> None:
        """Replace a reservation by what the request cost."""
        self.release(reserved_usd)
        self.spent_usd += cost_usd
        self.closed = self.closed or cost_usd > reserved_usd

    def lose(self, reserved_usd: Decimal) -> None:
        """Count the worst case as spent: the answer was lost, and may have been billed."""
        self.settle(reserved_usd, reserved_usd)
        self.exact = False

    def release(self, reserved_usd: Decimal) -> None:
        """Give a reservation back: nothing was billed."""
        self.reserved_usd -= reserved_usd


def worst_case_usd(
    book: PriceBook, *, provider: str, model: str, at: datetime, prompt_tokens: int, max_tokens: int, cache_ttl: str
) -> Decimal | None:
    """Return the most a request can cost: every prompt token written, the longest answer, the dearest geography.

    None when the price book has no price: such a request must not be sent.
    """
    write_1h = prompt_tokens if cache_ttl == "1h" else 0
    costs = []
    for geography in _GEOGRAPHIES:
        usages = (
            Usage(
                cache_write_1h_tokens=write_1h,
                cache_write_5m_tokens=prompt_tokens - write_1h,
                output_tokens=max_tokens,
                inference_geo=geography,
            ),
            Usage(input_tokens=prompt_tokens, output_tokens=max_tokens, inference_geo=geography),
        )
        for usage in usages:
            cost = price_usage(book, usage, provider=provider, model=model, at=at).cost_usd
            if cost is None:
                return None
            costs.append(cost)
    return max(costs)


def plain(amount: Decimal) -> str:
    """Write dollars without exponent, with six decimals at most."""
    return f"{amount:.6f}"
