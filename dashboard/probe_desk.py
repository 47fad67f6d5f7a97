"""Where a probe runs: one at a time, on a thread of its own, so that a page can be left, come back, and stop it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from core import probe
from core.errors import CachewiseError, FixSettings, OurBug
from core.store.lake import Lake

log = logging.getLogger("cachewise.dashboard")


@dataclass(slots=True)
class ProbeRun:
    """A run under way, or finished: then it has a report or an error."""

    plan: probe.Plan
    then: Callable[[], object]  # called when its results can be read, before it counts as ended
    progress: probe.Progress | None = None
    report: probe.ProbeReport | None = None
    error: CachewiseError | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def running(self) -> bool:
        """Say whether it has not ended yet."""
        return not self.ended.is_set()

    def work(self, lake: Lake, actor: str) -> None:
        """Make the run; whatever happens is kept for the page."""
        try:
            self.report = probe.run(
                self.plan, lake=lake, actor=actor, on_progress=self._note, stop=self.stopping.is_set
            )
        except CachewiseError as error:
            self.error = error
        except Exception as error:  # a thread's exception would be seen by nobody
            log.exception("a probe broke")
            self.error = OurBug(
                f"The probe broke ({type(error).__name__}).",
                code="DSH-501",
                mend="Its traceback is in the dashboard's log; please report it.",
                about=(type(error).__name__,),
            )
        finally:
            self.then()
            self.ended.set()

    def _note(self, progress: probe.Progress) -> None:
        self.progress = progress


@dataclass(slots=True)
class ProbeDesk:
    """The one place of a process where probes are begun."""

    last: ProbeRun | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, plan: probe.Plan, lake: Lake, actor: str, *, then: Callable[[], object]) -> ProbeRun:
        """Begin a run. Raises DSH-409 while another one is under way: two would spend two budgets."""
        with self._guard:
            if self.last is not None and self.last.running:
                raise FixSettings(
                    "Another probe is running in this dashboard.",
                    code="DSH-409",
                    mend="Wait until it has ended, or stop it.",
                )
            self.last = ProbeRun(plan, then)
            threading.Thread(target=self.last.work, args=(lake, actor), name="probe", daemon=True).start()
            return self.last
