"""Environments that are not like their sisters: an older prompt, memory that fills, and what cold starts cost."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from core import drift
from core.metrics.scope import Scope
from dashboard import components, data
from dashboard import format as fmt
from dashboard.components import Column
from dashboard.i18n import language, t

_MOST_CHOICES = 3


def behind(source: str, *, clearable: Collection[str]) -> None:
    """List the environments that serve an engine's older prompt; `clearable` engines can be chosen for a clear."""
    found, now = data.drifted_prompts(source), datetime.now(UTC)
    with components.section("caches.drift", rows=[item.to_json() for item in found]):
        if not found and not any(item.active for item in data.environments(source)):
            components.unknown("caches.drift.nothing")
            return
        if not found:
            st.success(t("caches.drift.none"), icon=":material/check_circle:")
            return
        components.table(
            [_behind(item, now) for item in found],
            [
                Column("environment", "word", "caches.col.environment"),
                Column("engine", "text", "col.engine"),
                Column("version", "word", "caches.col.version"),
                Column("holds", "word", "caches.col.holds"),
                Column("newest", "word", "caches.col.newest"),
                Column("behind", "clock", "caches.col.behind"),
                Column("calls_behind", "count", "caches.col.calls_behind"),
                Column("last_seen", "moment", "caches.col.last_seen"),
            ],
            key="caches_drift",
            alt=t("caches.drift.title"),
        )
        stuck = [item for item in found if item.same_version]
        if len(stuck) < len(found):
            st.caption(t("caches.drift.draining", n=fmt.count(len(found) - len(stuck))))
        offer_clear(sorted({item.engine for item in stuck} & set(clearable)), key="caches_drift")


def offer_clear(engines: Sequence[str], *, key: str) -> None:
    """Offer the first of these engines to be chosen in the clear."""
    with st.container(horizontal=True):
        for place, engine in enumerate(engines[:_MOST_CHOICES]):
            label = t("caches.drift.choose", engine=fmt.markdown_safe(fmt.plain(engine, language())))
            st.button(
                label, key=f"{key}_{place}", icon=":material/cleaning_services:", on_click=_choose, args=(engine,)
            )


def _choose(engine: str) -> None:
    """Choose the engine in the clear below; nothing is cleared before its preview and confirmation."""
    st.session_state["caches_engine"] = engine


def _behind(item: drift.Drifted, now: datetime) -> dict[str, Any]:
    return {
        "environment": fmt.short_stream(item.log_stream),
        "engine": item.engine,
        "version": item.function_version,
        "holds": _prompt(item.holds),
        "newest": _prompt(item.newest),
        "behind": timedelta(seconds=round(max(0.0, item.behind_for(now).total_seconds()))),
        "calls_behind": item.calls_behind,
        "last_seen": item.last_seen,
    }


def _prompt(name: str) -> str:
    """Name a prompt by its size, or by the beginning of its fingerprint."""
    tokens = name.removesuffix(" tokens")
    return t("caches.drift.size", n=fmt.count(int(tokens))) if tokens.isdecimal() and tokens != name else name[:8]


def memory(scope: Scope) -> None:
    """Show how full environments are, by version, and what their cold starts cost the average request."""
    uses, starts = data.memory_use(scope), data.cold_starts(scope)
    with components.section("latency.memory", rows=[use.to_json() for use in uses]):
        if not uses:
            components.unknown("unknown.no_memory")
        else:
            components.table(
                [_with_store(use) for use in uses],
                [
                    Column("function_name", "text", "latency.col.function"),
                    Column("function_version", "word", "caches.col.version"),
                    Column("environments", "count", "latency.col.environments"),
                    Column("memory_mb", "megabytes", "latency.col.memory"),
                    Column("used_p50_mb", "megabytes", "latency.col.used_p50"),
                    Column("used_max_mb", "megabytes", "latency.col.used_max"),
                    Column("headroom_mb", "megabytes", "latency.col.headroom"),
                    Column("growth_mb_per_hour", "megabytes", "latency.col.growth"),
                    Column("store_max_kb", "kilobytes", "latency.col.store"),
                ],
                key="latency_memory",
                alt=t("latency.memory.title"),
            )
            for use in (use for use in uses if use.near_limit):
                st.warning(_near(use), icon=":material/memory:")
        for whole in starts:
            st.caption(_cold(whole))


def _with_store(use: drift.MemoryUse) -> dict[str, Any]:
    """Add the largest prompt store in whole kB, at least one; unknown stays unknown."""
    held = use.store_max_bytes
    return use.to_json() | {"store_max_kb": None if held is None else max(1, round(held / 1000))}


def _near(use: drift.MemoryUse) -> str:
    name = " ".join(filter(None, (use.function_name, use.function_version)))
    return t(
        "latency.memory.near", name=fmt.markdown_safe(fmt.plain(name, language())), used=fmt.count(use.used_max_mb),
        of=fmt.count(use.memory_mb),
    )  # fmt: skip


def _cold(whole: drift.ColdStarts) -> str:
    lang = language()
    told = {"share": fmt.percent(whole.share), "cold": fmt.count(whole.cold), "of": fmt.count(whole.invocations)}
    if not whole.cold or whole.init_p50_ms is None:
        return t("latency.memory.cold.none", **told)
    penalty = whole.penalty_ms
    durations = {"init": whole.init_p50_ms, "added": whole.added_ms_per_request, "penalty": penalty and abs(penalty)}
    key = "latency.memory.cold.less" if penalty is not None and penalty < 0 else "latency.memory.cold"
    return t(key, **told, **{name: fmt.duration_ms(ms, lang) for name, ms in durations.items()})
