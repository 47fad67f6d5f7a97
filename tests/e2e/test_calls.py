"""From a bar of a chart to the calls behind it, by an address that shows another reader the same."""

from playwright.sync_api import Page, expect

from tests.support.screen import go, metric, settle


def test_a_bar_leads_to_its_calls(page: Page, base_url: str) -> None:
    """A click on an engine's day offers its calls; they open filtered, and their address is enough to see them."""
    go(page, f"{base_url}/cost?lang=en&range=30d")
    bars = page.locator(".st-key-cost_over_time .barlayer .point path")
    expect(bars.nth(3)).to_be_attached()

    bars.nth(3).click(force=True)
    picked = page.locator(".st-key-drill_cost_over_time")
    engine = picked.get_by_test_id("stMarkdown").inner_text().split(" · ")[0]
    picked.get_by_role("button", name="See its calls").click()

    expect(page.locator("h1").first).to_have_text("Calls")
    page.wait_for_url(f"**/calls?*engine={engine}*")
    settle(page)
    dollars = metric(page, "Actual spend")
    assert dollars.startswith("$")
    shared = page.context.new_page()
    go(shared, page.url)
    assert metric(shared, "Actual spend") == dollars
    expect(shared.get_by_test_id("stException")).to_have_count(0)
