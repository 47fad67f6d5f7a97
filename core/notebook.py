"""Notes beside the data and named views of it: short texts of operators, kept in the audit log and never changed.

Taking one away is a second entry that names the first, so that the log still tells who had written what.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core.errors import FixSettings
from core.fleet.audit import new_action, record, recorded_actions
from core.metrics.scope import Scope
from core.store.lake import Lake
from core.store.query import Reader

NOTE, NOTE_GONE = "note_added", "note_removed"
VIEW, VIEW_GONE = "view_saved", "view_removed"
LONGEST_NOTE, LONGEST_NAME, LONGEST_QUERY = 280, 60, 4_000
EARLIEST, LATEST = timedelta(days=3 * 365), timedelta(days=31)

Query = Mapping[str, str | Sequence[str]]
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody noted about a moment."""

    action_id: str
    at: datetime
    text: str
    actor: str
    written_at: datetime


@dataclass(frozen=True, slots=True)
class SavedView:
    """A page with its filters and choices, under a name."""

    action_id: str
    name: str
    page: str
    query: Query
    actor: str
    saved_at: datetime


def add_note(lake: Lake, text: str, *, at: datetime, actor: str, now: datetime) -> str:
    """Write a note about a moment and return its id. Raises FixSettings where text or time cannot be used."""
    said = _plain(text, LONGEST_NOTE, "note", "NTE-001")
    if not now - EARLIEST <= at <= now + LATEST:
        raise FixSettings(
            f"A note about {at.isoformat()} is too far from now.",
            code="NTE-001",
            mend="Give a time within the last three years or the next month.",
            about=(at.isoformat(),),
        )
    action = new_action(NOTE, at.isoformat(), actor=actor)
    record(lake, action, "done", now=now, before={}, after={"at": at.isoformat(), "text": said})
    return action.action_id


def remove_note(lake: Lake, note: Note, *, actor: str, now: datetime) -> None:
    """Take a note away."""
    told = {"at": note.at.isoformat(), "text": note.text}
    record(lake, new_action(NOTE_GONE, note.action_id, actor=actor), "done", now=now, before=told, after={})


def notes(reader: Reader) -> list[Note]:
    """Return the notes, those about the latest moments first."""
    removed = {entry.target for entry in recorded_actions(reader, action=NOTE_GONE)}
    found = [
        Note(entry.action_id, datetime.fromisoformat(entry.after["at"]), entry.after["text"], entry.actor, entry.ts)
        for entry in recorded_actions(reader, action=NOTE)
        if entry.action_id not in removed
    ]
    return sorted(found, key=lambda note: note.at, reverse=True)


def markers(written: Iterable[Note], scope: Scope) -> list[dict[str, Any]]:
    """Return the notes of a range as core.metrics.markers returns deploys; filters do not hide them."""
    return [
        {"ts": note.at, "kind": "note", "label": note.text, "source": None}
        for note in written
        if (scope.start is None or note.at >= scope.start) and (scope.end is None or note.at < scope.end)
    ]


def save_view(lake: Lake, name: str, *, page: str, query: Query, actor: str, now: datetime) -> str:
    """Keep a page with its choices under a name and return its id; a name in use is kept anew.

    Raises FixSettings where the name or the choices cannot be used.
    """
    said = _plain(name, LONGEST_NAME, "view's name", "NTE-002")
    told = {key: value if isinstance(value, str) else list(value) for key, value in query.items()}
    size = sum(len(key) + len(str(value)) for key, value in told.items())
    wrong = next((key for key in (page, *told) if not _KEY.fullmatch(key)), None)
    if wrong is not None or size > LONGEST_QUERY:
        what = f'"{wrong}" is no name of a page or choice' if wrong is not None else f"its {size} letters are too many"
        raise FixSettings(
            f"The view cannot be kept: {what}.",
            code="NTE-002",
            mend=f"Accepted: small letters, digits and _ as names, and {LONGEST_QUERY} letters in all.",
        )
    action = new_action(VIEW, said, actor=actor)
    record(lake, action, "done", now=now, before={}, after={"page": page, "query": told})
    return action.action_id


def remove_view(lake: Lake, view: SavedView, *, actor: str, now: datetime) -> None:
    """Take a view away, with those that were kept under its name before."""
    told = {"name": view.name, "page": view.page, "query": dict(view.query)}
    record(lake, new_action(VIEW_GONE, view.name, actor=actor), "done", now=now, before=told, after={})


def views(reader: Reader) -> list[SavedView]:
    """Return the views by name; of one name the latest."""
    latest: dict[str, SavedView] = {}
    gone: dict[str, datetime] = {}
    for entry in recorded_actions(reader, action=VIEW_GONE):
        gone.setdefault(entry.target, entry.ts)
    for entry in recorded_actions(reader, action=VIEW):
        if entry.target in gone and entry.ts <= gone[entry.target]:
            continue
        found = SavedView(
            entry.action_id, entry.target, entry.after["page"], entry.after["query"], entry.actor, entry.ts
        )
        latest.setdefault(found.name, found)
    return sorted(latest.values(), key=lambda view: view.name.casefold())


def _plain(text: str, longest: int, what: str, code: str) -> str:
    """Return a line without control characters; refuse an empty or a long one."""
    said = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    if not 0 < len(said) <= longest:
        raise FixSettings(
            f"A {what} has {len(said)} letters.",
            code=code,
            mend=f"Accepted: 1 to {longest} letters in one line.",
            about=(f"{len(said)} / {longest}",),
        )
    return said
