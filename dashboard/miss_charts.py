"""Pure builders of the miss ledger's figures: causes by dollars, by engine, and over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from dashboard import format as fmt
from dashboard import ink
from dashboard.i18n import translate
from dashboard.ink import Chart, Look, Row

CAUSE_COLOURS = {
    "prefix_changed": ink.OTHERS[2],
    "expired_5m": ink.WRITE_5M,
    "expired_1h": ink.WRITE_1H,
    "below_minimum": ink.OTHERS[1],
    "concurrent_first_write": ink.OTHERS[0],
    "caching_off": "#4F7FB5",
    "lookback": ink.OTHERS[5],
    "region_workspace": ink.OTHERS[3],
    "first_touch": ink.OTHERS[4],
    "after_deploy": "#A0855B",
    "after_clear": "#C9A98C",
    "dynamic_tail": ink.UNCACHED,
    "unknown": "#5E6A75",
}
MAX_CAUSES = 8
_END_ROOM = 1.45  # of the longest bar: its dollars and tokens stand beside it, on a phone too


def engines_shown(rows: Sequence[Row]) -> list[str | None]:
    """Return the engines that get a colour of their own, dearest first; the rest is drawn as one."""
    return _ranked(rows, "engine")[: ink.MAX_GROUPS]


def causes_shown(rows: Sequence[Row]) -> list[str]:
    """Return the causes in the order in which they are drawn, dearest first."""
    return _ranked(rows, "cause")


def pareto(rows: Sequence[Row], look: Look) -> Chart:
    """Draw missed dollars by cause, stacked by engine; rows are cause × engine. Each point tells its cause."""
    causes, engines = causes_shown(rows), engines_shown(rows)
    labels = [look.word(f"cause.{name}") for name in causes]
    figure = go.Figure()
    for index, engine in enumerate(engines):
        sums = _sums([row for row in rows if row["engine"] == engine], "cause", "usd")
        _segment(figure, causes, labels, sums, look.name(engine), ink.group_colour(index))
    rest = [row for row in rows if row["engine"] not in engines]
    if rest:
        count = len({row["engine"] for row in rest})
        sums = _sums(rest, "cause", "usd")
        _segment(figure, causes, labels, sums, look.word("chart.others", n=count), ink.UNCACHED)
    totals, tokens = _sums(rows, "cause", "usd"), _sums(rows, "cause", "tokens")
    ends = [f"{fmt.money(totals[name])} · {fmt.compact(tokens[name], look.lang)}" for name in causes]
    _ends(figure, labels, [totals[name] for name in causes], ends)
    figure.update_layout(barmode="stack")
    _lie_down(figure, height=110 + 40 * len(causes), legend=len(engines) > 1, amounts=list(totals.values()))
    parts = "; ".join(
        f"{label} {_end(totals[name], tokens[name], look)}" for label, name in zip(labels, causes, strict=True)
    )
    return Chart(figure, look.word("alt.pareto", parts=parts or fmt.UNKNOWN))


def causes(rows: Sequence[Row], look: Look, *, height: int = 320) -> Chart:
    """Draw missed dollars by cause: what can be had back, and the rest."""
    known = [row for row in rows if row["usd"]][:MAX_CAUSES]
    labels = [look.word(f"cause.{row['cause']}") for row in known]
    figure = go.Figure()
    for name, colour in (("recoverable_usd", ink.GAIN), ("rest_usd", ink.see_through(ink.UNCACHED, 0.55))):
        figure.add_bar(
            x=[row[name] for row in known],
            y=labels,
            orientation="h",
            name=look.word(f"misses.{name}"),
            marker={"color": colour},
            customdata=[fmt.money(row[name]) for row in known],
            hovertemplate="%{y}<br>%{customdata}",
        )
    _ends(figure, labels, [row["usd"] for row in known], [fmt.money(row["usd"]) for row in known])
    figure.update_layout(barmode="stack")
    _lie_down(figure, height=height, legend=True, amounts=[row["usd"] for row in known])
    parts = "; ".join(
        look.word("alt.cause", name=label, usd=fmt.money(row["usd"]), back=fmt.money(row["recoverable_usd"]))
        for label, row in zip(labels, known, strict=True)
    )
    return Chart(figure, look.word("alt.pareto", parts=parts or fmt.UNKNOWN))


def trend(rows: Sequence[Row], look: Look, *, markers: Sequence[Row] = (), height: int = 340) -> Chart:
    """Draw missed dollars per bucket stacked by cause, with deploys and clears."""
    figure = go.Figure()
    shown = causes_shown(rows)
    for name in shown:
        part = [
            {"bucket": row["bucket"], "cost_usd": row["usd"]}
            for row in rows
            if row["cause"] == name and row["usd"] is not None
        ]
        ink.bars(figure, part, look.word(f"cause.{name}"), CAUSE_COLOURS[name], look, group=name)
    figure.update_layout(barmode="stack")
    ink.mark(figure, markers, look)
    ink.dress(figure, height=height, legend=True)
    ink.time_axis(figure, look)
    ink.dollars(figure)
    sums = _sums(rows, "cause", "usd")
    parts = "; ".join(f"{look.word(f'cause.{name}')} {fmt.money(sums[name])}" for name in shown)
    words = look.word("alt.miss_trend", parts=parts or fmt.UNKNOWN)
    return Chart(figure, " ".join([words, ink.mark_words(markers, look)]).strip())


def _segment(
    figure: go.Figure, causes: list[str], labels: list[str], sums: dict[str, Any], name: str, colour: str
) -> None:
    figure.add_bar(
        x=[sums.get(cause) or 0 for cause in causes],
        y=labels,
        orientation="h",
        name=name,
        marker={"color": colour},
        customdata=[[cause, fmt.money(sums.get(cause))] for cause in causes],
        hovertemplate="%{y}<br>%{customdata[1]}",
    )


def _ends(figure: go.Figure, labels: list[str], totals: list[Any], texts: list[str]) -> None:
    """Write each bar's sum at its end."""
    figure.add_scatter(
        x=totals,
        y=labels,
        mode="text",
        text=["<br>".join(f" {line}" for line in text.split(" · ")) for text in texts],
        textposition="middle right",
        cliponaxis=False,
        showlegend=False,
        hoverinfo="skip",
    )


def _lie_down(figure: go.Figure, *, height: int, legend: bool, amounts: list[Any]) -> None:
    ink.dress(figure, height=height, legend=legend)
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    longest = float(max([*amounts, 0])) or 1.0
    figure.update_xaxes(tickformat="$,.4~f", range=[0, longest * _END_ROOM], nticks=5, tickangle=0)


def _end(usd: Any, tokens: int, look: Look) -> str:
    return translate(look.lang, "misses.bar", usd=fmt.money(usd), tokens=fmt.tokens(tokens, look.lang))


def _ranked(rows: Sequence[Row], by: str) -> list[Any]:
    sums, tokens = _sums(rows, by, "usd"), _sums(rows, by, "tokens")
    return sorted(sums, key=lambda key: (-sums[key], -tokens[key], str(key)))


def _sums(rows: Sequence[Row], by: str, name: str) -> dict[Any, Any]:
    sums: dict[Any, Any] = {}
    for row in rows:
        sums[row[by]] = sums.get(row[by], 0) + (row[name] or 0)
    return sums
