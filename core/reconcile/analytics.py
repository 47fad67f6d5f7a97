"""Anthropic's Usage and Cost Analytics API: tokens, requests and dollars by day, model and token type.

Beta analytics-usage-cost-2026-08-24, through the SDK. Days are UTC; dollars come as fractional cents, at list prices
and after discounts. https://platform.claude.com/docs/en/build-with-claude/usage-cost-analytics-api
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from core.client.sdk import is_simulated
from core.pricing import PriceBook
from core.reconcile.access import unreadable
from core.reconcile.model import NO_MODEL, Bill, BilledLine, DayModel
from core.reconcile.own import midnight, model_name
from core.reconcile.pages import pages, token_of
from core.reconcile.spans import LONGEST, spans
from core.reconcile_settings import ReconcileSettings

if TYPE_CHECKING:
    import anthropic

_PAGE = 1000
TYPES = {
    "uncached_input_tokens": "input",
    "cache_read_input_tokens": "cache_read",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write_5m",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h",
    "output_tokens": "output",
}
COSTS = ("web_search", "code_execution", "session_usage")


def fetch(client: anthropic.Anthropic, settings: ReconcileSettings, book: PriceBook, start: date, end: date) -> Bill:
    """Read the bill of the UTC days of [start, end). Raises the SDK's errors; the caller explains them."""
    lines: list[BilledLine] = []
    requests: dict[DayModel, int] = {}
    reached: list[datetime] = []
    simulated = False
    analytics = client.beta.organization.analytics
    for first, last in spans(start, end, LONGEST):
        asked: dict[str, Any] = {
            "starting_at": midnight(first),
            "ending_at": midnight(last),
            "time_bucket_width": "1d",
            "order_by": "time",
            "order": "asc",
            "limit": _PAGE,
            **({"workspace_ids": list(settings.workspace_ids)} if settings.workspace_ids else {}),
            **({"api_key_ids": list(settings.api_key_ids)} if settings.api_key_ids else {}),
        }
        raw_usage = analytics.usage.with_raw_response.list(group_by=["model"], **asked)
        simulated = simulated or is_simulated(raw_usage)
        for item in _items(raw_usage.parse(), reached):
            day, model = _day(item.starting_at), _model(book, item.group.model)
            lines += _usage_lines(day, model, item.usage)
            if item.usage.requests is not None:
                requests[day, model] = requests.get((day, model), 0) + item.usage.requests
        raw_cost = analytics.cost.with_raw_response.list(group_by=["model", "cost_type", "token_type"], **asked)
        lines += [_cost_line(book, item) for item in _items(raw_cost.parse(), reached)]
    whole = () if settings.workspace_ids or settings.api_key_ids else ("whole_organization",)
    return Bill(
        provider="anthropic",
        via="analytics",
        start=start,
        end=end,
        lines=tuple(lines),
        requests=requests,
        tells_list=True,
        tells_amount=True,
        refreshed_at=min(reached) if reached else None,
        gaps=whole,
        simulated=simulated,
    )


def dollars(cents: str) -> Decimal:
    """Return dollars from fractional cents as text."""
    try:
        amount = Decimal(cents) / 100
    except InvalidOperation:
        raise unreadable(f"an amount of {cents[:20]!r}") from None
    if not amount.is_finite():
        raise unreadable(f"an amount of {cents[:20]!r}")
    return amount


def _items(page: Any, reached: list[datetime]) -> Iterator[Any]:
    """Yield the rows of every page, and note how far the provider says its figures reach."""
    held = page

    def ask(token: str | None) -> Any:
        nonlocal held
        held = held if token is None else held.get_next_page()
        return held

    for one in pages(ask, lambda one: token_of({"has_more": one.has_more, "next_page": one.next_page})):
        if one.data_refreshed_at is not None:
            reached.append(one.data_refreshed_at)
        yield from one.data or ()


def _usage_lines(day: date, model: str, usage: Any) -> list[BilledLine]:
    told = {
        "input": usage.uncached_input_tokens,
        "cache_read": usage.cache_read_input_tokens,
        "cache_write_5m": usage.cache_creation.ephemeral_5m_input_tokens,
        "cache_write_1h": usage.cache_creation.ephemeral_1h_input_tokens,
        "output": usage.output_tokens,
    }
    return [BilledLine(day, model, name, tokens=int(tokens)) for name, tokens in told.items() if tokens]


def _cost_line(book: PriceBook, item: Any) -> BilledLine:
    if item.cost.currency != "USD":
        raise unreadable(f"a currency of {str(item.cost.currency)[:10]!r}")
    group = item.group
    known = TYPES.get(group.token_type or "") or (group.cost_type if group.cost_type in COSTS else "other")
    return BilledLine(
        _day(item.starting_at),
        _model(book, group.model),
        known,
        list_usd=dollars(item.cost.list_amount),
        amount_usd=dollars(item.cost.amount),
    )


def _model(book: PriceBook, name: str | None) -> str:
    return NO_MODEL if name is None else model_name(book, name, "anthropic")


def _day(moment: datetime) -> date:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).date()
