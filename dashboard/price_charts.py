"""The Prices page's charts: what each price row was paid for, and what a model costs in the five dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

import plotly.graph_objects as go

from dashboard import format as fmt
from dashboard import ink
from dashboard.ink import Chart, Look, Row

DIMENSIONS = {
    "cache_read": ink.READ,
    "cache_write_5m": ink.WRITE_5M,
    "cache_write_1h": ink.WRITE_1H,
    "input": ink.UNCACHED,
    "output": ink.OTHERS[0],
}
_MOST = 12


def hosts(source: str) -> str:
    """Return where prices were read, as short as can be: the host of an address, anything else as it stands."""
    parts = [part.strip() for part in source.split(",")]
    return ", ".join(dict.fromkeys(urlsplit(part).netloc or part for part in parts))


def paid_by_row(rows: Sequence[Row], look: Look) -> Chart:
    """Draw the dollars that each price row priced, the dearest on top."""
    shown = [row for row in rows if row["cost_usd"] is not None][:_MOST]
    figure = go.Figure(
        go.Bar(
            x=[row["cost_usd"] for row in shown],
            y=[_on_two_lines(row["price_row"], look) for row in shown],
            orientation="h",
            marker={"color": ink.OTHERS[1]},
            text=[fmt.money(row["cost_usd"]) for row in shown],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}<br>%{text}<extra></extra>",
        )
    )
    ink.dress(figure, height=90 + 44 * len(shown), legend=False)
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    figure.update_xaxes(tickformat="$,.4~f", range=ink.room([row["cost_usd"] for row in shown]), nticks=4, tickangle=0)
    words = "; ".join(f"{look.said(row['price_row'])} {fmt.money(row['cost_usd'])}" for row in shown)
    return Chart(figure, look.word("alt.paid_by_row", parts=words or fmt.UNKNOWN))


def _on_two_lines(price_row: str | None, look: Look) -> str:
    """Return a row's name for an axis that a phone has room beside: the model, and below it its list and day."""
    scope, _, rest = (price_row or "").partition("/")
    model, _, day = rest.partition("/")
    if not day:
        return look.name(price_row)
    return f"{look.name(model)}<br><sub>{look.name(scope)} · {look.name(day)}</sub>"


def five_prices(rows: Sequence[Row], look: Look) -> Chart:
    """Draw what a million tokens cost in each dimension, by model; prices differ a hundredfold, so by powers of ten."""
    shown = list({row["model"]: row for row in rows}.values())[:_MOST]
    figure = go.Figure()
    for name, colour in DIMENSIONS.items():
        figure.add_bar(
            x=[row[name] or None for row in shown],
            y=[look.name(row["model"]) for row in shown],
            name=look.word(f"price.{name}"),
            orientation="h",
            marker={"color": colour},
            hovertemplate="%{x:$,.4~f}",
        )
    ink.dress(figure, height=120 + 64 * len(shown), legend=True)
    figure.update_layout(barmode="group")
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    figure.update_xaxes(type="log", tickformat="$,.4~f", dtick=1)
    words = "; ".join(
        f"{look.said(row['model'])}: " + ", ".join(f"{look.word(f'price.{n}')} {fmt.money(row[n])}" for n in DIMENSIONS)
        for row in shown
    )
    return Chart(figure, look.word("alt.five_prices", parts=words or fmt.UNKNOWN))
