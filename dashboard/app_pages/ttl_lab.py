"""TTL Lab: what each caching policy would have cost, which is cheapest, where to switch off and where to pre-warm."""

import streamlit as st

from core.ttl import FEWEST_DAYS
from dashboard import components, data, drawers, miss_words, price_checks, ttl_charts
from dashboard import format as fmt
from dashboard.i18n import language, t

view = components.open_page()
look = components.look(view)
scope = view.scope()
lang = language()
components.judged(view)
months = data.policy_mix(scope)
advice = sorted(data.policy_advice(scope), key=lambda row: row["prefix_first"])  # what cannot be judged yet: last
if not advice:
    components.unknown("ttl_lab.none")
    st.stop()

with st.grid(3, gap="small", key="ttl_facts"):
    components.fact(
        t("ttl_lab.fact.configured"),
        fmt.money(months["configured_month_usd"]),
        t("ttl_lab.fact.configured.note", days=fmt.days(months["span_days"])),
        tip=t("ttl_lab.fact.configured.help"),
    )
    components.fact(
        t("ttl_lab.fact.best"),
        fmt.money(months["best_mix_month_usd"]),
        t("ttl_lab.fact.best.note", usd=fmt.money(months["saving_month_usd"])),
        tip=t("ttl_lab.fact.best.help"),
    )
    replayed, observed = fmt.money(months["replayed_usd"]), fmt.money(months["observed_usd"])
    components.fact(
        t("ttl_lab.fact.error"),
        fmt.signed_percent(months["model_error"], places=2),
        t("ttl_lab.fact.error.note", replayed=replayed, observed=observed),
        tip=t("ttl_lab.fact.error.help"),
    )
if months["span_days"] < FEWEST_DAYS:
    st.warning(t("ttl_lab.few_days"), icon=":material/calendar_month:")
changing = [miss_words.engine(row["engine"], lang) for row in advice if row["prefix_first"]]
if changing:
    st.warning(t("ttl_lab.prefix_first", engines=", ".join(changing)), icon=":material/warning:")

price_checks.warn(scope, "ttl_lab.checked")

with components.section("ttl_lab.mix", rows=[months]):
    components.chart(ttl_charts.mix(months, look), key="ttl_mix")

with components.section("ttl_lab.advice", rows=advice):
    components.table(
        [
            miss_words.in_words(row | {"best": "prefix_first" if row["prefix_first"] else row["best"]}, lang)
            for row in advice
        ],
        [
            components.Column("engine", "text", "col.engine"),
            components.Column("configured", "word", "col.configured"),
            components.Column("best", "word", "col.best"),
            components.Column("saving_month_usd", "money", "col.saving_month_usd"),
            components.Column("saving_low_usd", "money", "col.saving_low_usd"),
            components.Column("saving_high_usd", "money", "col.saving_high_usd"),
            components.Column("model_error", "ratio", "col.model_error"),
            components.Column("observed_usd", "money", "col.observed_usd"),
            components.Column("replayed_usd", "money", "col.replayed_usd"),
        ],
        key="ttl_advice",
        alt=t("ttl_lab.advice.title"),
    )

engines = [row["engine"] for row in advice]
if st.session_state.get("ttl_engine", engines[0]) not in engines:
    del st.session_state["ttl_engine"]
engine = st.selectbox(
    t("ttl_lab.engine"), engines, format_func=lambda name: fmt.plain(name, lang), key="ttl_engine", width=320
)
compared = data.policies(scope)
left, right = st.columns(2)
own = [row for row in compared if row["engine"] == engine]
with left, components.section("ttl_lab.policies", rows=own):
    components.chart(ttl_charts.policies(own, look), key="ttl_policies")
pauses = data.gaps(scope, engine)
with right, components.section("ttl_lab.gaps", rows=pauses):
    if not any(row["gaps"] for row in pauses):
        components.unknown("ttl_lab.crossover.none")
    else:
        components.chart(ttl_charts.gap_histogram(pauses, look), key="ttl_gaps")
meeting = data.crossover(scope, engine)
with components.section("ttl_lab.crossover", rows=meeting["curve"]):
    if not meeting["curve"]:
        components.unknown("ttl_lab.crossover.none")
    else:
        components.chart(ttl_charts.crossover(meeting, look), key="ttl_crossover")

off = [row for row in advice if row["off_is_best"] and row["sure"] and not row["prefix_first"]]
with components.section("ttl_lab.off", rows=off):
    if not off:
        st.info(t("ttl_lab.off.none"), icon=":material/check_circle:")
    for row in off:
        dollars = {key: fmt.dollars_in_markdown(fmt.money(row[f"saving_{name}_usd"])) for key, name in
                   (("usd", "month"), ("low", "low"), ("high", "high"))}  # fmt: skip
        name, policy = miss_words.engine(row["engine"], lang), t(f"policy.{row['configured']}")
        st.markdown(t("ttl_lab.off.row", engine=name, policy=policy, **dollars))
    if off:
        drawers.code("set_off", miss_words.change("set_off", lang))
bursts = [
    row | {"hours": ", ".join(f"{hour:02d}" for hour in row["hours"])} for row in data.bursts(scope, zone=view.zone)
]
with components.section("ttl_lab.warm", rows=bursts):
    if not bursts:
        st.info(t("ttl_lab.warm.none"), icon=":material/check_circle:")
    else:
        components.table(
            bursts,
            [
                components.Column("engine", "text", "col.engine"),
                components.Column("saving_month_usd", "money", "col.saving_month_usd"),
                components.Column("bursts", "count", "col.bursts"),
                components.Column("writes_beside", "count", "col.writes_beside"),
                components.Column("hours", "text", "col.hours"),
                components.Column("predictable", "ratio", "col.predictable"),
            ],
            key="ttl_bursts",
            alt=t("ttl_lab.warm.title"),
        )
        drawers.code("pre_warm", miss_words.change("pre_warm", lang))

with components.section("ttl_lab.compare", rows=compared):
    components.table(
        [row | {"policy": t(f"policy.{row['policy']}")} for row in compared],
        [
            components.Column("engine", "text", "col.engine"),
            components.Column("policy", "word", "col.policy"),
            components.Column("month_usd", "money", "col.month_usd"),
            components.Column("saving_month_usd", "money", "col.saving_month_usd"),
            components.Column("saving_low_usd", "money", "col.saving_low_usd"),
            components.Column("saving_high_usd", "money", "col.saving_high_usd"),
            components.Column("reads", "count", "col.reads"),
            components.Column("writes", "count", "col.writes"),
            components.Column("pings", "count", "col.pings"),
        ],
        key="ttl_compare",
        alt=t("ttl_lab.compare.title"),
    )
