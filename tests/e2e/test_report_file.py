"""The HTML report opened as a file in a real browser, without any server or network."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.pricing import default_book
from core.reports import files
from core.reports.request import Desk, Request
from core.store.query import Reader
from tests.support import fleet_lake


@pytest.fixture(scope="session")
def base_url() -> str:
    """No server: the report is a file."""
    return ""


def test_the_html_report_draws_its_charts_offline(page: Page, tmp_path: Path) -> None:
    """Five charts, no script of a hostile name, no error on the console, nothing asked of any server."""
    faults: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    path = tmp_path / "report.html"
    with Reader(fleet_lake.fill(tmp_path)) as reader:
        files.write(Desk(reader, default_book()), Request(lang="ko", demo=True), "html", path)

    page.goto(path.as_uri())

    expect(page.locator(".js-plotly-plot")).to_have_count(5)
    expect(page.locator("h1")).to_have_text("Cachewise 리포트")
    expect(page.get_by_text("데모 데이터").first).to_be_visible()
    assert faults == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
