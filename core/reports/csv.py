"""CSV that a spreadsheet opens right: exact decimals, no formula smuggled in, Korean text readable."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, BinaryIO

from core.reports.table import Report, Stream, heading

TOTAL = "TOTAL"
UNKNOWN = "(unknown)"
UNTAGGED = "(untagged)"

# A spreadsheet runs a cell that starts with one of these; the wide forms count too where Asian input is usual.
_DANGEROUS = tuple("=+-@\t\r\n＝＋－＠")


def render(report: Report) -> str:
    """Return the report as CSV text: a heading with units, a row for each group, and the TOTAL row."""
    out = io.BytesIO()
    write(Stream(report.by, report.units, report.total, iter([report.groups])), out)
    return out.getvalue().decode()


def write(report: Stream, out: BinaryIO) -> int:
    """Write the same as the groups come, and return how many there are."""
    rows = 0
    out.write(text([[*(report.by or ("group",)), *(heading(name, unit) for name, unit in report.units.items())]]))
    for groups in report.chunks:
        rows += len(groups)
        out.write(
            text(
                [*(_group_cell(name, row[name]) for name in report.by), *(cell(row[name]) for name in report.units)]
                for row in groups
            )
        )
    blanks = [""] * (len(report.by) - 1)
    out.write(text([[TOTAL, *blanks, *(cell(report.total[name]) for name in report.units)]]))
    return rows


def text(rows: Iterable[list[str]]) -> bytes:
    """Return rows of cells as CSV in UTF-8."""
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def cell(value: Any) -> str:
    """Return a cell: unknown is empty, never 0; dollars keep all digits and no exponent; text is disarmed."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return "'" + value if isinstance(value, str) and value.startswith(_DANGEROUS) else str(value)


def nameless(column: str) -> str:
    """Return what stands where a group has no name: calls without a tenant are not unknown, nobody tagged them."""
    return UNTAGGED if column == "tenant" else UNKNOWN


def _group_cell(column: str, value: Any) -> str:
    return nameless(column) if value is None else cell(value)
