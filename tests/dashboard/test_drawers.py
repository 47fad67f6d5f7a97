"""What stands in closed drawers is not made, and comes when its drawer is opened."""

from pathlib import Path

from dashboard import drawers
from dashboard.i18n import catalogue
from tests.dashboard.test_pages import opened, words


def test_closed_drawers_send_nothing(on_fleet: Path) -> None:
    """The first screen loads no term, no address to copy and no code; open, the drawers have them."""
    term = catalogue("en")["term.prefix.means"]
    app = opened("overview", drawer_views=False, drawer_glossary=False, drawer_sources=False)
    assert (len(app.code), term in words(app)) == (0, False)

    for name in ("views", "glossary"):
        app.session_state[drawers.key_of(name)] = True
    app.run()

    assert not app.exception
    assert (len(app.code), term in words(app)) == (1, True)
