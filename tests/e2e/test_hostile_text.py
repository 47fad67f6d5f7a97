"""A hostile log in a real browser: nothing of it runs, nothing is asked from elsewhere, and the policy holds."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from dashboard.i18n import catalogue
from tests.e2e.conftest import serving
from tests.support import hostile_text
from tests.support.screen import choose, go
from tests.support.watching import Watch

SMUGGLED = "script, iframe, a[href^=javascript], a[href*=elsewhere], img[src*=elsewhere]"
PAGES = ("cost", "misses", "data_health", "ttl_lab", "calls", "caches", "prices")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard over the tables that a hostile log became."""
    folder = tmp_path_factory.mktemp("hostile")
    hostile_text.fill(folder / "data")
    with serving(folder, {}) as address:
        yield address


def test_nothing_of_a_log_runs(page: Page, url: str) -> None:
    """On no page does a name become script, image or link, and Streamlit itself lives within the policy."""
    watch = Watch(page, own=(url,))
    for name in ("overview", *PAGES):
        if name == "overview":
            go(page, url)
        else:
            choose(page, catalogue("ko")[f"page.{name}.title"])
        expect(page.get_by_test_id("stException")).to_have_count(0)
        assert page.evaluate("window.__pwned") is None
        assert page.get_by_test_id("stMain").locator(SMUGGLED).count() == 0
    assert watch.troubles() == []

    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.__pwned = 9'}))")
    assert page.evaluate("window.__pwned") is None, "an inline script that got in would run"
    assert [trouble for trouble in watch.troubles() if trouble.startswith("policy")] != []
