"""The charts of the HTML report, as Plotly's JSON: data for plotly.js, without Plotly's Python (core knows none).

Names from logs are escaped: Plotly reads a little HTML and %{…} in labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from core.reports import said
from core.reports.document import Document
from core.reports.palette import COST_KINDS, GAIN, LOSS, READ, UNCACHED, WRITE_1H

_GRID = "rgba(128,140,152,0.22)"
_MOST_BARS = 20
_LONGEST = 32  # characters of a name in a chart; tables show it whole
Json = dict[str, Any]


class Figure(NamedTuple):
    """A chart: its heading, the sentence that stands for it, and Plotly's data and layout."""

    title: str
    alt: str
    data: list[Json]
    layout: Json


def figures(document: Document) -> Iterator[Figure]:
    """Return the charts; those that would show nothing are left out."""
    if document.total["cost_usd"] is not None:
        yield _waterfall(document)
    if document.days.groups:
        yield _read_share(document)
        if document.total["cost_usd"] is not None:
            yield _cost_by_day(document)
    for sheet, column in (("engine", "net_savings_usd"), ("causes", "usd")):
        if any(row[column] is not None for row in document.sheets[sheet].groups):
            yield _bars(document, sheet, column)


def safe(text: str) -> str:
    """Escape text for Plotly's labels."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("%{", "%\u2060{").replace("$", "&#36;")


def _waterfall(document: Document) -> Figure:
    total, word = document.total, document.word
    names = ("no_cache_cost_usd", "gross_savings_usd", "write_premium_usd", "cost_usd")
    signed = [total[names[0]], -total[names[1]], total[names[2]], total[names[3]]]
    labels, texts = [word(f"metric.{name}") for name in names], [said.money(value, places=2) for value in signed]
    data = {
        "type": "waterfall", "x": labels, "y": [float(value) for value in signed], "text": texts,
        "measure": ["absolute", "relative", "relative", "total"], "textposition": "outside", "cliponaxis": False,
        "decreasing": {"marker": {"color": READ}}, "increasing": {"marker": {"color": WRITE_1H}},
        "totals": {"marker": {"color": UNCACHED}}, "connector": {"line": {"color": _GRID, "width": 1}},
        "hovertemplate": "%{x}<br>%{text}<extra></extra>",
    }  # fmt: skip
    highest = max(signed[0], signed[0] + signed[1] + signed[2])
    layout = {"yaxis": {"tickprefix": "$", "range": [0, float(highest) * 1.15 or 1]}}
    return _figure(word("chart.waterfall"), zip(labels, texts, strict=True), [data], layout)


def _read_share(document: Document) -> Figure:
    rows = document.days.groups
    data = {
        "type": "scatter", "mode": "lines+markers", "x": [row["day"].isoformat() for row in rows],
        "y": [row["token_hit_rate"] for row in rows], "connectgaps": False, "line": {"color": READ, "width": 2},
        "hovertemplate": "%{x}: %{y:.1%}<extra></extra>",
    }  # fmt: skip
    layout = {
        "yaxis": {"range": [0, 1.02], "tickformat": ".0%"},
        "xaxis": {"type": "date", "hoverformat": "%Y-%m-%d", "tickformat": "%m-%d"},
    }
    ends = [(row["day"].isoformat(), said.percent(row["token_hit_rate"])) for row in (rows[0], rows[-1])]
    return _figure(document.word("chart.read_share"), ends, [data], layout)


def _cost_by_day(document: Document) -> Figure:
    rows, total, word = document.days.groups, document.total, document.word
    kinds = [(name, colour) for name, colour in COST_KINDS.items() if total[name]]
    data = [
        {
            "type": "bar", "name": word(f"kind.{name}"), "x": [row["day"].isoformat() for row in rows],
            "y": [_number(row[name]) for row in rows], "marker": {"color": colour},
            "hovertemplate": "$%{y:,.4f}",
        }
        for name, colour in kinds
    ]  # fmt: skip
    layout = {
        "barmode": "stack", "showlegend": True, "hovermode": "x unified", "yaxis": {"tickprefix": "$"},
        "xaxis": {"type": "date", "hoverformat": "%Y-%m-%d", "tickformat": "%m-%d"},
    }  # fmt: skip
    parts = [(word(f"kind.{name}"), said.money(total[name], places=2)) for name, _ in kinds]
    return _figure(word("chart.cost_by_day"), parts, data, layout)


def _bars(document: Document, sheet: str, column: str) -> Figure:
    report = document.sheets[sheet]
    rows = sorted((row for row in report.groups if row[column] is not None), key=lambda row: -row[column])
    if len(rows) > _MOST_BARS:
        rows = [*rows[: _MOST_BARS // 2], *rows[-_MOST_BARS // 2 :]]
    labels = [said.name(document, report, report.by[0], row[report.by[0]])[:_LONGEST] for row in rows]
    texts = [said.money(row[column], places=2) for row in rows]
    gain = GAIN if sheet == "engine" else READ
    data = {
        "type": "bar", "orientation": "h", "x": [float(row[column]) for row in rows],
        "y": [safe(label) for label in labels], "text": texts, "textposition": "outside", "cliponaxis": False,
        "marker": {"color": [LOSS if row[column] < 0 else gain for row in rows]},
        "hovertemplate": "%{y}<br>%{text}<extra></extra>",
    }  # fmt: skip
    ends = [float(row[column]) for row in rows]
    low, high = min([0, *ends]), max([0, *ends])
    span = high - low or 1
    layout = {
        "height": 90 + 30 * len(rows), "yaxis": {"autorange": "reversed", "type": "category", "automargin": True},
        "xaxis": {"tickprefix": "$", "range": [low - 0.2 * span if low < 0 else 0, high + 0.25 * span]},
    }  # fmt: skip
    return _figure(document.word(f"chart.{sheet}"), zip(labels, texts, strict=True), [data], layout)


def _figure(title: str, parts: Any, data: list[Json], layout: Json) -> Figure:
    alt = f"{title}: " + "; ".join(f"{name} {value}" for name, value in parts)
    base = {
        "height": 300, "margin": {"l": 60, "r": 16, "t": 24, "b": 40}, "showlegend": False, "bargap": 0.25,
        "legend": {"orientation": "h", "y": -0.18}, "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "inherit"},
    }  # fmt: skip
    axes = {axis: {"gridcolor": _GRID, "zeroline": False} | layout.get(axis, {}) for axis in ("xaxis", "yaxis")}
    return Figure(title, alt, data, base | layout | axes)


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
