"""Who told the calls on the Data health page: whose words a figure rests on, and where two of them disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core.metrics.scope import Scope
from core.store import check_notes
from dashboard import components, data
from dashboard import format as fmt
from dashboard.components import Column
from dashboard.i18n import Language, known, language, t, translate

_TOLD = (
    Column("format", "text", "col.told_by"),
    Column("source", "text", "col.source"),
    Column("calls", "count", "col.calls_told"),
    Column("cost_usd", "money"),
    Column("told_twice", "count", "col.told_twice"),
    Column("disagreeing", "count", "col.disagreeing"),
    Column("model_by_defaults", "count", "col.model_by_defaults"),
    Column("ttl_by_defaults", "count", "col.ttl_by_defaults"),
    Column("price_check_agrees", "count"),
    Column("price_check_other", "count"),
    Column("price_check_differs", "count"),
    Column("suspected_redeliveries", "count"),
)
_DIFFERING = (
    Column("ts", "moment", "col.ts"),
    Column("call_id", "text", "col.call_id"),
    Column("ledger", "text", "col.ledger"),
    Column("checks", "text", "col.checked_by"),
    Column("difference", "sentence", "col.difference"),
    Column("cost_usd", "money"),
    Column("source", "text", "col.source"),
)


def format_name(teller: str | None, lang: Language) -> str:
    """Return the name of a format for reading."""
    return known(lang, f"told_by.{teller}", teller or fmt.UNKNOWN)


def told_rows(rows: Sequence[Mapping[str, Any]], lang: Language) -> list[dict[str, Any]]:
    """Return the rows of the table of tellers."""
    return [{**row, "format": format_name(row["told_by"], lang)} for row in rows]


def differing_rows(rows: Sequence[Mapping[str, Any]], lang: Language) -> list[dict[str, Any]]:
    """Return the rows of the table of disagreements."""
    return [
        {
            **row,
            "ledger": format_name(row["told_by"], lang),
            "checks": ", ".join(format_name(name, lang) for name in (row["checked_by"] or "").split(",") if name),
            "difference": difference(row["difference"], lang),
        }
        for row in rows
    ]


def difference(note: str, lang: Language) -> str:
    """Return what two tellings of a call say differently, column by column."""
    found = check_notes.read(note) if lang == "ko" else None
    if found is None:
        return note
    return "; ".join(
        translate(
            lang,
            "told.difference",
            column=one.column,
            first=one.first,
            ledger=format_name(one.ledger, lang),
            second=one.second,
            check=format_name(one.check, lang),
        )
        for one in found
    )


def section(scope: Scope) -> None:
    """Draw who told the calls of the scope, and name every disagreement between two logs of one call."""
    lang = language()
    rows = told_rows(data.tellings(scope), lang)
    if not rows:
        return
    with components.section("health.told", rows=rows):
        components.table(rows, _TOLD, key="health_told", alt=t("health.told.title"))
        twice, differing = (sum(row[name] for row in rows) for name in ("told_twice", "disagreeing"))
        if not twice:
            st.caption(t("health.told.once"))
        elif not differing:
            st.success(t("health.told.agree", n=fmt.count(twice)), icon=":material/check_circle:")
        else:
            st.warning(
                t("health.told.differ", n=fmt.count(differing), of=fmt.count(twice)), icon=":material/difference:"
            )
            shown = differing_rows(data.disagreements(scope), lang)
            components.table(shown, _DIFFERING, key="health_differing", alt=t("health.told.differing"))
