"""A bounded version of benchmarks/regression_accuracy.py; the figures of the full one are in docs/regressions.md."""

from __future__ import annotations

import pytest

from simulator.fleet.engines import ENGINES
from tests.support.planted import examine

FEW = tuple(engine for engine in ENGINES if engine.name in ("tutor", "summary", "counsel", "memo"))


@pytest.mark.slow
def test_planted_faults_are_found_dated_and_attributed() -> None:
    """A fleet of four engines and sixteen days, read from its logs: every fault it hurts, and nothing else."""
    score = examine(31, faulty=True, days=16, engines=FEW)
    assert len(score.cases) >= 2
    wrong = [case for case in score.cases if not all(case[x] for x in ("found", "in_time", "dated", "attributed"))]
    assert wrong == []
    assert score.false_alarms == []
