"""The Data health page's rows and charts: pure, from what core.metrics tells of passes, lines and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import plotly.graph_objects as go

from collector.checkup import in_words, skip_reason
from core.metrics.sources import BACKLOG
from dashboard import format as fmt
from dashboard import ink
from dashboard.i18n import Language, translate
from dashboard.ink import Chart, Look, Row

_OUTCOMES = {
    "lines_recognised": ink.OTHERS[0],
    "lines_ignored": ink.UNCACHED,
    "lines_skipped": ink.OTHERS[2],
}
_STATES = ("failed", "reading", "behind", "waiting", "fresh")
_MARKS = {"ok": "✓", "warn": "!", "fail": "✕", "skipped": "–"}


def state_of(row: Row, now: datetime) -> str:
    """Return what one source is doing: failed, reading older logs, not complete yet, behind, or fresh."""
    if row.get("status") == "failed":
        return "failed"
    if row.get("reading"):
        return "reading"
    until = row.get("complete_until")
    if until is None:
        return "waiting"
    return "behind" if now - until > BACKLOG else "fresh"


def source_rows(rows: Sequence[Row], now: datetime, lang: Language) -> list[dict[str, Any]]:
    """Return one row for each source, the one in most need of attention first."""
    found = []
    for row in rows:
        state, until = state_of(row, now), row.get("complete_until")
        day, total = row["last_24h"], row["total"]
        found.append(
            {
                "state": translate(lang, f"health.state.{state}"),
                "source": row["source"],
                "kind": row["kind"],
                "complete_until": until,
                "lag": fmt.duration_ms((now - until).total_seconds() * 1000, lang) if until else fmt.UNKNOWN,
                "read_until": row.get("read_until") if state == "reading" else None,
                "last_pass_at": row["last_pass_at"],
                "passes": row["passes"],
                "lines_read": day["lines_read"],
                "lines_recognised": day["lines_recognised"],
                "lines_ignored": day["lines_ignored"],
                "lines_skipped": day["lines_skipped"],
                "duplicates": day["duplicates"],
                "late_events": total["late_events"],
                "max_lateness_ms": row.get("max_lateness_ms"),
                "dropped_records": total["dropped_records"],
                "clock_ahead": total["clock_ahead"],
                "error_code": row.get("error_code"),
                "_order": _STATES.index(state),
            }
        )
    found.sort(key=lambda row: (row["_order"], str(row["source"])))
    return [{name: value for name, value in row.items() if name != "_order"} for row in found]


def skip_rows(rows: Sequence[Row], lang: Language) -> list[dict[str, Any]]:
    """Return one row for each reason a line was skipped: how often, and where the first one stands."""
    found = []
    for row in rows:
        total, day = row["total"], row["last_24h"]
        for reason, lines in total["skipped_by_reason"].items():
            example = total["skip_examples"].get(reason, {})
            at = example.get("ts_ms")
            found.append(
                {
                    "source": row["source"],
                    "reason": reason,
                    "meaning": skip_reason(reason, lang),
                    "lines": lines,
                    "lines_24h": day["skipped_by_reason"].get(reason, 0),
                    "length": example.get("length"),
                    "position": example.get("at"),
                    "example_ts": None if at is None else datetime.fromtimestamp(at / 1000, UTC),
                }
            )
    return sorted(found, key=lambda row: -row["lines"])


def check_rows(checks: Sequence[Mapping[str, Any]], lang: Language) -> list[dict[str, Any]]:
    """Return the checks of a checkup, those that need something first."""
    order = ("fail", "warn", "skipped", "ok")
    ranked = [in_words(check, lang) for check in sorted(checks, key=lambda check: order.index(check["status"]))]
    return [
        {
            "result": f"{_MARKS[check['status']]} {translate(lang, 'health.check.' + check['status'])}",
            "check": translate(lang, f"health.kind.{check['kind']}"),
            "subject": check["subject"],
            "message": check["message"],
            "mend": check["mend"] if check["status"] != "ok" else "",
            "code": check["code"] or "",
        }
        for check in ranked
    ]


def any_lines(rows: Sequence[Row]) -> bool:
    """Say whether any line was read in this time, whatever became of it."""
    return any(row[name] for row in rows for name in _OUTCOMES)


def lines_over_time(rows: Sequence[Row], look: Look, *, height: int = 280) -> Chart:
    """Draw lines by outcome over the time in which they were read."""
    figure = go.Figure()
    for name, colour in _OUTCOMES.items():
        figure.add_bar(
            x=[look.local(row["bucket"]) for row in rows],
            y=[row[name] or 0 for row in rows],
            name=look.word(f"col.{name}"),
            marker={"color": colour},
            hovertemplate="%{y:,d}",
        )
    figure.update_layout(barmode="stack")
    ink.dress(figure, height=height, legend=True)
    ink.time_axis(figure, look)
    figure.update_yaxes(tickformat=",d", rangemode="tozero")
    parts = "; ".join(
        f"{look.word(f'col.{name}')} {fmt.count(sum(row[name] or 0 for row in rows))}" for name in _OUTCOMES
    )
    return Chart(figure, look.word("alt.lines_over_time", parts=parts))


def lag_over_time(rows: Sequence[Row], look: Look, *, height: int = 280) -> Chart:
    """Draw the greatest lag of any pass: how far data stopped short of the moment it was read."""
    known = [row for row in ink.thin(rows) if row["lag_ms"] is not None]
    unit = ink.unit_of(max((row["lag_ms"] for row in known), default=0), look)
    points = [{**row, "lag": row["lag_ms"] / unit.size_ms} for row in known]
    figure, label = go.Figure(), look.word("col.lag")
    hover = f"%{{y:{unit.form}}}{unit.suffix}"
    ink.line(figure, points, "lag", look, label=label, colour=ink.OTHERS[3], dash="solid", hover=hover)
    ink.dress(figure, height=height, legend=False)
    ink.time_axis(figure, look)
    figure.update_yaxes(rangemode="tozero", tickformat=",.3~r", ticksuffix=unit.suffix)
    said = ink.trend(points, "lag", label, look, lambda value: fmt.duration_ms(value * unit.size_ms, look.lang))
    return Chart(figure, said)
