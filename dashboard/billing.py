"""The parts of the Reconciliation page before its results: whose bill, read with what; what is missing; running it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import streamlit as st

from core import reconcile, settings
from core.errors import CachewiseError
from core.reconcile import Provider
from dashboard import acts, auth, components, data
from dashboard import format as fmt
from dashboard.i18n import t

_DAYS = (7, 30, 90)


def needed(ready: Sequence[Provider]) -> None:
    """Say what is compared with what, with which key, and exactly what is needed where something is missing."""
    configured = data.configuration()
    url = configured.anthropic_base_url
    with components.section("reconcile.with"):
        lines = [
            f"- **{t('probe.owner.anthropic')}**: {fmt.markdown_safe(_key(configured))}",
            f"- **{t('probe.owner.bedrock')}**: {fmt.dollars_in_markdown(_regions(configured))}",
            f"- **{t('reconcile.whose')}**: {fmt.markdown_safe(_whose(configured))}",
        ]
        st.markdown("\n".join(lines))
        problem = reconcile.demo_problem(configured)
        if problem is not None:
            st.info(t("reconcile.demo"), icon=":material/science:")
        elif not ready:
            st.info(t("reconcile.needed"), title=t("reconcile.needed.title"), icon=":material/key:")
        elif url is not None:
            host = fmt.markdown_safe(urlsplit(url).netloc.rpartition("@")[2])
            owner = t("probe.owner.anthropic")
            st.warning(t("probe.foreign", host=host, owner=owner), icon=":material/alt_route:")


def _key(configured: settings.Settings) -> str:
    """Say where the Admin key comes from; never the key."""
    if settings.admin_key() is not None:
        return t("reconcile.key.environment")
    if configured.reconcile.secret_name is not None:
        return t("probe.key.secret", name=configured.reconcile.secret_name)
    return t("reconcile.key.none")


def _regions(configured: settings.Settings) -> str:
    regions = configured.reconcile.regions
    if not regions:
        return t("reconcile.regions.none")
    dollars = t("reconcile.ce.on" if configured.reconcile.cost_explorer else "reconcile.ce.off")
    return f"{fmt.markdown_safe(', '.join(regions))} · {dollars}"


def _whose(configured: settings.Settings) -> str:
    only = (*configured.reconcile.workspace_ids, *configured.reconcile.api_key_ids)
    return ", ".join(only) if only else t("reconcile.whose.all")


def offer(ready: Sequence[Provider]) -> None:
    """Let an operator ask the provider now."""
    try:
        auth.require("operator")
    except CachewiseError as error:
        components.problem(error, t("probe.refused"))
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        days = st.segmented_control(
            t("reconcile.days"),
            _DAYS,
            default=30,
            format_func=lambda number: t("reconcile.last_days", n=number),
            required=True,
            key="reconcile_days",
        )
        pressed = st.button(t("reconcile.now"), icon=":material/balance:", type="primary", key="reconcile_run")
    cost = reconcile.spent_usd(data.configuration(), ready)
    if cost:
        st.caption(fmt.dollars_in_markdown(t("reconcile.costs", usd=fmt.money(cost))))
    if not pressed:
        return
    try:
        with st.spinner(t("reconcile.asking")):
            start = datetime.now(UTC).date() - timedelta(days=int(days) - 1)
            acts.run_reconciliation(ready, start)
    except CachewiseError as error:
        components.problem(error, t("reconcile.failed"))
        return
    st.rerun()
