"""From a bar of a chart to the calls behind it, by an address that shows another reader the same."""

from playwright.sync_api import Page, expect

from tests.support.screen import go, metric, settle


def test_a_bar_leads_to_its_calls(tab: Page, base_url: str) -> None:
    """A click on an engine's day offers its calls; they open filtered, and their address is enough to see them."""
    go(tab, f"{base_url}/cost?lang=en&range=30d")
    bars = tab.locator(".st-key-cost_over_time .barlayer .point path")
    expect(bars.nth(3)).to_be_attached()

    bars.nth(3).click(force=True)
    picked = tab.locator(".st-key-drill_cost_over_time")
    engine = picked.get_by_test_id("stMarkdown").inner_text().split(" · ")[0]
    picked.get_by_role("button", name="See its calls").click()

    expect(tab.locator("h1").first).to_have_text("Calls")
    tab.wait_for_url(f"**/calls?*engine={engine}*")
    settle(tab)
    dollars = metric(tab, "Actual spend")
    assert dollars.startswith("$")
    shared = tab.context.new_page()
    go(shared, tab.url)
    assert metric(shared, "Actual spend") == dollars
    expect(shared.get_by_test_id("stException")).to_have_count(0)
