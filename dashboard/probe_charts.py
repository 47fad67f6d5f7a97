"""Pure builder of the probe's history: a mark per experiment and run, in the colour and shape of its verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import plotly.graph_objects as go

from dashboard import ink
from dashboard.ink import Chart, Look, Row

STYLES = {
    "passed": (ink.GAIN, "circle"),
    "inconclusive": (ink.WRITE_5M, "diamond"),
    "not_run": (ink.UNCACHED, "circle-open"),
    "failed": (ink.LOSS, "x"),
}


def verdicts(rows: Sequence[Row], look: Look) -> Chart:
    """Draw how each experiment ended, over time."""
    figure = go.Figure()
    for verdict, (colour, symbol) in STYLES.items():
        these = [row for row in rows if row["verdict"] == verdict]
        if not these:
            continue
        figure.add_scatter(
            x=[look.local(row["ts"]) for row in these],
            y=[look.word(f"probe.exp.{row['experiment']}") for row in these],
            name=look.word(f"probe.verdict.{verdict}"),
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 11, "line": {"width": 1.5, "color": colour}},
            text=[look.name(row["model"]) for row in these],
            hovertemplate="%{x|%Y-%m-%d %H:%M}<br>%{text}",
        )
    names = list(dict.fromkeys(look.word(f"probe.exp.{row['experiment']}") for row in rows))
    ink.dress(figure, height=110 + 34 * len(names), legend=True)
    ink.time_axis(figure, look)
    figure.update_layout(hovermode="closest")
    counts = Counter(str(row["verdict"]) for row in rows)
    parts = ", ".join(f"{look.word(f'probe.verdict.{name}')} {counts[name]}" for name in STYLES if counts[name])
    return Chart(figure, look.word("alt.probe", parts=parts))
