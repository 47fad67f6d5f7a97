"""How much of what is shown has a known price, and which models have none: the same on every page that says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.metrics.scope import Scope
from dashboard import components, data, price_checks, price_words
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
        _from_defaults(scope)


def _from_defaults(scope: Scope) -> None:
    """Say how many calls have their model or TTL from their source's defaults, as their lines do not tell it."""
    told = data.tellings(scope)
    n, model, ttl = (sum(row[name] for row in told) for name in ("calls", "model_by_defaults", "ttl_by_defaults"))
    if model or ttl:
        words = {"n": fmt.count(n), "model": fmt.count(model), "ttl": fmt.count(ttl)}
        st.caption(t("cost.coverage.from_defaults", **words))
