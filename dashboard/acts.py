"""The dashboard's door to what changes something or spends money; each act asks for the operator role itself.

A page cannot forget the question: hiding a button guards nothing on the server's side.
"""

from __future__ import annotations

from collections.abc import Sequence

from core import fleet, probe
from core.errors import FixSettings
from core.settings import SourceSettings
from dashboard import auth, data
from dashboard.probe_desk import ProbeRun


def foresee(source: SourceSettings, engine: str | None) -> fleet.Preview:
    """Return what a clear would do; changes nothing. By variable it asks Lambda, under the clear role."""
    _ready()
    way = fleet.clear_settings(source).method
    state = fleet.function_state(source) if way == "variable" else None
    return data.foretell(source, engine, function=state)


def clear_prompt_store(source: SourceSettings, foreseen: fleet.Preview, typed: str) -> fleet.Clear:
    """Clear the prompt store in every environment, where the source's name was typed; the audit log tells of it."""
    _ready()
    try:
        return fleet.clear_prompt_store(data.lake(), source, foreseen, actor=auth.actor(), confirmation=typed)
    finally:
        data.versions.clear()  # the audit entry is to be seen at once


def plan_probe(experiments: Sequence[str]) -> probe.Plan:
    """Return what these experiments would do and cost; asks Claude only what is free. Key and model are settings."""
    auth.require("operator")
    return probe.plan(data.configuration(), experiments)


def run_probe(plan: probe.Plan) -> ProbeRun:
    """Begin the planned run within its budget; the audit log tells of it."""
    auth.require("operator")
    return data.probe_desk().begin(plan, data.lake(), auth.actor(), then=data.versions.clear)


def stop_probe() -> None:
    """Let the run under way end before its next request."""
    auth.require("operator")
    last = data.probe_desk().last
    if last is not None:
        last.stopping.set()


def _ready() -> None:
    auth.require("operator")
    if data.configuration().demo:
        raise FixSettings(
            "The demo fleet is simulated: it has no prompt table and no Lambda, so there is nothing to clear.",
            code="DSH-410",
            mend="Configure a real source, see docs/clearing.md.",
        )
