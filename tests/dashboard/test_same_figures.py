"""One figure is one number, on whichever page it stands."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.screens import Look

PAGES = {
    "Net saved": ("overview", "savings", "reports", "calls"),
    "Actual spend": ("overview", "cost", "prices", "reports", "calls"),
    "Read share (tokens)": ("overview", "hit_rate", "calls"),
    "Price coverage": ("overview", "cost", "prices", "reports", "data_health"),
    "Recoverable": ("overview", "misses"),
    "Response time p95": ("overview", "latency"),
}


@pytest.mark.parametrize("label", PAGES)
def test_a_figure_is_the_same_on_every_page(label: str, shown: Look) -> None:
    """The same range and filters, the same label, the same digits."""
    told = {page: figure(shown(page, "en", "demo"), label) for page in PAGES[label]}

    assert len(set(told.values())) == 1, told
    assert "—" not in told.values()


def test_an_action_has_the_same_dollars_on_every_page(shown: Look) -> None:
    """The first screen, whose range is the last week, and the page of all data advise the same for the same money."""
    first, every = (months(shown(page, "en")) for page in ("overview", "actions"))

    assert first
    assert first == every[: len(first)]


def months(app: AppTest) -> list[str]:
    """The dollars a month of each action, in order."""
    return [told for item in app.markdown for told in re.findall(r"[\d.,]+ a month", item.value)]


def figure(app: AppTest, label: str) -> str:
    """The value of a key figure."""
    return {one.label: one.value for one in app.metric}[label]
