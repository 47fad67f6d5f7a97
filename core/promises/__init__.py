"""What was promised of an action that somebody marked done, and what came of it."""

from core.promises.marks import Promise, mark_done, promises, still_open, undo
from core.promises.realised import FEWEST_CALLS, FEWEST_DAYS, Realised, realised, scope_of

__all__ = [
    "FEWEST_CALLS",
    "FEWEST_DAYS",
    "Promise",
    "Realised",
    "mark_done",
    "promises",
    "realised",
    "scope_of",
    "still_open",
    "undo",
]
