"""Pure builders of the TTL Lab's figures: policies by dollars a month, pauses between calls, and the crossover."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from dashboard import format as fmt
from dashboard import ink
from dashboard.ink import Chart, Look, Row

POLICY_STYLES = {
    "off": (ink.UNCACHED, "dot"),
    "5m": (ink.WRITE_5M, "solid"),
    "1h": (ink.WRITE_1H, "solid"),
    "5m_keep_alive": (ink.OTHERS[1], "dash"),
}
MIX_STYLES = {
    "configured": ink.OTHERS[3],
    **{f"all_{name}": colour for name, (colour, _) in POLICY_STYLES.items()},
    "best_mix": ink.GAIN,
}
_SHORT_MS, _LONG_MS = 300_000, 3_600_000


def mix(months: Row, look: Look, *, height: int = 320) -> Chart:
    """Draw the month of all engines: as configured, one policy for all alike, each engine on its best."""
    names = [look.word(f"mix.{name}") for name in MIX_STYLES]
    amounts = [months[f"{name}_month_usd"] for name in MIX_STYLES]
    texts = [fmt.money(amount) for amount in amounts]
    figure = go.Figure(
        go.Bar(
            x=amounts,
            y=names,
            orientation="h",  # whole words beside the bars, on a phone as well
            marker={"color": list(MIX_STYLES.values())},
            text=texts,
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}<br>%{text}<extra></extra>",
        )
    )
    ink.dress(figure, height=height, legend=False)
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    figure.update_xaxes(tickformat="$,.4~f", range=ink.room(amounts), nticks=5, tickangle=0)
    parts = "; ".join(f"{name} {fmt.money(amount)}" for name, amount in zip(names, amounts, strict=True))
    return Chart(figure, look.word("alt.policies", parts=parts))


def policies(rows: Sequence[Row], look: Look, *, height: int = 320) -> Chart:
    """Draw one engine's month under each policy, with the interval of the difference from the policy in force."""
    names = [_policy_label(row, look) for row in rows]
    amounts = [row["month_usd"] for row in rows]
    figure = _standing(names, amounts, [POLICY_STYLES[row["policy"]][0] for row in rows])
    figure.data[0].error_y = {
        "type": "data",
        "symmetric": False,
        "array": [float(row["saving_month_usd"] - row["saving_low_usd"]) for row in rows],
        "arrayminus": [float(row["saving_high_usd"] - row["saving_month_usd"]) for row in rows],
        "color": ink.RULE,
        "thickness": 1.5,
    }
    ink.dress(figure, height=height, legend=False)
    figure.update_layout(margin={"b": 64})
    _headroom(figure, [row["month_usd"] + row["saving_month_usd"] - row["saving_low_usd"] for row in rows])
    parts = "; ".join(
        look.word(
            "alt.policy",
            name=look.word(f"policy.{row['policy']}"),
            usd=fmt.money(row["month_usd"]),
            low=fmt.money(row["saving_low_usd"], signed=True),
            high=fmt.money(row["saving_high_usd"], signed=True),
        )
        for row in rows
    )
    return Chart(figure, look.word("alt.policies", parts=parts or fmt.UNKNOWN))


def gap_histogram(rows: Sequence[Row], look: Look, *, height: int = 320) -> Chart:
    """Draw how long the pauses between calls of one prefix were, with the 5-minute and the 1-hour rule."""
    labels = [_span(row, look) for row in rows]
    groups = (
        ("gap.both", ink.WRITE_5M, 0, _SHORT_MS),
        ("gap.long", ink.WRITE_1H, _SHORT_MS, _LONG_MS),
        ("gap.none", ink.UNCACHED, _LONG_MS, None),
    )
    figure, parts = go.Figure(), []
    for key, colour, low, high in groups:
        at = [n for n, row in enumerate(rows) if row["from_ms"] >= low and (high is None or row["from_ms"] < high)]
        figure.add_bar(
            x=[labels[n] for n in at],
            y=[rows[n]["gaps"] for n in at],
            name=look.word(key),
            marker={"color": colour},
            customdata=[fmt.percent(rows[n]["share"]) for n in at],
            hovertemplate="%{x}: %{y:,} (%{customdata})",
        )
        parts.append(f"{look.word(key)} {sum(rows[n]['gaps'] for n in at):,}")
    for edge, text in ((_SHORT_MS, look.word("policy.5m")), (_LONG_MS, look.word("policy.1h"))):
        at = next(n for n, row in enumerate(rows) if row["from_ms"] == edge)
        figure.add_vline(x=at - 0.5, line={"color": ink.RULE, "width": 2, "dash": "dash"})
        figure.add_annotation(x=at - 0.5, y=1, yref="paper", text=text, showarrow=False, xanchor="left", xshift=4)
    ink.dress(figure, height=height, legend=True)
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=labels, showgrid=False, tickangle=-45)
    figure.update_layout(bargap=0.08, margin={"b": 84})
    most = max(row["gaps"] for row in rows)
    figure.update_yaxes(tickformat=",d", title={"text": look.word("gap.axis")}, range=[0, most * 1.18])
    return Chart(figure, look.word("alt.gaps", parts="; ".join(parts)))


