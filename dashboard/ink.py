"""What charts are drawn with: the fixed colours, how a viewer reads a chart, lines, marks and axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import plotly.graph_objects as go

from dashboard import format as fmt
from dashboard.filters import BUCKET_SIZE, Bucket
from dashboard.i18n import Language, known, translate

READ, WRITE_5M, WRITE_1H, UNCACHED = "#1B86D8", "#C98500", "#C20A41", "#90959A"
OTHERS = ("#2F9E77", "#8067C9", "#D1603D", "#5B8FA8", "#7C8A2E", "#C2649A")
PALETTE = (READ, WRITE_5M, WRITE_1H, UNCACHED, *OTHERS)
OVER_BARS = "#5F6B78"  # a line that is seen on light and on dark, and on bars of any colour by its halo
_HALO = "rgba(255,255,255,0.7)"
GAIN, LOSS = "#2F9E77", "#D1603D"
RATE_STYLES = {
    "token_hit_rate": (READ, "solid"),
    "request_hit_rate": (OTHERS[0], "dash"),
    "prompt_store_hit_rate": (OTHERS[1], "solid"),  # another cache, another colour
}
PERCENTILE_STYLES = {"p50": (OTHERS[3], "solid"), "p95": (OTHERS[1], "solid"), "p99": (OTHERS[5], "dot")}
TOKEN_KINDS = {
    "cache_read_tokens": READ,
    "cache_write_5m_tokens": WRITE_5M,
    "cache_write_1h_tokens": WRITE_1H,
    "input_tokens": UNCACHED,
}
COST_KINDS = {
    "cache_read_cost_usd": READ,
    "cache_write_5m_cost_usd": WRITE_5M,
    "cache_write_1h_cost_usd": WRITE_1H,
    "input_cost_usd": UNCACHED,
    "output_cost_usd": OTHERS[0],
    "tools_cost_usd": OTHERS[1],
}
MAX_POINTS = 2000
MAX_GROUPS = 8
_GRID = "rgba(128,140,152,0.22)"
_MARK = "#7A8794"
_FEW = 5  # days: Plotly would put more ticks than days below them
_MARKS = (("deploy", "triangle-up", _MARK), ("clear", "x", OTHERS[2]), ("note", "star", OTHERS[1]))
RULE = "rgba(128,140,152,0.75)"
_LEGEND_NAMES, _LEGEND_LINE_PX = 4, 14
_ROOM = 0.34  # of the axis, for a label outside a bar: enough on a phone
_UNITS = {
    "ms": (1.0, 2_000.0),
    "seconds": (1e3, 180e3),
    "minutes": (60e3, 3 * 3600e3),
    "hours": (3600e3, fmt.IN_DAYS_MS),
    "days": (24 * 3600e3, float("inf")),
}
_HOVER = {"ms": ",.0f", "seconds": ",.2f", "minutes": ",.1f", "hours": ",.1f", "days": ",.1f"}

Row = Mapping[str, Any]


class Chart(NamedTuple):
    """A figure and its text for those who do not see it."""

    figure: go.Figure
    alt: str


class Before(NamedTuple):
    """What a chart over time is compared with: its name, and rows whose `bucket` lies on the chart's own days."""

    label: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """How a viewer reads a chart: language, zone and the width of one point in time."""

    lang: Language
    zone: str = "UTC"
    bucket: Bucket = "day"

    def word(self, key: str, **values: object) -> str:
        """Return a text of the catalogue."""
        return translate(self.lang, key, **values)

    def name(self, value: object) -> str:
        """Return a name from the logs, safe inside a figure."""
        return fmt.plotly_safe(fmt.plain(value, self.lang))

    def member(self, by: str, value: object) -> str:
        """Return the name of a group, safe for Plotly."""
        return fmt.plotly_safe(fmt.member(by, value, self.lang))

    def said(self, value: object) -> str:
        """Return a name from the logs for the text beside a figure, which is read as it is."""
        return fmt.plain(value, self.lang)

    def local(self, ts: datetime) -> datetime:
        """Return a time as this viewer's clock shows it; Plotly knows no zones."""
        return ts.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)

    def when(self, ts: datetime) -> str:
        """Return a short time for sentences."""
        pattern = "%Y-%m-%d" if self.bucket == "day" else "%Y-%m-%d %H:%M"
        return self.local(ts).strftime(pattern)


