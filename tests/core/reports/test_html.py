"""HTML: one file that needs nothing else, exact, printable, and inert whatever a name from the logs tries."""

import json
import re
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from core.metrics import summary
from core.metrics.scope import Scope
from core.reports import files, html, said
from core.reports.request import Desk, Request
from core.reports.words import word
from tests.core.reports.conftest import HOSTILE


class Page(HTMLParser):
    """The elements and the tables of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.scripts: list[str] = []
        self._rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "table":
            self._rows = self.tables[dict(attrs)["data-sheet"] or ""] = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script":
            self.scripts.append(data)
        elif self.tags and self.tags[-1][0] in ("td", "th"):
            self._rows[-1][-1] += data.strip()


@pytest.fixture(scope="module")
def text(desk: Desk) -> str:
    return files.encode(desk, Request(by=("function_name", "engine"), demo=True), "html").decode()


@pytest.fixture(scope="module")
def parsed(text: str) -> Page:
    return Page(text)


def test_it_loads_nothing(text: str, parsed: Page) -> None:
    """No element names another place, plotly.js is in it once, and its policy forbids the rest."""
    assert not [attrs for _, attrs in parsed.tags if {"src", "href", "action", "data"} & set(attrs)]
    assert text.count("plotly.js v") == 1
    assert "default-src &#x27;none&#x27;" in text or "default-src 'none'" in text
    assert [attrs.get("type") for tag, attrs in parsed.tags if tag == "script"] == ["application/json", None, None]


def test_names_from_logs_are_inert(text: str, parsed: Page) -> None:
    """Escaped in tables, in attributes, and in the JSON of the charts."""
    outside = text.replace(html.plotly_js(), "")
    assert "<script>alert" not in outside
    assert HOSTILE in [cell for row in parsed.tables["engine"] for cell in row]
    drawn = json.loads(parsed.scripts[0])
    labels = [label for figure in drawn for trace in figure["data"] for label in trace.get("y", []) if label]
    assert not any("<" in str(label) for label in labels)


def test_totals_are_exact(desk: Desk, parsed: Page) -> None:
    """Every digit of each total stands in the summary and under each table."""
    total = summary(desk.reader, Scope())
    told = {row[0]: row[1] for row in parsed.tables["summary"][1:]}

    for name in ("cost_usd", "no_cache_cost_usd", "gross_savings_usd", "write_premium_usd", "net_savings_usd"):
        assert told[name] == said.money(total[name])
    assert told["cache_read_tokens"] == f"{total['cache_read_tokens']:,}"
    for sheet in ("day", "engine", "model", "function_name,engine"):
        head, last = parsed.tables[sheet][0], parsed.tables[sheet][-1]
        assert last[0] == "TOTAL"
        assert last[head.index("Actual spend")] == said.money(total["cost_usd"])


def test_it_says_what_it_is(text: str, parsed: Page) -> None:
    """The sentence, the demo mark, the cover, a text for each chart, and rules for printing."""
    cover = dict(parsed.tables["cover"])

    assert "Caching lost $0.0049865 net: 4.9% of the no-cache cost" in text
    assert text.count("DEMO DATA") == 2
    assert cover["Price books the calls were priced with"] == "test-book"
    assert cover[word("en", "cover.by_defaults")].startswith("1 of 5 calls (model 1, TTL 0), $0.0")
    assert f"4 / 5 · {word('en', 'said.by_defaults', n='1')}" in text
    assert len([attrs for _, attrs in parsed.tags if attrs.get("role") == "img" and attrs.get("aria-label")]) == 5
    assert "@media print" in text


def test_only_the_first_rows_of_a_long_table_are_shown(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the page says so; the total is of all."""
    monkeypatch.setattr(html, "MOST_ROWS", 2)
    short = files.encode(desk, Request(), "html").decode()

    assert "The first 2 of 5 rows" in short
    assert len(Page(short).tables["engine"]) == 2 + 2


@pytest.mark.parametrize(
    ("value", "text"),
    [("7.472400000000", "$7.4724"), ("-0.000000000001", "-$0.000000000001"), ("12345.5", "$12,345.50"), ("0", "$0.00")],
)
def test_money_keeps_its_digits(value: str, text: str) -> None:
    """Only trailing zeros go."""
    assert said.money(Decimal(value)) == text
    assert re.fullmatch(r"-?\$[\d,]+\.\d{2,}", text)
