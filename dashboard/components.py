"""What every page is put together from: header, key figures, sections, tables, and the empty and failed states.

Text that came out of a log is escaped here before Streamlit may read it as Markdown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import streamlit as st

from core.errors import CachewiseError
from core.metrics.leading import others
from core.metrics.scope import Scope
from core.settings import Settings
from dashboard import auth, data, filters, ink, kpis, sparks
from dashboard import format as fmt
from dashboard.download import csv_bytes, for_viewers
from dashboard.i18n import Language, known, language, t

_BEHIND = timedelta(minutes=20)
_WHOLE_TABLE = 20
_TALL_PX = 620
_SENTENCE_PX = 620
_MEASURED = 5  # rows
_NARROW_PX, _WIDE_PX, _PADDING_PX = 7.5, 13.5, 20  # of Latin and of Hangul letters in a table, and around them
_LONG_NAME = 46  # characters: a column of longer ones is kept to a medium width
CHART_CONFIG = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
    "responsive": True,
}

Rows = Sequence[Mapping[str, Any]]


class Column(NamedTuple):
    """One column of a table: its key in the rows, how to show it, and its heading where it is not the metric's."""

    name: str
    kind: str
    label: str | None = None


# page frame


def header(title: str, lead: str) -> None:
    """Draw a page's title and the sentence that says what it answers."""
    st.title(title, anchor=False)
    st.caption(lead)


def marks(settings: Settings) -> None:
    """Draw the line of badges under the title: demo data, endpoints that are not the real ones, freshness."""
    try:
        st.session_state["shown_versions"] = data.versions()
    except CachewiseError:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            _standing(settings)  # demo data are called so whatever the tables are
        raise
    badges(settings)


