"""The plan foretells the run; what was found is kept, audited and read back."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from core import probe
from core.errors import CachewiseError
from core.fleet.audit import recorded_actions
from core.store.query import Reader
from tests.support.probing import Laboratory


def test_the_plan_spends_nothing(lab: Laboratory) -> None:
    """Only free counts are asked for; the estimate, the address and the simulation are known beforehand."""
    planned = probe.plan(lab.settings(), suite="full")

    assert lab.simulator.calls == []
    assert (planned.counted, planned.simulated, planned.target.base_url) == (True, True, lab.simulator.url)
    assert planned.problem is None
    assert 0 < planned.estimate_usd < planned.needed_usd <= planned.budget_usd == Decimal("0.05")


def test_the_estimate_is_what_is_spent(lab: Laboratory) -> None:
    """Every experiment costs what the plan says within 15 %, in as many requests; bisection may need fewer."""
    planned = probe.plan(lab.settings(), suite="full")
    report = probe.run(planned)

    for item, result in zip(planned.experiments, report.results, strict=True):
        assert result.spent_usd == pytest.approx(item.estimate_usd, rel=Decimal("0.15"))
        assert result.requests <= item.requests
    assert report.spent_usd == sum(item.spent_usd for item in report.results) <= planned.budget_usd


def test_what_is_needed_is_enough(lab: Laboratory) -> None:
    """A budget of exactly what the plan needs lets the seed suite finish; a tenth less does not."""
    needed = probe.plan(lab.settings()).needed_usd

    assert lab.probe(budget_usd=needed * Decimal("1.01")).passed
    assert not lab.probe(budget_usd=needed * Decimal("0.9")).passed


def test_progress_is_told(lab: Laboratory) -> None:
    """Each request is announced before it is sent, with what has been spent so far."""
    told: list[probe.Progress] = []
    lab.probe("write_then_read", run={"on_progress": told.append})

    assert [item.doing for item in told] == ["beginning", "writing a prefix", "reading it"]
    assert (told[0].spent_usd, told[-1].experiments, told[-1].requests) == (0, 1, 1)
    assert 0 < told[-1].spent_usd < told[-1].budget_usd


def test_results_are_kept(lab: Laboratory) -> None:
    """One row per experiment, newest first, with figures, dollars, and the label of the simulator."""
    report = lab.probe()
    lab.probe("prompt_store")
    with Reader(lab.lake) as reader:
        rows = probe.history(reader)
        only = probe.history(reader, experiment="saving")
        limited = probe.history(reader, limit=2)

    assert [row["experiment"] for row in rows[:1]] == ["prompt_store"]
    assert (len(rows), len(limited)) == (4, 2)
    (saving,) = only
    assert saving["spent_usd"] == report.results[1].spent_usd
    assert (saving["simulated"], saving["verdict"], saving["suite"]) == (True, "passed", "seed")
    assert saving["base_url"] == lab.simulator.url
    assert saving["evidence"]["measured_saving_usd"] == str(report.results[1].evidence["measured_saving_usd"])


def test_nothing_secret_is_kept(lab: Laboratory) -> None:
    """Neither the key nor the prompt is in any file of the data folder's tables."""
    lab.monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-sim-very-secret")
    lab.probe(suite="full")
    with Reader(lab.lake) as reader:
        told = str([reader.rows(reader.table(name)) for name in ("probes", "actions")])

    assert "very-secret" not in told
    assert "this text only adds" not in told


def test_the_latest_run_for_data_health(lab: Laboratory) -> None:
    """The worst verdict of the newest run, its first problem and what it spent; a canary's apart from a person's."""
    with Reader(lab.lake) as reader:
        assert probe.latest_run(reader) is None
    lab.probe(started_by="canary")
    lab.monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-wrong")
    lab.probe()
    with Reader(lab.lake) as reader:
        newest, canary = probe.latest_run(reader), probe.latest_run(reader, started_by="canary")

    assert newest is not None
    assert canary is not None
    assert (newest["verdict"], newest["error_code"], newest["passed"], newest["experiments"]) == (
        "failed",
        "PRB-401",
        1,
        3,
    )
    assert (canary["verdict"], canary["error_code"], canary["requests"], canary["simulated"]) == (
        "passed",
        None,
        3,
        True,
    )
    assert canary["spent_usd"] > 0


def test_a_run_is_audited(lab: Laboratory) -> None:
    """Who spent how much on what is in the audit log, with the estimate beforehand."""
    report = lab.probe("write_then_read", run={"actor": "kim"})
    with Reader(lab.lake) as reader:
        (entry,) = recorded_actions(reader, action="probe")

    assert (entry.actor, entry.target, entry.result) == ("kim", "anthropic/claude-haiku-5-5", "done")
    assert Decimal(entry.before["budget_usd"]) == Decimal("0.05")
    assert Decimal(entry.after["spent_usd"]) == report.spent_usd


def test_what_cannot_be_audited_is_not_done(lab: Laboratory) -> None:
    """A data folder that cannot be written stops the run before anything is spent."""
    blocked = lab.folder / "file"
    blocked.write_text("in the way")
    planned = probe.plan(lab.settings())

    with pytest.raises(CachewiseError, match="STO-004"):
        probe.run(planned, lake=type(lab.lake)(Path(blocked)))
    assert lab.billed() == []
