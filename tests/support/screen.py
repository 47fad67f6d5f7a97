"""What a browser test does with a page: opens it, waits until it stands still, reads a figure."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.support.menu import heading_of

_WATCH = """
() => {
  if (window.__changed !== undefined) return;
  window.__changed = performance.now();
  new MutationObserver(() => { window.__changed = performance.now(); })
    .observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true,
      attributeFilter: ["data-stale", "data-test-script-state", "d"]});
}
"""
# A click starts its run a moment later, parallel fragments are drawn while others have ended, and Plotly draws on its
# own, and colours fade over: so the screen must be whole, and nothing on it may have changed for a while.
_STILL = """
(quiet) => {
  const app = document.querySelector("[data-testid=stApp]");
  return app && app.dataset.testScriptState === "notRunning" && document.querySelector("h1")
    && !document.querySelector("[data-stale=true], [data-testid=stSkeleton], [data-testid=stSkeletonElement]")
    && [...document.querySelectorAll("[data-testid=stPlotlyChart]")].every(one => one.querySelector(".main-svg"))
    && !document.getAnimations().some(one => one instanceof CSSTransition && one.playState === "running")
    && performance.now() - window.__changed > quiet;
}
"""
QUIET_MS = 250


def settle(page: Page) -> None:
    """Wait until the page is whole and has not changed for a quarter of a second."""
    page.evaluate(_WATCH)
    page.wait_for_function(_STILL, arg=QUIET_MS, polling=50, timeout=60_000)


def go(page: Page, address: str) -> None:
    """Open an address and wait for the page."""
    page.goto(address, wait_until="commit")
    page.locator("h1").first.wait_for()
    settle(page)


def choose(page: Page, title: str) -> None:
    """Open a page by its name in the menu and wait for it: no second load of the application."""
    entry(page, title).click()
    expect(page.locator("h1").first).to_have_text(title)
    settle(page)


def entry(page: Page, title: str) -> Locator:
    """A page's entry in the menu; the heading it stands under is opened for it."""
    heading = heading_of(title)
    if heading is None:
        return page.get_by_test_id("stTopNavLink").filter(has_text=title)
    page.get_by_test_id("stTopNavSection").filter(has_text=heading).click()
    return page.get_by_test_id("stTopNavPopover").get_by_text(title, exact=True)


def metric(page: Page, label: str) -> str:
    """The value of a key figure."""
    card = page.get_by_test_id("stMetric").filter(has_text=label).first
    return card.get_by_test_id("stMetricValue").inner_text()


def overflow(page: Page) -> list[str]:
    """What reaches beyond the right edge of the window and makes it scroll sideways, named by tag and test id."""
    return page.evaluate(
        """() => {
          const wide = document.documentElement.scrollWidth - window.innerWidth;
          const main = document.querySelector("[data-testid=stMain]");
          if (wide <= 0 && main.scrollWidth <= main.clientWidth) return [];
          return [`${wide}px`, ...[...main.querySelectorAll("*")]
            .filter(one => one.getBoundingClientRect().right > window.innerWidth + 1)
            .slice(0, 5).map(one => `${one.tagName} ${one.dataset.testid || one.className}`)];
        }"""
    )