@st.fragment(run_every="15s")
def badges(settings: Settings) -> None:
    """Say what holds for the whole page and how fresh the data is, and offer newer data.

    All stand in one line that breaks, so that each has the whole width of a phone. Charts are never refreshed under the
    reader's hands.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _standing(settings)
        try:
            if auth.role() is None:  # the sign-in has grown too old while the page stood open
                st.rerun(scope="app")
            rows, now = data.freshness(), datetime.now(UTC)
            begun = data.options().get("last_ts") is not None
            newer = st.session_state.get("shown_versions") not in (None, data.versions())
        except CachewiseError as error:
            st.badge(f"{t('fresh.failed')} · {error.code}", icon=":material/error:", color="red")
            return
        text, icon, colour = freshness_words(rows, now, begun=begun)
        st.badge(text, icon=icon, color=colour, help=t("fresh.help"))
        if begun:
            pulse()
        if newer and st.button(t("fresh.newer"), icon=":material/refresh:", type="tertiary", key="newer"):
            st.rerun(scope="app")


def _standing(settings: Settings) -> None:
    if settings.demo:
        st.badge(t("demo.badge"), icon=":material/science:", color="violet", help=t("demo.help"))
    if auth.visitor().state == "open":
        st.badge(t("access.open.badge"), icon=":material/lock_open:", color="orange", help=t("access.open.notice"))
    for name, url in (("AWS", settings.aws_endpoint_url), ("Anthropic", settings.anthropic_base_url)):
        if url:
            host = fmt.markdown_safe(urlsplit(url).netloc.rpartition("@")[2] or "?")
            st.badge(t("endpoint.badge", name=name, host=host), icon=":material/link:", color="orange")


def pulse() -> None:
    """Say how many calls come a minute and what was spent today, beside the freshness they are measured by."""
    told, zone = data.pulse(filters.zone()), filters.zone()
    n = f"{told['calls_per_minute']:,.1f}"
    st.badge(
        t("pulse.calls", n=n, until=fmt.clock(told["until"], zone)[:5]),
        icon=":material/speed:",
        color="gray",
        help=t("pulse.calls.help", start=fmt.moment(told["from"], zone), until=fmt.moment(told["until"], zone)),
    )
    priced, calls = fmt.count(told["priced_calls"]), fmt.count(told["calls"])
    st.badge(
        fmt.dollars_in_markdown(t("pulse.spend", usd=fmt.money(told["cost_usd"]))),
        icon=":material/payments:",
        color="gray",
        help=t("pulse.spend.help", since=fmt.moment(told["since"], zone), priced=priced, calls=calls),
    )


def freshness_words(rows: Rows, now: datetime, *, begun: bool) -> tuple[str, str, Any]:
    """Return the badge's text, icon and colour: nothing yet, reading, failed, behind or fresh.

    The worst source speaks. `begun` tells that there are rows although no pass has ended.
    """
    if not rows and not begun:
        return t("fresh.nothing"), ":material/hourglass_empty:", "gray"
    bad = [row for row in rows if row.get("status") == "failed"]
    if bad:
        return t("fresh.source_failed", n=len(bad)), ":material/error:", "red"
    reading = [row for row in rows if row.get("reading")]
    if reading:
        at = min((row["read_until"] for row in reading if row.get("read_until")), default=None)
        text = t("fresh.backlog", at=fmt.moment(at, filters.zone())) if at else t("fresh.reading")
        return text, ":material/sync:", "blue"
    until = [row.get("complete_until") for row in rows]
    if not until or None in until:
        return t("fresh.reading"), ":material/sync:", "blue"
    oldest = min(until)
    ago = fmt.relative(oldest, now, language())
    if now - oldest > _BEHIND:
        return t("fresh.behind", ago=ago, at=fmt.moment(oldest, filters.zone())), ":material/schedule:", "orange"
    return t("fresh.ok", ago=ago), ":material/check_circle:", "green"


def sources() -> None:
    """List every source with its last pass: for the sidebar."""
    now, rows = datetime.now(UTC), data.freshness()
    if not rows:
        st.caption(t("sources.none"))
    for row in rows:
        name = fmt.markdown_safe(fmt.plain(row.get("source"), language()))
        until = row.get("complete_until")
        st.markdown(f"**{name}** · {fmt.relative(until, now, language())}", help=fmt.moment(until, filters.zone()))
        if row.get("error_code"):
            message = fmt.markdown_safe(fmt.plain(row.get("error_message"), language()))
            st.caption(f":red[{row['error_code']}] {message}")


def failing_sources() -> None:
    """Say on every page which source is not read for now, why, and what to do: its figures end where it stopped."""
    for row in data.freshness():
        if row.get("status") != "failed":
            continue
        lang = language()
        name, until = fmt.markdown_safe(fmt.plain(row.get("source"), lang)), row.get("complete_until")
        parts = [
            known(lang, f"error.{row['error_code']}", ""),
            fmt.markdown_safe(row.get("error_message") or ""),
            t("source.failed.until", at=fmt.moment(until, filters.zone())) if until else t("source.failed.never"),
        ]
        title = f"{t('source.failed.title', source=name)} · {row['error_code']}"
        st.warning("\n\n".join(part for part in parts if part), title=title, icon=":material/sync_problem:")


def clear_button(key: str = "clear_cache", *, width: Literal["stretch", "content"] = "stretch") -> None:
    """Offer to drop this dashboard's own cached query results, and say which cache that is."""
    if st.button(t("clear.button"), icon=":material/mop:", help=t("clear.help"), width=width, key=key):
        data.forget()
        st.toast(t("clear.done"), icon=":material/check:")


def open_page(*, everything: bool = False) -> filters.View:
    """Return what is looked at; where there is nothing to show, say why and what to do, and stop the page.

    `everything`: the page shows all data, whatever the filters say.
    """
    view = filters.current(data.options().get("first_ts"))
    view = filters.whole(view) if everything else view
    total = data.summary(view.scope())
    if not any(total.get(name) for name in ("calls", "invocations", "prompt_store_hits", "prompt_store_misses")):
        empty(view)
        st.stop()
    return view


# states


def failed(error: CachewiseError) -> None:
    """Say what failed and what to do, and offer to try again."""
    problem(error, t("failed.title"))
    if st.button(t("failed.retry"), icon=":material/refresh:", key="retry"):
        data.reopen()
        st.rerun()


def problem(error: CachewiseError, title: str) -> None:
    """Show an error: what failed, what to do, and its code."""
    st.error(explained(error), title=f"{title} · {error.code}", icon=":material/error:")


def explained(error: CachewiseError) -> str:
    """Say what failed and what to do, with the code that is also in the log and in docs/errors.md."""
    lines = [fmt.markdown_safe(error.message)]
    if error.mend:
        lines.append(f"**{t('failed.mend')}** {fmt.markdown_safe(error.mend)}")
    local = known(language(), f"error.{error.code}", "")
    if local:
        lines.insert(0, local)
    lines.append(t("failed.more", code=error.code))
    return "\n\n".join(lines)


