"""What a person does: opens every page, filters, shares the address, downloads, in both languages and schemes."""

import csv
import gzip
import http.client
import io
import json
import re
import time
import urllib.request
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from dashboard.i18n import catalogue
from tests.e2e.conftest import DESK, ROOT
from tests.support.screen import choose, go, metric, overflow, settle

PAGES = sorted(path.stem for path in (ROOT / "dashboard" / "app_pages").glob("[a-z]*.py"))
FIGURES = {"overview", "hit_rate", "cost", "latency", "savings", "misses", "ttl_lab", "data_health", "prices"}
"""Pages that have key figures and charts whatever the fleet is."""
OPENED = ("notes", "overview")
"""Pages whose sidebar is looked at on a phone too: with the filters at work, and without."""
PHONE = {"width": 390, "height": 844}
JUDGED_ON_A_PHONE = {"ko": PAGES[::2], "en": PAGES[1::2]}
"""Pages by the language in which axe judges them on a phone too: it takes long, and words hardly matter to it."""

# What axe finds in parts of Streamlit 1.67 that no page can change: the rule, and where it may be broken.
UPSTREAM = {
    # WCAG 1.4.3 leaves out what is disabled; the label of a disabled box is not seen to belong to it
    ("color-contrast", "[data-testid=stSelectbox]:has([disabled], [aria-disabled=true]) *"),
    ("color-contrast", "[data-testid=stMultiSelect]:has([disabled], [aria-disabled=true]) *"),
    # the colours of highlighted code are no setting of a theme
    ("color-contrast", "[data-testid=stCode] *"),
    # on a phone the menu is one list whose headings, and the groups they open, stand between list and entries
    ("list", "[data-testid=stSidebarNavItems]"),
    ("listitem", "[data-testid=stSidebarNavItems] li"),
}


def serious(page: Page) -> list[str]:
    """What axe calls serious or critical on the page, but for what lies in Streamlit's own parts."""
    found = Axe().run(page, options={"resultTypes": ["violations"], "elementRef": False}).response["violations"]
    return [
        f"{rule['id']} at {node['target'][0]}: {node['html'][:120]}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
        if not any(
            rule["id"] == known and page.locator(node["target"][0]).first.evaluate(f"one => one.matches('{place}')")
            for known, place in UPSTREAM
        )
    ]


@pytest.mark.slow
@pytest.mark.timeout(300)  # every page twice: ten times as long where others work too
@pytest.mark.parametrize(("lang", "desk", "phone"), [("ko", "dark", "light"), ("en", "light", "dark")])
def test_every_page_opens(tab: Page, base_url: str, lang: str, desk: Any, phone: Any) -> None:
    """Each page is reached by the menu, which keeps the language, and has figures and drawn charts and no exception;
    nothing is serious for axe on a desk in one scheme, and in one language on a phone in the other, where nothing
    scrolls sideways in either."""
    wrong: list[str] = []
    tab.emulate_media(color_scheme=desk)
    go(tab, f"{base_url}/?lang={lang}")
    expect(tab.get_by_text("데모 데이터" if lang == "ko" else "Demo data").first).to_be_visible()
    for name in PAGES:
        choose(tab, catalogue(lang)[f"page.{name}.title"])
        whole(tab, name)
        assert dark(tab) == (desk == "dark")
        wrong += [f"{name}: {trouble}" for trouble in serious(tab)]

        tab.emulate_media(color_scheme=phone)
        tab.set_viewport_size(PHONE)
        settle(tab)
        whole(tab, name)
        assert dark(tab) == (phone == "dark")
        wrong += [f"{name} on a phone: {trouble}" for trouble in unfit(tab)]
        if name in JUDGED_ON_A_PHONE[lang]:
            wrong += [f"{name} on a phone: {trouble}" for trouble in serious(tab)]
            if name in OPENED:
                with_sidebar(tab)
                wrong += [f"{name} on a phone, with its menu: {trouble}" for trouble in serious(tab)]
        tab.emulate_media(color_scheme=desk)
        tab.set_viewport_size(DESK)
    assert wrong == []


def whole(page: Page, name: str) -> None:
    """No exception, and figures and charts where the page has them."""
    expect(page.get_by_test_id("stException")).to_have_count(0)
    if name in FIGURES:
        expect(page.get_by_test_id("stMetric").first).to_be_visible()
        expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()


def dark(page: Page) -> bool:
    """Whether the page is drawn on a dark ground."""
    ground = page.get_by_test_id("stApp").evaluate("one => getComputedStyle(one).backgroundColor")
    return sum(int(part) for part in re.findall(r"\d+", ground)[:3]) < 3 * 128


