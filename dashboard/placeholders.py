"""A placeholder that comes too late is nobody's error: Streamlit's spinners and skeletons, shown by a timer.

Streamlit (1.67) shows them half a second after work has begun, from a thread of its own. Where a click has ended the
run by then, and led elsewhere, that thread was stopped with an exception that nothing caught, and the log had a
traceback for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from streamlit.elements import spinner
from streamlit.elements.lib import skeleton_placeholder
from streamlit.runtime.scriptrunner_utils.exceptions import StopException

_PLACES: tuple[Any, ...] = (spinner, skeleton_placeholder)


def let_late_ones_go() -> None:
    """Have a timer's thread end quietly where the run it shows something in was stopped; to be called once."""
    for place in _PLACES:
        place.enqueue_message = _unless_stopped(place.enqueue_message)


def _unless_stopped(send: Callable[[Any], None]) -> Callable[[Any], None]:
    def sent(message: Any) -> None:
        try:
            send(message)
        except StopException:
            if not isinstance(threading.current_thread(), threading.Timer):
                raise  # the run's own thread is to stop

    return sent
