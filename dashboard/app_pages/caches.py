"""Caches: the dashboard's own data, the service's prompt store, and the Claude cache that nobody can clear."""

import streamlit as st

from dashboard import audit, claude_cache, clearing, components, data, environments, table_drift
from dashboard import format as fmt
from dashboard.i18n import language, t

st.header(t("caches.own"), anchor=False, divider="gray")
with components.section("caches.dashboard"):
    components.clear_button("caches_clear_own", width="content")

st.header(t("caches.store"), anchor=False, divider="violet")
st.caption(t("caches.store.body"))
names = data.sources()
source, lang = names[0] if names else None, language()
if len(names) > 1:
    source = st.selectbox(
        t("caches.source"), names, format_func=lambda name: fmt.plain(name, lang), key="caches_source", width=320
    )
if source is None:
    components.unknown("caches.no_source")
    clearing.explain_settings("bodo")
else:
    clearing.holdings(source)
    environments.behind(source, clearable=clearing.clearable(source))
    table_drift.show(source)
    with components.section("caches.clear"):
        clearing.clear(source)
    clearing.proof(source)

audit.show()

st.header(t("caches.claude"), anchor=False, divider="blue")
st.info(t("caches.claude.body"), title=t("caches.claude.title"), icon=":material/lock_clock:")
if source is not None:
    claude_cache.expiry(source)
    claude_cache.leaving(source)
