"""What the last reconciliation found: key figures, charts, tables, and what it cannot tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from core.reconcile import Provider, Reconciliation, Totals
from dashboard import billing_charts, components, filters, ink
from dashboard import format as fmt
from dashboard.components import Column
from dashboard.i18n import known, language, t

Row = Mapping[str, Any]
_FIGURES = [
    Column("own_tokens", "count", "reconcile.col.own_tokens"),
    Column("billed_tokens", "count", "reconcile.col.billed_tokens"),
    Column("variance_tokens", "ratio", "reconcile.col.variance_tokens"),
    Column("own_usd", "money", "reconcile.col.own_usd"),
    Column("billed_usd", "money", "reconcile.col.billed_usd"),
    Column("variance_usd", "ratio", "reconcile.col.variance_usd"),
]


def show(provider: Provider, run: Row, found: Reconciliation) -> None:
    """Show one provider's last result."""
    name = t(f"probe.owner.{provider}")
    by_type = [{**_named(model, kind), **_figures(totals)} for (model, kind), totals in found.by_type]
    with components.section("reconcile.result", provider=name):
        _heading(run, found)
        _facts(found.total)
        if found.provisional_days:
            days = ", ".join(day.isoformat() for day in found.provisional_days[-7:])
            st.warning(t("reconcile.provisional", days=days), icon=":material/hourglass_top:")
    look = ink.Look(language(), "UTC", "day")
    left, right = st.columns(2)
    with left, components.section("reconcile.by_day", rows=_days(found)):
        components.chart(billing_charts.by_day(found, look), key=f"reconcile_by_day_{provider}")
    with right, components.section("reconcile.by_type", rows=by_type):
        components.chart(billing_charts.by_type(found, look), key=f"reconcile_by_type_{provider}")
    with components.section("reconcile.table", rows=by_type):
        components.table(
            by_type,
            [Column("model", "text", "col.model"), Column("kind", "word", "reconcile.col.type"), *_FIGURES],
            key=f"reconcile_types_{provider}",
            alt=t("reconcile.table.title"),
        )
    with components.section("reconcile.lines", rows=(lines := _lines(found))):
        components.table(
            lines,
            [
                Column("day", "day", "reconcile.col.day"),
                Column("model", "text", "col.model"),
                Column("kind", "word", "reconcile.col.type"),
                *_FIGURES,
                Column("provisional", "flag", "reconcile.col.provisional"),
            ],
            key=f"reconcile_lines_{provider}",
            alt=t("reconcile.lines.title"),
        )
    if found.gaps:
        with components.section("reconcile.gaps"):
            told = [fmt.dollars_in_markdown(known(language(), f"reconcile.gap.{gap}", gap)) for gap in found.gaps]
            st.markdown("\n".join(f"- {line}" for line in told))


def past(runs: Sequence[Row]) -> None:
    """Show the runs that were made."""
    if not runs:
        return
    with components.section("reconcile.history", rows=runs):
        components.table(
            [
                {
                    **row,
                    "whose": t(f"probe.owner.{row['provider']}"),
                    "unlogged_share": _over(row["unlogged_tokens"], row["billed_tokens"]),
                    "made_up": t("probe.simulated.badge") if row["simulated"] else fmt.UNKNOWN,
                }
                for row in runs
            ],
            [
                Column("ts", "moment", "col.when"),
                Column("whose", "text", "reconcile.col.provider"),
                Column("first_day", "day", "col.from"),
                Column("last_day", "day", "col.until"),
                Column("own_tokens", "count", "reconcile.col.own_tokens"),
                Column("billed_tokens", "count", "reconcile.col.billed_tokens"),
                Column("unlogged_share", "ratio", "reconcile.unlogged"),
                Column("own_usd", "money", "reconcile.col.own_usd"),
                Column("list_usd", "money", "reconcile.col.list_usd"),
                Column("amount_usd", "money", "reconcile.col.amount_usd"),
                Column("made_up", "word", "probe.col.simulated"),
                Column("actor", "text", "reconcile.col.actor"),
            ],
            key="reconcile_history",
            alt=t("reconcile.history.title"),
        )


def _heading(run: Row, found: Reconciliation) -> None:
    lang = language()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if found.simulated:
            help_text = t("reconcile.simulated")
            st.badge(t("probe.simulated.badge"), icon=":material/science:", color="violet", help=help_text)
        parts = [
            f"{found.start.isoformat()} – {run['last_day'].isoformat()} (UTC)",
            t(f"reconcile.via.{found.via}"),
            found.endpoint or "",
            f"{fmt.relative(run['ts'], datetime.now(UTC), lang)} ({fmt.moment(run['ts'], filters.zone())})",
        ]
        st.caption(fmt.markdown_safe(" · ".join(part for part in parts if part)))


def _facts(total: Totals) -> None:
    lang = language()
    basis = t(f"reconcile.basis.{total.basis}")
    with st.grid(4, gap="small", key="reconcile_facts"):
        components.fact(
            t("reconcile.variance_tokens"),
            fmt.signed_percent(total.variance_tokens),
            fmt.fraction(total.own_tokens, total.billed_tokens, lang),
        )
        components.fact(
            t("reconcile.unlogged"),
            fmt.percent(total.unlogged_share),
            fmt.fraction(total.unlogged_tokens, total.billed_tokens, lang),
        )
        components.fact(
            t("reconcile.variance_usd", basis=basis),
            fmt.signed_percent(total.variance_usd),
            fmt.dollars_in_markdown(f"{fmt.money(total.own_usd)} / {fmt.money(total.billed_usd)}"),
        )
        components.fact(
            t("reconcile.discount"),
            fmt.percent(total.implied_discount),
            fmt.dollars_in_markdown(f"{fmt.money(total.amount_usd)} / {fmt.money(total.list_usd)}"),
        )


def _figures(totals: Totals) -> dict[str, Any]:
    return {**totals.to_json(), "billed_usd": totals.billed_usd}


def _named(model: str, kind: str) -> dict[str, str]:
    return {"model": model or t("reconcile.no_model"), "kind": known(language(), f"reconcile.type.{kind}", kind)}


def _days(found: Reconciliation) -> list[dict[str, Any]]:
    late = set(found.provisional_days)
    return [{"day": day, **_figures(totals), "provisional": day in late} for day, totals in found.by_day]


def _lines(found: Reconciliation) -> list[dict[str, Any]]:
    """Return every line, the newest day first."""
    rows = []
    for line in sorted(found.lines, key=lambda line: line.day, reverse=True):
        billed = line.list_usd if found.basis == "list" else line.amount_usd
        rows.append(
            {
                "day": line.day,
                **_named(line.model, line.token_type),
                "own_tokens": line.own_tokens,
                "billed_tokens": line.billed_tokens,
                "variance_tokens": _change(line.own_tokens, line.billed_tokens),
                "own_usd": line.own_usd,
                "billed_usd": billed,
                "variance_usd": _change(line.own_usd, billed),
                "list_usd": line.list_usd,
                "amount_usd": line.amount_usd,
                "provisional": line.provisional,
            }
        )
    return rows


def _change(own: Any, billed: Any) -> float | None:
    return None if own is None or not billed else float((own - billed) / billed)


def _over(part: Any, whole: Any) -> float | None:
    return None if part is None or not whole else float(part / whole)