def empty(view: filters.View) -> None:
    """Say why there is nothing: no data at all yet, or none in this range and filter."""
    options = data.options()
    last = options.get("last_ts")
    if last is None:
        _waiting(bool(data.freshness()))
        return
    if not view.narrowed and _backlog() is not None:
        _catching_up(last)
        return
    why = "empty.filtered" if view.narrowed else "empty.range"
    body = t(f"{why}.body", last=fmt.moment(last, filters.zone()))
    st.info(body, title=t(f"{why}.title"), icon=":material/search_off:")
    st.button(t("empty.show_all"), icon=":material/all_inclusive:", on_click=_show_everything, key="show_all")


def _backlog() -> datetime | None:
    """Return how far older logs were read while a collector is still at it, else None."""
    reading = [row for row in data.freshness() if row.get("catching_up")]
    return min((row["read_until"] for row in reading if row.get("read_until")), default=None)


@st.fragment(run_every="5s")
def _catching_up(seen: datetime) -> None:
    """Say how far the collector has come, and show the page by itself once there is more to show."""
    at, last = _backlog(), data.options().get("last_ts")
    view = filters.current(data.options().get("first_ts"))
    if at is None or (last is not None and last > seen and view.start is not None and last >= view.start):
        st.rerun(scope="app")
    body = t("empty.backlog.body", at=fmt.moment(at, filters.zone()))
    st.info(body, title=t("empty.backlog.title"), icon=":material/hourglass_top:")


def _show_everything() -> None:
    st.session_state["range"] = "all"
    for name in filters.DIMENSIONS:
        st.session_state[name] = []


@st.fragment(run_every="4s")
def _waiting(passes: bool) -> None:
    """Wait for the first rows and show the page by itself once they are there."""
    if data.options().get("last_ts") is not None:
        st.rerun(scope="app")
    settings = data.configuration()
    name = "empty.no_calls" if passes else "empty.reading" if settings.sources or settings.demo else "empty.unset"
    st.info(t(f"{name}.body"), title=t(f"{name}.title"), icon=":material/hourglass_top:")


# figures


def kpi_strip(names: Sequence[kpis.Kpi], *, key: str, columns: int = 3) -> None:
    """Draw key figures with sparkline and change. Only this strip refreshes by itself."""
    _strip(tuple(names), key, columns)


@st.fragment(run_every="30s")
def _strip(items: tuple[kpis.Kpi, ...], key: str, columns: int) -> None:
    try:
        view = filters.current(data.options().get("first_ts"))
        _, cards = kpi_cards(items, view)
    except CachewiseError as error:
        failed(error)
        return
    with st.grid(columns, gap="small", key=f"kpis_{key}"):
        for card in cards:
            show_card(card, view)


def kpi_cards(items: Sequence[kpis.Kpi], view: filters.View) -> tuple[Mapping[str, Any], list[kpis.Card]]:
    """Return the totals of a view, and key figures made of them with change and sparkline."""
    total, earlier = data.summary(view.scope()), view.compared()
    before = data.summary(earlier.scope()) if earlier else None
    times = {source: _over_time(source, view) for source in {item.source for item in items}}
    return total, [kpis.card(item, total, before, times[item.source], language()) for item in items]


def _over_time(source: str, view: filters.View) -> list[dict[str, Any]]:
    """Return what a sparkline is drawn from, without the bucket that is still filling up."""
    ask = {"calls": data.series, "store": data.store_series, "times": data.latency_series}[source]
    rows: list[dict[str, Any]] = ask(view.scope(), bucket=view.bucket, zone=view.zone).to_pylist()
    unfinished = rows and filters.bucket_end(rows[-1]["bucket"], view) > view.end
    return rows[:-1] if unfinished and len(rows) > 3 else rows


def show_card(card: kpis.Card, view: filters.View) -> None:
    """Draw one key figure with what it is made of below it."""
    colours: dict[str | None, Literal["normal", "inverse"]] = {"up": "normal", "down": "inverse"}
    with st.container(border=True, height="stretch", gap="xxsmall"):
        st.metric(
            card.label,
            fmt.dollars_in_markdown(card.value) if card.value else None,
            card.delta,
            delta_color="off" if card.flat else colours.get(card.better, "off"),
            delta_arrow="off" if card.flat else "auto",
            delta_description=compared_with(view) if card.delta is not None else None,
            help=card.help,
        )
        if card.spark:
            st.html(sparks.picture(card.spark, card.spark_words))
        st.caption(card.parts or "\u00a0")
        if card.calls is not None:
            st.page_link(
                "app_pages/calls.py", label=t("drill.calls"), icon=":material/list:", query_params=dict(card.calls)
            )


