"""Latency: response time of invocations, cold against warm, first token with and without a cache read, DB time."""

import streamlit as st

from dashboard import charts, components, data, drill, environments
from dashboard.i18n import t
from dashboard.kpis import Kpi

RESPONSE = tuple(
    Kpi("response_time_ms", "ms", part=part, spark=part, over="response_times", source="times")
    for part in ("p50", "p95", "p99")
)
STORE = (
    Kpi("prompt_store_fetch_ms", "ms", over="prompt_store_misses"),
    Kpi("db_time_saved_ms", "ms", over="prompt_store_hits"),
)
PAIRS = {
    "cold": (("group.cold", "cold_response_time_ms"), ("group.warm", "warm_response_time_ms")),
    "ttft": (("group.cached", "ttft_read_ms"), ("group.uncached", "ttft_unread_ms")),
}

view = components.open_page()
look = components.look(view)
scope = view.scope()
total = data.summary(scope)
spread = data.latency(scope)[0]

if not total["response_times"]:
    components.unknown("unknown.no_invocations")
else:
    components.kpi_strip(RESPONSE, key="response")
    points = data.latency_series(scope, bucket=view.bucket, zone=view.zone).to_pylist()
    with components.section("latency.over_time", rows=points, metric="response_time_ms"):
        then = components.before(data.latency_series, view)
        drawn = charts.percentiles(points, look, markers=data.markers(scope), before=then)
        drill.chart(drawn, view, key="latency_over_time", order="slowest")

for column, (name, pair) in zip(st.columns(2), PAIRS.items(), strict=True):
    groups = [{"group": t(label), **spread[metric]} for label, metric in pair]
    with column, components.section(f"latency.{name}", rows=groups):
        if not any(group["count"] for group in groups):
            components.unknown(f"unknown.no_{name}")
        else:
            components.chart(charts.ranges([(group["group"], group) for group in groups], look), key=f"latency_{name}")
            components.table(
                groups,
                [
                    components.Column("group", "text", "col.group"),
                    components.Column("count", "count", "col.count"),
                    *(components.Column(part, "ms", f"col.{part}") for part in ("p50", "p95", "p99")),
                ],
                key=f"latency_{name}_table",
                alt=t(f"latency.{name}.title"),
            )
            if name == "ttft":  # of an invocation, not of a call, is the other
                with st.container(horizontal=True, gap="small"):
                    drill.link(t("latency.calls.read"), status="ok", read="yes", order="slowest")
                    drill.link(t("latency.calls.unread"), status="ok", read="no", order="slowest")

with components.section("latency.store", metric="db_time_saved_ms"):
    if not total["prompt_store_lookups"]:
        components.unknown("unknown.no_store_events")
    else:
        components.kpi_strip(STORE, key="latency_store", columns=2)

engines = [
    {"engine": row["engine"], "cold_starts": row["cold_starts"], **row["response_time_ms"]}
    for row in data.latency(scope, by="engine")
    if row["response_time_ms"]["count"]
]
engines.sort(key=lambda row: -row["p95"])
with components.section("latency.by_engine", rows=engines, metric="response_time_ms"):
    if not engines:
        components.unknown("unknown.no_invocations")
    else:
        drill.table(
            engines,
            [
                components.Column("engine", "text", "col.engine"),
                components.Column("count", "count", "col.count"),
                components.Column("cold_starts", "count"),
                *(components.Column(part, "ms", f"col.{part}") for part in ("p50", "p95", "p99")),
            ],
            view,
            by="engine",
            order="slowest",
            key="latency_by_engine",
            alt=t("latency.by_engine.title"),
        )

environments.memory(scope)
