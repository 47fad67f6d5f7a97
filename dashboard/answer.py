"""The one-sentence answer at the top of the overview: what caching saved, said honestly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from dashboard import format as fmt
from dashboard.i18n import Language, known, translate

Tone = Literal["good", "bad", "flat", "unknown"]


def caching_in_use(total: Mapping[str, Any]) -> bool:
    """Tell whether any prompt token was read from or written to the Claude cache."""
    names = ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
    return any(total.get(name) for name in names)


def sentence(total: Mapping[str, Any], preset: str, lang: Language) -> tuple[str, Tone]:
    """Return the answer and its tone: gain, loss, caching not in use, or not known because nothing is priced."""
    when = translate(lang, f"range.{preset}.in")
    net, no_cache = total.get("net_savings_usd"), total.get("no_cache_cost_usd")
    if total.get("calls") and not caching_in_use(total):
        return translate(lang, "answer.not_in_use", when=when, calls=fmt.count(total["calls"])), "flat"
    if net is None or no_cache is None:
        return translate(lang, "answer.unknown", when=when, calls=fmt.count(total.get("calls"))), "unknown"
    tone: Tone = "good" if net > 0 else "bad" if net < 0 else "flat"
    text = translate(
        lang,
        f"answer.{tone}",
        when=when,
        net=fmt.money(abs(net)),
        share=fmt.percent(abs(net) / no_cache if no_cache else None),
        no_cache=fmt.money(no_cache),
    )
    coverage = total.get("price_coverage")
    if coverage is not None and coverage < 1:
        text += " " + translate(lang, "answer.coverage", share=fmt.percent(coverage))
    return text, tone


def more(found: Mapping[str, Any], lang: Language) -> str:
    """Return what is recoverable beyond it and its top cause, as Markdown; nothing where no miss has a price."""
    if found["usd"] is None:
        return ""
    if not found["recoverable_usd"]:
        return translate(lang, "answer.no_more")
    return translate(
        lang,
        "answer.more",
        usd=fmt.dollars_in_markdown(fmt.money(found["recoverable_usd"])),
        cause=known(lang, f"cause.{found['top_cause']}", found["top_cause"]),
        engine=fmt.markdown_safe(fmt.plain(found["top_engine"], lang)),
    )
