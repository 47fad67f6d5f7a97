"""From a question (model, list, date, size, modifiers) to the price of one token.

Order: the dated row, its prompt-size tier, then multipliers for fast, batch and geography, then a discount.
Formula: rate = round_half_even(price × multipliers × (1 − discount), 1e-6 USD per million) = whole picodollars.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import TYPE_CHECKING

from core.pricing.model import Card, ModelRef, Rates, Row, Unpriced, Window
from core.pricing.reasons import reason

if TYPE_CHECKING:
    from core.pricing.book import PriceBook

_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_PICO = Decimal(10) ** 6  # 1 USD per million tokens = 1e-6 USD per token = 1e6 picodollars per token
_PICO_PER_USD = 10**12
_STANDARD_TIERS = ("", "standard", "default", "standard_only", "on_demand", "on-demand")
_NO_GEO = ("", "global", "not_available")
FREE_REFUSAL = reason("free_refusal")


@dataclass(frozen=True, slots=True)
class Question:
    """Everything that decides a rate. `segment` and `size` stand for the date and the prompt's length."""

    ref: ModelRef
    segment: int
    size: int
    service_tier: str = ""
    speed: str = ""
    inference_geo: str = ""
    refused: bool = False  # stopped as a refusal before any output
    stop_category: str = ""


def quote(book: PriceBook, ask: Question) -> Rates | Unpriced:
    """Answer a question from the book's rows and rules."""
    ref = ask.ref
    day = book.days[ask.segment - 1] if ask.segment else date.min
    prompt = book.thresholds[ask.size - 1] + 1 if ask.size else 1
    row = book.row_at(ref.model_id, ref.scope, day=day, prompt_tokens=prompt)
    if row is None or row.card is None:
        return Unpriced(_no_row(book, ref, day), ref.model_id)
    factor, flags = Decimal(1), list(ref.flags)
    for rule in (_tier, _speed, _geo):
        outcome = rule(book, ask, day)
        if isinstance(outcome, str):
            return Unpriced(outcome, ref.model_id)
        multiplier, flag = outcome
        factor = _EXACT.multiply(factor, multiplier)
        flags += [flag] if flag else []
    factor, row_name = _discounted(book, ref, row, day, factor)
    rates = _rates(row.card, factor, row_name, _web_search(book, ref), tuple(flags))
    return _refusal(book, ask, day, rates)


_Outcome = tuple[Decimal, str | None] | str
"""A multiplier with a doubt worth showing, or the reason why there is no price."""


def _tier(book: PriceBook, ask: Question, day: date) -> _Outcome:
    tier, bedrock = ask.service_tier, ask.ref.provider == "bedrock"
    if tier in _STANDARD_TIERS:
        return Decimal(1), None
    if tier == "batch":
        if ask.speed == "fast":
            return reason("batch_and_fast")
        doubt = reason("bedrock_batch") if bedrock else None
        return book.rules.batch, doubt
    if bedrock and tier in ("flex", "priority"):
        return Decimal(1), reason("bedrock_tier", tier=tier)
    if tier in ("priority", "reserved"):
        return reason("prepaid_tier", tier=tier)
    return reason("unknown_tier", tier=tier)


def _speed(book: PriceBook, ask: Question, day: date) -> _Outcome:
    if ask.speed in ("", "standard"):
        return Decimal(1), None
    if ask.speed != "fast":
        return reason("unknown_speed", speed=ask.speed)
    if ask.ref.provider == "bedrock":
        return reason("no_fast_bedrock")
    multiplier = _in_force(book.rules.fast, ask.ref.model_id, day)
    if multiplier is None:
        return reason("no_fast", model=ask.ref.model_id)
    return multiplier, None


def _geo(book: PriceBook, ask: Question, day: date) -> _Outcome:
    geo = ask.inference_geo
    if geo in _NO_GEO or ask.ref.provider == "bedrock":  # Bedrock says it by profile, not by inference_geo
        return Decimal(1), None
    known = {window.key for window in book.rules.geo}
    if geo not in known:
        return reason("unknown_geo", geo=geo)
    multiplier = _in_force(book.rules.geo, geo, day)
    if not book.models[ask.ref.model_id].inference_geo or multiplier is None:
        return Decimal(1), reason("no_surcharge", geo=geo, model=ask.ref.model_id)
    return multiplier, None


def _refusal(book: PriceBook, ask: Question, day: date, rates: Rates) -> Rates:
    """Make a refusal without output free where the rules of its day say so."""
    rule = next((rule for rule in reversed(book.rules.refusals) if rule.start <= day), None)
    if not ask.refused or rule is None or ask.stop_category in rule.billed_categories:
        return rates
    if ask.ref.provider == "bedrock":
        return replace(rates, flags=(*rates.flags, reason("bedrock_refusal")))
    return Rates(rates.row, 0, 0, 0, 0, 0, 0, (*rates.flags, FREE_REFUSAL))


def _in_force(windows: tuple[Window, ...], key: str, day: date) -> Decimal | None:
    held = [window for window in windows if window.key == key and window.start <= day]
    return held[-1].multiplier if held else None


def _no_row(book: PriceBook, ref: ModelRef, day: date) -> str:
    first = min((row.start for row in book.rows_of(ref.model_id, ref.scope)), default=None)
    if first is None or first <= day:
        return reason("no_price", model=ref.model_id, scope=ref.scope)
    return reason("no_price_before", model=ref.model_id, scope=ref.scope, day=first.isoformat())


def _discounted(book: PriceBook, ref: ModelRef, row: Row, day: date, factor: Decimal) -> tuple[Decimal, str]:
    """Apply every matching discount to a list price; a negotiated row is net already."""
    if row.custom:
        return factor, row.id
    name = row.id
    for item in book.discounts:
        fits = item.provider in (None, ref.provider) and item.model in (None, ref.model_id)
        if fits and item.start <= day and (item.end is None or day < item.end):
            factor = _EXACT.multiply(factor, (100 - item.percent) / 100)
            name += f" -{item.percent:f}%"
    return factor, name


def _rates(card: Card, factor: Decimal, row: str, web_search: int, flags: tuple[str, ...]) -> Rates:
    return Rates(
        row=row,
        input=_picodollars(card.input, factor),
        cache_read=_picodollars(card.cache_read, factor),
        cache_write_5m=_picodollars(card.cache_write_5m, factor),
        cache_write_1h=None if card.cache_write_1h is None else _picodollars(card.cache_write_1h, factor),
        output=_picodollars(card.output, factor),
        web_search=web_search,
        flags=flags,
    )


def _picodollars(price: Decimal, factor: Decimal) -> int:
    exact = _EXACT.multiply(_EXACT.multiply(price, factor), _PICO)
    return int(_EXACT.to_integral_value(exact))


def _web_search(book: PriceBook, ref: ModelRef) -> int:
    """Price one search; Bedrock has no server tools."""
    if ref.provider == "bedrock":
        return 0
    return int(book.rules.web_search_usd_per_1000 * _PICO_PER_USD / 1000)
