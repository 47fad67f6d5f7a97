"""Misses: why prompt tokens were not read from the Claude cache, what it cost, the calls behind it, what to change."""

import streamlit as st

from dashboard import components, data, drawers, drill, miss_charts, miss_words
from dashboard import format as fmt
from dashboard.i18n import language, t

MOST_CALLS = 500
EVERY = ("every",)  # no engine's name

view = components.open_page()
look = components.look(view)
scope = view.scope()
lang = language()
total, found = data.summary(components.judged(view)), data.findings(scope)
if not found["calls"]:
    components.unknown("misses.none")
    st.stop()

share = found["tokens"] / total["prompt_tokens"] if total["prompt_tokens"] else None
with st.grid(4, gap="small", key="miss_facts"):
    components.fact(
        t("misses.fact.tokens"),
        fmt.tokens(found["tokens"], lang),
        t(
            "misses.fact.tokens.note",
            missed=fmt.compact(found["tokens"], lang),
            prompt=fmt.compact(total["prompt_tokens"], lang),
            share=fmt.percent(share),
        ),
        tip=t("misses.fact.tokens.help"),
    )
    components.fact(
        t("misses.fact.usd"),
        fmt.money(found["usd"]),
        t("misses.fact.usd.note", usd=fmt.dollars_in_markdown(fmt.money(total["cost_usd"]))),
        tip=t("misses.fact.usd.help"),
    )
    top = found["top_cause"]
    components.fact(
        t("misses.fact.recoverable"),
        fmt.money(found["recoverable_usd"]),
        t(
            "misses.fact.recoverable.note",
            cause=miss_words.cause(top, lang),
            engine=miss_words.engine(found["top_engine"], lang),
        )
        if top
        else t("misses.fact.recoverable.none"),
        tip=t("misses.fact.recoverable.help"),
    )
    components.fact(
        t("misses.fact.sure"),
        fmt.percent(found["measured_share"]),
        t(
            "misses.fact.sure.note",
            **{name: fmt.compact(found[f"{name}_tokens"], lang) for name in ("measured", "inferred", "unknown")},
        ),
        tip=t("misses.fact.sure.help"),
    )

if as_of := data.studied_at(scope):
    st.caption(t("studied.at.note", at=fmt.moment(as_of, view.zone)))

groups = data.miss_groups(scope, "cause", "engine")
causes, engines = miss_charts.causes_shown(groups), miss_charts.engines_shown(groups)


def picked() -> None:
    """Let the bar that was clicked choose cause and engine of the calls below."""
    points = st.session_state["miss_pareto"]["selection"]["points"]
    if points:
        at = points[0]["curve_number"]
        st.session_state["miss_cause"] = points[0]["customdata"][0]
        st.session_state["miss_engine"] = engines[at] if at < len(engines) else EVERY


with components.section("misses.pareto", rows=groups):
    components.chart(miss_charts.pareto(groups, look), key="miss_pareto", on_select=picked)

ledger = data.miss_causes(scope)
with components.section("misses.causes", rows=ledger):
    components.table(
        [miss_words.in_words(row, lang) for row in ledger],
        [
            components.Column("cause", "text", "col.cause"),
            components.Column("usd", "money", "col.usd"),
            components.Column("usd_share", "ratio", "col.usd_share"),
            components.Column("cumulative_share", "ratio", "col.cumulative_share"),
            components.Column("recoverable_usd", "money", "col.recoverable_usd"),
            components.Column("tokens", "tokens", "col.tokens"),
            components.Column("calls", "count", "col.miss_calls"),
            components.Column("measured_share", "ratio", "col.measured_share"),
        ],
        key="miss_causes",
        alt=t("misses.causes.title"),
    )

every_engine = [EVERY, *dict.fromkeys(row["engine"] for row in groups)]
for key, options in (("miss_cause", causes), ("miss_engine", every_engine)):
    if st.session_state.get(key, options[0]) not in options:
        del st.session_state[key]
left, right = st.columns(2)
cause = left.selectbox(
    t("misses.pick.cause"), causes, format_func=lambda name: miss_words.cause(name, lang), key="miss_cause"
)
engine = right.selectbox(
    t("misses.pick.engine"),
    every_engine,
    format_func=lambda name: t("misses.every_engine") if name == EVERY else fmt.plain(name, lang),
    key="miss_engine",
)
calls, n_calls = data.missed_calls(
    scope, cause=cause, engine=None if engine == EVERY else engine, every=engine == EVERY, limit=MOST_CALLS
)
with components.section("misses.calls", rows=calls):
    st.markdown(t(f"meaning.{cause}"))
    if not calls:
        st.info(t("misses.calls.none"), icon=":material/search_off:")
    else:
        components.table(
            [miss_words.of_call(row, lang) for row in calls],
            [
                components.Column("ts", "moment", "col.ts"),
                components.Column("engine", "word", "col.engine"),
                components.Column("usd", "money", "col.usd"),
                components.Column("tokens", "tokens", "col.tokens"),
                components.Column("gap", "word", "col.gap_ms"),
                components.Column("ttl", "word", "col.ttl_ms"),
                components.Column("confidence", "word", "col.confidence"),
                components.Column("evidence", "text", "col.evidence"),
                components.Column("detail", "word", "col.detail"),
                components.Column("function_version", "word", "col.function_version"),
                components.Column("model", "text", "col.model"),
                components.Column("call_id", "text", "col.call_id"),
            ],
            key="missed_calls",
            alt=t("misses.calls.title"),
        )
        st.caption(t("misses.calls.shown", shown=fmt.count(len(calls)), n=fmt.count(n_calls)))
        drill.link(t("misses.calls.more"), cause=cause)

points = data.miss_series(scope, bucket=view.bucket, zone=view.zone).to_pylist()
with components.section("misses.trend", rows=points):
    drawn = miss_charts.trend(points, look, markers=data.markers(scope))
    drill.chart(drawn, view, by="cause", key="miss_trend")

with components.section("misses.mends", rows=ledger):
    mends = [row for row in ledger if row["recoverable_usd"]]
    if not mends:
        st.success(t("misses.mends.none"), icon=":material/check_circle:")
    for row in mends:
        head = t(
            "misses.mends.head",
            cause=miss_words.cause(row["cause"], lang),
            usd=fmt.dollars_in_markdown(fmt.money(row["recoverable_usd"])),
            whole=fmt.dollars_in_markdown(fmt.money(row["usd"])),
            engines=", ".join(miss_words.engine(name, lang) for name in row["engines"]),
        )
        with st.container(gap="xsmall"):
            st.markdown(head)
            st.markdown(t(f"mend.{row['mend_key']}"))
            if change := miss_words.change(row["mend_key"], lang):
                drawers.code(f"mend_{row['cause']}", change)

by_engine = data.miss_engines(scope)
with components.section("misses.by_engine", rows=by_engine):
    components.table(
        [miss_words.in_words(row, lang) for row in by_engine],
        [
            components.Column("engine", "text", "col.engine"),
            components.Column("dearest", "text", "col.dearest"),
            components.Column("top_cause", "text", "col.top_cause"),
            components.Column("top_cause_usd", "money", "col.top_cause_usd"),
            components.Column("usd", "money", "col.usd"),
            components.Column("tokens", "tokens", "col.tokens"),
            components.Column("measured_share", "ratio", "col.measured_share"),
        ],
        key="miss_engines",
        alt=t("misses.by_engine.title"),
    )
