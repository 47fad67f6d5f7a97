"""Pure builders from rows to a Plotly figure and the sentence that stands for it (`alt`).

The four fixed colours mean the same on every page: cache read, 5-minute write, 1-hour write, uncached input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from core.metrics.leading import others
from core.metrics.scope import NONE
from dashboard import format as fmt
from dashboard import ink
from dashboard.ink import Chart, Look, Row


def waterfall(total: Row, look: Look, *, height: int = 320) -> Chart:
    """Draw no-cache cost → read discount → write premium → actual cost."""
    names = ("no_cache_cost_usd", "gross_savings_usd", "write_premium_usd", "cost_usd")
    no_cache, gross, premium, cost = (total[name] for name in names)
    labels = [look.word(f"waterfall.{name}") for name in names]
    figure = go.Figure(
        go.Waterfall(
            x=["<br>".join(label.rsplit(" ", 1)) for label in labels],  # on two lines they stand upright on a phone
            y=[no_cache, -gross, premium, cost],
            measure=["absolute", "relative", "relative", "total"],
            text=[fmt.money(no_cache), fmt.money(-gross), fmt.money(premium, signed=True), fmt.money(cost)],
            textposition="outside",
            cliponaxis=False,
            decreasing={"marker": {"color": ink.READ}},
            increasing={"marker": {"color": ink.WRITE_1H}},
            totals={"marker": {"color": ink.UNCACHED}},
            connector={"line": {"color": ink.RULE, "width": 1}},
            hovertemplate="%{x}<br>%{text}<extra></extra>",
        )
    )
    ink.dress(figure, height=height, legend=False)
    ink.dollars(figure)
    figure.update_layout(margin={"b": 44})
    figure.update_xaxes(tickangle=0)
    highest = float(max(no_cache, no_cache - gross + premium))
    figure.update_yaxes(range=[0, highest * 1.15 if highest else 1])
    parts = "; ".join(f"{label} {text}" for label, text in zip(labels, figure.data[0].text, strict=True))
    return Chart(figure, look.word("alt.waterfall", parts=parts))


def ratio_lines(
    rows: Sequence[Row],
    names: Sequence[str],
    look: Look,
    *,
    markers: Sequence[Row] = (),
    before: ink.Before | None = None,
    height: int = 300,
) -> Chart:
    """Draw one or more ratios of 0…1 over time, with gaps where nothing happened and deploy and clear marks.

    `before` is drawn for the first ratio only: more dashed lines would hide what they are compared with.
    """
    figure = go.Figure()
    sentences = []
    for name in names:
        colour, dash = ink.RATE_STYLES[name]
        points = [row for row in ink.thin(rows) if row.get(name) is not None]
        label = look.word(f"metric.{name}.label")
        ink.line(figure, points, name, look, label=label, colour=colour, dash=dash, hover="%{y:.1%}")
        sentences.append(ink.trend(points, name, label, look, fmt.percent))
    colour = ink.RATE_STYLES[names[0]][0]
    sentences.append(ink.before(figure, before, names[0], look, colour=colour, form="%{y:.1%}", show=fmt.percent))
    ink.mark(figure, markers, look)
    ink.dress(figure, height=height, legend=len(figure.data) > 1)
    ink.time_axis(figure, look)
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%")
    return Chart(figure, _joined([*sentences, ink.mark_words(markers, look)]))


def stacked_cost(
    rows: Sequence[Row],
    by: str,
    look: Look,
    *,
    markers: Sequence[Row] = (),
    before: ink.Before | None = None,
    height: int = 320,
) -> Chart:
    """Draw cost per bucket stacked by a dimension; beyond eight values the rest is one group."""
    sums: dict[Any, Any] = {}
    for row in rows:
        if row["cost_usd"] is not None:
            sums[row[by]] = sums.get(row[by], 0) + row["cost_usd"]
    ranked = sorted(sums, key=lambda key: (others(key) is not None, -sums[key], str(key)))
    shown = [key for key in ranked[: ink.MAX_GROUPS] if others(key) is None]
    rest = set(ranked[len(shown) :])
    figure = go.Figure()
    for index, value in enumerate(shown):
        part = [row for row in rows if row[by] == value and row["cost_usd"] is not None]
        ink.bars(figure, part, look.member(by, value), ink.group_colour(index), look, group=_group(by, value))
    if rest:
        part = [row for row in rows if row[by] in rest and row["cost_usd"] is not None]
        n = sum(others(key) or 1 for key in rest)
        ink.bars(figure, ink.sum_by_bucket(part), look.word("chart.others", n=fmt.count(n)), ink.UNCACHED, look)
    figure.update_layout(barmode="stack")
    told = ink.before(figure, before, "cost_usd", look, colour=ink.OVER_BARS, form="$%{y:,.4f}", show=fmt.money)
    ink.mark(figure, markers, look)
    ink.dress(figure, height=height, legend=True)
    ink.time_axis(figure, look)
    ink.dollars(figure)
    parts = "; ".join(f"{fmt.member(by, value, look.lang)} {fmt.money(sums[value])}" for value in shown)
    words = look.word("alt.stacked_cost", parts=parts or fmt.UNKNOWN)
    return Chart(figure, _joined([words, told, ink.mark_words(markers, look)]))


def _group(by: str, value: str | None) -> str | None:
    """Return what a click on a group is about: having no tenant can be asked for, an unknown name cannot."""
    return NONE if by == "tenant" and value is None else value


def token_mix(rows: Sequence[Row], look: Look, *, height: int = 300) -> Chart:
    """Draw what prompts were made of over time, as shares of 100 %, in the four colours."""
    points = [row for row in ink.thin(rows) if any(row[name] for name in ink.TOKEN_KINDS)]
    figure = go.Figure()
    times = [look.local(row["bucket"]) for row in points]
    for name, colour in ink.TOKEN_KINDS.items():
        figure.add_scatter(
            x=times,
            y=[row[name] or 0 for row in points],
            name=look.word(f"kind.{name}"),
            mode="lines",
            stackgroup="prompt",
            groupnorm="percent",
            line={"color": colour, "width": 0.5},
            fillcolor=ink.see_through(colour, 0.85),
            hovertemplate="%{y:.1f}%",
        )
    ink.dress(figure, height=height, legend=True)
    ink.time_axis(figure, look)
    figure.update_yaxes(range=[0, 100], ticksuffix="%")
    sums = {name: sum(row[name] or 0 for row in points) for name in ink.TOKEN_KINDS}
    whole = sum(sums.values())
    parts = "; ".join(
        f"{look.word(f'kind.{name}')} {fmt.percent(amount / whole if whole else None)}" for name, amount in sums.items()
    )
    return Chart(figure, look.word("alt.token_mix", parts=parts))


def cost_parts(total: Row, look: Look, *, height: int = 260) -> Chart:
    """Draw what the money was spent on: input, reads, writes, output, tools."""
    parts = [(name, total.get(name)) for name in ink.COST_KINDS]
    parts = [(name, amount) for name, amount in parts if amount]
    labels = [look.word(f"kind.{name}") for name, _ in parts]
    figure = go.Figure(
        go.Bar(
            x=[amount for _, amount in parts],
            y=labels,
            orientation="h",
            marker={"color": [ink.COST_KINDS[name] for name, _ in parts]},
            text=[fmt.money(amount) for _, amount in parts],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}<br>%{text}<extra></extra>",
        )
    )
    ink.dress(figure, height=height, legend=False)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(tickformat="$,.4~f", range=ink.room([amount for _, amount in parts]), nticks=5, tickangle=0)
    words = "; ".join(f"{label} {fmt.money(amount)}" for label, (_, amount) in zip(labels, parts, strict=True))
    return Chart(figure, look.word("alt.cost_parts", parts=words or fmt.UNKNOWN))


def percentiles(
    rows: Sequence[Row],
    look: Look,
    *,
    markers: Sequence[Row] = (),
    before: ink.Before | None = None,
    height: int = 320,
) -> Chart:
    """Draw p50, p95 and p99 of the response time over time, in the unit that reads best."""
    figure = go.Figure()
    sentences = []
    names = tuple(ink.PERCENTILE_STYLES)
    longest = max((row[name] for row in rows for name in names if row.get(name) is not None), default=0.0)
    unit = ink.unit_of(longest, look)
    hover = f"%{{y:{unit.form}}}{unit.suffix}"

    def show(value: float) -> str:
        return fmt.duration_ms(value * unit.size_ms, look.lang)

    for name, (colour, dash) in ink.PERCENTILE_STYLES.items():
        points = _in_unit([row for row in ink.thin(rows) if row.get(name) is not None], name, unit)
        ink.line(figure, points, name, look, label=name, colour=colour, dash=dash, hover=hover)
        sentences.append(ink.trend(points, name, name, look, show))
    if before is not None:
        known = [row for row in before.rows if row.get("p95") is not None]
        before = ink.Before(f"p95 {before.label}", tuple(_in_unit(known, "p95", unit)))
    colour = ink.PERCENTILE_STYLES["p95"][0]
    sentences.append(ink.before(figure, before, "p95", look, colour=colour, form=hover, show=show))
    ink.mark(figure, markers, look)
    ink.dress(figure, height=height, legend=True)
    ink.time_axis(figure, look)
    figure.update_yaxes(rangemode="tozero", ticksuffix=unit.suffix, tickformat=",.3~r")
    return Chart(figure, _joined([*sentences, ink.mark_words(markers, look)]))


def _in_unit(rows: Sequence[Row], name: str, unit: ink.Unit) -> list[Row]:
    """Return the rows with the milliseconds of one column in another unit."""
    return [{**row, name: row[name] / unit.size_ms} for row in rows]


def ranges(groups: Sequence[tuple[str, Row]], look: Look, *, height: int = 180) -> Chart:
    """Draw p50–p95 of two or more groups as dumbbells; a group is its label and its {p50, p95, count}."""
    seen = [(label, group) for label, group in groups if group.get("p50") is not None]
    longest = max((group["p95"] for _, group in seen), default=1.0)
    unit = ink.unit_of(longest, look)
    figure = go.Figure()
    for label, group in seen:
        figure.add_scatter(
            x=[group["p50"] / unit.size_ms, group["p95"] / unit.size_ms],
            y=[label, label],
            mode="lines",
            line={"color": ink.RULE, "width": 5},
            showlegend=False,
            hoverinfo="skip",
        )
    for name, side in (("p50", "middle left"), ("p95", "middle right")):
        figure.add_scatter(
            x=[group[name] / unit.size_ms for _, group in seen],
            y=[label for label, _ in seen],
            name=name,
            mode="markers+text",
            marker={"color": ink.PERCENTILE_STYLES[name][0], "size": 13},
            text=[fmt.duration_ms(group[name], look.lang) for _, group in seen],
            textposition=side,
            cliponaxis=False,
            hovertemplate="%{y} " + name + ": %{text}<extra></extra>",
        )
    ink.dress(figure, height=height, legend=True)
    figure.update_yaxes(autorange="reversed", showgrid=False, range=[len(seen) - 0.4, -0.6])
    end = longest / unit.size_ms * 1.25
    figure.update_xaxes(range=[0, end], ticksuffix=unit.suffix, tickformat=",.3~r", nticks=5, tickangle=0)
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


def cumulative(
    rows: Sequence[Row],
    name: str,
    look: Look,
    *,
    markers: Sequence[Row] = (),
    before: ink.Before | None = None,
    height: int = 300,
) -> Chart:
    """Draw the running total of a dollar column; below zero is drawn as the loss it is."""
    summed = _running(rows, name)
    times, totals = [look.local(row["bucket"]) for row in summed], [row[name] for row in summed]
    running = totals[-1] if totals else None
    colour = ink.LOSS if totals and totals[-1] < 0 else ink.GAIN
    figure = go.Figure(
        go.Scatter(
            x=times,
            y=totals,
            mode="lines+markers",
            marker={"size": ink.marker_size(len(times))},
            line={"color": colour, "width": 2},
            fill="tozeroy",
            cliponaxis=False,
            fillcolor=ink.see_through(colour, 0.15),
            name=look.word(f"metric.{name}.label"),
            customdata=[[row["bucket"].isoformat(), None] for row in summed],
            hovertemplate="$%{y:,.2f}<extra></extra>",
        )
    )
    told = None if before is None else before._replace(rows=tuple(_running(before.rows, name)))
    then = ink.before(figure, told, name, look, colour=ink.UNCACHED, form="$%{y:,.2f}", show=fmt.money)
    ink.mark(figure, markers, look)
    ink.dress(figure, height=height, legend=len(figure.data) > 1)
    ink.time_axis(figure, look)
    ink.dollars(figure)
    figure.add_hline(y=0, line={"color": ink.RULE, "width": 1})
    words = look.word("alt.cumulative", total=fmt.money(running), n=len(totals))
    return Chart(figure, _joined([words, then, ink.mark_words(markers, look)]))


def _running(rows: Sequence[Row], name: str) -> list[dict[str, Any]]:
    """Return the rows whose value is known, with the sum of all up to each in its place."""
    told: list[dict[str, Any]] = []
    for row in rows:
        if row[name] is not None:
            told.append({**row, name: row[name] + (told[-1][name] if told else 0)})
    return told


def _joined(sentences: Sequence[str]) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


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
            marker={"color": [ink.LOSS if row[name] < 0 else ink.GAIN for row in known]},
            customdata=[[None, row[by]] for row in known],
            text=[fmt.money(row[name], signed=True) for row in known],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}<br>%{text}<extra></extra>",
        )
    )
    ink.dress(figure, height=height or 90 + 34 * len(known), legend=False)
    figure.update_yaxes(showgrid=False, type="category")
    figure.update_xaxes(tickformat="$,.2~f", range=ink.room([row[name] for row in known]), nticks=5, tickangle=0)
    figure.add_vline(x=0, line={"color": ink.RULE, "width": 1})
    words = "; ".join(f"{look.said(row[by])} {fmt.money(row[name], signed=True)}" for row in reversed(known))
    return Chart(figure, look.word("alt.signed_bars", parts=words or fmt.UNKNOWN))
