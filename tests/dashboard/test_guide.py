"""The tour and the terms: five steps, closed for good, called again; every term in both languages."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import guide
from dashboard.i18n import LANGUAGES, catalogue
from tests.support.screens import PATIENCE_S, opened, words


@pytest.fixture
def app(on_fleet: Path) -> AppTest:
    """The first screen of somebody who comes for the first time."""
    return opened("overview")


def shown(app: AppTest) -> bool:
    """Whether a step of the tour is on the screen."""
    return any(button.key == "tour_close" for button in app.button)


def test_the_tour_has_at_most_five_steps_and_can_be_walked_both_ways(app: AppTest) -> None:
    """Next leads to the last step, Back returns; each says where one is."""
    seen = []
    for step in guide.STEPS:
        seen.append(catalogue("en")[f"tour.{step}.title"] in words(app))
        if step != guide.STEPS[-1]:
            app.button(key="tour_next").click().run()
    app.button(key="tour_back").click().run()

    assert len(guide.STEPS) <= 5
    assert all(seen)
    assert f"4 / {len(guide.STEPS)}" in words(app)


def test_a_closed_tour_stays_closed_on_every_page_and_comes_back_when_called(app: AppTest) -> None:
    """Closing is remembered over changes of page and stands in the address; the sidebar brings the tour back."""
    app.button(key="tour_close").click().run()
    assert not shown(app)
    assert app.query_params["tour"] in ("off", ["off"])
    app.switch_page("app_pages/cost.py").run()
    assert not shown(app)

    app.button(key="tour_again").click().run()

    assert shown(app)
    assert catalogue("en")[f"tour.{guide.STEPS[0]}.title"] in words(app)


@pytest.mark.usefixtures("on_fleet")
def test_an_address_made_after_the_tour_opens_without_it() -> None:
    """A bookmark remembers that its owner has seen the tour; no cookie does."""
    app = AppTest.from_file(str(Path(guide.__file__).parent / "app.py"), default_timeout=PATIENCE_S)
    app.query_params["tour"] = "off"

    app.run()

    assert not shown(app)


def test_the_tour_does_not_stand_in_the_way_of_other_pages(app: AppTest) -> None:
    """Uncalled, it is on the first screen only."""
    app.switch_page("app_pages/cost.py").run()

    assert not shown(app)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_term_is_explained(lang: str) -> None:
    """Each has a name and one sentence or two in this language."""
    told = catalogue(lang)

    assert all(told[f"term.{term}"] and told[f"term.{term}.means"].endswith(".") for term in guide.TERMS)
    assert all(told[f"tour.{step}.{part}"] for step in guide.STEPS for part in ("title", "body"))
