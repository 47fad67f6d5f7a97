"""No alarm where nothing is wrong, over the demo's whole month."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from core.metrics.scope import Scope
from core.regressions import find
from core.store.query import Reader
from simulator.fleet.engines import ENGINES
from simulator.fleet.plan import from_ms
from tests.support.fleet import NOON_MS
from tests.support.truth import live

HEALTHY = tuple(
    replace(engine, weekday_calls=engine.weekday_calls / 2)
    for engine in ENGINES
    if engine.name in ("notice", "counsel")
)
"""The engines that none of the demo's faults touches; half their calls, for speed."""


def test_no_alarm_on_the_healthy_engines(tmp_path: Path) -> None:
    """Thirty days from the logs: nights, weekends, cold starts, timeouts, a deploy that revised a prompt; no fault."""
    fleet = live(tmp_path, seed=7, days=30, now_ms=NOON_MS, engines=HEALTHY)

    with Reader(fleet.lake, threads=1) as reader:
        assert find(reader, Scope(), now=from_ms(NOON_MS), zone="Asia/Seoul") == []
    assert {truth["engine"] for truth in fleet.truths} == {"notice", "counsel"}
    assert len({truth["function_version"] for truth in fleet.truths}) > 1
