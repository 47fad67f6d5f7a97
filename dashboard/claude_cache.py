"""The part of the Caches page about the Claude cache: nobody can clear it, when it expires, what leaving it costs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from core import fleet
from dashboard import components, data, filters
from dashboard import format as fmt
from dashboard.components import Column
from dashboard.i18n import language, t

_EVERY = "10s"


def expiry(source: str) -> None:
    """Count down to the moment each prefix expires by itself."""
    st.fragment(_countdown, run_every=_EVERY)(source)


def _countdown(source: str) -> None:
    found, now = data.claude_prefixes(source), datetime.now(UTC)
    live = [item for item in found if item.live is not False and item.reads]
    if not live:
        components.unknown("caches.claude.nothing")
        return
    _totals(live, now)
    rows = fleet.prefix_rows(live, now=now)
    with components.section("caches.prefixes", rows=rows):
        components.table(
            [_prefix(row) for row in rows],
            [
                Column("engine", "word", "col.engine"),
                Column("model", "text", "col.model"),
                Column("fingerprint", "word", "caches.col.fingerprint"),
                Column("cache_ttl", "word", "caches.col.ttl"),
                Column("expires_in", "clock", "caches.col.expires_in"),
                Column("expires_at", "moment", "caches.col.expires_at"),
                Column("tokens", "tokens", "caches.col.tokens"),
                Column("reads", "count", "caches.col.reads"),
                Column("rewrite_usd", "money", "caches.col.rewrite"),
            ],
            key="caches_prefixes",
            alt=t("caches.prefixes.title"),
        )
        if hidden := len(found) - len(live):
            st.caption(t("caches.prefixes.hidden", n=fmt.count(hidden)))
        if not all(item.exact for item in live):
            st.caption(t("caches.prefixes.inexact"))


def _totals(live: Sequence[fleet.ClaudePrefix], now: datetime) -> None:
    ends = [item.expires_at for item in live if item.expires_at]
    dollars, unpriced = fleet.rewrite_total(list(live))
    with st.grid(3, gap="small", key="caches_claude_totals"):
        components.fact(t("caches.live"), fmt.count(len(live)), t("caches.live.of"))
        components.fact(t("caches.gone"), _left(ends, now), fmt.moment(max(ends, default=None), filters.zone()))
        note = t("caches.foretold.rewrite.unpriced", n=unpriced) if unpriced else t("caches.rewrite.of")
        components.fact(t("caches.rewrite"), fmt.money(dollars), note)


def _left(ends: Sequence[datetime], now: datetime) -> str:
    if not ends:
        return fmt.UNKNOWN
    return fmt.duration_ms(max(0.0, (max(ends) - now).total_seconds()) * 1000, language())


def _prefix(row: dict[str, Any]) -> dict[str, Any]:
    left = row["expires_in_s"]
    return {
        **row,
        "cache_ttl": t(f"policy.{row['cache_ttl']}") if row["cache_ttl"] else fmt.UNKNOWN,
        "fingerprint": (row["prefix_fingerprint"] or fmt.UNKNOWN)[:8],
        "expires_in": None if left is None else timedelta(seconds=round(left)),
    }


def leaving(source: str) -> None:
    """Tell how to leave an entry behind, and what writing the prefixes again costs."""
    found = data.claude_prefixes(source)
    dollars, unpriced = fleet.rewrite_total(found)
    with components.section("caches.bump"):
        if not found:
            st.markdown(t("caches.bump.steps.unknown"))
            return
        note = f" {t('caches.foretold.rewrite.unpriced', n=unpriced)}" if unpriced else ""
        st.markdown(fmt.dollars_in_markdown(t("caches.bump.steps", price=fmt.money(dollars)) + note))
