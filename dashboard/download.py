"""CSV of what a page shows: UTF-8 with a byte-order mark for Excel, its cells as in reports (core.reports.csv)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.reports.csv import cell


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
