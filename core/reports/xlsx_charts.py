"""Native Excel charts over the report's own sheets: they follow when someone changes a cell."""

from __future__ import annotations

from typing import Any

import xlsxwriter
from xlsxwriter.chart import Chart
from xlsxwriter.worksheet import Worksheet

from core.reports.document import Document
from core.reports.palette import COST_KINDS, LOSS, READ, UNCACHED, WRITE_1H
from core.reports.table import Report

_SIZE = {"width": 720, "height": 330}
_AXIS = {"num_format": "$#,##0.00", "major_gridlines": {"visible": True, "line": {"color": "#E3E7EB"}}}
_MOST_BARS = 20


def draw(book: xlsxwriter.Workbook, sheet: Worksheet, document: Document, places: dict[str, str]) -> None:
    """Draw the charts on their sheet; one that would have nothing to show is left out."""
    sheet.hide_gridlines(2)
    charts = [
        _waterfall(book, sheet, document),
        _cost_by_day(book, document, places["day"]),
        _read_share(book, document, places["day"]),
        _bars(book, document, "engine", "net_savings_usd", places["engine"]),
        _bars(book, document, "causes", "usd", places["causes"]),
    ]
    for number, chart in enumerate(chart for chart in charts if chart is not None):
        chart.set_size(_SIZE)
        sheet.insert_chart(8 + 17 * (number // 2), 11 * (number % 2), chart)


def _waterfall(book: xlsxwriter.Workbook, sheet: Worksheet, document: Document) -> Chart | None:
    """Draw no-cache cost, read discount, write premium and actual cost, over a small table of its own."""
    total, word = document.total, document.word
    no_cache, gross = total["no_cache_cost_usd"], total["gross_savings_usd"]
    premium, cost = total["write_premium_usd"], total["cost_usd"]
    if cost is None:
        return None
    steps = [
        ("no_cache_cost_usd", 0, no_cache),
        ("gross_savings_usd", no_cache - gross, gross),
        ("write_premium_usd", no_cache - gross, premium),
        ("cost_usd", 0, cost),
    ]
    sheet.set_column(0, 0, 24)
    money = book.add_format({"num_format": "$#,##0.00####"})
    for column, text in enumerate((word("chart.waterfall"), word("chart.base"), word("chart.step"))):
        sheet.write_string(0, column, text)
    for row, (name, base, size) in enumerate(steps, start=1):
        sheet.write_string(row, 0, word(f"metric.{name}"))
        sheet.write_number(row, 1, base, money)
        sheet.write_number(row, 2, size, money)
    chart = book.add_chart({"type": "column", "subtype": "stacked"})
    place = sheet.get_name()
    chart.add_series(
        {"categories": [place, 1, 0, 4, 0], "values": [place, 1, 1, 4, 1], "fill": {"none": True}, "gap": 60}
    )
    colours = (UNCACHED, READ, WRITE_1H, UNCACHED)
    chart.add_series(
        {
            "name": word("chart.waterfall"),
            "categories": [place, 1, 0, 4, 0],
            "values": [place, 1, 2, 4, 2],
            "points": [{"fill": {"color": colour}} for colour in colours],
            "data_labels": {"value": True, "num_format": "$#,##0.00"},
        }
    )
    return _dressed(chart, word("chart.waterfall"), legend=False)


def _cost_by_day(book: xlsxwriter.Workbook, document: Document, place: str) -> Chart | None:
    report = document.days
    kinds = {name: colour for name, colour in COST_KINDS.items() if document.total[name]}
    if not report.groups or not kinds:  # no priced call, or all of them free, as refusals are
        return None
    chart = book.add_chart({"type": "column", "subtype": "stacked"})
    for name, colour in kinds.items():
        chart.add_series(_series(report, place, name, colour, document.word(f"kind.{name}")))
    chart.set_x_axis({"date_axis": True, "num_format": "yyyy-mm-dd"})
    return _dressed(chart, document.word("chart.cost_by_day"), legend=True)


def _read_share(book: xlsxwriter.Workbook, document: Document, place: str) -> Chart | None:
    report = document.days
    if not report.groups:
        return None
    chart = book.add_chart({"type": "line"})
    series = _series(report, place, "token_hit_rate", READ, document.word("metric.token_hit_rate"))
    chart.add_series({**series, "line": {"color": READ, "width": 2.25}})
    chart.set_x_axis({"date_axis": True, "num_format": "yyyy-mm-dd"})
    chart.show_blanks_as("gap")
    _dressed(chart, document.word("chart.read_share"), legend=False)
    chart.set_y_axis({**_AXIS, "num_format": "0%", "min": 0, "max": 1})
    return chart


def _bars(book: xlsxwriter.Workbook, document: Document, sheet: str, name: str, place: str) -> Chart | None:
    report = document.sheets[sheet]
    if not report.groups or report.total[name] is None:
        return None
    chart = book.add_chart({"type": "bar"})
    series = _series(
        report, place, name, READ, document.word(f"chart.{sheet}"), last=min(len(report.groups), _MOST_BARS)
    )
    chart.add_series({**series, "invert_if_negative": True, "invert_if_negative_color": LOSS})
    chart.set_y_axis({"reverse": True, "label_position": "low"})
    chart.set_x_axis(_AXIS)
    chart.set_title({"name": document.word(f"chart.{sheet}"), "name_font": {"size": 12}})
    chart.set_legend({"none": True})
    return chart


def _series(
    report: Report, place: str, name: str, colour: str, label: str, *, last: int | None = None
) -> dict[str, Any]:
    column, end = len(report.by) + list(report.units).index(name), last or len(report.groups)
    return {
        "name": label,
        "categories": [place, 1, 0, end, 0],
        "values": [place, 1, column, end, column],
        "fill": {"color": colour},
    }


def _dressed(chart: Chart, title: str, *, legend: bool) -> Chart:
    chart.set_title({"name": title, "name_font": {"size": 12}})
    chart.set_y_axis(_AXIS)
    chart.set_legend({"position": "bottom"} if legend else {"none": True})
    return chart
