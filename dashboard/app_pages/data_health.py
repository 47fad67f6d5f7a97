"""Data health: how far each source is complete, what its lines were, what has no price, and what a checkup found."""

from datetime import UTC, datetime

import streamlit as st

from core.store import size
from dashboard import checkup_desk, components, coverage, data, error_words, filters, health, tellings
from dashboard import format as fmt
from dashboard.components import Column
from dashboard.i18n import language, t

view = filters.current(data.options().get("first_ts"))
rows = data.freshness()
if not rows and data.options().get("last_ts") is None:
    components.empty(view)
    checkup_desk.show(view.zone)  # it tells what hinders the first rows
    st.stop()
lang, now, look = language(), datetime.now(UTC), components.look(view)
total, tables, checked = data.summary(view.scope()), data.tables(), data.price_check_day()
sources, skips = health.source_rows(rows, now, lang), health.skip_rows(rows, lang)

until = min((row["complete_until"] for row in rows if row["complete_until"]), default=None)
whole = bool(rows) and all(row["complete_until"] for row in rows)
day = [row["last_24h"] for row in rows]
lateness = max((row["max_lateness_ms"] or 0 for row in rows), default=0)
with st.grid(3, gap="small", key="health_facts"):
    components.fact(
        t("health.fact.complete"),
        fmt.moment(until, view.zone) if whole else t("health.state.waiting"),
        fmt.relative(until, now, lang) if whole else "",
    )
    components.fact(
        t("health.fact.lines"),
        fmt.compact(sum(part["lines_read"] for part in day), lang),
        t("health.fact.skipped", n=fmt.count(sum(part["lines_skipped"] for part in day))),
    )
    components.fact(
        t("health.fact.late"),
        fmt.count(sum(row["total"]["late_events"] for row in rows)),
        t("health.fact.latest", time=fmt.duration_ms(lateness, lang)) if lateness else "",
    )
    components.fact(
        t("metric.price_coverage.label"),
        fmt.percent(total["price_coverage"]),
        t("of.calls", top=fmt.count(total["priced_calls"]), bottom=fmt.count(total["calls"])),
    )
    components.fact(
        t("health.fact.size"),
        size.in_words(sum(row["bytes"] for row in tables)),
        t("health.fact.files", n=fmt.count(sum(row["files"] for row in tables))),
    )
    components.fact(
        t("health.fact.prices"),
        t("unit.days", n=(now.date() - checked).days),
        t("health.fact.checked", day=checked.isoformat()),
    )

with components.section("health.sources", rows=sources):
    if not sources:
        st.info(t("sources.none"), icon=":material/help:")
    else:
        components.table(
            sources,
            [
                Column("state", "short", "col.state"),
                Column("source", "text", "col.source"),
                Column("complete_until", "moment", "col.complete_until"),
                Column("lag", "short", "col.lag"),
                Column("last_pass_at", "moment", "col.last_pass"),
                Column("passes", "count", "col.passes"),
                Column("lines_recognised", "count", "col.lines_recognised"),
                Column("lines_ignored", "count", "col.lines_ignored"),
                Column("lines_skipped", "count", "col.lines_skipped"),
                Column("late_events", "count", "col.late_events"),
                Column("max_lateness_ms", "ms", "col.max_lateness"),
                Column("dropped_records", "count", "col.dropped_records"),
                Column("clock_ahead", "count", "col.clock_ahead"),
            ],
            key="health_sources",
            alt=t("health.sources.title"),
        )
    for row in rows:
        if row["error_code"] and row["status"] != "failed":  # which the head of every page says
            name = fmt.markdown_safe(fmt.plain(row["source"], lang))
            st.warning(f"**{name}** · {row['error_code']} · {error_words.of_pass(lang, row)}")
        if row["total"]["dropped_records"]:
            n = fmt.count(row["total"]["dropped_records"])
            st.warning(
                t("health.dropped", source=fmt.markdown_safe(str(row["source"])), n=n), icon=":material/warning:"
            )

points = data.ingest_series(view.scope(), bucket=view.bucket, zone=view.zone)
left, right = st.columns(2)
with left, components.section("health.lines", rows=points):
    if health.any_lines(points):
        components.chart(health.lines_over_time(points, look), key="health_lines")
    else:
        components.unknown("health.lines.nothing")
with right, components.section("health.lag", rows=points):
    if any(row["lag_ms"] is not None for row in points):
        components.chart(health.lag_over_time(points, look), key="health_lag")
    else:
        components.unknown("health.lag.nothing")

with components.section("health.skips", rows=skips):
    if not any(row["total"]["lines_read"] for row in rows):
        components.unknown("health.skips.nothing")
    elif not skips:
        st.success(t("health.skips.none"), icon=":material/check_circle:")
    else:
        components.table(
            skips,
            [
                Column("meaning", "text", "col.reason"),
                Column("source", "text", "col.source"),
                Column("lines", "count", "col.lines"),
                Column("lines_24h", "count", "col.lines_24h"),
                Column("length", "count", "col.example_length"),
                Column("position", "wide", "col.example_position"),
                Column("example_ts", "moment", "col.example_ts"),
            ],
            key="health_skips",
            alt=t("health.skips.title"),
        )

coverage.section(total, view.scope())

tellings.section(view.scope())

checkup_desk.show(view.zone)

with components.section("health.tables", rows=tables):
    components.table(
        [{**row, "size": size.in_words(row["bytes"])} for row in tables if row["version"] is not None],
        [
            Column("table", "text", "col.table"),
            Column("rows", "count", "col.rows"),
            Column("files", "count", "col.files"),
            Column("size", "digits", "col.bytes"),
            Column("version", "count", "col.version"),
            Column("first_day", "day", "col.first_day"),
            Column("last_day", "day", "col.last_day"),
            Column("crowded_days", "count", "col.crowded_days"),
        ],
        key="health_tables",
        alt=t("health.tables.title"),
    )
