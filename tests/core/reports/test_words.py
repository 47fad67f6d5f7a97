"""The words of reports are complete in both languages, and their colours are those of the pages."""

from core.reports import palette
from core.reports.words import catalogue
from dashboard import ink


def test_the_catalogues_have_the_same_keys_in_the_same_order() -> None:
    """And the same placeholders would break otherwise."""
    assert list(catalogue("en")) == list(catalogue("ko"))
    for key, text in catalogue("en").items():
        assert text.count("{") == catalogue("ko")[key].count("{"), key


def test_colours_are_those_of_the_pages() -> None:
    """A reader of both sees one language of colours."""
    assert palette.COST_KINDS == ink.COST_KINDS
    assert (palette.GAIN, palette.LOSS) == (ink.GAIN, ink.LOSS)
