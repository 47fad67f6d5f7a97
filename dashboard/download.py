"""Files that pages hand out: who may take them, and CSV of what a page shows, its cells as in reports.

Whoever may see a page may take its files (docs/access.md). A file is made when its button is pressed, on a thread that
knows no session; so the session is brought there, and the role asked for anew: a page may have stood open for days.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

from streamlit.runtime.scriptrunner import add_script_run_ctx, get_script_run_ctx

from core.errors import FixSettings
from core.reports.csv import cell
from dashboard import auth

MOST_ROWS = 1_048_575
"""As many as a sheet of Excel holds below a heading."""


def for_viewers(make: Callable[[], bytes]) -> Callable[[], bytes]:
    """Return what makes a file for this session, as long as whoever looks may see it. Raises FixSettings: DSH-40x."""
    session = get_script_run_ctx()

    def made() -> bytes:
        auth.require("viewer")
        return make()

    def ask() -> bytes:
        with ThreadPoolExecutor(1, initializer=add_script_run_ctx, initargs=(None, session)) as pool:
            return pool.submit(made).result()

    return ask


def csv_bytes(rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None) -> bytes:
    """Return rows as CSV. Unknown is an empty cell; dollars keep every digit; times are ISO 8601 UTC.

    Rows that come one by one all have the columns of the first, and are not kept. Raises FixSettings: REP-008.
    """
    if isinstance(rows, Iterator):
        first = next(rows, {})
        flat, rows = list(columns or first), chain([first] if first else [], rows)
    else:
        rows = list(rows)
        names = list(columns or dict.fromkeys(name for row in rows for name in row))
        flat = [name for name in names if not any(isinstance(row.get(name), (list, dict)) for row in rows)]
    out = io.BytesIO()
    text = io.TextIOWrapper(out, encoding="utf-8-sig", newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(flat)
    for number, row in enumerate(rows, start=1):
        if number > MOST_ROWS:
            raise _too_long()
        writer.writerow([cell(row.get(name)) for name in flat])
    text.flush()
    return out.getvalue()


def _too_long() -> FixSettings:
    return FixSettings(
        f"The file would have more than the {MOST_ROWS:,} rows that a spreadsheet opens.",
        code="REP-008",
        mend="Choose a shorter range; cachewise report --format csv --by day writes any number of rows.",
        about=(f"{MOST_ROWS:,}",),
    )
