"""HTML: one file that needs nothing else, with the charts live, tables, and a form for printing.

The page may load nothing and send nothing: its policy says so to the browser. All text is escaped; figures travel
as JSON that cannot end its element.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from html import escape
from importlib.metadata import distribution
from pathlib import Path
from typing import BinaryIO

from core.metrics.catalog import METRICS, formula
from core.reports import figures, said
from core.reports.document import Document
from core.reports.table import Report

MOST_ROWS = 2_000
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
_ALWAYS = ("calls", "cost_usd", "no_cache_cost_usd", "gross_savings_usd", "write_premium_usd", "net_savings_usd",
           "token_hit_rate", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens",
           "price_coverage")  # fmt: skip
_STYLE = """
:root { color-scheme: light dark; --ink:#1f2933; --soft:#5f6b77; --rule:#d8dee4; --card:#f6f8fa; --back:#fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink:#e6e9ec; --soft:#9aa5b1; --rule:#3a434d; --card:#1c232a; --back:#12171c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px; max-width: 1240px; color: var(--ink); background: var(--back);
  font: 15px/1.5 system-ui, "Apple SD Gothic Neo", "Malgun Gothic", "Noto Sans KR", "Noto Sans CJK KR", sans-serif; }
h1 { margin: 0 0 4px; font-size: 26px; } h2 { margin: 32px 0 8px; font-size: 18px; }
.lead { font-size: 18px; margin: 12px 0; } .soft, .parts { color: var(--soft); font-size: 13px; }
.demo { padding: 8px 12px; border-radius: 6px; background: #C20A41; color: #fff; font-weight: 600; }
.kpis { display: grid; grid-template-columns: repeat(auto-fill, minmax(230px, 1fr)); gap: 12px; padding: 0; }
.kpis div { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 10px 14px; }
.kpis dt { color: var(--soft); font-size: 13px; } .kpis dd { margin: 0; overflow-wrap: anywhere; }
.kpis dd.value { font-size: 21px; font-weight: 600; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(480px, 100%), 1fr)); gap: 16px; }
figure { margin: 0; border: 1px solid var(--rule); border-radius: 8px; padding: 10px; min-width: 0; }
figcaption { font-weight: 600; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td { padding: 4px 10px; border-bottom: 1px solid var(--rule); text-align: left; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tbody td:first-child { min-width: 7em; }
thead th { position: sticky; top: 0; background: var(--card); } tfoot td { font-weight: 600; }
@media print {
  :root { --ink:#000; --soft:#444; --rule:#bbb; --card:#fff; --back:#fff; color-scheme: light; }
  @page { size: A4; margin: 14mm; }
  body { padding: 0; max-width: none; font-size: 11px; } .charts { display: block; }
  figure, .kpis div, tr { break-inside: avoid; } figure { margin-bottom: 8px; } .scroll { overflow: visible; }
  table { font-size: 8px; } th, td { padding: 2px 4px; } thead th { position: static; } .modebar { display: none; }
  .demo { border: 1px solid #000; background: none; color: #000; }
}
"""
_DRAW = """
const figures = JSON.parse(document.getElementById("figures").textContent);
const ink = () => getComputedStyle(document.body).color;
const plots = figures.map((figure, at) => {
  const place = document.getElementById("figure-" + at);
  figure.layout.font = { ...figure.layout.font, color: ink() };
  Plotly.newPlot(place, figure.data, figure.layout, { displaylogo: false, responsive: true });
  return place;
});
addEventListener("beforeprint", () => plots.forEach(p => Plotly.relayout(p, { width: 660, "font.color": "#000" })));
addEventListener("afterprint", () => plots.forEach(p =>
  Plotly.relayout(p, { width: null, autosize: true, "font.color": ink() })));
"""


def write(document: Document, out: BinaryIO) -> None:
    """Write the page."""
    for piece in _pieces(document):
        out.write(piece.encode())


@cache
def plotly_js() -> str:
    """Return plotly.js as the installed Plotly brings it; read as a file, for core does not import Plotly."""
    file = Path(str(distribution("plotly").locate_file("plotly/package_data/plotly.min.js")))
    return file.read_text(encoding="utf-8")


def _pieces(document: Document) -> Iterator[str]:
    word, drawn = document.word, list(figures.figures(document))
    yield (
        f'<!doctype html>\n<html lang="{document.request.lang}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(word('title'))}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<header>\n"
        f"<h1>{escape(word('title'))}</h1>\n"
    )
    cover = dict(document.cover)
    if document.request.demo:
        yield f'<p class="demo">{escape(cover["cover.origin"])}</p>\n'
    yield f'<p class="soft">{escape(cover["cover.from"])} → {escape(cover["cover.to"])}</p>\n'
    yield f'<p class="lead">{escape(said.sentence(document))}</p>\n</header>\n<main>\n<dl class="kpis">\n'
    for item in said.figures(document):
        yield (
            f'<div><dt>{escape(item.label)}</dt><dd class="value">{escape(item.value)}</dd>'
            f'<dd class="parts">{escape(item.parts)}</dd></div>\n'
        )
    yield '</dl>\n<section class="charts">\n'
    for number, figure in enumerate(drawn):
        yield (
            f"<figure><figcaption>{escape(figure.title)}</figcaption>"
            f'<div id="figure-{number}" role="img" aria-label="{escape(figure.alt)}"></div></figure>\n'
        )
    yield "</section>\n"
    for name, report in document.sheets.items():
        yield from _table(document, name, report)
    yield from _totals(document)
    yield from _cover(document)
    told = json.dumps([{"data": figure.data, "layout": figure.layout} for figure in drawn], ensure_ascii=False)
    yield f'</main>\n<script type="application/json" id="figures">{_inert(told)}</script>\n'
    yield f"<script>{plotly_js()}</script>\n<script>{_DRAW}</script>\n</body>\n</html>\n"


def _table(document: Document, sheet: str, report: Report) -> Iterator[str]:
    columns = [name for name in report.units if sheet in ("causes", "chargeback") or name in _ALWAYS]
    yield f'<h2>{escape(document.title(sheet))}</h2>\n<div class="scroll">'
    yield f'<table data-sheet="{escape(sheet)}">\n<thead><tr>'
    yield "".join(f"<th>{escape(document.word(f'col.{name}'))}</th>" for name in report.by)
    yield (
        "".join(f'<th class="n">{escape(_label(document, name))}</th>' for name in columns) + "</tr></thead>\n<tbody>\n"
    )
    for row in report.groups[:MOST_ROWS]:
        yield "<tr>" + "".join(f"<td>{escape(said.name(document, report, name, row[name]))}</td>" for name in report.by)
        yield _cells(report, row, columns) + "</tr>\n"
    yield f"</tbody>\n<tfoot><tr><td>{escape(document.word('total'))}</td>" + "<td></td>" * (len(report.by) - 1)
    yield _cells(report, report.total, columns) + "</tr></tfoot>\n</table></div>\n"
    if len(report.groups) > MOST_ROWS:
        text = document.word("html.more", shown=f"{MOST_ROWS:,}", rows=f"{len(report.groups):,}")
        yield f'<p class="soft">{escape(text)}</p>\n'


def _cells(report: Report, row: dict[str, object], columns: list[str]) -> str:
    return "".join(f'<td class="n">{escape(said.shown(row[name], report.units[name]))}</td>' for name in columns)


def _totals(document: Document) -> Iterator[str]:
    """Print every metric with its unit and formula."""
    heads = ("col.metric", "col.value", "col.unit", "col.formula")
    yield f'<h2>{escape(document.word("sheet.summary"))}</h2>\n<div class="scroll">'
    yield '<table data-sheet="summary">\n<thead><tr>'
    yield "".join(f"<th>{escape(document.word(key))}</th>" for key in heads) + "</tr></thead>\n<tbody>\n"
    for name, unit in document.units.items():
        told = formula(name if name in METRICS else "response_time_ms", document.request.lang)
        cells = (said.shown(document.total[name], unit), document.word(f"unit.{unit}"), told)
        yield f"<tr><td>{name}</td>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>\n"
    yield "</tbody></table></div>\n"


def _cover(document: Document) -> Iterator[str]:
    yield f'<h2>{escape(document.word("html.about"))}</h2>\n<div class="scroll"><table data-sheet="cover"><tbody>\n'
    for key, text in document.cover:
        yield f"<tr><th>{escape(document.word(key))}</th><td>{escape(text)}</td></tr>\n"
    yield "</tbody></table></div>\n"
    yield f'<p class="soft">{escape(document.word("notes.unknown"))} {escape(document.word("notes.caches"))}</p>\n'


def _label(document: Document, name: str) -> str:
    return document.word(f"metric.{name}")


def _inert(text: str) -> str:
    """Return JSON that can neither end its element nor begin another."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
