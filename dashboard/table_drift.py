"""The part of the Caches page that compares what warm environments hold with what the prompt table holds now."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core import fleet
from core.errors import CachewiseError
from dashboard import acts, auth, components, data, environments, filters
from dashboard import format as fmt
from dashboard.components import Column
from dashboard.i18n import language, t

_READ = "caches_table_read"


def show(name: str) -> None:
    """Offer the comparison where the source's prompt table is configured; the table is read at a click only."""
    configured = data.configuration()
    source = next((item for item in configured.sources if item.name == name), None)
    if configured.demo or source is None or source.clear is None or source.clear.prompt_table is None:
        return
    present = st.session_state.get(_READ)
    compared = None
    if isinstance(present, fleet.Present) and present.source == name:
        compared = data.compared_prompts(source, present)
    rows = [item.to_json() for item in compared.environments] if compared else None
    with components.section("caches.table", rows=rows):
        able = _able()
        asked = st.button(t("caches.table.ask"), key="caches_table_ask", icon=":material/compare:", disabled=not able)
        if not able:
            st.caption(t("caches.table.operator"))
        if asked:
            try:
                with st.spinner(t("caches.table.ask")):
                    st.session_state[_READ] = acts.read_prompt_table(source)
            except CachewiseError as error:
                st.session_state.pop(_READ, None)
                components.problem(error, t("caches.table.failed"))
                return
            st.rerun()  # what stands here is drawn with its rows
        if compared is not None:
            _told(compared)


def _able() -> bool:
    try:
        auth.require("operator")
    except CachewiseError:
        return False
    return True


def _told(compared: fleet.Comparison) -> None:
    found = compared.environments
    st.caption(t("caches.table.read", at=fmt.clock(compared.read_at, filters.zone())))
    if not found:
        st.info(t("caches.table.nothing"), icon=":material/help:")
        return
    _verdict(compared)
    components.table(
        [_row(item) for item in found],
        [
            Column("environment", "word", "caches.col.environment"),
            Column("engine", "text", "col.engine"),
            Column("version", "word", "caches.col.version"),
            Column("holds", "word", "caches.col.holds"),
            Column("table", "word", "caches.table.col.table"),
            Column("item", "text", "caches.table.col.item"),
            Column("compared", "word", "caches.table.col.state"),
            Column("known_by", "word", "caches.table.col.known_by"),
            Column("last_seen", "moment", "caches.col.last_seen"),
        ],
        key="caches_table",
        alt=t("caches.table.title"),
    )
    apart = {item.engine for item in found if item.state in ("behind", "not_comparable")}
    environments.offer_clear(sorted(apart), key="caches_table_choose")


def _verdict(compared: fleet.Comparison) -> None:
    found = len(compared.environments)

    def told(state: str, n: int) -> str:
        return t(f"caches.table.{state}", n=fmt.count(n), of=fmt.count(found))

    behind, unlike = compared.of("behind"), compared.of("not_comparable")
    if behind:
        st.warning(told("behind", len(behind)), icon=":material/warning:")
    if unlike:
        st.warning(told("not_comparable", len(unlike)), icon=":material/help:")
    if missing := sorted({item.engine for item in compared.of("no_item")}):
        names = ", ".join(fmt.markdown_safe(fmt.plain(name, language())) for name in missing)
        st.error(t("caches.table.no_item", engines=names), icon=":material/error:")
    if unknown := compared.of("unknown"):
        st.info(told("unknown", len(unknown)), icon=":material/help:")
    if (current := compared.of("current")) and not behind and not unlike:
        text = t("caches.table.current", of=fmt.count(len(current)))
        st.success(text, icon=":material/check_circle:")


def _row(item: fleet.Compared) -> dict[str, Any]:
    return {
        "environment": fmt.short_stream(item.log_stream),
        "engine": item.engine,
        "version": item.function_version,
        "holds": item.holds and item.holds[:8],
        "table": item.table_holds and item.table_holds[:8],
        "item": item.table_version,
        "compared": t(f"caches.table.is.{item.state}"),
        "known_by": item.known_by and t(f"caches.table.known_by.{item.known_by}"),
        "last_seen": item.last_seen,
    }
