"""Savings: from no-cache cost to actual cost, the running net, every engine's gain or loss, what writes bring."""

import streamlit as st

from dashboard import answer, charts, components, data, drill, miss_words
from dashboard.i18n import language, t
from dashboard.kpis import Kpi

KPIS = (
    Kpi("net_savings_usd", "money", spark="net_savings_usd", over="no_cache_cost_usd"),
    Kpi("gross_savings_usd", "money", spark="gross_savings_usd", over="cache_read_tokens"),
    Kpi("write_premium_usd", "money", spark="write_premium_usd", over="cache_write_tokens"),
    Kpi("write_amortization", "times", spark="write_amortization"),
)

view = components.open_page()
look = components.look(view)
scope = view.scope()
total = data.summary(scope)

components.kpi_strip(KPIS, key="savings", columns=4)
if not answer.caching_in_use(total):
    components.unknown("unknown.not_in_use")
if total["net_savings_usd"] is None:
    components.unknown("unknown.no_price")
    st.stop()

left, right = st.columns(2)
with left, components.section("savings.waterfall", rows=[total], metric="net_savings_usd"):
    components.chart(charts.waterfall(total, look), key="savings_waterfall")
points = data.series(scope, bucket=view.bucket, zone=view.zone).to_pylist()
with right, components.section("savings.cumulative", rows=points, metric="net_savings_usd"):
    marks, then = data.markers(scope), components.before(data.series, view)
    drawn = charts.cumulative(points, "net_savings_usd", look, markers=marks, before=then, height=320)
    drill.chart(drawn, view, key="savings_cumulative", priced="yes")

engines = data.breakdown(scope, "engine")
losing = sorted((row for row in engines if (row["net_savings_usd"] or 0) < 0), key=lambda row: row["net_savings_usd"])
with components.section("savings.by_engine", rows=engines, metric="net_savings_usd"):
    if losing:
        names = ", ".join(miss_words.engine(row["engine"], language()) for row in losing)
        st.warning(t("savings.losing", engines=names), icon=":material/trending_down:")
    drawn = charts.signed_bars(engines, "engine", "net_savings_usd", look)
    drill.chart(drawn, view, by="engine", key="savings_by_engine", priced="yes")

with components.section("savings.amortization", rows=engines, metric="write_amortization"):
    drill.table(
        engines,
        [
            components.Column("engine", "text", "col.engine"),
            components.Column("cache_read_tokens", "tokens"),
            components.Column("cache_write_tokens", "tokens"),
            components.Column("write_amortization", "times"),
            components.Column("gross_savings_usd", "money"),
            components.Column("write_premium_usd", "money"),
            components.Column("net_savings_usd", "money"),
            components.Column("no_cache_cost_usd", "money"),
        ],
        view,
        by="engine",
        priced="yes",
        key="savings_table",
        alt=t("savings.amortization.title"),
    )
