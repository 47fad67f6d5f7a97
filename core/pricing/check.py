"""Holding the dollars that a log line shows against the price book: which model and TTL reproduce them?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from core.pricing.model import Model, ModelRef, Rates, Scope, Unpriced
from core.pricing.quote import Question

if TYPE_CHECKING:
    from core.pricing.book import PriceBook

_PICODOLLARS = 10**12
_HALF_OF_LAST_DIGIT = 500_000  # picodollars: half a microdollar, for lines show six decimals
TTLS = ("5m", "1h")


def explain_reported(
    book: PriceBook,
    *,
    reported: Decimal | None,
    at: datetime,
    provider: str | None,
    model: str | None,
    cache_ttl: str | None,
    input_tokens: int,
    output_tokens: int,
    cache_read: int,
    cache_write: int,
) -> str | None:
    """Say whether the assumed model and TTL give the reported cost, to the six decimals that a line shows.

    Returns "agrees", "other:<model>/<ttl>[,…]" naming what does give it, "differs" when nothing current does, and
    None when there is nothing to compare: no figure, or no price for the model and no other match.
    """
    if reported is None:
        return None
    claimed = reported * _PICODOLLARS

    def shows(rates: Rates | None, ttl: str) -> bool | None:
        """Say whether these rates give the figure, whichever way a tie was rounded; None: they give none."""
        write = None if rates is None else rates.cache_write_5m if ttl == "5m" else rates.cache_write_1h
        if rates is None or (write is None and cache_write):
            return None
        cost = input_tokens * rates.input + cache_read * rates.cache_read + output_tokens * rates.output
        return abs(cost + cache_write * (write or 0) - claimed) <= _HALF_OF_LAST_DIGIT

    ttl = cache_ttl or "5m"
    day, size = at.astimezone(UTC).date(), book.size_step(input_tokens + cache_read + cache_write)
    ref = book.resolve(model, provider) if model else None
    assumed = _rates(book, ref, day, size) if isinstance(ref, ModelRef) else None
    agrees = shows(assumed, ttl)
    if agrees:
        return "agrees"
    if not isinstance(ref, ModelRef):
        ref = ModelRef("", "bedrock-regional" if provider == "bedrock" else "anthropic", "anthropic")
    others = [
        f"{name}/{lifetime}"
        for name, rates in _candidates(book, ref.model_id, ref.scope, day, size)
        for lifetime in (TTLS if cache_write else (ttl,))
        if shows(rates, lifetime)
    ]
    if others:
        return f"other:{','.join(others)}"
    return None if agrees is None else "differs"


def _rates(book: PriceBook, ref: ModelRef, day: date, size: int) -> Rates | None:
    found = book.rates(Question(ref, book.segment(day), size))
    return None if isinstance(found, Unpriced) else found


@lru_cache(maxsize=4096)
def _candidates(book: PriceBook, assumed: str, scope: Scope, day: date, size: int) -> Sequence[tuple[str, Rates]]:
    """List the assumed model and then those current on that day, with their rates on the same price list."""
    names = sorted(book.models, key=lambda name: name != assumed)
    current = [name for name in names if name == assumed or _is_served(book.models[name], scope, day)]
    found = ((name, _rates(book, ModelRef(name, scope, _seller(scope)), day, size)) for name in current)
    return [(name, rates) for name, rates in found if rates is not None]


def _seller(scope: Scope) -> Literal["anthropic", "bedrock"]:
    return "anthropic" if scope == "anthropic" else "bedrock"


def _is_served(known: Model, scope: Scope, day: date) -> bool:
    """Say whether a model could have been called; on Bedrock its price row alone decides."""
    return not known.unpriced and (scope != "anthropic" or known.retires is None or day < known.retires)
