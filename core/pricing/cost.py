"""What one call cost, and what caching saved it. All arithmetic is on whole picodollars, so parts add up exactly.

Formulas: gross savings = Σ read × (input − read price); write premium = Σ write × (write − input price);
net savings = gross − premium = no-cache cost − cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Literal

from core.errors import BadInput
from core.pricing.model import ModelRef, Rates, Unpriced
from core.pricing.quote import Question
from core.pricing.reasons import joined
from core.pricing.reasons import reason as reason_of
from core.usage import Iteration, Usage

if TYPE_CHECKING:
    from core.pricing.book import PriceBook

COST_LIMIT = 10**18  # picodollars: a million dollars, the first amount that DECIMAL(18,12) cannot hold
INCOMPLETE = reason_of("incomplete")
SPLIT_UNKNOWN = reason_of("split_unknown")
NEGATIVE = reason_of("negative")
TOO_LARGE = reason_of("too_large")
_SAMPLING = ("message", "fallback_message")
_EXACT = Context(prec=40)


@dataclass(frozen=True, slots=True)
class PricedCall:
    """The price of one call. All amounts are None when it is unpriced; `reason` may flag a priced one too."""

    status: Literal["priced", "unpriced"]
    reason: str | None = None
    price_row: str | None = None
    model_id: str | None = None
    cost_usd: Decimal | None = None
    input_cost_usd: Decimal | None = None
    cache_read_cost_usd: Decimal | None = None
    cache_write_5m_cost_usd: Decimal | None = None
    cache_write_1h_cost_usd: Decimal | None = None
    output_cost_usd: Decimal | None = None
    tools_cost_usd: Decimal | None = None
    no_cache_cost_usd: Decimal | None = None
    gross_savings_usd: Decimal | None = None
    write_premium_usd: Decimal | None = None
    net_savings_usd: Decimal | None = None


def price_usage(
    book: PriceBook,
    usage: Usage,
    *,
    provider: str | None,
    model: str,
    at: datetime,
    stop_reason: str | None = None,
    stop_category: str | None = None,
    has_output: bool | None = None,
) -> PricedCall:
    """Price one call by the model *requested* and the time of the call.

    `has_output` says whether a refusal came with content; when None, output tokens decide.
    """
    ref = book.resolve(model, provider)
    if isinstance(ref, Unpriced):
        return PricedCall("unpriced", ref.reason, model_id=ref.model_id)
    shown = usage.output_tokens > 0 if has_output is None else has_output
    call = _Call(book, usage, ref, provider, _utc_day(at), stop_reason == "refusal" and not shown, stop_category)
    return call.price()


@dataclass(frozen=True, slots=True)
class _Call:
    """One call on its way to a price."""

    book: PriceBook
    usage: Usage
    ref: ModelRef
    provider: str | None
    day: date
    refused: bool
    stop_category: str | None

    def price(self) -> PricedCall:
        """Price every billed step with its own model and prompt length, and add them up."""
        totals = _Totals()
        rows: list[str] = []
        flags: list[str] = []
        steps = self._billed()
        if any(amount < 0 for step in steps for amount in _counts(step)) or self.usage.web_search_requests < 0:
            return PricedCall("unpriced", NEGATIVE, model_id=self.ref.model_id)
        for step in steps:
            rates = self._rates(step)
            if isinstance(rates, Rates) and rates.cache_write_1h is None and step.cache_write_1h_tokens:
                rates = Unpriced(no_1h_price(self.ref.model_id, self.ref.scope), self.ref.model_id)
            if isinstance(rates, Unpriced):
                return PricedCall("unpriced", rates.reason, model_id=self.ref.model_id)
            totals.add(step, rates)
            rows.append(rates.row)
            flags.extend(rates.flags)
        row, searches = self._searches()
        totals.tools = searches * self.usage.web_search_requests
        if max(totals.cost, totals.no_cache) >= COST_LIMIT:
            return PricedCall("unpriced", TOO_LARGE, model_id=self.ref.model_id)
        reason = reason_text(
            flags,
            incomplete=not self.usage.complete,
            split_unknown=not self.usage.ttl_split_known and bool(self.usage.cache_write_tokens),
        )
        return totals.priced(reason, " + ".join(dict.fromkeys(rows)) or row, self.ref.model_id)

    def _billed(self) -> Sequence[Iteration]:
        if self.usage.iterations:
            return [step for step in self.usage.iterations if not step.declined]
        return [self.usage.as_step()]

    def _rates(self, step: Iteration) -> Rates | Unpriced:
        ref = self._ref(step.model)
        if isinstance(ref, Unpriced):
            return ref
        refused = self.refused and step.kind in _SAMPLING
        return self.book.rates(self._question(ref, step.prompt_tokens, refused=refused))

    def _searches(self) -> tuple[str | None, int]:
        rates = self.book.rates(self._question(self.ref, 0, refused=self.refused))
        return (None, 0) if isinstance(rates, Unpriced) else (rates.row, rates.web_search)

    def _question(self, ref: ModelRef, prompt_tokens: int, *, refused: bool) -> Question:
        return Question(
            ref=ref,
            segment=self.book.segment(self.day),
            size=self.book.size_step(prompt_tokens),
            service_tier=self.usage.service_tier or "",
            speed=self.usage.speed or "",
            inference_geo=self.usage.inference_geo or "",
            refused=refused,
            stop_category=(self.stop_category or "") if refused else "",
        )

    def _ref(self, name: str | None) -> ModelRef | Unpriced:
        """Resolve a step's own model; on Bedrock a response names it bare, so the request's price list holds."""
        if name is None:
            return self.ref
        found = self.book.resolve(name, self.provider)
        if self.ref.provider != "bedrock":
            return found
        model_id = self.book.model_of_name(name)
        return found if model_id is None else ModelRef(model_id, self.ref.scope, "bedrock", self.ref.flags)


@dataclass(slots=True)
class _Totals:
    """Running sums in picodollars."""

    input: int = 0
    read: int = 0
    write_5m: int = 0
    write_1h: int = 0
    output: int = 0
    tools: int = 0
    gross: int = 0
    premium: int = 0

    @property
    def cost(self) -> int:
        return self.input + self.read + self.write_5m + self.write_1h + self.output + self.tools

    @property
    def no_cache(self) -> int:
        return self.cost + self.gross - self.premium

    def add(self, step: Iteration, rates: Rates) -> None:
        rate_1h = rates.cache_write_1h or 0
        self.input += step.input_tokens * rates.input
        self.read += step.cache_read_tokens * rates.cache_read
        self.write_5m += step.cache_write_5m_tokens * rates.cache_write_5m
        self.write_1h += step.cache_write_1h_tokens * rate_1h
        self.output += step.output_tokens * rates.output
        self.gross += step.cache_read_tokens * (rates.input - rates.cache_read)
        self.premium += step.cache_write_5m_tokens * (rates.cache_write_5m - rates.input)
        self.premium += step.cache_write_1h_tokens * (rate_1h - rates.input)

    def priced(self, reason: str | None, row: str | None, model_id: str) -> PricedCall:
        return PricedCall(
            status="priced",
            reason=reason,
            price_row=row,
            model_id=model_id,
            cost_usd=usd(self.cost),
            input_cost_usd=usd(self.input),
            cache_read_cost_usd=usd(self.read),
            cache_write_5m_cost_usd=usd(self.write_5m),
            cache_write_1h_cost_usd=usd(self.write_1h),
            output_cost_usd=usd(self.output),
            tools_cost_usd=usd(self.tools),
            no_cache_cost_usd=usd(self.no_cache),
            gross_savings_usd=usd(self.gross),
            write_premium_usd=usd(self.premium),
            net_savings_usd=usd(self.gross - self.premium),
        )


def _counts(step: Iteration) -> tuple[int, ...]:
    writes = step.cache_write_5m_tokens, step.cache_write_1h_tokens
    return step.input_tokens, step.cache_read_tokens, *writes, step.output_tokens


def usd(picodollars: int) -> Decimal:
    """Return whole picodollars as USD with twelve decimals, exactly."""
    return Decimal(picodollars).scaleb(-12, _EXACT)


def no_1h_price(model_id: str, scope: str) -> str:
    """Say that 1h cache writes of this model have no price on this list."""
    return reason_of("no_1h_price", model=model_id, scope=scope)


def reason_text(flags: Sequence[str], *, incomplete: bool, split_unknown: bool) -> str | None:
    """Join the doubts about a priced call into one line; None when there are none."""
    found = [*dict.fromkeys(flags), *([INCOMPLETE] if incomplete else []), *([SPLIT_UNKNOWN] if split_unknown else [])]
    return joined(found)


def _utc_day(at: datetime) -> date:
    if at.tzinfo is None:
        raise BadInput(
            f"time {at.isoformat()} has no zone.",
            code="PRC-006",
            mend="Give the time of the call with a UTC offset.",
            about=(at.isoformat(),),
        )
    return at.astimezone(UTC).date()
