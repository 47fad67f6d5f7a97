"""Live experiments against the Claude cache, and the prompt store, with a hard budget.

`plan` says what a run will do and may cost, `run` does it, `history` and `latest_run` read what was found.
"""

from core.probe.experiments import EXPERIMENTS
from core.probe.history import history, latest_run
from core.probe.model import (
    SUITES,
    ExperimentResult,
    Plan,
    PlannedExperiment,
    ProbeReport,
    Problem,
    Progress,
    Target,
    Verdict,
)
from core.probe.planning import plan
from core.probe.running import run

__all__ = [
    "EXPERIMENTS",
    "SUITES",
    "ExperimentResult",
    "Plan",
    "PlannedExperiment",
    "ProbeReport",
    "Problem",
    "Progress",
    "Target",
    "Verdict",
    "history",
    "latest_run",
    "plan",
    "run",
]
