"""Promised against realised: pure builders from promises to rows and a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from core.promises import Promise, Realised
from dashboard import format as fmt
from dashboard import ink
from dashboard.ink import Chart, Look, Row

_STYLES = {"promised": (ink.OTHERS[3], 0.55), "realised": (ink.GAIN, 1.0)}


def rows(done: Sequence[Promise], found: Mapping[str, Realised]) -> list[dict[str, Any]]:
    """Return one row per promise with what came of it; what is not known yet is None."""
    return [_row(promise, found.get(promise.action_id)) for promise in done]


def _row(promise: Promise, came: Realised | None) -> dict[str, Any]:
    return {
        "engine": promise.engine,
        "cause": promise.cause,
        "mend_key": promise.mend_key,
        "done_at": promise.done_at,
        "actor": promise.actor,
        "promised_month_usd": promise.month_usd,
        "promised_low_usd": promise.low_usd,
        "promised_high_usd": promise.high_usd,
        "status": came.status if came else None,
        "measure": came.measure if came else None,
        "realised_month_usd": came.month_usd if came else None,
        "realised_low_usd": came.low_usd if came else None,
        "realised_high_usd": came.high_usd if came else None,
        "elsewhere_month_usd": came.elsewhere_month_usd if came else None,
        "days": came.days if came else None,
        "calls": came.calls if came else None,
        "missed_usd": came.missed_usd if came else None,
        "days_before": came.days_before if came else None,
        "calls_before": came.calls_before if came else None,
        "missed_before_usd": came.missed_before_usd if came else None,
    }


def kept(told: Sequence[Row], labels: Sequence[str], look: Look) -> Chart:
    """Draw promised and realised dollars a month of each action, with intervals; unknown has no bar."""
    figure = go.Figure()
    names = [f"{n}. {fmt.plotly_safe(label)}" for n, label in enumerate(labels, start=1)]
    for kind, (colour, alpha) in _STYLES.items():
        amounts = [row[f"{kind}_month_usd"] for row in told]
        figure.add_bar(
            x=amounts,
            y=names,
            orientation="h",
            name=look.word(f"action.{kind}"),
            marker={"color": ink.see_through(colour, alpha)},
            error_x=_whiskers(told, kind),
            customdata=[fmt.money(amount) for amount in amounts],
            hovertemplate="%{y}: %{customdata}",
        )
    ink.dress(figure, height=110 + 56 * len(told), legend=True, left=120)
    figure.update_layout(barmode="group", legend={"traceorder": "normal"})
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    figure.update_xaxes(tickformat="$,.4~f", nticks=5)
    figure.add_vline(x=0, line={"color": ink.RULE, "width": 1})
    parts = "; ".join(
        look.word(
            "alt.promise",
            name=name,
            promised=fmt.money(row["promised_month_usd"]),
            realised=look.word("action.not_yet")
            if row["realised_month_usd"] is None
            else fmt.money(row["realised_month_usd"]),
        )
        for name, row in zip(labels, told, strict=True)
    )
    return Chart(figure, look.word("alt.promises", parts=parts or fmt.UNKNOWN))


def _whiskers(told: Sequence[Row], kind: str) -> dict[str, Any]:
    """Return the intervals around the bars; where one is unknown there is no whisker."""
    up, down = [], []
    for row in told:
        middle, low, high = (row[f"{kind}_{part}_usd"] for part in ("month", "low", "high"))
        known = None not in (middle, low, high)
        up.append(float(high - middle) if known else 0.0)
        down.append(float(middle - low) if known else 0.0)
    return {
        "type": "data", "symmetric": False, "array": up, "arrayminus": down,
        "thickness": 1.5, "width": 4, "color": ink.RULE,
    }  # fmt: skip
