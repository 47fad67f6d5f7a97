"""Reconciliation: own figures against the provider's bill, from the last run; running it is an operator's action."""

import streamlit as st

from core.reconcile import PROVIDERS
from dashboard import billing, billing_results, components, data
from dashboard.i18n import language, t, translate

ready, lang = data.reconcilable(), language()

billing.needed(ready)
if ready:
    with components.section("reconcile.run"):
        billing.offer(ready)
kept = {provider: data.latest_reconciliation(provider) for provider in PROVIDERS}
found = {provider: last for provider, last in kept.items() if last is not None}
if not found:
    components.unknown("reconcile.never")
else:
    shown = next(iter(found))
    if len(found) > 1:
        shown = st.segmented_control(
            t("reconcile.col.provider"),
            list(found),
            default=shown,
            format_func=lambda name: translate(lang, f"probe.owner.{name}"),
            required=True,
            key="reconcile_provider",
        )
    billing_results.show(shown, *found[shown])
billing_results.past(data.reconciliations())
