"""The own side of a reconciliation: tokens, dollars and requests of the logged calls, by UTC day and model."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from core.metrics import aggregate
from core.metrics.coverage import calls_by_defaults
from core.metrics.scope import Scope
from core.metrics.sources import complete_until
from core.pricing import ModelRef, PriceBook
from core.reconcile.model import DayModel, Key, Own, OwnFigure, Provider, add, count
from core.store.query import Reader

_TYPES = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")


def own_figures(reader: Reader, book: PriceBook, provider: Provider, start: date, end: date) -> Own:
    """Return what the logs say of a provider's calls on the UTC days of [start, end)."""
    scope = Scope(start=midnight(start), end=midnight(end), providers=(provider,))
    rows = aggregate.rows_for(reader, "calls", scope)
    billed = rows.filter(rows.returned)
    sums = {f"{name}_tokens": billed[f"{name}_tokens"].sum() for name in _TYPES}
    sums |= {f"{name}_usd": billed[f"{name}_cost_usd"].sum(where=billed.priced) for name in _TYPES}
    told = reader.rows(
        billed.group_by(billed.date, billed.model, billed.model_id).aggregate(
            calls=billed.count(),
            unpriced=(~billed.priced).sum(),
            incomplete=(~billed.complete.fill_null(True)).sum(),
            by_defaults=calls_by_defaults.of(billed),
            priority=(billed.service_tier.fill_null("") == "priority").sum(),
            web_search_usd=billed.tools_cost_usd.sum(where=billed.priced),
            **sums,
        )
    )
    cells: dict[Key, OwnFigure] = {}
    requests: dict[DayModel, int] = {}
    for row in told:
        day, model = row["date"], row["model_id"] or model_name(book, row["model"] or "", provider)
        requests[day, model] = requests.get((day, model), 0) + row["calls"]
        for token_type, figure in _figures(row):
            before = cells.get((day, model, token_type), OwnFigure(None, None))
            cells[day, model, token_type] = OwnFigure(
                count((before.tokens, figure.tokens)), add((before.usd, figure.usd))
            )
    return Own(
        cells=cells,
        requests=requests,
        unpriced_calls=_whole(told, "unpriced"),
        incomplete_calls=_whole(told, "incomplete"),
        priority_calls=_whole(told, "priority"),
        calls_by_defaults=_whole(told, "by_defaults"),
        complete_until=complete_until(reader),
        own_prices=bool(book.discounts) or any(row.custom for row in book.rows),
    )


def first_day(reader: Reader, provider: Provider) -> date | None:
    """Return the first UTC day with a logged call of the provider."""
    rows = reader.table("calls")
    (found,) = reader.rows(rows.filter(rows.provider == provider).aggregate(day=rows.date.min()))
    day: date | None = found["day"]
    return day


def models_of(reader: Reader, provider: Provider, start: date, end: date) -> list[str]:
    """Return the models that the logs name, as they were requested."""
    rows = aggregate.rows_for(reader, "calls", Scope(start=midnight(start), end=midnight(end), providers=(provider,)))
    return sorted(row["model"] for row in reader.rows(rows.select("model").distinct()) if row["model"])


def model_name(book: PriceBook, written: str, provider: Provider) -> str:
    """Return the price book's name of a model, however a log, a report or a metric writes it."""
    ref = book.resolve(written, provider)
    if isinstance(ref, ModelRef):
        return ref.model_id
    return ref.model_id or book.model_of_name(written) or written


def midnight(day: date) -> datetime:
    """Return the start of a UTC day."""
    return datetime.combine(day, time.min, tzinfo=UTC)


def _figures(row: dict[str, Any]) -> list[tuple[str, OwnFigure]]:
    figures = [(name, OwnFigure(_int(row[f"{name}_tokens"]), row[f"{name}_usd"])) for name in _TYPES]
    used = [(name, figure) for name, figure in figures if figure.tokens != 0 or figure.usd]
    searches: Decimal | None = row["web_search_usd"]
    return [*used, ("web_search", OwnFigure(None, searches))] if searches else used


def _int(value: Any) -> int | None:
    return None if value is None else int(value)


def _whole(rows: list[dict[str, Any]], name: str) -> int:
    return sum(int(row[name] or 0) for row in rows)
