"""Causes, mends and actions as words; names that came out of a log are escaped for Markdown here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dashboard import format as fmt
from dashboard.i18n import Language, known, translate


class Said(NamedTuple):
    """An action in words, as Markdown."""

    engine: str
    what: str
    month: str
    interval: str
    evidence: str
    mend: str
    change: str
    effort: str
    page: str


def engine(name: str | None, lang: Language) -> str:
    """Return an engine's name, safe in Markdown."""
    return fmt.markdown_safe(fmt.plain(name, lang))


def cause(name: str, lang: Language) -> str:
    """Return a cause's short name; one that nobody has put into words shows as itself."""
    return known(lang, f"cause.{name}", name)


def change(mend_key: str, lang: Language) -> str:
    """Return the code or setting to change, or nothing where none mends it."""
    return known(lang, f"change.{mend_key}", "").format()


def in_words(row: Mapping[str, Any], lang: Language) -> dict[str, Any]:
    """Return a ledger row with its closed sets of words in the viewer's language."""
    told = dict(row)
    for name, prefix in (
        ("cause", "cause"), ("top_cause", "cause"), ("dearest", "cause"), ("detail", "detail"),
        ("confidence", "confidence"), ("evidence", "evidence"), ("policy", "policy"), ("best", "policy"),
        ("configured", "policy"),
    ):  # fmt: skip
        if isinstance(told.get(name), str):
            told[name] = known(lang, f"{prefix}.{told[name]}", told[name])
    return told


def of_call(row: Mapping[str, Any], lang: Language) -> dict[str, Any]:
    """Return a ledger line in words, with pause and lifetime in the unit that reads best."""
    told = in_words(row, lang)
    told |= {"gap": fmt.duration_ms(row["gap_ms"], lang), "ttl": fmt.duration_ms(row["ttl_ms"], lang)}
    return told | {"detail": told["detail"] or fmt.UNKNOWN}


def action(row: Mapping[str, Any], lang: Language, zone: str) -> Said:
    """Return an action of core.advice in words."""
    lifetime = row["best"] is not None
    return Said(
        engine=engine(row["engine"], lang),
        what=deed(row, lang),
        month=fmt.dollars_in_markdown(translate(lang, "action.month", usd=fmt.money(row["month_usd"]))),
        interval=fmt.dollars_in_markdown(interval(row["low_usd"], row["high_usd"], lang)),
        evidence=_lifetime_evidence(row, lang) if lifetime else _cause_evidence(row, lang, zone),
        mend=translate(lang, f"mend.{row['mend_key']}"),
        change=change(row["mend_key"], lang),
        effort=translate(lang, "action.effort", effort=translate(lang, f"effort.{row['effort']}")),
        page="ttl_lab" if lifetime else "misses",
    )


def deed(row: Mapping[str, Any], lang: Language) -> str:
    """Return what an action is about: its cause, or the lifetime before and after."""
    if row["best"] is None:
        return cause(row["cause"], lang)
    names = {key: translate(lang, f"policy.{row[key]}") for key in ("configured", "best")}
    return translate(lang, "action.lifetime", **names)


def interval(low: Any, high: Any, lang: Language) -> str:
    """Return an interval of dollars, or that there are too few days for one."""
    if low is None or high is None:
        return translate(lang, "action.few_days")
    return translate(lang, "action.interval", low=fmt.money(low), high=fmt.money(high))


def _cause_evidence(row: Mapping[str, Any], lang: Language, zone: str) -> str:
    text = translate(
        lang,
        "action.evidence.cause",
        calls=fmt.count(row["calls"]),
        tokens=fmt.tokens(row["tokens"], lang),
        measured=fmt.percent(row["measured_share"]),
    )
    if row["since"] is not None:
        version = fmt.markdown_safe(fmt.plain(row["since_version"], lang))
        text += ", " + translate(lang, "action.evidence.since", at=fmt.moment(row["since"], zone), version=version)
    return text


def _lifetime_evidence(row: Mapping[str, Any], lang: Language) -> str:
    return translate(lang, "action.evidence.lifetime", days=fmt.days(row["days"]))
