"""Prices: the rows that priced the calls in view, the whole book by date, its sources, and own rows."""

from datetime import UTC, datetime

import streamlit as st

from core.pricing.provenance import price_list, row_id
from dashboard import address, components, data, filters, price_charts
from dashboard.components import Column
from dashboard.i18n import language, t, translate
from dashboard.kpis import Kpi

KPIS = (
    Kpi("cost_usd", "money", spark="cost_usd", over="priced_calls"),
    Kpi("price_coverage", "ratio", spark="price_coverage"),
    Kpi("unpriced_calls", "count", spark="unpriced_calls", over="calls"),
)
LISTS = ("anthropic", "bedrock-global", "bedrock-regional")
FIVE = [Column(name, "price", f"price.{name}") for name in ("input", "cache_read", "cache_write_5m", "cache_write_1h")]
FIVE.append(Column("output", "price", "price.output"))
ORIGIN = [Column("checked", "day", "col.checked"), Column("hosts", "wide", "col.price_source")]

lang, today = language(), datetime.now(UTC).date()
book, files = data.book(), data.configuration().price_files
view = filters.current(data.options().get("first_ts"))
by_id = {row["price_row"]: row | {"hosts": price_charts.hosts(row["source"])} for row in price_list(book, files)}
used = [
    {**by_id.get(row_id(row["price_row"] or ""), {}), **row, "model": row["model_id"]}
    for row in data.price_rows(view.scope())
]

if data.options().get("last_ts") is None:
    components.empty(view)
else:
    look = components.look(view)
    components.kpi_strip(KPIS, key="prices")
    if not used:
        components.unknown("prices.none")
    else:
        left, right = st.columns(2)
        with left, components.section("prices.paid", rows=used):
            components.chart(price_charts.paid_by_row(used, look), key="prices_paid")
        with right, components.section("prices.five", rows=used):
            if priced := [row for row in used if "input" in row]:
                components.chart(price_charts.five_prices(priced, look), key="prices_five")
            else:
                components.unknown("prices.five.gone")
        with components.section("prices.used", rows=used):
            components.table(
                used,
                [
                    Column("price_row", "text", "col.price_row"),
                    Column("calls", "count"),
                    Column("cost_usd", "money"),
                    *FIVE,
                    Column("from", "day", "col.from"),
                    Column("last_ts", "moment", "col.last_call"),
                    Column("custom", "flag", "col.custom"),
                    *ORIGIN,
                ],
                key="prices_used",
                alt=t("prices.used.title"),
            )

chosen = address.choose("price_list", LISTS, t("prices.list"), lambda name: translate(lang, f"prices.list.{name}"))
now = [by_id[row["price_row"]] for row in price_list(book, files, day=today) if row["scope"] == chosen]
with components.section("prices.now", rows=now, day=today.isoformat(), version=book.version):
    components.table(
        now,
        [
            Column("model", "text", "col.model"),
            Column("over_prompt_tokens", "count", "col.over_prompt_tokens"),
            *FIVE,
            Column("from", "day", "col.from"),
            Column("custom", "flag", "col.custom"),
            *ORIGIN,
        ],
        key="prices_now",
        alt=t("prices.now.title", day=today.isoformat()),
    )

own = [row for row in by_id.values() if row["custom"]]
discounts = [
    {"percent": item.percent, "provider": item.provider, "model": item.model, "from": item.start, "until": item.end}
    for item in book.discounts
]
with components.section("prices.own", rows=[*own, *discounts]):
    if not own and not discounts:
        st.caption(t("prices.own.none"))
    if own:
        columns = [Column("price_row", "text", "col.price_row"), Column("model", "text", "col.model"), *FIVE]
        columns += [Column("from", "day", "col.from"), Column("until", "day", "col.until"), ORIGIN[1]]
        components.table(own, columns, key="prices_own", alt=t("prices.own.title"))
    if discounts:
        columns = [Column("percent", "count", "col.percent"), Column("provider", "text", "col.provider")]
        columns += [Column("model", "text", "col.model"), Column("from", "day", "col.from")]
        components.table(
            discounts, [*columns, Column("until", "day", "col.until")], key="discounts", alt=t("prices.own.title")
        )

models = sorted({row["model"] for row in by_id.values() if row["scope"] == chosen})
with components.section("prices.history"):
    model = st.selectbox(t("col.model"), models, key="price_model", label_visibility="collapsed", width=320)
    dated = [row for row in by_id.values() if (row["model"], row["scope"]) == (model, chosen)]
    components.table(
        dated,
        [
            Column("from", "day", "col.from"),
            Column("until", "day", "col.until"),
            Column("over_prompt_tokens", "count", "col.over_prompt_tokens"),
            *FIVE,
            Column("custom", "flag", "col.custom"),
            *ORIGIN,
        ],
        key="prices_history",
        alt=t("prices.history.title"),
    )

with components.section("prices.reprice"):
    st.code(
        "cachewise reprice --dry-run\ncachewise reprice\ncachewise reprice --undo", language="bash", wrap_lines=True
    )