def compared_with(view: filters.View) -> str:
    """Return what changes are against, in a few words."""
    if view.compare != "custom" or view.other is None:
        return t(f"range.{view.preset}.before") if view.compare == "previous" else t(f"compare.{view.compare}.before")
    first, after = (moment.astimezone(ZoneInfo(view.zone)).date() for moment in view.other)
    return t("compare.custom.before", first=f"{first:%m-%d}", last=f"{after - timedelta(days=1):%m-%d}")


def before(ask: Callable[..., Any], view: filters.View) -> ink.Before | None:
    """Return the compared range's rows over time, laid under those of the view; `ask` is one of data's series."""
    other = view.compared()
    start = view.start or view.first_ts
    if other is None or other.start is None or start is None:
        return None
    rows = ask(other.scope(), bucket=view.bucket, zone=view.zone).to_pylist()
    told = [{**row, "bucket": _laid_on(row["bucket"], other.start, start, view), "was": row["bucket"]} for row in rows]
    inside = [row for row in told if row["bucket"] < view.end]
    return ink.Before(compared_with(view), tuple(inside)) if inside else None


def _laid_on(bucket: datetime, old: datetime, new: datetime, view: filters.View) -> datetime:
    """Return where a bucket lies when its range begins at `new` instead of `old`: days lie on days, from midnight."""
    if view.bucket != "day":
        return bucket + (new - old)
    since = filters.on_clock(bucket, view.zone) - filters.on_clock(old, view.zone)
    return filters.from_clock(filters.on_clock(new, view.zone) + since, view.zone)


def fact(label: str, value: str, note: str = "", *, tip: str | None = None) -> None:
    """Draw one figure that is no metric of the catalogue; `note` and `tip`, in Markdown, say what it is made of."""
    with st.container(border=True, height="stretch", gap="xxsmall"):
        st.metric(label, fmt.dollars_in_markdown(value), help=tip)
        st.caption(note or "\u00a0")


@contextmanager
def section(
    name: str, *, rows: Rows | None = None, every: Callable[[], Rows] | None = None, metric: str | None = None,
    stretch: bool = True, **words: object,
) -> Iterator[None]:  # fmt: skip
    """Frame a part of a page: heading, what it means, and a CSV of the rows it shows, or of what `every` returns.

    `stretch`: beside another it is as tall as that.
    """
    with st.container(border=True, height="stretch" if stretch else "content"):
        tip = kpis.formula_help(metric, language()) if metric else None
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.subheader(t(f"{name}.title", **words), anchor=False, help=tip, width="content")
            if rows:
                st.download_button(
                    "CSV",
                    data=for_viewers(lambda: csv_bytes(every() if every else rows)),
                    file_name=f"cachewise-{name.replace('.', '-').replace('_', '-')}.csv",
                    mime="text/csv",
                    on_click="ignore",
                    icon=":material/download:",
                    type="tertiary",
                    key=f"csv_{name}",
                    help=t("csv.help"),
                )
        note = t(f"{name}.note", **words)
        if note != f"{name}.note":
            st.caption(fmt.dollars_in_markdown(note))
        yield


def chart(drawn: ink.Chart, *, key: str, on_select: Callable[[], None] | None = None) -> None:
    """Draw a figure with its alternative text; `on_select` is called when a point is picked."""
    if on_select is None:
        st.plotly_chart(drawn.figure, key=key, config=CHART_CONFIG, alt=drawn.alt)
        return
    st.plotly_chart(
        drawn.figure, key=key, config=CHART_CONFIG, alt=drawn.alt, on_select=on_select, selection_mode="points"
    )


def unknown(key: str) -> None:
    """Say in words that something is not known, instead of drawing an empty chart."""
    st.info(t(key), icon=":material/help:")


def judged(view: filters.View) -> Scope:
    """Return the part of the range that is judged call by call; where it is not all of it, say so."""
    found = data.judged(view.scope())
    if found.cut:
        st.info(
            t("judged.since", n=fmt.count(found.at_once), since=fmt.moment(found.scope.start, view.zone)),
            icon=":material/history:",
        )
    return replace(found.scope, end=view.scope().end)