def thin(rows: Sequence[Row], limit: int = MAX_POINTS) -> list[Row]:
    """Keep every n-th row, and the last, so that no more than `limit` remain."""
    if len(rows) <= limit:
        return list(rows)
    step = -(-len(rows) // (limit - 1))
    kept = list(rows[::step])
    return kept if kept[-1] is rows[-1] else [*kept, rows[-1]]


def spark(rows: Sequence[Row], name: str, limit: int = 60) -> list[float] | None:
    """Return the values of a column for a sparkline, or None where there are too few to draw one."""
    values = [float(row[name]) for row in rows if row.get(name) is not None]
    return values[-limit:] if len(values) > 1 else None


def group_colour(index: int) -> str:
    """Return the colour of the n-th group; none of the four fixed ones."""
    return (*OTHERS, "#4F7FB5", "#A0855B")[index % MAX_GROUPS]


def line(
    figure: go.Figure,
    points: Sequence[Row],
    name: str,
    look: Look,
    *,
    label: str,
    colour: str,
    dash: str,
    hover: str,
) -> None:
    """Draw one line over time, broken where buckets are missing."""
    times: list[datetime] = []
    values: list[Any] = []
    starts: list[list[str | None]] = []  # of each point's bucket: what a click on it is about
    step = BUCKET_SIZE[look.bucket] * 1.5
    for row in points:
        now = look.local(row["bucket"])
        if times and now - times[-1] > step:
            times.append(times[-1] + BUCKET_SIZE[look.bucket])
            values.append(None)  # nothing happened here: a gap, not a straight line
            starts.append([None, None])
        times.append(now)
        values.append(row[name])
        starts.append([row["bucket"].isoformat(), None])
    figure.add_scatter(
        x=times,
        y=values,
        name=label,
        mode="lines+markers",
        line={"color": colour, "width": 2, "dash": dash},
        marker={"size": marker_size(len(points))},
        connectgaps=False,
        customdata=starts,
        hovertemplate=hover,
    )


def marker_size(count: int) -> float:
    """Return how big the points of a line are: many are small, but never gone, as only a point can be clicked."""
    return 5 if count < 60 else 2.5


def clickable(figure: go.Figure) -> None:
    """Let each point be hovered and clicked by itself: of a tooltip over all lines Plotly selects nothing."""
    if figure.layout.hovermode == "x unified":
        figure.update_layout(hovermode="closest")
        for trace in figure.data:
            if trace.hovertemplate and trace.x is not None and len(trace.x):
                trace.hovertemplate = "%{x}<br>" + trace.hovertemplate


def before(
    figure: go.Figure, told: Before | None, name: str, look: Look, *, colour: str, form: str, show: Callable[[Any], str]
) -> str:
    """Draw the compared range as a thin dashed line, and return its words; hovering tells its own days."""
    points = [row for row in thin(told.rows) if row.get(name) is not None] if told else []
    if told is None or not points:
        return ""
    if colour == OVER_BARS:
        figure.add_scatter(
            x=[look.local(row["bucket"]) for row in points],
            y=[row[name] for row in points],
            mode="lines",
            line={"color": _HALO, "width": 3},
            showlegend=False,
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=[look.local(row["bucket"]) for row in points],
        y=[row[name] for row in points],
        name=plain_words(told.label),
        mode="lines",
        line={"color": colour, "width": 1.5, "dash": "dash"},
        customdata=[[row["was"].isoformat(), None, look.when(row["was"])] for row in points],
        hovertemplate=form + " · %{customdata[2]}",
    )
    own = [{**row, "bucket": row["was"]} for row in points]
    return trend(own, name, told.label, look, show)


def plain_words(text: str) -> str:
    """Return our own words as a figure reads them."""
    return fmt.plotly_safe(text)


def bars(
    figure: go.Figure, rows: Sequence[Row], label: str, colour: str, look: Look, *, group: str | None = None
) -> None:
    """Draw one series of cost bars over time; `group` is what a click on one is about."""
    figure.add_bar(
        x=[look.local(row["bucket"]) for row in rows],
        y=[row["cost_usd"] for row in rows],
        name=label,
        marker={"color": colour},
        customdata=[[row["bucket"].isoformat(), group] for row in rows],
        hovertemplate="$%{y:,.4f}",
    )


def sum_by_bucket(rows: Sequence[Row]) -> list[Row]:
    """Add up the cost of rows of the same bucket."""
    sums: dict[datetime, Any] = {}
    for row in rows:
        sums[row["bucket"]] = sums.get(row["bucket"], 0) + row["cost_usd"]
    return [{"bucket": bucket, "cost_usd": amount} for bucket, amount in sorted(sums.items())]


def mark(figure: go.Figure, markers: Sequence[Row], look: Look) -> None:
    """Draw deploys, prompt-store clears and notes as dotted rules with a mark on the axis."""
    for kind, symbol, colour in _MARKS:
        these = [mark for mark in markers if mark["kind"] == kind][-50:]
        for mark in these:
            figure.add_vline(x=look.local(mark["ts"]), line={"color": colour, "width": 1, "dash": "dot"})
        if these:
            figure.add_scatter(
                x=[look.local(mark["ts"]) for mark in these],
                y=[0] * len(these),
                name=look.word(f"marker.{kind}"),
                mode="markers",
                marker={"symbol": symbol, "size": 10, "color": colour},
                text=[look.name(known(look.lang, f"marker.label.{mark['label']}", mark["label"])) for mark in these],
                cliponaxis=False,
                hovertemplate="%{text}",
            )


def mark_words(markers: Sequence[Row], look: Look) -> str:
    """Return the marks as words."""
    return "; ".join(f"{look.word('marker.' + mark['kind'])} {look.when(mark['ts'])}" for mark in markers[-10:])


def trend(points: Sequence[Row], name: str, label: str, look: Look, show: Any) -> str:
    """Return the sentence that stands for a line."""
    if not points:
        return look.word("alt.no_points", name=label)
    low, high = min(points, key=lambda row: row[name]), max(points, key=lambda row: row[name])
    return look.word(
        "alt.trend",
        name=label,
        start=look.when(points[0]["bucket"]),
        end=look.when(points[-1]["bucket"]),
        low=show(low[name]),
        high=show(high[name]),
        last=show(points[-1][name]),
    )


def room(amounts: Sequence[Any]) -> list[float]:
    """Return an axis range that leaves room for the labels outside bars."""
    low, high = float(min([0, *amounts])), float(max([0, *amounts]))
    span = (high - low) or 1.0
    return [low - _ROOM * span if low < 0 else 0, high + _ROOM * span if high > 0 else 0.05 * span]


class Unit(NamedTuple):
    """The unit that a chart's times are drawn in: how many milliseconds it is, and how axis and hovering say it."""

    size_ms: float
    suffix: str
    form: str


def unit_of(longest_ms: float, look: Look) -> Unit:
    """Return the unit in which an axis up to this many milliseconds reads best."""
    name = next(name for name, (_, up_to) in _UNITS.items() if longest_ms < up_to)
    return Unit(_UNITS[name][0], look.word(f"unit.{name}", n=""), _HOVER[name])


def see_through(colour: str, alpha: float) -> str:
    """Return a colour with transparency."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"


def dress(figure: go.Figure, *, height: int, legend: bool, left: int = 16) -> None:
    """Set size, margins, legend and grid of a figure; the left margin grows with the axis's words.

    A long legend stands in one column on a phone: it has height of its own, and is not taken from the drawing.
    """
    named = sum(trace.showlegend is not False for trace in figure.data) if legend else 0
    figure.update_layout(
        height=height + _LEGEND_LINE_PX * max(0, named - _LEGEND_NAMES),
        margin={"l": left, "r": 16, "t": 34 if legend else 16, "b": 32},
        showlegend=legend,
        legend={
            "orientation": "h",
            "y": 1.02,
            "x": 0,
            "yanchor": "bottom",
            "xanchor": "left",
            "traceorder": "normal",
        },
        colorway=list(PALETTE),
        hovermode="closest",
        bargap=0.25,
    )
    figure.update_yaxes(gridcolor=_GRID, zeroline=False, automargin=True)
    figure.update_xaxes(gridcolor=_GRID, zeroline=False)


def time_axis(figure: go.Figure, look: Look) -> None:
    """Set up an axis of time in the viewer's words."""
    figure.update_layout(hovermode="x unified")
    hover = "%Y-%m-%d" if look.bucket == "day" else "%Y-%m-%d %H:%M"
    figure.update_xaxes(type="date", showgrid=False, hoverformat=hover, tickformatstops=_ticks(look.lang))
    figure.update_xaxes(tickangle=0)  # how many ticks: Plotly judges by the width, which is a phone's as well
    if (only := _only_moment(figure)) is not None:  # around one moment Plotly repeats one label along the axis
        figure.update_xaxes(tickmode="array", tickvals=[only])
        if look.bucket == "day":  # a lone label is written as one of an hour, as it has no distance to another
            figure.layout.xaxis.tickformatstops = ()
            figure.update_xaxes(tickformat=_ticks(look.lang)[-1]["value"])
    else:
        _fill_buckets(figure, BUCKET_SIZE[look.bucket], words_between=look.bucket == "day")


def _fill_buckets(figure: go.Figure, size: timedelta, *, words_between: bool) -> None:
    """Draw what is of a stretch of time over that stretch, so that a mark at a moment lies where it happened in it.

    Plotly draws a day at its midnight, where a deploy in the evening would seem to come after it. Marks are moments.
    """
    drawn = [one for one in figure.data if one.type == "bar" or (one.type == "scatter" and one.mode != "markers")]
    for trace in drawn:
        trace.update(xperiod=size / timedelta(milliseconds=1), xperiodalignment="middle")
    moments = [moment for trace in drawn for moment in trace.x or ()]
    if moments and any(trace.fill or trace.stackgroup for trace in drawn if trace.type == "scatter"):
        # areas have no room beside them: the axis would end in the middle of a day, and without its word
        figure.update_xaxes(range=[min(moments), max(moments) + size])
    if words_between:  # "23 Nov" below the middle of that day, not at its midnight
        figure.update_xaxes(ticklabelmode="period")
        # Left to itself, Plotly puts the ticks of a few days at the noons where their bars stand, so that each label
        # is written below the middle of noon to noon, a day too late.
        if moments and (max(moments) - min(moments)) / size < _FEW:
            figure.update_xaxes(tickmode="linear", tick0=min(moments), dtick=size / timedelta(milliseconds=1))


def _only_moment(figure: go.Figure) -> Any:
    """The moment of a figure whose points all lie at one; None when there are more, or none."""
    found = None
    for trace in figure.data:
        for moment in () if trace.x is None else trace.x:
            if found is not None and moment != found:
                return None
            found = moment
    return found


def _ticks(lang: Language) -> list[dict[str, Any]]:
    # "%e" and not "%-d" for days: by it Plotly knows that a label is of a day, and writes it below the middle of it
    hour, day = ("%H:%M\n%-m월 %-d일", "%-m월 %e일") if lang == "ko" else ("%H:%M\n%-d %b", "%e %b")
    half_day = 12 * 3600 * 1000
    return [{"dtickrange": [None, half_day], "value": hour}, {"dtickrange": [half_day, None], "value": day}]


def dollars(figure: go.Figure) -> None:
    """Set up a vertical axis of dollars."""
    figure.update_yaxes(tickformat="$,.4~f", rangemode="tozero")
