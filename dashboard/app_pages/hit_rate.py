"""Hit rate: the Claude cache by tokens and by requests, then the prompt store; never mixed."""

import streamlit as st

from dashboard import answer, charts, components, data, drill
from dashboard.i18n import t
from dashboard.kpis import Kpi

CLAUDE = (
    Kpi("token_hit_rate", "ratio", spark="token_hit_rate"),
    Kpi("request_hit_rate", "ratio", spark="request_hit_rate"),
    Kpi("write_amortization", "times", spark="write_amortization"),
)
STORE = (
    Kpi("prompt_store_hit_rate", "ratio", spark="prompt_store_hit_rate", source="store"),
    Kpi("prompt_store_fetch_ms", "ms", over="prompt_store_misses"),
    Kpi("db_time_saved_ms", "ms", over="prompt_store_hits"),
)

view = components.open_page()
look = components.look(view)
scope = view.scope()
total = data.summary(scope)

st.header(t("hit_rate.claude"), anchor=False, divider="blue")
if not total["calls"]:
    components.unknown("unknown.no_calls")
elif not answer.caching_in_use(total):
    components.unknown("unknown.not_in_use")
else:
    components.kpi_strip(CLAUDE, key="claude")
    points = data.series(scope, bucket=view.bucket, zone=view.zone).to_pylist()
    with components.section("hit_rate.over_time", rows=points, metric="token_hit_rate"):
        rates, then = ["token_hit_rate", "request_hit_rate"], components.before(data.series, view)
        drawn = charts.ratio_lines(points, rates, look, markers=data.markers(scope), before=then)
        drill.chart(drawn, view, key="claude_over_time", status="ok")
    by_engine = data.breakdown(scope, "engine")
    with components.section("hit_rate.by_engine", rows=by_engine):
        drill.table(
            by_engine,
            [
                components.Column("engine", "text", "col.engine"),
                components.Column("cache_read_tokens", "tokens"),
                components.Column("prompt_tokens", "tokens"),
                components.Column("token_hit_rate", "ratio"),
                components.Column("claude_cache_read_calls", "count"),
                components.Column("cacheable_calls", "count"),
                components.Column("request_hit_rate", "ratio"),
                components.Column("write_amortization", "times"),
            ],
            view,
            by="engine",
            key="claude_by_engine",
            alt=t("hit_rate.by_engine.title"),
        )

st.header(t("hit_rate.store"), anchor=False, divider="violet")
if not (total["prompt_store_hits"] or total["prompt_store_misses"]):
    components.unknown("unknown.no_store_events")
else:
    components.kpi_strip(STORE, key="store")
    points = data.store_series(scope, bucket=view.bucket, zone=view.zone).to_pylist()
    with components.section("hit_rate.store_over_time", rows=points, metric="prompt_store_hit_rate"):
        marks = [mark for mark in data.markers(scope) if mark["kind"] != "deploy"]
        then = components.before(data.store_series, view)
        drawn = charts.ratio_lines(points, ["prompt_store_hit_rate"], look, markers=marks, before=then)
        components.chart(drawn, key="store_over_time")
    by_engine = [row for row in data.breakdown(scope, "engine") if row["prompt_store_hit_rate"] is not None]
    with components.section("hit_rate.store_by_engine", rows=by_engine):
        components.table(
            by_engine,
            [
                components.Column("engine", "text", "col.engine"),
                components.Column("prompt_store_hits", "count"),
                components.Column("prompt_store_misses", "count"),
                components.Column("prompt_store_hit_rate", "ratio"),
            ],
            key="store_by_engine",
            alt=t("hit_rate.store_by_engine.title"),
        )
