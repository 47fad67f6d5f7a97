"""The parts of the Caches page: what the prompt store holds, its clear with preview and proof."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from core import fleet
from core.errors import CachewiseError
from core.settings import ClearSettings, SourceSettings
from dashboard import acts, auth, components, data, filters
from dashboard import format as fmt
from dashboard.components import Column
from dashboard.i18n import language, t, translate

_PREVIEW, _PREVIEW_OF = "caches_preview", "caches_preview_of"
_ALL = ""
_FOLLOWED = timedelta(hours=1)
_MADE_UP = ClearSettings(prompt_table="demo")
_SNIPPET = """[[sources]]
name = "{name}"
# …

[sources.clear]
prompt_table = "bodo-prompts"   # {table}
# role_arn = "arn:aws:iam::123456789012:role/cachewise-clear"
"""
_PROOF_BOX = {"stale": (st.error, ":material/error:"), "complete": (st.success, ":material/check_circle:")}


# what is held


def holdings(source: str) -> None:
    """Show what each environment holds, as its log lines tell; the warm ones unless all are asked for."""
    found, now = data.environments(source), datetime.now(UTC)
    if not found:
        components.unknown("caches.store.nothing")
        return
    _totals(found, now)
    idle = st.toggle(t("caches.idle"), key="caches_idle")
    rows = fleet.holding_rows([item for item in found if item.active or idle], now=now)
    with components.section("caches.holdings", rows=rows):
        components.table(
            [_holding(row) for row in rows],
            [
                Column("environment", "word", "caches.col.environment"),
                Column("function_version", "word", "caches.col.version"),
                Column("seen", "word", "caches.col.seen"),
                Column("engine", "text", "col.engine"),
                Column("kept", "word", "caches.col.held"),
                Column("age", "clock", "caches.col.age"),
                Column("hits", "count", "caches.col.hits"),
                Column("misses", "count", "caches.col.misses"),
                Column("last_seen", "moment", "caches.col.last_seen"),
                Column("last_clear", "moment", "caches.col.last_clear"),
            ],
            key="caches_holdings",
            alt=t("caches.holdings.title"),
        )


def _totals(found: Sequence[fleet.Environment], now: datetime) -> None:
    warm = [item for item in found if item.active]
    held = [item for environment in warm for item in environment.holds(None)]
    every = [item for environment in found for item in environment.holdings]
    hits, misses = sum(item.hits for item in every), sum(item.misses for item in every)
    clears = [item.last_clear for item in every if item.last_clear]
    last = max(clears, default=None)
    with st.grid(4, gap="small", key="caches_totals"):
        components.fact(t("caches.warm"), fmt.count(len(warm)), t("caches.warm.of", n=fmt.count(len(found))))
        engines = ", ".join(fmt.plain(name, language()) for name in sorted({item.engine for item in held}))
        components.fact(t("caches.held"), fmt.count(len(held)), fmt.markdown_safe(engines))
        rate = fmt.percent(hits / (hits + misses) if hits + misses else None)
        components.fact(t("caches.rate"), rate, t("caches.rate.of", hits=fmt.count(hits), misses=fmt.count(misses)))
        ago = fmt.relative(last, now, language()) if last else t("caches.never")
        components.fact(t("caches.last_clear"), ago, fmt.moment(last, filters.zone()) if last else "")


def _holding(row: dict[str, Any]) -> dict[str, Any]:
    age = row["age_s"]
    return {
        **row,
        "environment": fmt.short_stream(row["log_stream"]),
        "seen": t("caches.seen.warm" if row["active"] else "caches.seen.idle"),
        "kept": t("caches.held.yes" if row["held"] else "caches.held.no"),
        "age": None if age is None else timedelta(seconds=round(age)),
    }


# clearing


def clearable(source: str) -> list[str]:
    """Return the engines that can be chosen for a clear; none where the source cannot be cleared from here."""
    configured = data.configuration()
    known = next((item for item in configured.sources if item.name == source), None)
    if configured.demo or known is None or known.clear is None:
        return []
    return _engines(source)


def _engines(source: str) -> list[str]:
    return sorted({item.engine for found in data.environments(source) for item in found.holdings})


def clear(name: str) -> None:
    """Offer to clear the prompt store of a source: preview, typed confirmation, proof; or say why that cannot be."""
    configured = data.configuration()
    source = next((item for item in configured.sources if item.name == name), None)
    if configured.demo:
        st.info(t("caches.demo.body"), title=t("caches.demo.title"), icon=":material/science:")
        _foretold(data.foretell(SourceSettings(name, "files", clear=_MADE_UP), None))
    elif source is None or source.clear is None:
        explain_settings(name)
    else:
        _offer(source)


def explain_settings(name: str) -> None:
    """Say what to put into cachewise.toml so that this source's prompt store can be cleared."""
    st.info(t("caches.unset.body"), title=t("caches.unset.title"), icon=":material/settings:")
    st.code(_SNIPPET.format(name=name, table=t("caches.unset.table")), language="toml")


def _offer(source: SourceSettings) -> None:
    try:
        auth.require("operator")
    except CachewiseError as error:
        components.problem(error, t("caches.refused"))
        return
    lang = language()
    engines = _engines(source.name)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        engine = st.selectbox(
            t("caches.which"),
            [_ALL, *engines],
            format_func=lambda item: fmt.plain(item, lang) if item else translate(lang, "caches.all_engines"),
            key="caches_engine",
            width=320,
        )
        looked = st.button(t("caches.preview"), icon=":material/preview:", help=t("caches.preview.help"), key="preview")
    if looked:
        _look(source, engine or None)
    if st.session_state.get(_PREVIEW_OF) == (source.name, engine or None):
        foreseen = st.session_state[_PREVIEW]
        _foretold(foreseen)
        st.caption(t("caches.dry_run"))
        _confirm(source, foreseen)


