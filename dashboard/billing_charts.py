"""The Reconciliation page's charts: tokens logged and billed by day, and where the two sides differ."""

from __future__ import annotations

from datetime import UTC, datetime, time

import plotly.graph_objects as go

from core.reconcile import Reconciliation, Totals
from dashboard import format as fmt
from dashboard import ink
from dashboard.ink import Chart, Look

COLOURS = {
    "input": ink.UNCACHED,
    "cache_read": ink.READ,
    "cache_write": ink.WRITE_1H,
    "cache_write_5m": ink.WRITE_5M,
    "cache_write_1h": ink.WRITE_1H,
    "output": ink.OTHERS[0],
}
_MOST = 12
_FADED = 0.4


def by_day(found: Reconciliation, look: Look) -> Chart:
    """Draw the tokens of each UTC day on both sides; provisional days are faded."""
    figure = go.Figure()
    late = set(found.provisional_days)
    days = [datetime.combine(day, time.min, tzinfo=UTC).replace(tzinfo=None) for day, _ in found.by_day]
    faded = [_FADED if day in late else 1.0 for day, _ in found.by_day]
    for name, colour in (("own_tokens", ink.READ), ("billed_tokens", ink.OTHERS[2])):
        figure.add_bar(
            x=days,
            y=[getattr(totals, name) for _, totals in found.by_day],
            name=look.word(f"reconcile.col.{name}"),
            marker={"color": colour, "opacity": faded},
            hovertemplate="%{y:,}",
        )
    ink.dress(figure, height=320, legend=True)
    ink.time_axis(figure, look)
    figure.update_layout(barmode="group")
    total = found.total
    return Chart(
        figure,
        look.word(
            "alt.reconcile_days",
            n=len(found.by_day),
            own=fmt.count(total.own_tokens),
            billed=fmt.count(total.billed_tokens),
            share=fmt.percent(total.unlogged_share),
        ),
    )


def by_type(found: Reconciliation, look: Look) -> Chart:
    """Draw own − billed tokens of each model and token type, the largest differences on top."""
    shown = sorted(
        ((key, totals) for key, totals in found.by_type if totals.difference_tokens is not None),
        key=lambda item: -abs(item[1].difference_tokens or 0),
    )[:_MOST]
    # on two lines: beside a long name, a phone has no room for the bars and their words
    labels = [f"{look.name(model)}<br>{look.word(f'reconcile.type.{kind}')}" for (model, kind), _ in shown]
    figure = go.Figure(
        go.Bar(
            x=[totals.difference_tokens for _, totals in shown],
            y=labels,
            orientation="h",
            marker={"color": [COLOURS.get(kind, ink.OTHERS[1]) for (_, kind), _ in shown]},
            text=[_difference(totals) for _, totals in shown],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}<br>%{x:+,}<extra></extra>",
        )
    )
    ink.dress(figure, height=max(320, 90 + 36 * len(shown)), legend=False, left=100)
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    figure.update_xaxes(range=ink.room([totals.difference_tokens for _, totals in shown]), nticks=5)
    parts = "; ".join(
        f"{look.said(model)} {look.word(f'reconcile.type.{kind}')} {_difference(totals)}"
        for (model, kind), totals in shown
    )
    return Chart(figure, look.word("alt.reconcile_types", parts=parts or fmt.UNKNOWN))


def _difference(totals: Totals) -> str:
    return fmt.signed_percent(totals.variance_tokens)