def crossover(found: Mapping[str, Any], look: Look, *, height: int = 320) -> Chart:
    """Draw cost per 1,000 calls over the share of pauses from 5 minutes to 1 hour, and where the engine stands."""
    curve, figure = found["curve"], go.Figure()
    for name, (colour, dash) in POLICY_STYLES.items():
        figure.add_scatter(
            x=[row["pause_share"] for row in curve],
            y=[row[name] for row in curve],
            name=look.word(f"policy.{name}"),
            mode="lines",
            line={"color": colour, "width": 2, "dash": dash},
            hovertemplate="%{y:$,.4f}",
        )
    for key, share, colour in (
        ("crossover.here", found["medium_share"], ink.READ),
        ("crossover.meets", found["crossover_share"], ink.RULE),
    ):
        if share is not None and share <= 1:
            figure.add_vline(x=share, line={"color": colour, "width": 2, "dash": "dot"})
            figure.add_scatter(
                x=[share],
                y=[0],
                mode="markers",
                name=f"{look.word(key)} {fmt.percent(share)}",
                marker={"color": colour, "size": 10, "symbol": "triangle-up"},
                cliponaxis=False,
                hovertemplate="%{x:.1%}",
            )
    ink.dress(figure, height=height, legend=True)
    figure.update_layout(hovermode="x unified")
    figure.update_xaxes(tickformat=".0%", title={"text": look.word("crossover.axis")}, range=[-0.01, 1.01])
    figure.update_layout(margin={"b": 56})
    ink.dollars(figure)
    figure.update_yaxes(rangemode="tozero")
    words = look.word(
        "alt.crossover",
        here=fmt.percent(found["medium_share"]),
        meets=fmt.percent(found["crossover_share"]),
    )
    return Chart(figure, words)


def _standing(names: list[str], amounts: list[Any], colours: list[str]) -> go.Figure:
    return go.Figure(
        go.Bar(
            x=names,
            y=amounts,
            marker={"color": colours},
            customdata=[fmt.money(amount) for amount in amounts],
            hovertemplate="%{x}<br>%{customdata}<extra></extra>",
        )
    )


def _headroom(figure: go.Figure, amounts: list[Any]) -> None:
    ink.dollars(figure)
    figure.update_yaxes(range=[0, (float(max([*amounts, 0])) or 1.0) * 1.12])
    figure.update_xaxes(type="category")


def _policy_label(row: Row, look: Look) -> str:
    notes = [look.word(f"policy.is.{name}") for name in ("configured", "best") if row[name]]
    lines = (look.word(f"policy.{row['policy']}"), fmt.money(row["month_usd"]), " · ".join(notes))
    return "<br>".join(line for line in lines if line)


def _span(row: Row, look: Look) -> str:
    low = _edge(row["from_ms"], look)
    return look.word("gap.over", low=low) if row["to_ms"] is None else f"{low}–{_edge(row['to_ms'], look)}"


def _edge(ms: int, look: Look) -> str:
    for unit, size in (("hours", _LONG_MS), ("minutes", 60_000)):
        if ms >= size:
            return look.word(f"unit.{unit}", n=f"{ms / size:g}")
    return look.word("unit.seconds", n=f"{ms / 1000:g}")
