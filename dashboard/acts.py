"""The dashboard's door to what changes something or spends money; each act asks for the operator role itself.

A page cannot forget the question: hiding a button guards nothing on the server's side.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime

from core import fleet, notebook, probe, promises, reconcile
from core.errors import CachewiseError, FixSettings
from core.metrics.scope import Scope
from core.promises.marks import key_of
from core.settings import SourceSettings
from dashboard import auth, data
from dashboard.probe_desk import ProbeRun

log = logging.getLogger("cachewise.dashboard")


def foresee(source: SourceSettings, engine: str | None) -> fleet.Preview:
    """Return what a clear would do; changes nothing. By variable it asks Lambda, under the clear role."""
    _ready()
    way = fleet.clear_settings(source).method
    state = fleet.function_state(source) if way == "variable" else None
    return data.foretell(source, engine, function=state)


def read_prompt_table(source: SourceSettings) -> fleet.Present:
    """Read the prompt table's fingerprints; changes nothing, and so is not in the audit log."""
    _ready()
    return data.read_prompt_table(source)


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
    if last is None or not last.running:
        return
    last.stopping.set()  # first: what spends money is stopped even where the audit log cannot be written
    seen = last.progress
    told = {"experiment": seen.experiment, "requests": seen.requests, "spent_usd": str(seen.spent_usd)} if seen else {}
    _note("stop_probe", last.plan.run_id, {"state": "running", **told}, {"state": "stopping"})


def run_checkup() -> None:
    """Look at everything now, with the collector's rights. It may be the tables that are ill, so it runs regardless."""
    auth.require("operator")
    before = _found()
    try:
        data.run_checkup()
    finally:
        _note("checkup", "everything", before, _found())


def mark_done(key: tuple[str | None, str | None, str], end: datetime, zone: str, done_at: datetime | None) -> None:
    """Mark an action done with what it promises over the week before `end` on the zone's clocks, of all data.

    The promise is worked out here again: what a page shows may be filtered, and is not to be trusted.
    """
    auth.require("operator")
    action = next((row for row in data.actions(Scope(end=end), zone=zone) if key_of(row) == key), None)
    if action is None:
        raise FixSettings(
            f'"{key[2]}" is not advised for "{key[0]}" on the last seven days of all data.',
            code="DSH-411",
            mend="Nothing was marked. Reload: the cause may be over, or seen through a filter only.",
            about=(key[2], key[0]),
        )
    try:
        promises.mark_done(data.lake(), action, actor=auth.actor(), now=datetime.now(UTC), done_at=done_at)
    finally:
        data.versions.clear()


def undo_mark(action_id: str) -> None:
    """Take a mark back; the audit log keeps both."""
    auth.require("operator")
    for promise in data.promised():
        if promise.action_id == action_id:
            promises.undo(data.lake(), promise, actor=auth.actor(), now=datetime.now(UTC))
    data.versions.clear()


def run_reconciliation(providers: Sequence[reconcile.Provider], start: date) -> None:
    """Ask these providers for their figures since a UTC day and compare; kept, and told by the audit log."""
    auth.require("operator")
    try:
        reconcile.run(data.configuration(), providers, start=start, actor=auth.actor(), lake=data.lake())
    finally:
        data.versions.clear()


def add_note(text: str, at: datetime) -> None:
    """Note something about a moment; it is marked on every chart over time."""
    auth.require("operator")
    notebook.add_note(data.lake(), text, at=at, actor=auth.actor(), now=datetime.now(UTC))
    data.versions.clear()


def remove_note(action_id: str) -> None:
    """Take a note away; the audit log keeps both."""
    auth.require("operator")
    for note in data.notes():
        if note.action_id == action_id:
            notebook.remove_note(data.lake(), note, actor=auth.actor(), now=datetime.now(UTC))
    data.versions.clear()


def save_view(name: str, page: str, query: notebook.Query) -> None:
    """Keep what is looked at under a name, for everybody."""
    auth.require("operator")
    notebook.save_view(data.lake(), name, page=page, query=query, actor=auth.actor(), now=datetime.now(UTC))
    data.versions.clear()


def remove_view(action_id: str) -> None:
    """Take a view away; the audit log keeps both."""
    auth.require("operator")
    for view in data.saved_views():
        if view.action_id == action_id:
            notebook.remove_view(data.lake(), view, actor=auth.actor(), now=datetime.now(UTC))
    data.versions.clear()


def _ready() -> None:
    auth.require("operator")
    if data.configuration().demo:
        raise FixSettings(
            "The demo fleet is simulated: it has no prompt table and no Lambda, so there is nothing to clear.",
            code="DSH-410",
            mend="Configure a real source, see docs/clearing.md.",
        )


def _found() -> dict[str, object]:
    """Return what the latest checkup found, in numbers."""
    latest = data.latest_checkup()
    if latest is None:
        return {"checked_at": None}
    at, checks = latest
    return {"checked_at": at.isoformat(), **Counter(str(check.get("status")) for check in checks)}


def _note(name: str, target: str, before: fleet.Facts, after: fleet.Facts) -> None:
    """Write an act that changes no service into the audit log, or say in the server's log that it could not be."""
    action = fleet.new_action(name, target, actor=auth.actor())
    try:
        fleet.record(data.lake(), action, "done", now=datetime.now(UTC), before=before, after=after)
    except CachewiseError as error:
        log.warning("%s is not in the audit log: %s", name, error.code)
    data.versions.clear()
