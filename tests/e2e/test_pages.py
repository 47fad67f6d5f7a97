"""What a person does: opens every page, filters, shares the address, downloads, in both languages and schemes."""

import csv
import gzip
import io
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

PAGES = {
    "": ("개요", "Overview"),
    "hit-rate": ("적중률", "Hit rate"),
    "cost": ("비용", "Cost"),
    "latency": ("지연 시간", "Latency"),
    "savings": ("절감액", "Savings"),
    "misses": ("미스 분석", "Misses"),
    "ttl-lab": ("TTL 실험실", "TTL Lab"),
    "data-health": ("데이터 상태", "Data health"),
    "prices": ("가격", "Prices"),
    "reports": ("리포트", "Reports"),
}
LANGUAGES = ("ko", "en")


def settle(page: Page) -> None:
    """Wait until the script has run and nothing on screen is stale."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    expect(page.locator("[data-stale=true]")).to_have_count(0)


def go(page: Page, address: str) -> None:
    """Open an address and wait for the page."""
    page.goto(address)
    page.locator("h1").first.wait_for()
    settle(page)


def metric(page: Page, label: str) -> str:
    """The value of a key figure."""
    card = page.get_by_test_id("stMetric").filter(has_text=label).first
    return card.get_by_test_id("stMetricValue").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_page_opens(
    browser: Browser, browser_context_args: dict[str, Any], base_url: str, lang: str, scheme: Any
) -> None:
    """Each page shows title, key figures, drawn charts and the demo label, without an exception."""
    context = browser.new_context(**{**browser_context_args, "color_scheme": scheme})
    page = context.new_page()
    for path, titles in PAGES.items():
        go(page, f"{base_url}/{path}?lang={lang}")

        expect(page.locator("h1").first).to_have_text(titles[LANGUAGES.index(lang)])
        expect(page.get_by_text("데모 데이터" if lang == "ko" else "Demo data").first).to_be_visible()
        expect(page.get_by_test_id("stMetric").first).to_be_visible()
        expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
        expect(page.get_by_test_id("stException")).to_have_count(0)
    context.close()


def test_pages_are_reached_by_the_menu(page: Page, base_url: str) -> None:
    """A click in the menu opens the page and keeps the language."""
    go(page, f"{base_url}/?lang=en")

    page.get_by_test_id("stSidebarNav").get_by_text("Savings", exact=True).click()

    expect(page.locator("h1").first).to_have_text("Savings")
    settle(page)
    expect(page.get_by_text("Running net savings", exact=False).first).to_be_visible()


def test_a_filter_changes_the_address_and_the_numbers(page: Page, base_url: str) -> None:
    """Choosing an engine is seen in the URL and in the key figures; the address alone shows the same to another."""
    go(page, f"{base_url}/?lang=en")
    before = metric(page, "Net saved")

    page.get_by_test_id("stMultiSelect").filter(has_text="Engine").locator("input").click()
    page.get_by_role("option", name="writer").click()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Caching lost", exact=False)).to_be_visible()
    settle(page)

    after = metric(page, "Net saved")
    assert after != before
    assert after.startswith("-$")
    assert "engine=writer" in page.url

    shared = page.context.new_page()
    go(shared, page.url)
    assert metric(shared, "Net saved") == after
    assert shared.locator("h1").first.inner_text() == "Overview"


def test_a_shared_range_opens_as_it_was(page: Page, base_url: str) -> None:
    """Range, grouping and language come from the address."""
    go(page, f"{base_url}/cost?lang=en&range=24h&cost_by=model")

    expect(page.get_by_text("Cost over time by model")).to_be_visible()
    expect(page.get_by_test_id("stMetric").first).to_contain_text("vs prior 24 h")


def test_choices_survive_a_change_of_page(page: Page, base_url: str) -> None:
    """Range and language go along to the next page and stand in its address; Back returns to what was."""
    go(page, f"{base_url}/cost?lang=en&range=24h&cost_by=model")

    page.get_by_test_id("stSidebarNav").get_by_text("Savings", exact=True).click()
    expect(page.locator("h1").first).to_have_text("Savings")
    settle(page)
    expect(page.get_by_test_id("stMetric").first).to_contain_text("vs prior 24 h")
    page.wait_for_url("**/savings?*range=24h*")
    assert "lang=en" in page.url

    page.get_by_test_id("stSidebarNav").get_by_text("Cost", exact=True).click()
    expect(page.get_by_text("Cost over time by model")).to_be_visible()


def test_nonsense_in_the_address_is_harmless(page: Page, base_url: str) -> None:
    """Values that do not exist fall back to the defaults."""
    go(page, f"{base_url}/?lang=xx&range=7000y&engine=%3Cscript%3E")

    expect(page.locator("h1").first).to_have_text("개요")
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.get_by_test_id("stMetric")).to_have_count(6)


def test_the_language_can_be_switched(page: Page, base_url: str) -> None:
    """A Korean browser starts in Korean; one click makes everything English, and the address says so."""
    go(page, base_url)
    expect(page.locator("h1").first).to_have_text("개요")

    page.get_by_test_id("stButtonGroup").get_by_text("English", exact=True).click()

    expect(page.locator("h1").first).to_have_text("Overview")
    settle(page)
    assert "lang=en" in page.url


def test_the_csv_is_what_the_page_shows(page: Page, base_url: str) -> None:
    """The download opens in a Korean Excel, has every engine, exact dollars, and no live formula."""
    go(page, f"{base_url}/?lang=en")

    with page.expect_download() as download:
        page.locator(".st-key-csv_overview-engines button").first.click()  # the causes may be drawn after it

    content = Path(download.value.path()).read_bytes()
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert content.startswith(b"\xef\xbb\xbf")
    assert download.value.suggested_filename == "cachewise-overview-engines.csv"
    assert {row["engine"] for row in rows} >= {"tutor", "writer"}
    assert all(not row["engine"].startswith("=") for row in rows)
    assert all("." in row["cost_usd"] for row in rows)


def test_the_pages_are_compressed_and_ready(base_url: str) -> None:
    """The readiness route names every table, and large files come gzipped."""
    with urllib.request.urlopen(f"{base_url}/readyz", timeout=10) as answer:
        assert json.load(answer)["tables"]["calls"] is not None
    request = urllib.request.Request(f"{base_url}/", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert b"<html" in gzip.decompress(answer.read())