def _look(source: SourceSettings, engine: str | None) -> None:
    """Keep the preview for the confirmation: what is shown is what is done."""
    st.session_state.pop(_PREVIEW_OF, None)
    try:
        st.session_state[_PREVIEW] = acts.foresee(source, engine)
        st.session_state[_PREVIEW_OF] = (source.name, engine)
    except CachewiseError as error:
        components.problem(error, t("caches.refused"))


def _foretold(foreseen: fleet.Preview) -> None:
    lang = language()
    within = fmt.UNKNOWN if foreseen.within_s is None else t("unit.seconds", n=f"{foreseen.within_s:g}")
    engines = ", ".join(fmt.plain(name, lang) for name in foreseen.engines)
    with st.grid(4, gap="small", key="caches_foretold"):
        misses = t("caches.foretold.misses.of", n=fmt.count(foreseen.active))
        if engines:
            misses = f"{misses}: {fmt.markdown_safe(engines)}"
        components.fact(t("caches.foretold.misses"), fmt.count(foreseen.expected_misses), misses)
        reads = t("caches.foretold.reads.of", n=fmt.count(foreseen.cold_starts))
        components.fact(t("caches.foretold.reads"), fmt.count(foreseen.dynamodb_reads), reads)
        way = t(f"caches.method.{foreseen.method}", within=within)
        components.fact(t("caches.foretold.slower"), fmt.duration_ms(foreseen.extra_ms, lang), way)
        unpriced = t("caches.foretold.rewrite.unpriced", n=foreseen.rewrite_unpriced)
        note = unpriced if foreseen.rewrite_unpriced else t("caches.foretold.rewrite.of")
        components.fact(t("caches.foretold.rewrite"), fmt.money(foreseen.rewrite_usd), fmt.dollars_in_markdown(note))
    for note in foreseen.warnings:
        st.warning(_note(note), icon=":material/warning:")
    for note in foreseen.blocked:
        st.error(_note(note), title=t("caches.blocked"), icon=":material/block:")


def _note(note: fleet.Note) -> str:
    """Say a note of the preview in the viewer's language; what it quotes came out of a log."""
    return t(f"caches.note.{note.name}", **{key: fmt.markdown_safe(value) for key, value in note.about.items()})


def _confirm(source: SourceSettings, foreseen: fleet.Preview) -> None:
    """Ask for the source's name and clear; the server checks role and name again, whatever the browser sent."""
    if foreseen.blocked:
        return
    with st.form("caches_confirm", border=False):
        typed = st.text_input(
            t("caches.type", name=f"`{source.name}`"), key="caches_typed", autocomplete="off", width=320
        )
        sent = st.form_submit_button(t("caches.clear"), icon=":material/delete_sweep:", type="primary", key="caches_go")
    if not sent:
        return
    try:
        with st.spinner(t("caches.clearing")):
            acts.clear_prompt_store(source, foreseen, typed)
    except CachewiseError as error:
        components.problem(error, t("caches.failed"))
        return
    del st.session_state[_PREVIEW], st.session_state[_PREVIEW_OF]
    st.toast(t("caches.cleared"), icon=":material/check:")
    st.rerun()  # what stands above was drawn before


# what came of it


def proof(source: str) -> None:
    """Follow the last clear in the logs; refreshes by itself until every environment has answered."""
    clears = data.past_clears(source)
    if not clears:
        return
    now = datetime.now(UTC)
    waits = now - clears[0].at < _FOLLOWED and not data.follow(clears[0]).complete
    with components.section("caches.proof"):
        st.fragment(_follow, run_every="3s" if waits else None)(clears[0], waits)


def _follow(clear: fleet.Clear, waits: bool) -> None:
    progress = data.follow(clear)
    if waits and progress.complete:
        st.rerun(scope="app")
    text, tone = _told(progress)
    box, icon = _PROOF_BOX.get(tone, (st.info, ":material/hourglass_top:"))
    box(text, icon=icon)
    if progress.expected:
        st.progress(progress.seen / progress.expected)
        components.table(
            [_answer(item) for item in progress.answers],
            [
                Column("environment", "word", "caches.col.environment"),
                Column("function_version", "word", "caches.col.version"),
                Column("proof", "word", "caches.col.proof"),
                Column("first_miss", "moment", "caches.col.first_miss"),
                Column("last_old_hit", "moment", "caches.col.last_old_hit"),
            ],
            key="caches_answers",
            alt=t("caches.proof.title"),
        )
    reached = fmt.relative(progress.complete_until, datetime.now(UTC), language())
    st.caption(t("caches.proof.logs", ago=reached) if progress.complete_until else t("caches.proof.no_logs"))


def _told(progress: fleet.Progress) -> tuple[str, str]:
    """Return the sentence of a clear and its tone."""
    since = fmt.clock(progress.clear.effective_at, filters.zone())
    what = "caches.proof.variable" if progress.clear.method == "variable" else "caches.proof.epoch"
    if not progress.expected and progress.clear.method == "epoch":
        return t("caches.proof.nobody", since=since), "waiting"
    text = t(what, since=since, seen=progress.seen, expected=progress.expected, fresh=progress.new_environments)
    if progress.stale:
        return f"{text} {t('caches.proof.stale', n=progress.stale)}", "stale"
    return text, "complete" if progress.complete else "waiting"


def _answer(answer: fleet.Answer) -> dict[str, Any]:
    return {
        "environment": fmt.short_stream(answer.log_stream),
        "function_version": answer.function_version,
        "proof": t(f"caches.proof.is.{answer.proof}"),
        "first_miss": answer.first_miss,
        "last_old_hit": answer.last_old_hit,
    }
