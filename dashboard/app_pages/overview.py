"""Overview: what caching saved and what more is to be had, in one sentence; six key figures; why; what to do."""

import streamlit as st

from dashboard import answer, charts, components, data, drill, first_screen
from dashboard.i18n import t
from dashboard.kpis import Kpi

KPIS = (
    Kpi("net_savings_usd", "money", spark="net_savings_usd", over="no_cache_cost_usd"),
    Kpi("cost_usd", "money", spark="cost_usd", over="priced_calls"),
    Kpi("token_hit_rate", "ratio", spark="token_hit_rate"),
    Kpi("price_coverage", "ratio", spark="price_coverage"),
    Kpi("response_time_ms", "ms", part="p95", spark="p95", over="response_times", source="times"),
)
view = components.open_page()
look = components.look(view)
total = data.summary(view.scope())

first_screen.answer_and_figures(KPIS)
first_screen.what_to_do(view)

left, right = st.columns(2)
with left, components.section("overview.waterfall", rows=[total], metric="net_savings_usd"):
    if total["net_savings_usd"] is None:
        components.unknown("unknown.no_price")
    else:
        components.chart(charts.waterfall(total, look, height=440), key="overview_waterfall")

with right:
    first_screen.why(view)

points = data.series(view.scope(), bucket=view.bucket, zone=view.zone).to_pylist()
with components.section("overview.read_share", rows=points, metric="token_hit_rate"):
    if not answer.caching_in_use(total):
        components.unknown("unknown.not_in_use")
    else:
        marks = data.markers(view.scope())
        then = components.before(data.series, view)
        drawn = charts.ratio_lines(points, ["token_hit_rate"], look, markers=marks, before=then, height=280)
        drill.chart(drawn, view, key="overview_read_share", status="ok")

engines = data.breakdown(view.scope(), "engine")
with components.section("overview.engines", rows=engines):
    drill.table(
        engines,
        [
            components.Column("engine", "text", "col.engine"),
            components.Column("calls", "count"),
            components.Column("cost_usd", "money"),
            components.Column("net_savings_usd", "money"),
            components.Column("cache_read_tokens", "tokens"),
            components.Column("prompt_tokens", "tokens"),
            components.Column("token_hit_rate", "ratio"),
            components.Column("request_hit_rate", "ratio"),
        ],
        view,
        by="engine",
        key="overview_engines",
        alt=t("overview.engines.title"),
    )