def with_sidebar(page: Page) -> None:
    """Open the menu and the filters of a phone; a wider window closes them again."""
    page.get_by_test_id("stExpandSidebarButton").click()
    settle(page)
    expect(page.get_by_test_id("stSidebarNavLink").first).to_be_in_viewport()


def unfit(page: Page) -> list[str]:
    """What does not fit a phone: parts that scroll sideways, badges cut off, and key figures beside one another."""
    found = overflow(page) + page.get_by_test_id("stMain").locator(".stMarkdownBadge").evaluate_all(
        "all => all.filter(one => one.scrollWidth > one.clientWidth + 1).map(one => `cut off: ${one.textContent}`)"
    )
    cards = sorted((card.bounding_box() for card in page.get_by_test_id("stMetric").all()), key=lambda box: box["y"])
    if any(above["y"] + above["height"] > below["y"] + 1 for above, below in pairwise(cards)):
        found.append("key figures lie beside one another")
    return found


def test_a_filter_changes_the_address_and_the_numbers(tab: Page, base_url: str) -> None:
    """Choosing an engine is seen in the URL and in the key figures; the address alone shows the same to another."""
    go(tab, f"{base_url}/?lang=en")
    before = metric(tab, "Net saved")

    engine = tab.get_by_test_id("stMultiSelect").filter(has_text="Engine").locator("input")
    engine.scroll_into_view_if_needed()
    settle(tab)  # a list that is open while its column scrolls is closed by Streamlit
    engine.click()
    tab.get_by_role("option", name="writer").click()
    tab.keyboard.press("Escape")
    expect(tab.get_by_text("Caching lost", exact=False)).to_be_visible()
    settle(tab)

    after = metric(tab, "Net saved")
    assert after != before
    assert after.startswith("-$")
    assert "engine=writer" in tab.url

    shared = tab.context.new_page()
    go(shared, tab.url)
    assert metric(shared, "Net saved") == after
    assert shared.locator("h1").first.inner_text() == "Overview"


def test_choices_come_from_the_address_and_survive_a_change_of_page(tab: Page, base_url: str) -> None:
    """Range, grouping and language come from the address, go along to the next page, and are there on the way back."""
    go(tab, f"{base_url}/cost?lang=en&range=24h&cost_by=model")
    expect(tab.get_by_text("Cost over time by model")).to_be_visible()
    expect(tab.get_by_test_id("stMetric").first).to_contain_text("vs prior 24 h")

    choose(tab, "Savings")
    expect(tab.get_by_test_id("stMetric").first).to_contain_text("vs prior 24 h")
    tab.wait_for_url("**/savings?*range=24h*")
    assert "lang=en" in tab.url

    choose(tab, "Cost")
    expect(tab.get_by_text("Cost over time by model")).to_be_visible()


def test_nonsense_in_the_address_is_harmless(tab: Page, base_url: str) -> None:
    """Values that do not exist fall back to the defaults."""
    go(tab, f"{base_url}/?lang=xx&range=7000y&engine=%3Cscript%3E")

    expect(tab.locator("h1").first).to_have_text("개요")
    expect(tab.get_by_test_id("stException")).to_have_count(0)
    expect(tab.get_by_test_id("stMetric")).to_have_count(6)


def test_the_language_can_be_switched(tab: Page, base_url: str) -> None:
    """A Korean browser starts in Korean; one click makes everything English, and the address says so."""
    go(tab, base_url)
    expect(tab.locator("h1").first).to_have_text("개요")

    tab.get_by_test_id("stButtonGroup").get_by_text("English", exact=True).click()

    expect(tab.locator("h1").first).to_have_text("Overview")
    settle(tab)
    assert "lang=en" in tab.url


def test_the_csv_is_what_the_page_shows(tab: Page, base_url: str) -> None:
    """The download opens in a Korean Excel, has every engine, exact dollars, and no live formula."""
    go(tab, f"{base_url}/?lang=en")

    with tab.expect_download() as download:
        tab.locator(".st-key-csv_overview-engines button").first.click()  # the causes may be drawn after it

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


def test_small_answers_do_not_wait_for_one_another(base_url: str) -> None:
    """Over one connection, an answer's body is not held back until the browser has confirmed its head (40 ms)."""
    connection, took = http.client.HTTPConnection(base_url.removeprefix("http://"), timeout=10), []
    for _ in range(10):
        began = time.perf_counter()
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok\n"
        took.append(time.perf_counter() - began)
    connection.close()
    assert min(took[1:]) < 0.03
