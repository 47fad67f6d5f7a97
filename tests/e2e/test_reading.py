"""Reading in peace: words first, a zoomed chart stays as it is, and everything is reached by the keyboard."""

from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from core.store.lake import Lake
from tests.support.rows import make_call, table_of
from tests.support.screen import go, settle

PHONE = {"width": 390, "height": 844}
_SEEN = """
() => {
  const box = document.activeElement.getBoundingClientRect();
  return box.width > 0 && box.right > 0 && box.left < window.innerWidth;
}
"""

# When the run had ended with the six key figures on the screen.
_READABLE = """
new MutationObserver(() => {
  if (window.__readable === undefined && document.querySelectorAll("[data-testid=stMetric]").length >= 6
    && document.querySelector("[data-test-script-state=notRunning]")) window.__readable = performance.now();
}).observe(document, {subtree: true, childList: true, attributes: true, attributeFilter: ["data-test-script-state"]});
"""
_LOADED_BEHIND_GATES = """
() => performance.getEntriesByType("resource")
  .filter(one => one.name.endsWith("?whole") && one.initiatorType !== "link")
  .map(one => one.startTime)
"""
NEWER = "newer"  # the key of the button that offers newer data
PAST_EVERY_TICK = "00:35"  # freshness looks every 15 s, key figures every 30 s


def x_range(chart: Locator) -> list[str]:
    """What a chart shows from left to right."""
    return chart.evaluate("one => one._fullLayout.xaxis.range.map(String)")


def zoom(page: Page, chart: Locator) -> None:
    """Drag over the middle of a chart."""
    chart.scroll_into_view_if_needed()
    box = chart.locator(".nsewdrag").first.bounding_box()
    assert box
    height = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.3, height)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.45, height)
    page.mouse.move(box["x"] + box["width"] * 0.6, height + 2)
    page.mouse.up()


def test_a_zoomed_chart_stays_while_new_data_come(page: Page, base_url: str, store: Path) -> None:
    """Newer data are offered by a button; the chart under the reader's eyes keeps its zoom until it is pressed."""
    page.clock.install()
    go(page, f"{base_url}/?lang=en")
    chart = page.locator(".st-key-overview_read_share .js-plotly-plot")
    whole = x_range(chart)
    zoom(page, chart)
    settle(page)
    zoomed = x_range(chart)
    assert zoomed != whole

    Lake(store / "demo" / "tables").commit(
        "calls", table_of("calls", [make_call(engine="tutor", ts=datetime.now(UTC))])
    )
    offer = page.locator(f".st-key-{NEWER} button")
    for _ in range(10):  # the tables are looked at every two seconds at most
        page.clock.fast_forward(PAST_EVERY_TICK)
        settle(page)
        if offer.count():
            break
        page.wait_for_timeout(500)
    expect(offer).to_be_visible()
    assert x_range(chart) == zoomed

    offer.click()
    settle(page)
    expect(offer).to_have_count(0)


def test_words_and_figures_come_before_charts(page: Page, base_url: str) -> None:
    """What draws charts and tables is loaded once the first screen can be read; then all are drawn, unasked."""
    page.add_init_script(_READABLE)

    go(page, f"{base_url}/?lang=en")

    loaded = page.evaluate(_LOADED_BEHIND_GATES)
    assert len(loaded) == 2
    assert min(loaded) >= page.evaluate("window.__readable")
    assert page.get_by_test_id("data-grid-canvas").count() == page.get_by_test_id("stDataFrame").count() == 1
    assert page.get_by_test_id("stPlotlyChart").count() == page.locator(".js-plotly-plot .main-svg:first-child").count()


def test_the_keyboard_reaches_menu_filters_and_downloads(tab: Page, base_url: str) -> None:
    """Tab goes through the menu, the filters, links and the CSV of a table; Enter on a menu entry opens its page."""
    go(tab, f"{base_url}/?lang=en")
    reached: set[str] = set()
    wanted = {"menu", "language", "range", "engine", "csv", "causes"}
    for _ in range(150):
        tab.keyboard.press("Tab")
        reached.add(
            tab.evaluate(
                """() => {
                  const at = one => document.activeElement.closest(one);
                  if (at("[data-testid=stTopNav]")) return "menu";
                  if (at(".st-key-lang")) return "language";
                  if (at(".st-key-range")) return "range";
                  if (at(".st-key-engine")) return "engine";
                  if (at(".st-key-csv_overview-engines")) return "csv";
                  if (at("[data-testid=stPageLink]")) return "causes";
                  return document.activeElement.tagName;
                }"""
            )
        )
        if wanted <= reached:
            break
    assert wanted <= reached

    tab.get_by_test_id("stTopNavSection").filter(has_text="Money").focus()
    tab.keyboard.press("Enter")
    expect(tab.get_by_test_id("stTopNavPopover")).to_be_visible()
    tab.keyboard.press("ArrowDown")
    expect(tab.locator("a:focus")).to_contain_text("Savings")
    tab.keyboard.press("Enter")
    expect(tab.locator("h1").first).to_have_text("Savings")


def test_on_a_phone_the_keyboard_stands_where_it_is_seen(page: Page, base_url: str) -> None:
    """Tab passes by the closed sidebar and has a ring around where it stands, light or dark; opened, it goes inside."""
    page.set_viewport_size(PHONE)
    go(page, f"{base_url}/?lang=en&tour=off")
    for _ in range(8):
        page.keyboard.press("Tab")
        assert page.evaluate(_SEEN), page.locator(":focus").get_attribute("data-testid")
    link = page.get_by_test_id("stPageLink-NavLink").first
    for scheme, ring in (("light", "rgb(21, 101, 168)"), ("dark", "rgb(138, 192, 238)")):
        page.emulate_media(color_scheme=scheme)
        link.focus()
        expect(link).to_have_css("outline", f"{ring} solid 2px")

    page.get_by_test_id("stExpandSidebarButton").click()
    settle(page)
    entry = page.get_by_test_id("stSidebarNavLink").first
    entry.focus()
    expect(entry).to_be_focused()
