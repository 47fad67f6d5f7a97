"""The audit log as the Caches page shows it: every operator action, who did it, and what was before and after."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from core import fleet
from dashboard import components, data, error_words
from dashboard import format as fmt
from dashboard.components import Column
from dashboard.i18n import language, t

ACTIONS = (
    "clear", "probe", "stop_probe", "checkup", "mend_done", "mend_undone", "note_added", "note_removed", "view_saved",
    "view_removed", "reconcile", "reprice", "undo reprice", "expire",
)  # fmt: skip
"""Everything that is written into the audit log, by page or by command."""

LATEST = 500
_LONGEST = 2_000  # characters of what was before or after
_ID = re.compile(r"[0-9a-f]{32}")
_PLACE = re.compile(r"(.*?) ?\((command line|dashboard)\)")


def show() -> None:
    """List who did what, when, what was before and after, and how it ended; the latest first."""
    rows = [row(item) for item in data.recorded_actions()[:LATEST]]
    with components.section("audit", rows=rows):
        if not rows:
            components.unknown("audit.none")
            return
        components.table(
            [{**told, "actor": who(told["actor"])} for told in rows],
            [
                Column("ts", "moment", "col.when"),
                Column("actor", "text", "audit.col.actor"),
                Column("what", "text", "audit.col.target"),
                Column("result_text", "word", "audit.col.result"),
                Column("before", "sentence", "audit.col.before"),
                Column("after", "sentence", "audit.col.after"),
            ],
            key="audit",
            alt=t("audit.title"),
        )


def row(item: fleet.Recorded) -> dict[str, Any]:
    """Return one action as a row of the table and of its CSV."""
    name = t(f"audit.action.{item.action.replace(' ', '_')}") if item.action in ACTIONS else item.action
    return {
        "ts": item.ts,
        "ended_at": item.ended_at,
        "action_id": item.action_id,
        "actor": item.actor,
        "action": item.action,
        "what": f"{name}: {_ID.sub(lambda found: found[0][:8], item.target)}",
        "target": item.target,
        "before": said(item.before),
        "after": said(_in_words(item.after)),
        "result": item.result,
        "result_text": t(f"audit.result.{item.result}"),
        "error_code": item.after.get("error_code") or item.after.get("error") or fmt.UNKNOWN,
    }


def _in_words(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return facts with what went wrong in the viewer's language."""
    if "error_message" not in facts:
        return facts
    return {**facts, "error_message": error_words.plain(language(), facts.get("error_code"), facts["error_message"])}


def who(actor: str) -> str:
    """Return who did it; the place that is written behind a name is told in the viewer's language."""
    found = _PLACE.fullmatch(actor)
    return t(f"audit.from_{found[2].replace(' ', '_')}", who=found[1]).strip() if found else actor


def said(facts: Mapping[str, Any]) -> str | None:
    """Return facts on one line, "name: value · …"; None where nothing was told."""
    text = " · ".join(f"{name}: {_value(value)}" for name, value in facts.items())
    return "".join(char if char.isprintable() else "�" for char in text)[:_LONGEST] or None


def _value(value: Any) -> str:
    if value is None:
        return fmt.UNKNOWN
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
