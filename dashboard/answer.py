"""The one-sentence answer at the top of the overview: what caching saved, said honestly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from core.reports.verdict import in_use, verdict
from dashboard import format as fmt
from dashboard.i18n import Language, known, translate

Tone = Literal["good", "bad", "flat", "unknown"]
_TONES: dict[str, Tone] = {"saved": "good", "lost": "bad", "even": "flat"}


def caching_in_use(total: Mapping[str, Any]) -> bool:
    """Tell whether any prompt token was read from or written to the Claude cache."""
    return in_use(total)


def sentence(total: Mapping[str, Any], preset: str, lang: Language) -> tuple[str, Tone]:
    """Return the answer and its tone: gain, loss, caching not in use, or not known because nothing is priced."""
    when = translate(lang, f"range.{preset}.in")
    found = verdict(total)
    if found == "not_in_use":
        return translate(lang, "answer.not_in_use", when=when, calls=fmt.count(total["calls"])), "flat"
    if found in ("nothing", "unknown"):
        return translate(lang, "answer.unknown", when=when, calls=fmt.count(total.get("calls"))), "unknown"
    net, share, tone = total["net_savings_usd"], total["net_savings_share"], _TONES[found]
    text = translate(
        lang,
        f"answer.{tone}",
        when=when,
        net=fmt.money(abs(net)),
        share=fmt.percent(None if share is None else abs(share)),
        no_cache=fmt.money(total["no_cache_cost_usd"]),
    )
    coverage = total.get("price_coverage")
    if coverage is not None and coverage < 1:
        text += " " + translate(lang, "answer.coverage", share=fmt.percent(coverage))
    return text, tone


def more(found: Mapping[str, Any], lang: Language, *, since: str | None = None) -> str:
    """Return what is recoverable beyond it and its top cause, as Markdown; nothing where no miss has a price.

    `since` when, where older calls of the range are not judged.
    """
    if found["usd"] is None:
        return ""
    if not found["recoverable_usd"]:
        return translate(lang, "answer.no_more")
    return translate(
        lang,
        "answer.more" if since is None else "answer.more_since",
        since=since,
        usd=fmt.dollars_in_markdown(fmt.money(found["recoverable_usd"])),
        cause=known(lang, f"cause.{found['top_cause']}", found["top_cause"]),
        engine=fmt.markdown_safe(fmt.plain(found["top_engine"], lang)),
    )
