"""Calls: the single calls behind any figure, what they add up to, and all of them as CSV."""

from dataclasses import replace

import streamlit as st

from core.metrics.drilldown import MOST_ROWS, Which
from dashboard import address, call_choice, call_rows, components, data, kpis, miss_words
from dashboard import format as fmt
from dashboard.download import csv_bytes, for_viewers
from dashboard.i18n import known, language, t
from dashboard.kpis import Kpi

SHOWN = 500
FIGURES = (
    Kpi("cost_usd", "money", over="priced_calls"),
    Kpi("net_savings_usd", "money", over="no_cache_cost_usd"),
    Kpi("token_hit_rate", "ratio"),
)

view = components.open_page()
lang = language()
options = {**call_choice.CHOICES, "order": tuple(call_choice.ORDERS)}
for name, values in options.items():
    address.recall(call_choice.key_of(name), values, values[0])
by_cause = st.session_state["calls_cause"] != call_choice.ANY
mendable = st.session_state["calls_cause"] == call_choice.RECOVERABLE
for column, (name, values) in zip(st.columns(len(options)), options.items(), strict=True):
    column.selectbox(
        t(f"calls.{name}"),
        values,
        format_func=lambda value, name=name: known(lang, f"calls.{name}.{value}", miss_words.cause(value, lang)),
        key=call_choice.key_of(name),
        disabled=by_cause and name in ("status", "priced", "read"),
        help=t("calls.by_cause.help") if by_cause and name in ("status", "priced", "read") else None,
    )
address.publish({call_choice.key_of(name): values[0] for name, values in options.items()})
chosen = {name: st.session_state[call_choice.key_of(name)] for name in options}

span = call_choice.span(st.query_params.to_dict())
scope = view.scope()
if span:
    with st.container(horizontal=True, vertical_alignment="center"):
        words = t("calls.span", start=fmt.moment(span[0], view.zone), end=fmt.moment(span[1], view.zone))
        st.badge(words, icon=":material/schedule:", color="blue")
        if st.button(t("calls.span.drop"), type="tertiary", icon=":material/close:", key="calls_span_drop"):
            del st.query_params["from"], st.query_params["to"]
            st.rerun()

if by_cause:
    start, end = span or (None, None)
    ids, missed = data.calls_of_cause(scope, chosen["cause"], start=start, end=end, limit=MOST_ROWS)
    which = Which(call_ids=ids[-SHOWN:] if chosen["order"] == "newest" else ids)
    everything, n = Which(call_ids=ids), missed["calls"]
    st.markdown(t(f"meaning.{chosen['cause']}"))
    with st.grid(3, gap="small"):
        components.fact(t("calls.fact.calls"), fmt.count(n), "")
        components.fact(t("misses.fact.tokens"), fmt.tokens(missed["tokens"], lang), t("calls.fact.missed.note"))
        back = fmt.dollars_in_markdown(fmt.money(data.findings(scope)["recoverable_usd"]))
        note = t("calls.fact.recoverable.note", usd=back) if mendable and not span else t("calls.fact.missed.note")
        components.fact(t("misses.fact.usd"), fmt.money(missed["usd"]), note)
else:
    scope = replace(scope, start=span[0], end=span[1]) if span else scope
    which = everything = call_choice.which(chosen)
    total = data.calls_total(scope, which)
    n = total["calls"] + total["failed_calls"]
    with st.grid(4, gap="small"):
        failed = t("calls.fact.failed", n=fmt.count(total["failed_calls"]))
        components.fact(t("calls.fact.calls"), fmt.count(total["calls"]), failed)
        for kpi in FIGURES:
            components.show_card(replace(kpis.card(kpi, total, None, [], lang), calls=None), view)

calls = data.calls(scope, which, limit=SHOWN, order=call_choice.ORDERS[chosen["order"]])
causes: dict[str, str | None] = {}
judging = by_cause or st.toggle(t("calls.judge"), key="calls_judge", help=t("calls.judge.help"))
if by_cause and not mendable:
    causes = dict.fromkeys((call["call_id"] for call in calls), chosen["cause"])
elif judging:
    causes = data.causes_of(view.scope(), [call["call_id"] for call in calls])
bounds = data.judged(view.scope()) if judging else None
since = bounds.scope.start if bounds and bounds.cut else None
told = []
for call in calls:
    words = call_rows.cause_words(call, causes, since, lang) if judging else fmt.UNKNOWN
    told.append(call_rows.row(call, words, lang))

with components.section("calls.table"):
    if not told:
        st.info(t("calls.none"), icon=":material/search_off:")
        st.stop()
    columns = [column for column in call_rows.COLUMNS if column.name != "tenant" or data.options()["tenants"]]
    components.table(told, columns, key="calls", alt=t("calls.table.title"), tall=True)
    st.caption(t("misses.calls.shown", shown=fmt.count(len(told)), n=fmt.count(n)))
    st.download_button(
        t("calls.csv", n=fmt.count(min(n, MOST_ROWS))),
        data=for_viewers(lambda: csv_bytes(data.calls(scope, everything, limit=MOST_ROWS), call_rows.CSV_COLUMNS)),
        file_name="cachewise-calls.csv",
        mime="text/csv",
        on_click="ignore",
        icon=":material/download:",
        key="csv_calls",
        help=t("calls.csv.help", most=fmt.count(MOST_ROWS)),
    )
