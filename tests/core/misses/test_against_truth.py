"""A short fleet whose every cause is known: the ledger and the TTL Lab agree with it (more in docs/accuracy.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import misses, ttl
from core.metrics.scope import Scope
from core.pricing import default_book
from core.store.query import Reader
from core.traffic import Traffic, load
from simulator.fleet.engines import ENGINES
from tests.support.fleet import NOON_MS
from tests.support.truth import Fleet, confuse, live, rerun, text_only

Seen = tuple[Fleet, Traffic]


def see(folder: Path, *, text: bool) -> Seen:
    engines = text_only() if text else ENGINES
    fleet = live(folder, seed=3, days=2, now_ms=NOON_MS, engines=engines)
    with Reader(fleet.lake) as reader:
        return fleet, load(reader, Scope(), default_book())


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return see(tmp_path_factory.mktemp("recorded"), text=False)


@pytest.fixture(scope="module")
def told_by_text(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return see(tmp_path_factory.mktemp("text"), text=True)


def test_with_fingerprints(recorded: Seen) -> None:
    """At least 99 % of tokens under their true cause, and 99.9 % of what is called measured."""
    fleet, traffic = recorded
    found = confuse(fleet, misses.of_traffic(traffic))

    assert found.share() >= 0.99
    assert found.measured_share >= 0.999
    assert found.unmatched == 0


def test_with_text_lines_alone(told_by_text: Seen) -> None:
    """At least 90 %, though neither model, TTL nor start is told."""
    fleet, traffic = told_by_text
    found = confuse(fleet, misses.of_traffic(traffic))

    assert found.share() >= 0.90
    assert found.unmatched == 0


@pytest.mark.parametrize("policy", ttl.POLICIES)
def test_a_policy_s_cost_is_what_running_it_costs(recorded: Seen, policy: str) -> None:
    """Within 1 % for every engine that calls often enough for a percent to mean something."""
    fleet, traffic = recorded
    actual = rerun(fleet, policy)

    for row in ttl.compare(ttl.of_traffic(traffic)):
        if row["policy"] == policy and row["calls"] >= 50:
            assert float(row["cost_usd"]) == pytest.approx(float(actual[row["engine"]]), rel=0.01)
