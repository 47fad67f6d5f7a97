"""Holding the dollars that a log line shows against the price book: which model and TTL reproduce them?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from core.pricing.cost import price_usage
from core.pricing.model import Model, ModelRef, Scope
from core.usage import Usage

if TYPE_CHECKING:
    from core.pricing.book import PriceBook

_HALF_OF_LAST_DIGIT = Decimal("0.0000005")
TTLS = ("5m", "1h")
_PROFILES: dict[Scope, str] = {"anthropic": "", "bedrock-global": "global.anthropic.", "bedrock-regional": "anthropic."}


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

    def cost(name: str, ttl: str) -> Decimal | None:
        usage = Usage(
            input_tokens=input_tokens,
            cache_read_tokens=cache_read,
            cache_write_5m_tokens=cache_write if ttl == "5m" else 0,
            cache_write_1h_tokens=cache_write if ttl == "1h" else 0,
            output_tokens=output_tokens,
        )
        return price_usage(book, usage, provider=provider, model=name, at=at).cost_usd

    default = cost(model, cache_ttl or "5m") if model else None
    if default is not None and _shows(default, reported):
        return "agrees"
    others = [
        f"{name}/{ttl}"
        for name, requested in _candidates(book, model, provider, at)
        for ttl in (TTLS if cache_write else (cache_ttl or "5m",))
        if (other := cost(requested, ttl)) is not None and _shows(other, reported)
    ]
    if others:
        return f"other:{','.join(others)}"
    return None if default is None else "differs"


def _shows(exact: Decimal, reported: Decimal) -> bool:
    """Say whether a cost is shown as these six decimals, whichever way a tie was rounded."""
    return abs(exact - reported) <= _HALF_OF_LAST_DIGIT


def _candidates(book: PriceBook, model: str | None, provider: str | None, at: datetime) -> Iterator[tuple[str, str]]:
    """Yield (model id, id to request it by): the assumed model, then those current then on the same price list."""
    ref = book.resolve(model, provider) if model else None
    if isinstance(ref, ModelRef):
        scope, assumed = ref.scope, ref.model_id
    else:
        scope, assumed = "bedrock-regional" if provider == "bedrock" else "anthropic", ""
    for known in sorted(book.models.values(), key=lambda known: known.id != assumed):
        if known.id == assumed or _is_current(book, known, scope, at):
            yield known.id, f"{_PROFILES[scope]}{known.id}"


def _is_current(book: PriceBook, known: Model, scope: Scope, at: datetime) -> bool:
    day = at.astimezone(UTC).date()
    served = scope != "anthropic" or known.retires is None or day < known.retires
    return served and book.row_at(known.id, scope, day=day) is not None
