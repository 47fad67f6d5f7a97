"""What was promised of an action that somebody marked done, and what came of it."""

from core.promises.marks import Promise, mark_done, promises, still_open, undo
from core.promises.realised import FEWEST_CALLS, FEWEST_DAYS, Realised, measure, realised

__all__ = [
    "FEWEST_CALLS",
    "FEWEST_DAYS",
    "Promise",
    "Realised",
    "mark_done",
    "measure",
    "promises",
    "realised",
    "still_open",
    "undo",
]
