"""From the first screen to the calls behind a miss: what is recoverable, a click on a bar, the lab's choice."""

from playwright.sync_api import Page, expect

from tests.support.screen import go, metric, settle


def test_the_first_screen_says_what_is_recoverable_and_leads_there(tab: Page, base_url: str) -> None:
    """Sentence and sixth figure tell the same dollars, and the causes link to their calls."""
    go(tab, f"{base_url}/?lang=en")
    expect(tab.get_by_test_id("stMetric")).to_have_count(6)
    recoverable = metric(tab, "Recoverable")

    told = f"{recoverable} more is recoverable; top cause:"
    if recoverable == "$0.00":  # the small fleet's misses are expiries at the limit, which nothing mends
        told = "No avoidable miss was found."
    expect(tab.get_by_test_id("stAlert").first).to_contain_text(told)

    tab.get_by_role("link", name="See the calls").first.click()
    expect(tab.locator("h1").first).to_have_text("Misses")
    settle(tab)
    assert metric(tab, "Recoverable") == recoverable


def test_a_bar_shows_its_calls(tab: Page, base_url: str) -> None:
    """A click on a bar chooses its cause and its engine below."""
    go(tab, f"{base_url}/misses?lang=en&engine=tutor")
    chooser = tab.locator(".st-key-miss_cause")
    bars = tab.locator(".st-key-miss_pareto .barlayer .point path")
    expect(bars.nth(1)).to_be_attached()
    causes = tab.locator(".st-key-miss_pareto .ytick").all_text_contents()[::-1]  # drawn from below
    chosen = chooser.get_by_role("combobox")
    expect(chosen).to_have_value(causes[0])

    bars.nth(1).click(force=True)

    expect(chosen).to_have_value(causes[1])
    expect(tab.locator(".st-key-miss_engine").get_by_role("combobox")).to_have_value("tutor")
    expect(tab.get_by_test_id("stException")).to_have_count(0)
