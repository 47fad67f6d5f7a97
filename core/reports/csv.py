"""CSV that a spreadsheet opens right: exact decimals, no formula smuggled in, Korean text readable."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, BinaryIO

from core.reports.table import Stream, heading

TOTAL = "TOTAL"
UNKNOWN = "(unknown)"
UNTAGGED = "(untagged)"

_FORMULA = re.compile(r"[\s\x00-\x1f\u200b-\u200f\u2060\ufeff]*[=+\-@＝＋－＠﹦﹢﹣﹫−]|[\t\r\n]")
"""How text begins that a spreadsheet may run: behind blanks and signs nobody sees too, which some readers drop; the
wide and small forms count where Asian input is usual. A tab or a line's end may move what follows into another cell."""

_PARTED = re.compile(r"(;[\s\x00-\x1f\u200b-\u200f\u2060\ufeff]*)(?=[=+\-@＝＋－＠﹦﹢﹣﹫−])")
"""Where a name would begin a cell of its own: half of Europe's spreadsheets part cells at semicolons, quoted or not."""


def write(report: Stream, out: BinaryIO) -> int:
    """Write a heading with units, a row for each group as they come, and the TOTAL row; return how many groups."""
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
    return disarmed(str(value)) if not isinstance(value, bool | int | float) else str(value)


def disarmed(value: str) -> str:
    """Return text that no spreadsheet takes for a formula: where it might, an apostrophe stands in front.

    The one guard of every CSV that leaves Cachewise: reports, FOCUS and the downloads of pages.
    """
    value = _PARTED.sub(r"\1'", value)
    return f"'{value}" if _FORMULA.match(value) else value


def nameless(column: str) -> str:
    """Return what stands where a group has no name: calls without a tenant are not unknown, nobody tagged them."""
    return UNTAGGED if column == "tenant" else UNKNOWN


def _group_cell(column: str, value: Any) -> str:
    return nameless(column) if value is None else cell(value)
