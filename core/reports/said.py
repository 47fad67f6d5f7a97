"""What a report says in words and shows as key figures: the same in HTML and PDF. Figures keep every digit."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from core.reports.request import Language
from core.reports.verdict import verdict
from core.reports.words import without
from core.reports.words import word as word_of

if TYPE_CHECKING:
    from core.reports.document import Document
    from core.reports.table import Report

UNKNOWN = "–"
_CENTS = 2


class Figure(NamedTuple):
    """One key figure: what it is, its value, and what it was made of."""

    label: str
    value: str
    parts: str


def sentence(document: Document) -> str:
    """Return the answer in one sentence, and the dearest miss cause after it."""
    total, text = document.total, answer(document.total, document.request.lang)
    causes = document.sheets["causes"].groups
    if verdict(total) in ("saved", "lost", "even") and causes and causes[0]["usd"]:
        top = document.word(f"cause.{causes[0]['cause']}")
        text += " " + document.word("said.cause", cause=top, usd=money(causes[0]["usd"], places=2))
    return text


def answer(total: Mapping[str, Any], lang: Language) -> str:
    """Return what caching did in one sentence: saved, lost, not in use, or not known."""
    word = partial(word_of, lang)
    net, no_cache, part = total["net_savings_usd"], total["no_cache_cost_usd"], total["net_savings_share"]
    calls = f"{total['calls'] or 0:,}"
    found = verdict(total)
    if found in ("nothing", "not_in_use", "unknown"):
        return word(f"said.{found}", calls=calls)
    share = UNKNOWN if part is None else f"{abs(part):.1%}"
    return word(
        f"said.{found}", net=money(abs(net), places=2), share=share, no_cache=money(no_cache, places=2), calls=calls
    )


def figures(document: Document) -> list[Figure]:
    """Return the key figures, each with its numerator and denominator or its parts."""
    total, word = document.total, document.word
    calls = word("said.of_calls", n=count(total["priced_calls"]))
    by_defaults = total["calls_by_defaults"]
    known = f" · {word('said.by_defaults', n=count(by_defaults))}" if by_defaults else ""
    return [
        Figure(word("metric.net_savings_usd"), money(total["net_savings_usd"]),
               f"{money(total['gross_savings_usd'])} − {money(total['write_premium_usd'])}"),
        Figure(word("metric.net_savings_share"), percent(total["net_savings_share"]),
               f"{money(total['net_savings_usd'])} / {money(total['no_cache_cost_usd'])}"),
        Figure(word("metric.cost_usd"), money(total["cost_usd"]), calls),
        Figure(word("metric.no_cache_cost_usd"), money(total["no_cache_cost_usd"]), calls),
        Figure(word("metric.cost_per_request_usd"), money(total["cost_per_request_usd"]),
               f"{money(total['cost_usd'])} / {count(total['priced_calls'])}"),
        Figure(word("metric.token_hit_rate"), percent(total["token_hit_rate"]),
               f"{count(total['cache_read_tokens'])} / {count(total['prompt_tokens'])}"),
        Figure(word("metric.request_hit_rate"), percent(total["request_hit_rate"]),
               f"{count(total['claude_cache_read_calls'])} / {count(total['cacheable_calls'])}"),
        Figure(word("metric.price_coverage"), percent(total["price_coverage"]),
               f"{count(total['priced_calls'])} / {count(total['calls'])}{known}"),
    ]  # fmt: skip


def name(document: Document, report: Report, column: str, value: Any) -> str:
    """Return a member of a group: causes in words, unknown as such, what cannot be printed marked."""
    if value is None:
        return without(column, document.request.lang)
    if column == "cause":
        return document.word(f"cause.{value}")
    return "".join(ch if ch.isprintable() else "�" for ch in str(value))


def shown(value: Any, unit: str) -> str:
    """Return a value of a table: dollars with every digit, unknown as a dash."""
    if value is None:
        return UNKNOWN
    if unit == "usd":
        return money(value)
    if unit == "ratio":
        return percent(value)
    return count(value) if unit in ("count", "tokens") else f"{value:,.1f}"


def money(value: Decimal | None, *, places: int | None = None) -> str:
    """Return dollars with every digit that is not a trailing zero; `places` rounds for a sentence."""
    if value is None:
        return UNKNOWN
    size = abs(value)
    sign = "-" if value < 0 else ""
    if places is not None and (not size or size >= Decimal("0.01")):
        return f"{sign}${size:,.{places}f}"
    whole, _, rest = f"{size:,f}".partition(".")
    return f"{sign}${whole}.{rest.rstrip('0').ljust(_CENTS, '0')}"


def percent(value: float | None) -> str:
    """Return a share in percent; one that is not quite all or nothing is never rounded to it."""
    if value is None:
        return UNKNOWN
    if 0.9995 <= value < 1:
        return ">99.9%"
    return "<0.1%" if 0 < value < 0.0005 else f"{value:.1%}"


def count(value: int | None) -> str:
    """Return a whole number."""
    return UNKNOWN if value is None else f"{value:,}"
