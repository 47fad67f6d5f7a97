"""One figure is one number, on whichever page it stands."""

from pathlib import Path

import pytest

from dashboard import data
from tests.support.screens import opened

PAGES = {
    "Net saved": ("overview", "savings", "reports", "calls"),
    "Actual spend": ("overview", "cost", "prices", "reports", "calls"),
    "Read share (tokens)": ("overview", "hit_rate", "calls"),
    "Price coverage": ("overview", "cost", "prices", "reports", "data_health"),
    "Recoverable": ("overview", "misses"),
    "Response time p95": ("overview", "latency"),
}


@pytest.fixture(scope="module")
def figures(fleet: Path) -> dict[str, dict[str, str]]:
    """The key figures of every page of the small fleet: label to value."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CACHEWISE_STORE_PATH", str(fleet))
        data.reopen()
        names = {page for pages in PAGES.values() for page in pages}
        told = {name: {one.label: one.value for one in opened(name, range="all").metric} for name in sorted(names)}
    data.reopen()
    return told


@pytest.mark.parametrize("label", PAGES)
def test_a_figure_is_the_same_on_every_page(label: str, figures: dict[str, dict[str, str]]) -> None:
    """The same range and filters, the same label, the same digits."""
    told = {page: figures[page][label] for page in PAGES[label]}

    assert len(set(told.values())) == 1, told
    assert "—" not in told.values()
