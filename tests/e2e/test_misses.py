"""From the first screen to the calls behind a miss: what is recoverable, a click on a bar, the lab's choice."""

from playwright.sync_api import Page, expect

from tests.support.screen import go, metric, settle


def test_the_first_screen_says_what_is_recoverable_and_leads_there(page: Page, base_url: str) -> None:
    """Sentence and sixth figure tell the same dollars, and the causes link to their calls."""
    go(page, f"{base_url}/?lang=en")
    expect(page.get_by_test_id("stMetric")).to_have_count(6)
    recoverable = metric(page, "Recoverable")

    told = f"{recoverable} more is recoverable; top cause:"
    if recoverable == "$0.00":  # the small fleet's misses are expiries at the limit, which nothing mends
        told = "No avoidable miss was found."
    expect(page.get_by_test_id("stAlert").first).to_contain_text(told)

    page.get_by_role("link", name="See the calls").first.click()
    expect(page.locator("h1").first).to_have_text("Misses")
    settle(page)
    assert metric(page, "Recoverable") == recoverable


def test_a_bar_shows_its_calls(page: Page, base_url: str) -> None:
    """A click on a bar chooses its cause and its engine below."""
    go(page, f"{base_url}/misses?lang=en&engine=tutor")
    chooser = page.locator(".st-key-miss_cause")
    bars = page.locator(".st-key-miss_pareto .barlayer .point path")
    expect(bars.nth(1)).to_be_attached()
    causes = page.locator(".st-key-miss_pareto .ytick").all_text_contents()[::-1]  # drawn from below
    chosen = chooser.get_by_role("combobox")
    expect(chosen).to_have_value(causes[0])

    bars.nth(1).click(force=True)

    expect(chosen).to_have_value(causes[1])
    expect(page.locator(".st-key-miss_engine").get_by_role("combobox")).to_have_value("tutor")
    expect(page.get_by_test_id("stException")).to_have_count(0)
