"""Pure builders from rows to a Plotly figure and the sentence that stands for it (`alt`).

The four fixed colours mean the same on every page: cache read, 5-minute write, 1-hour write, uncached input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import plotly.graph_objects as go

from dashboard import format as fmt
from dashboard.filters import BUCKET_SIZE, Bucket
from dashboard.i18n import Language, known, translate

READ, WRITE_5M, WRITE_1H, UNCACHED = "#1B86D8", "#C98500", "#B0306A", "#968E80"
OTHERS = ("#2F9E77", "#8067C9", "#D1603D", "#5B8FA8", "#7C8A2E", "#C2649A")
PALETTE = (READ, WRITE_5M, WRITE_1H, UNCACHED, *OTHERS)
GAIN, LOSS = "#2F9E77", "#D1603D"
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
_MAX_GROUPS = 8
_GRID = "rgba(128,140,152,0.22)"
_RULE = "rgba(128,140,152,0.75)"

Row = Mapping[str, Any]


class Chart(NamedTuple):
    """A figure and its text for those who do not see it."""

    figure: go.Figure
    alt: str


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


def waterfall(total: Row, look: Look) -> Chart:
    """Draw no-cache cost → read discount → write premium → actual cost."""
    names = ("no_cache_cost_usd", "gross_savings_usd", "write_premium_usd", "cost_usd")
    no_cache, gross, premium, cost = (total[name] for name in names)
    labels = [look.word(f"waterfall.{name}") for name in names]
    figure = go.Figure(
        go.Waterfall(
            x=labels,
            y=[no_cache, -gross, premium, cost],
            measure=["absolute", "relative", "relative", "total"],
            text=[fmt.money(no_cache), fmt.money(-gross), fmt.money(premium, signed=True), fmt.money(cost)],
            textposition="outside",
            cliponaxis=False,
            decreasing={"marker": {"color": READ}},
            increasing={"marker": {"color": WRITE_1H}},
            totals={"marker": {"color": UNCACHED}},
            connector={"line": {"color": _RULE, "width": 1}},
            hovertemplate="%{x}<br>%{text}<extra></extra>",
        )
    )
    _dress(figure, height=320, legend=False)
    _dollars(figure)
    highest = float(max(no_cache, no_cache - gross + premium))
    figure.update_yaxes(range=[0, highest * 1.15 if highest else 1])
    parts = "; ".join(f"{label} {text}" for label, text in zip(labels, figure.data[0].text, strict=True))
    return Chart(figure, look.word("alt.waterfall", parts=parts))


def ratio_lines(
    rows: Sequence[Row], names: Sequence[str], look: Look, *, markers: Sequence[Row] = (), height: int = 300
) -> Chart:
    """Draw one or more ratios of 0…1 over time, with gaps where nothing happened and deploy and clear marks."""
    figure = go.Figure()
    sentences = []
    for name, (colour, dash) in zip(names, _line_styles(names), strict=True):
        points = [row for row in thin(rows) if row.get(name) is not None]
        label = look.word(f"metric.{name}.label")
        _line(figure, points, name, look, label=label, colour=colour, dash=dash, hover="%{y:.1%}")
        sentences.append(_trend(points, name, label, look, fmt.percent))
    _mark(figure, markers, look)
    _dress(figure, height=height, legend=len(names) > 1 or bool(markers))
    _time_axis(figure, look)
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%")
    return Chart(figure, " ".join([*sentences, _mark_words(markers, look)]).strip())


def stacked_cost(rows: Sequence[Row], by: str, look: Look, *, height: int = 320) -> Chart:
    """Draw cost per bucket stacked by a dimension; beyond eight values the rest is one group."""
    sums: dict[Any, Any] = {}
    for row in rows:
        if row["cost_usd"] is not None:
            sums[row[by]] = sums.get(row[by], 0) + row["cost_usd"]
    ranked = sorted(sums, key=lambda key: (-sums[key], str(key)))
    shown, rest = ranked[:_MAX_GROUPS], set(ranked[_MAX_GROUPS:])
    figure = go.Figure()
    for index, value in enumerate(shown):
        part = [row for row in rows if row[by] == value and row["cost_usd"] is not None]
        _bars(figure, part, look.name(value), _group_colour(index), look)
    if rest:
        part = [row for row in rows if row[by] in rest and row["cost_usd"] is not None]
        _bars(figure, _sum_by_bucket(part), look.word("chart.others", n=len(rest)), UNCACHED, look)
    figure.update_layout(barmode="stack")
    _dress(figure, height=height, legend=True)
    _time_axis(figure, look)
    _dollars(figure)
    parts = "; ".join(f"{look.name(value)} {fmt.money(sums[value])}" for value in shown)
    return Chart(figure, look.word("alt.stacked_cost", parts=parts or fmt.UNKNOWN))


def token_mix(rows: Sequence[Row], look: Look, *, height: int = 300) -> Chart:
    """Draw what prompts were made of over time, as shares of 100 %, in the four colours."""
    points = [row for row in thin(rows) if any(row[name] for name in TOKEN_KINDS)]
    figure = go.Figure()
    times = [look.local(row["bucket"]) for row in points]
    for name, colour in TOKEN_KINDS.items():
        figure.add_scatter(
            x=times,
            y=[row[name] or 0 for row in points],
            name=look.word(f"kind.{name}"),
            mode="lines",
            stackgroup="prompt",
            groupnorm="percent",
            line={"color": colour, "width": 0.5},
            fillcolor=_see_through(colour, 0.85),
            hovertemplate="%{y:.1f}%",
        )
    _dress(figure, height=height, legend=True)
    _time_axis(figure, look)
    figure.update_yaxes(range=[0, 100], ticksuffix="%")
    sums = {name: sum(row[name] or 0 for row in points) for name in TOKEN_KINDS}
    whole = sum(sums.values())
    parts = "; ".join(
        f"{look.word(f'kind.{name}')} {fmt.percent(amount / whole if whole else None)}" for name, amount in sums.items()
    )
    return Chart(figure, look.word("alt.token_mix", parts=parts))


def cost_parts(total: Row, look: Look, *, height: int = 260) -> Chart:
    """Draw what the money was spent on: input, reads, writes, output, tools."""
    parts = [(name, total.get(name)) for name in COST_KINDS]
    parts = [(name, amount) for name, amount in parts if amount]
    labels = [look.word(f"kind.{name}") for name, _ in parts]
    figure = go.Figure(
        go.Bar(
            x=[amount for _, amount in parts],
            y=labels,
            orientation="h",
            marker={"color": [COST_KINDS[name] for name, _ in parts]},
            text=[fmt.money(amount) for _, amount in parts],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}<br>%{text}<extra></extra>",
        )
    )
    _dress(figure, height=height, legend=False, left=110)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(tickprefix="$", tickformat=",.4~f", range=_room([amount for _, amount in parts]))
    words = "; ".join(f"{label} {fmt.money(amount)}" for label, (_, amount) in zip(labels, parts, strict=True))
    return Chart(figure, look.word("alt.cost_parts", parts=words or fmt.UNKNOWN))


def percentiles(rows: Sequence[Row], look: Look, *, markers: Sequence[Row] = (), height: int = 320) -> Chart:
    """Draw p50, p95 and p99 of the response time over time."""
    figure = go.Figure()
    sentences = []
    styles = {"p50": (READ, "solid"), "p95": (WRITE_5M, "solid"), "p99": (WRITE_1H, "dot")}
    for name, (colour, dash) in styles.items():
        points = [row for row in thin(rows) if row.get(name) is not None]
        _line(figure, points, name, look, label=name, colour=colour, dash=dash, hover="%{y:,.0f} ms")
        sentences.append(_trend(points, name, name, look, lambda value: fmt.duration_ms(value, look.lang)))
    _mark(figure, markers, look)
    _dress(figure, height=height, legend=True)
    _time_axis(figure, look)
    figure.update_yaxes(rangemode="tozero", ticksuffix=" ms", tickformat=",.0f")
    return Chart(figure, " ".join(sentences))


def ranges(groups: Sequence[tuple[str, Row]], look: Look, *, height: int = 200) -> Chart:
    """Draw p50–p95 of two or more groups as dumbbells; a group is its label and its {p50, p95, count}."""
    seen = [(label, group) for label, group in groups if group.get("p50") is not None]
    figure = go.Figure()
    for label, group in seen:
        figure.add_scatter(
            x=[group["p50"], group["p95"]],
            y=[label, label],
            mode="lines",
            line={"color": _RULE, "width": 5},
            showlegend=False,
            hoverinfo="skip",
        )
    for name, colour in (("p50", READ), ("p95", WRITE_5M)):
        figure.add_scatter(
            x=[group[name] for _, group in seen],
            y=[label for label, _ in seen],
            name=name,
            mode="markers+text",
            marker={"color": colour, "size": 13},
            text=[fmt.duration_ms(group[name], look.lang) for _, group in seen],
            textposition="top center",
            cliponaxis=False,
            hovertemplate="%{y} " + name + ": %{text}<extra></extra>",
        )
    _dress(figure, height=height, legend=True, left=110)
    figure.update_yaxes(autorange="reversed", showgrid=False, range=[len(seen) - 0.4, -0.6])
    figure.update_xaxes(rangemode="tozero", ticksuffix=" ms", tickformat=",.0f")
    words = "; ".join(
        look.word(
            "alt.range",
            name=label,
            p50=fmt.duration_ms(group["p50"], look.lang),
            p95=fmt.duration_ms(group["p95"], look.lang),
            n=fmt.count(group.get("count")),
        )
        for label, group in seen
    )
    return Chart(figure, words or fmt.UNKNOWN)


def cumulative(rows: Sequence[Row], name: str, look: Look, *, height: int = 300) -> Chart:
    """Draw the running total of a dollar column; below zero is drawn as the loss it is."""
    times, totals, running = [], [], None
    for row in rows:
        if row[name] is not None:
            running = row[name] if running is None else running + row[name]
            times.append(look.local(row["bucket"]))
            totals.append(running)
    colour = LOSS if totals and totals[-1] < 0 else GAIN
    figure = go.Figure(
        go.Scatter(
            x=times,
            y=totals,
            mode="lines+markers" if len(times) < 60 else "lines",
            line={"color": colour, "width": 2},
            fill="tozeroy",
            fillcolor=_see_through(colour, 0.15),
            hovertemplate="$%{y:,.2f}<extra></extra>",
        )
    )
    _dress(figure, height=height, legend=False)
    _time_axis(figure, look)
    _dollars(figure)
    figure.add_hline(y=0, line={"color": _RULE, "width": 1})
    return Chart(figure, look.word("alt.cumulative", total=fmt.money(running), n=len(totals)))


def signed_bars(rows: Sequence[Row], by: str, name: str, look: Look, *, height: int | None = None) -> Chart:
    """Draw one signed dollar bar per group, gains to the right and losses to the left of zero."""
    known = sorted((row for row in rows if row[name] is not None), key=lambda row: row[name])
    if len(known) > 20:
        known = [*known[:10], *known[-10:]]
    figure = go.Figure(
        go.Bar(
            x=[row[name] for row in known],
            y=[look.name(row[by]) for row in known],
            orientation="h",
            marker={"color": [LOSS if row[name] < 0 else GAIN for row in known]},
            text=[fmt.money(row[name], signed=True) for row in known],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}<br>%{text}<extra></extra>",
        )
    )
    _dress(figure, height=height or 90 + 34 * len(known), legend=False, left=120)
    figure.update_yaxes(showgrid=False, type="category")
    figure.update_xaxes(tickprefix="$", tickformat=",.2~f", range=_room([row[name] for row in known]))
    figure.add_vline(x=0, line={"color": _RULE, "width": 1})
    words = "; ".join(f"{look.name(row[by])} {fmt.money(row[name], signed=True)}" for row in reversed(known))
    return Chart(figure, look.word("alt.signed_bars", parts=words or fmt.UNKNOWN))


def spark(rows: Sequence[Row], name: str, limit: int = 60) -> list[float] | None:
    """Return the values of a column for a sparkline, or None where there are too few to draw one."""
    values = [float(row[name]) for row in rows if row.get(name) is not None]
    return values[-limit:] if len(values) > 1 else None


def _line_styles(names: Sequence[str]) -> list[tuple[str, str]]:
    styles = [(READ, "solid"), (OTHERS[1], "dash"), (OTHERS[0], "dot")]
    return styles[: len(names)]


def _group_colour(index: int) -> str:
    return (*OTHERS, "#4F7FB5", "#A0855B")[index % _MAX_GROUPS]


def _line(
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
    times: list[datetime] = []
    values: list[Any] = []
    step = BUCKET_SIZE[look.bucket] * 1.5
    for row in points:
        now = look.local(row["bucket"])
        if times and now - times[-1] > step:
            times.append(times[-1] + BUCKET_SIZE[look.bucket])
            values.append(None)  # nothing happened here: a gap, not a straight line
        times.append(now)
        values.append(row[name])
    figure.add_scatter(
        x=times,
        y=values,
        name=label,
        mode="lines+markers" if len(points) < 60 else "lines",
        line={"color": colour, "width": 2, "dash": dash},
        marker={"size": 5},
        connectgaps=False,
        hovertemplate=hover,
    )


def _bars(figure: go.Figure, rows: Sequence[Row], label: str, colour: str, look: Look) -> None:
    figure.add_bar(
        x=[look.local(row["bucket"]) for row in rows],
        y=[row["cost_usd"] for row in rows],
        name=label,
        marker={"color": colour},
        hovertemplate="$%{y:,.4f}",
    )


def _sum_by_bucket(rows: Sequence[Row]) -> list[Row]:
    sums: dict[datetime, Any] = {}
    for row in rows:
        sums[row["bucket"]] = sums.get(row["bucket"], 0) + row["cost_usd"]
    return [{"bucket": bucket, "cost_usd": amount} for bucket, amount in sorted(sums.items())]


def _mark(figure: go.Figure, markers: Sequence[Row], look: Look) -> None:
    for kind, symbol, colour in (("deploy", "triangle-up", OTHERS[1]), ("clear", "x", OTHERS[2])):
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


def _mark_words(markers: Sequence[Row], look: Look) -> str:
    return "; ".join(f"{look.word('marker.' + mark['kind'])} {look.when(mark['ts'])}" for mark in markers[-10:])


def _trend(points: Sequence[Row], name: str, label: str, look: Look, show: Any) -> str:
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


def _room(amounts: Sequence[Any]) -> list[float]:
    low, high = float(min([0, *amounts])), float(max([0, *amounts]))
    span = (high - low) or 1.0
    return [low - 0.22 * span if low < 0 else 0, high + 0.22 * span if high > 0 else 0.05 * span]


def _see_through(colour: str, alpha: float) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"


def _dress(figure: go.Figure, *, height: int, legend: bool, left: int = 56) -> None:
    figure.update_layout(
        height=height,
        margin={"l": left, "r": 16, "t": 34 if legend else 16, "b": 32},
        showlegend=legend,
        legend={"orientation": "h", "y": 1.02, "x": 0, "yanchor": "bottom", "xanchor": "left"},
        colorway=list(PALETTE),
        hovermode="closest",
        bargap=0.25,
    )
    figure.update_yaxes(gridcolor=_GRID, zeroline=False, automargin=True)
    figure.update_xaxes(gridcolor=_GRID, zeroline=False)


def _time_axis(figure: go.Figure, look: Look) -> None:
    figure.update_layout(hovermode="x unified")
    hover = "%Y-%m-%d" if look.bucket == "day" else "%Y-%m-%d %H:%M"
    figure.update_xaxes(type="date", showgrid=False, hoverformat=hover, tickformatstops=_ticks(look.lang))
    figure.update_xaxes(nticks=10)


def _ticks(lang: Language) -> list[dict[str, Any]]:
    hour, day = ("%H:%M\n%-m월 %-d일", "%-m월 %-d일") if lang == "ko" else ("%H:%M\n%-d %b", "%-d %b")
    half_day = 12 * 3600 * 1000
    return [{"dtickrange": [None, half_day], "value": hour}, {"dtickrange": [half_day, None], "value": day}]


def _dollars(figure: go.Figure) -> None:
    figure.update_yaxes(tickprefix="$", tickformat=",.4~f")
