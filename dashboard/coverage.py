"""How much of what is shown has a known price, and which models have none: the same on every page that says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.metrics.scope import Scope
from dashboard import components, price_checks, price_words
from dashboard import format as fmt
from dashboard.components import Column
from dashboard.i18n import language, t

_COLUMNS = (
    Column("model", "text", "col.model"),
    Column("provider", "text", "col.provider"),
    Column("reason", "text", "col.reason"),
    Column("calls", "count"),
)


def section(total: Mapping[str, Any], scope: Scope) -> None:
    """List the models without a price, and why; or say that there are none. `scope` is what the total is of."""
    lang = language()
    unpriced = [{**row, "reason": price_words.reason(row["reason"], lang)} for row in total["unpriced_models"]]
    with components.section("cost.coverage", rows=unpriced, metric="price_coverage"):
        price_checks.warn(scope, "cost.checked.other")
        if unpriced:
            components.table(unpriced, _COLUMNS, key="unpriced", alt=t("cost.coverage.title"))
        elif not total["calls"]:
            components.unknown("cost.coverage.nothing")
        else:
            st.success(t("cost.coverage.full"), icon=":material/check_circle:")
        if total["calls_by_defaults"]:
            names = {"n": "calls", "model": "model_by_defaults", "ttl": "ttl_by_defaults"}
            words = {word: fmt.count(total[name]) for word, name in names.items()}
            usd = total["cost_by_defaults_usd"]
            cost = t("cost.coverage.from_defaults.cost", usd=fmt.money(usd)) if usd is not None else ""
            st.caption(fmt.dollars_in_markdown(f"{t('cost.coverage.from_defaults', **words)} {cost}".strip()))
