"""A run: each experiment in turn, within the budget, each with a verdict whatever happens; all is kept and audited."""

from __future__ import annotations

import getpass
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from core.errors import CachewiseError
from core.fleet import audit
from core.pricing import load_book
from core.probe.bench import Bench, Stopped
from core.probe.budget import Budget, plain
from core.probe.experiments import EXPERIMENTS
from core.probe.faults import one_line, problem_of
from core.probe.history import keep
from core.probe.live import LiveDoor
from core.probe.model import (
    ExperimentResult,
    Finding,
    OnProgress,
    Plan,
    PlannedExperiment,
    ProbeReport,
    Problem,
    Progress,
)
from core.probe.planning import OpenDoor
from core.store.lake import Lake

# after one of these nothing else need be asked of Claude in this run
_HOPELESS = frozenset({"PRB-401", "PRB-404", "PRB-408", "PRB-410", "PRB-417", "PRB-429", "PRB-503", "PRB-529"})
_ACTION = "probe"


@dataclass(slots=True)
class _Run:
    """A run under way."""

    plan: Plan
    bench: Bench
    on_progress: OnProgress | None
    blocked: Problem | None
    results: list[ExperimentResult] = field(default_factory=list)

    def experiment(self, position: int, planned: PlannedExperiment) -> None:
        """Make one experiment and note how it ended."""
        bench, budget = self.bench, self.bench.budget
        bench.tell = lambda doing: self._progress(position, planned.name, doing)
        spent, requests, exact, started = budget.spent_usd, bench.requests, budget.exact, bench.now()
        budget.exact = True
        bench.tell("beginning")
        finding = self._finding(planned)
        own_exact, budget.exact = budget.exact, budget.exact and exact
        self.results.append(
            ExperimentResult(
                experiment=planned.name,
                title=planned.title,
                verdict=finding.verdict,
                summary=finding.summary,
                evidence=finding.evidence,
                problem=finding.problem,
                started_at=started,
                finished_at=bench.now(),
                requests=bench.requests - requests,
                estimate_usd=planned.estimate_usd,
                spent_usd=budget.spent_usd - spent,
                spent_exact=own_exact,
            )
        )

    def _finding(self, planned: PlannedExperiment) -> Finding:
        experiment = EXPERIMENTS[planned.name]
        if experiment.asks_claude and self.blocked is not None:
            first = not any(result.problem == self.blocked for result in self.results)
            return Finding("failed" if first else "not_run", "Nothing was asked.", {}, self.blocked)
        before = next((item for item in self.results if item.experiment == experiment.builds_on), None)
        if before is not None and before.verdict == "not_run":
            return Finding("not_run", f"It builds on {before.experiment}, which was not run.", {}, before.problem)
        if planned.needed_usd > self.bench.budget.left_usd:
            return _too_dear(planned, self.bench.budget)
        try:
            return experiment.run(self.bench)
        except Exception as error:  # noqa: BLE001 - a verdict, with what was spent, whatever happened
            return self._failure(error, asks_claude=experiment.asks_claude)

    def _failure(self, error: Exception, *, asks_claude: bool) -> Finding:
        problem = problem_of(error)
        if problem.code == "PRB-499":
            logging.getLogger("core.probe").error("a probe broke", exc_info=error)
        if asks_claude and problem.code in _HOPELESS:
            self.blocked = problem
        unfinished = isinstance(error, Stopped) or problem.code == "PRB-402"
        return Finding("not_run" if unfinished else "failed", "It could not be finished.", {}, problem)

    def _progress(self, position: int, name: str, doing: str) -> None:
        if self.on_progress is not None:
            budget, bench = self.bench.budget, self.bench
            total = len(self.plan.experiments)
            self.on_progress(Progress(name, position, total, doing, bench.requests, budget.spent_usd, budget.limit_usd))


def run(
    plan: Plan,
    *,
    on_progress: OnProgress | None = None,
    stop: Callable[[], bool] = lambda: False,
    lake: Lake | None = None,
    actor: str | None = None,
    open_door: OpenDoor = LiveDoor,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ProbeReport:
    """Make the planned experiments and return their verdicts; what was found goes into the table of probes.

    Raises nothing that Claude, the network or the budget can cause: each is a verdict. What cannot be written to the
    audit log is not done: that error goes up before anything is spent. `stop` is asked before every request and while
    waiting.
    """
    started, kept_in = now(), lake or Lake(plan.settings.lake_path)
    book = load_book(plan.settings.price_files)
    door = open_door(plan.target, plan.settings, book)
    door.ruler, door.told_before = plan.ruler, plan.simulated
    bench = Bench(
        door,
        plan.target,
        Budget(plan.budget_usd),
        book,
        plan.ruler,
        plan.settings,
        plan.prefix_tokens,
        plan.max_wait_s,
        stop=stop,
        now=now,
    )
    under_way = _Run(plan, bench, on_progress, plan.problem)
    action = audit.new_action(_ACTION, f"{plan.target.provider}/{plan.target.model}", actor=actor or _actor(plan))
    audit.record(kept_in, action, "started", now=started, before=_promised(plan))
    keep_problem: Problem | None = None
    try:
        for position, planned in enumerate(plan.experiments, start=1):
            under_way.experiment(position, planned)
    finally:
        door.close()
        report = _report(under_way, started, now())
        keep_problem = _keep(kept_in, action, report)
    return replace(report, kept=keep_problem is None, keep_problem=keep_problem)


def _too_dear(planned: PlannedExperiment, budget: Budget) -> Finding:
    problem = Problem(
        "PRB-402",
        f"It may need ${plain(planned.needed_usd)}, and ${plain(budget.left_usd)} are left of "
        f"${plain(budget.limit_usd)}. Raise --budget or probe.budget_usd, or choose a cheaper model.",
    )
    return Finding("not_run", "The budget does not reach.", {"needed_usd": planned.needed_usd}, problem)


def _report(under_way: _Run, started: datetime, finished: datetime) -> ProbeReport:
    bench, plan = under_way.bench, under_way.plan
    told = bench.door.simulated
    return ProbeReport(
        plan=plan,
        started_at=started,
        finished_at=finished,
        results=tuple(under_way.results),
        simulated=plan.simulated if told is None else told or plan.simulated,
        spent_usd=bench.budget.spent_usd,
        spent_exact=bench.budget.exact,
        requests=bench.requests,
        kept=False,
        keep_problem=None,
    )


def _promised(plan: Plan) -> dict[str, Any]:
    """Return what the audit log says before anything is spent."""
    return {
        "run_id": plan.run_id,
        "experiments": [item.name for item in plan.experiments],
        "estimate_usd": plan.estimate_usd,
        "budget_usd": plan.budget_usd,
        "base_url": plan.target.shown_url,
    }


def _keep(lake: Lake, action: audit.Action, report: ProbeReport) -> Problem | None:
    """Write results and audit entry; a table that cannot be written must not lose the verdicts."""
    facts = {
        "run_id": report.plan.run_id,
        "verdicts": {result.experiment: result.verdict for result in report.results},
        "spent_usd": report.spent_usd,
        "requests": report.requests,
        "simulated": report.simulated,
    }
    try:
        keep(lake, report)
        audit.record(lake, action, "done" if report.passed else "failed", now=report.finished_at, after=facts)
    except CachewiseError as error:
        return Problem(error.code, one_line(error))
    return None


def _actor(plan: Plan) -> str:
    """Return who probes, as the audit log names them."""
    try:
        return f"{getpass.getuser()} ({plan.started_by})"
    except (OSError, KeyError):  # a container without a user database
        return f"({plan.started_by})"
