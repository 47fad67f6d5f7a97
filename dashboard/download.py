"""Files that pages hand out: who may take them, and CSV of what a page shows, its cells as in reports.

Whoever may see a page may take its files (docs/access.md). A file is made when its button is pressed, on a thread that
knows no session; so the session is brought there, and the role asked for anew: a page may have stood open for days.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from streamlit.runtime.scriptrunner import add_script_run_ctx, get_script_run_ctx

from core.reports.csv import cell
from dashboard import auth


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
    """Return rows as CSV. Unknown is an empty cell; dollars keep every digit; times are ISO 8601 UTC."""
    rows = list(rows)
    names = list(columns or dict.fromkeys(name for row in rows for name in row))
    flat = [name for name in names if not any(isinstance(row.get(name), (list, dict)) for row in rows)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(flat)
    writer.writerows([cell(row.get(name)) for name in flat] for row in rows)
    return text.getvalue().encode("utf-8-sig")
