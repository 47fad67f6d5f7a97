"""The words of reports are complete in both languages, and their colours are those of the pages."""

import pytest

from core.reports import palette
from core.reports.words import LANGUAGES, catalogue
from dashboard import i18n, ink


def test_the_catalogues_have_the_same_keys_in_the_same_order() -> None:
    """And the same placeholders would break otherwise."""
    assert list(catalogue("en")) == list(catalogue("ko"))
    for key, text in catalogue("en").items():
        assert text.count("{") == catalogue("ko")[key].count("{"), key


def test_colours_are_those_of_the_pages() -> None:
    """A reader of both sees one language of colours."""
    assert palette.COST_KINDS == ink.COST_KINDS
    assert (palette.GAIN, palette.LOSS) == (ink.GAIN, ink.LOSS)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_figures_have_the_names_of_the_pages(lang: i18n.Language) -> None:
    """Metrics, causes and kinds of cost are called the same, so that a figure is found again."""
    pages, compared = i18n.catalogue(lang), 0
    for key, text in catalogue(lang).items():
        same = pages.get(f"{key}.label" if key.startswith("metric.") else key)
        if key.startswith(("metric.", "cause.", "kind.")) and same is not None:
            assert text == same, key
            compared += 1
    assert compared > 30
