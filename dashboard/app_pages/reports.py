"""Reports: what finance and platform teams take away, in their formats, with the same totals as on the pages."""

import streamlit as st

from core.errors import CachewiseError
from dashboard import charts, components, data, report_desk, report_schedule
from dashboard import format as fmt
from dashboard.i18n import t
from dashboard.kpis import Kpi

PREVIEWED = 20
KPIS = (
    Kpi("cost_usd", "money", spark="cost_usd", over="priced_calls"),
    Kpi("no_cache_cost_usd", "money", spark="no_cache_cost_usd", over="priced_calls"),
    Kpi("net_savings_usd", "money", spark="net_savings_usd", over="no_cache_cost_usd"),
    Kpi("price_coverage", "ratio", spark="price_coverage"),
)

view = components.open_page()
look, scope = components.look(view), view.scope()
total = data.summary(scope)

components.kpi_strip(KPIS, key="reports", columns=4)

with components.section("reports.make"):
    form, request = report_desk.choose(view, demo=data.configuration().demo)
    chargeback = form in report_desk.TABLES and request.allocate is not None
    rows = data.report_rows(request, chargeback=chargeback)
    n = report_desk.counted(rows, request.by)
    try:
        report_desk.hand_out(data.report_desk(), form, request, calls=total["calls"] or 0, rows=n)
    except CachewiseError as error:
        components.problem(error, t("reports.failed"))
    if form.startswith("focus") and total["unpriced_calls"]:
        st.caption(t("reports.left_out", n=fmt.count(total["unpriced_calls"])))
    st.caption(t("reports.command"))
    st.code(report_desk.command_line(form, request), language="bash", wrap_lines=True)

with components.section("reports.preview", rows=rows, shown=min(PREVIEWED, len(rows)), n=fmt.count(n)):
    components.table(
        rows[:PREVIEWED],
        report_desk.columns(request.by, chargeback=chargeback),
        key="report_rows",
        alt=t("reports.preview.title"),
    )

left, right = st.columns(2)
with left, components.section("reports.totals"):
    components.table(
        report_desk.totals(total),
        [
            components.Column("metric", "text", "reports.col.metric"),
            components.Column("value", "digits", "reports.col.value"),
        ],
        key="report_totals",
        alt=t("reports.totals.title"),
    )
with right, components.section("reports.charts"):
    if total["cost_usd"] is None:
        components.unknown("unknown.no_price")
    else:
        components.chart(charts.waterfall(total, look), key="report_waterfall")
        components.chart(charts.cost_parts(total, look), key="report_parts")

report_schedule.show(data.configuration().reports, data.report_deliveries())
