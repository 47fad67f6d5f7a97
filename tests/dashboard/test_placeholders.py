"""What is shown late in a run that was stopped meanwhile ends quietly; the run itself stops."""

import threading
from typing import Any

import pytest
from streamlit.elements import spinner
from streamlit.elements.lib import skeleton_placeholder
from streamlit.runtime.scriptrunner_utils.exceptions import StopException

from dashboard import placeholders


@pytest.mark.parametrize("place", [spinner, skeleton_placeholder], ids=["spinner", "skeleton"])
def test_a_late_placeholder_ends_quietly(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a timer's thread nothing is left uncaught, which would fail this test; elsewhere the run is stopped."""

    def stopped(message: object) -> None:
        raise StopException

    for one in (spinner, skeleton_placeholder):
        monkeypatch.setattr(one, "enqueue_message", stopped)
    placeholders.let_late_ones_go()

    timer = threading.Timer(0, lambda: place.enqueue_message("late"))
    timer.start()
    timer.join(30)

    assert not timer.is_alive()
    with pytest.raises(StopException):
        place.enqueue_message("in the run")