def look(view: filters.View) -> ink.Look:
    """Return how charts are to be drawn for this viewer."""
    return ink.Look(language(), view.zone, view.bucket)


def table(
    rows: Rows, columns: Sequence[Column], *, key: str, alt: str, pick: bool = False, tall: bool = False
) -> list[int]:
    """Draw rows as a sortable table; what is unknown is a dash. `pick`: a row can be chosen; return which are.
    `tall`: it is what the page is about, and has the room of its screen.

    Without rows a sentence stands in its place.
    """
    if not rows:
        st.caption(t("table.empty"))
        return []
    lang = language()
    shown = [{column.name: _plain(row.get(column.name), column, lang) for column in columns} for row in rows]
    event = st.dataframe(
        shown,
        on_select="rerun" if pick else "ignore",
        selection_mode="single-row",
        column_config={
            column.name: _config(column, [row[column.name] for row in shown], first=column is columns[0])
            for column in columns
        },
        column_order=[column.name for column in columns],
        hide_index=True,
        height="content" if len(shown) <= _WHOLE_TABLE else _TALL_PX if tall else "auto",
        placeholder=fmt.UNKNOWN,
        key=key,
        alt=alt,
    )
    rest = others(rows[-1].get(columns[0].name))
    if rest is not None:
        st.caption(t("table.crowd", shown=fmt.count(len(rows) - 1), n=fmt.count(rest)))
    return [row for row in event["selection"]["rows"] if row < len(rows)] if pick else []


def _plain(value: Any, column: Column, lang: Language) -> Any:
    """Tables show floats: the exact decimals stay in the CSV. A ratio is shown as percent, two places for each."""
    if column.kind in ("text", "word", "digits"):
        return fmt.member(column.name, value, lang)
    if column.kind == "ratio" and value is not None:
        return float(value) * 100
    return value if value is None or isinstance(value, (int, str, date, timedelta)) else float(value)


def _text_width(values: list[Any]) -> int | Literal["medium"] | None:
    """Return a text column's width; None where the table finds it by itself, which looks at the first rows only."""
    wide = [sum(_WIDE_PX if ord(char) > 0x2E80 else _NARROW_PX for char in str(value)) for value in values]
    longest = max(wide, default=0)
    if longest > _LONG_NAME * _NARROW_PX:
        return "medium"
    return None if longest <= max(wide[:_MEASURED], default=0) else int(longest) + _PADDING_PX


def _config(column: Column, values: list[Any], *, first: bool) -> Any:
    """Return how a column is drawn; the first, which names the row, stays in sight where the others are scrolled."""
    label = t(column.label or f"metric.{column.name}.label")
    if column.kind == "money":
        label = f"{label} ($)"
    if column.kind == "day":
        return st.column_config.DateColumn(label, format="YYYY-MM-DD")
    if column.kind == "flag":
        return st.column_config.CheckboxColumn(label)
    if column.kind in ("short", "wide"):
        return st.column_config.TextColumn(label, width="small" if column.kind == "short" else "large")
    if column.kind == "digits":  # a number with every digit is text, and stands as a number does
        return st.column_config.TextColumn(label, alignment="right")
    if column.kind == "sentence":  # read to its end, if need be by scrolling
        return st.column_config.TextColumn(label, width=_SENTENCE_PX)
    if column.kind in ("text", "word"):
        return st.column_config.TextColumn(label, width=_text_width(values), pinned=first)
    if column.kind == "moment":
        form, zone = "YYYY-MM-DD HH:mm:ss", filters.zone()
        return st.column_config.DatetimeColumn(label, format=form, timezone=zone, width=155)
    count_places = {"money": fmt.money_places, "price": fmt.price_places}.get(column.kind)
    places = count_places(values) if count_places else 0
    whole = all(value is None or float(value).is_integer() for value in values) if column.kind == "megabytes" else False
    forms = {
        "money": f"%,.{places}f",  # the sign stands before the number; the heading names the dollar
        "price": f"$%,.{places}f",
        "megabytes": "%,d MB" if whole else "%,.1f MB",
        "kilobytes": "%,d kB",
        "ratio": "%,.2f%%",
        "ms": "%,.0f ms",
        "count": "%,d",
        "tokens": "%,d",
        "times": "%,.1f×",
        "clock": "compact",  # of a timedelta: 00:42:10
    }
    tip = kpis.formula_help(column.name, language()) if column.label is None else None
    return st.column_config.NumberColumn(label, format=forms[column.kind], help=tip)
