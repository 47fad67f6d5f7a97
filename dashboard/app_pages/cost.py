"""Cost: per request and per invocation, by engine, model or provider, by kind of token, and how much of it is known."""

from functools import partial

import streamlit as st

from dashboard import address, charts, components, coverage, data, drill
from dashboard.i18n import language, t, translate
from dashboard.kpis import Kpi

KPIS = (
    Kpi("cost_usd", "money", spark="cost_usd", over="priced_calls"),
    Kpi("cost_per_request_usd", "money", spark="cost_per_request_usd"),
    Kpi("cost_per_invocation_usd", "money"),
    Kpi("price_coverage", "ratio", spark="price_coverage"),
)
GROUPS = ("engine", "model", "provider", "function_version", *(("tenant",) if data.options()["tenants"] else ()))

view = components.open_page()
look = components.look(view)
scope = view.scope()
total = data.summary(scope)

components.kpi_strip(KPIS, key="cost", columns=4)

lang = language()
by = address.choose("cost_by", GROUPS, t("cost.by"), lambda name: translate(lang, f"col.{name}"))
stacked = data.series(scope, bucket=view.bucket, zone=view.zone, by=by).to_pylist()
every_point = partial(data.every_point, scope, bucket=view.bucket, zone=view.zone, by=by)
with components.section(
    "cost.over_time", rows=stacked, every=every_point, metric="cost_usd", by=t(f"col.{by}").lower()
):
    if total["cost_usd"] is None:
        components.unknown("unknown.no_price")
    else:
        marks, then = data.markers(scope), components.before(data.series, view)
        drawn = charts.stacked_cost(stacked, by, look, markers=marks, before=then)
        drill.chart(drawn, view, by=by, key="cost_over_time", priced="yes")

left, right = st.columns(2)
points = data.series(scope, bucket=view.bucket, zone=view.zone).to_pylist()
with left, components.section("cost.token_mix", rows=points, metric="prompt_tokens"):
    components.chart(charts.token_mix(points, look), key="token_mix")
with right, components.section("cost.parts", rows=[total]):
    if total["cost_usd"] is None:
        components.unknown("unknown.no_price")
    else:
        components.chart(charts.cost_parts(total, look, height=300), key="cost_parts")

groups = data.breakdown(scope, by)
with components.section("cost.table", rows=groups, every=lambda: data.every_row(scope, by), by=t(f"col.{by}").lower()):
    drill.table(
        groups,
        [
            components.Column(by, "text", f"col.{by}"),
            components.Column("calls", "count"),
            components.Column("cost_usd", "money"),
            components.Column("cost_per_request_usd", "money"),
            components.Column("no_cache_cost_usd", "money"),
            components.Column("input_tokens", "tokens"),
            components.Column("cache_read_tokens", "tokens"),
            components.Column("cache_write_5m_tokens", "tokens"),
            components.Column("cache_write_1h_tokens", "tokens"),
            components.Column("output_tokens", "tokens"),
        ],
        view,
        by=by,
        key="cost_table",
        alt=t("cost.table.title", by=t(f"col.{by}").lower()),
    )

coverage.section(total, scope)
