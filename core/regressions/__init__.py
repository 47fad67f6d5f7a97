"""When an engine got worse, by how much, why, and what it has cost since: change points against its own baseline."""

from core.regressions.causes import MECHANISMS
from core.regressions.finding import detect, find, ranked
from core.regressions.model import METRICS, UNITS, Cause, Change, Event, Regression, shown
from core.regressions.observe import observe

__all__ = [
    "MECHANISMS",
    "METRICS",
    "UNITS",
    "Cause",
    "Change",
    "Event",
    "Regression",
    "detect",
    "find",
    "observe",
    "ranked",
    "shown",
]
