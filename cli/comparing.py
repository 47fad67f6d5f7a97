"""`cachewise clear --compare`: what warm environments hold, beside what the prompt table holds now; clears nothing."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from core import fleet
    from core.settings import SourceSettings
    from core.store.lake import Lake

_MENDS = {
    "behind": "Clear these engines to make the environments fetch the table's prompt.",
    "not_comparable": (
        "Not comparable, or every environment is behind: no call of the last 24 hours matched the table. Clear; if it "
        "still does not match, set the service's FINGERPRINT_KEY here, and prompt_context in [sources.clear]."
    ),
    "no_item": "The table has no prompt for an engine that is served: put an item.",
    "unknown": "Unknown: text lines and calls without caching tell no fingerprint.",
}


def compared(
    lake: Lake, source: SourceSettings, out: Console, *, engine: str | None, active: timedelta
) -> tuple[dict[str, Any], int]:
    """Read the table, show the comparison and return it with the number of those behind. Raises FLT-401, FLT-406."""
    from core import fleet
    from core.store.query import Reader

    now = datetime.now(UTC)
    with Reader(lake) as reader:
        present = fleet.read_table(reader, source, now=now, environ=os.environ, active=active)
        found = fleet.compare(reader, source, present, now=now, active=active).environments
    found = tuple(item for item in found if engine in (None, item.engine))
    _show(found, out)
    behind = sum(item.state == "behind" for item in found)
    told = {"compared": [item.to_json() for item in found], "behind": behind, "table_read_at": now, "cleared": False}
    return told, behind


def _show(found: tuple[fleet.Compared, ...], out: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    for column in ("environment", "engine", "version", "holds", "table holds", "item version", "compared"):
        table.add_column(column)
    for item in found:
        cells = (item.log_stream, item.engine, item.function_version, (item.holds or "–")[:8])
        more = ((item.table_holds or "–")[:8], item.table_version, item.state.replace("_", " "))
        table.add_row(*(escape(str(cell or "–")) for cell in (*cells, *more)))
    if not found:
        out.print("No warm environment has made a call with a known engine: there is nothing to compare.")
        return
    out.print(table)
    for state, mend in _MENDS.items():
        if count := sum(item.state == state for item in found):
            out.print(f"[yellow]![/yellow] {count} of {len(found)}: {escape(mend)}")
