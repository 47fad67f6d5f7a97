"""Writes a report in any format: as bytes, to a stream, or to a file that appears whole or not at all."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from core.errors import FixSettings
from core.reports import csv, table
from core.reports.request import Desk, Progress, Request, silent

_BOM = b"\xef\xbb\xbf"

Write = Callable[[Desk, Request, BinaryIO, Progress], int]


class Form(NamedTuple):
    """One format: how it is written (returning the rows of its main table), and what its files are called."""

    write: Write
    suffix: str
    mime: str
    mark: bool = False  # a file begins with the mark that makes Excel read it as UTF-8


def _csv(desk: Desk, request: Request, out: BinaryIO, progress: Progress) -> int:
    return csv.write(table.stream(desk.reader, request, progress), out)


# Each format loads what it is written with when one is asked for: dashboards and a CSV need none of the others.


def _parquet(desk: Desk, request: Request, out: BinaryIO, progress: Progress) -> int:
    from core.metrics import summary
    from core.reports import document, parquet

    stream = table.stream(desk.reader, request, progress)
    charged = request.allocate is not None  # a chargeback's total tells nothing of coverage
    total = table.flat(summary(desk.reader, request.scope)) if charged else stream.total
    return parquet.write(stream, dict(document.cover(desk, request, total)), out)


def _xlsx(desk: Desk, request: Request, out: BinaryIO, progress: Progress) -> int:
    from core.reports import document, xlsx

    made = document.build(desk, request, progress)
    xlsx.write(made, out)
    return made.rows


def _html(desk: Desk, request: Request, out: BinaryIO, progress: Progress) -> int:
    from core.reports import document, html

    made = document.build(desk, request, progress)
    html.write(made, out)
    return made.rows


def _pdf(desk: Desk, request: Request, out: BinaryIO, progress: Progress) -> int:
    from core.reports import document, pdf

    made = document.build(desk, request, progress)
    pdf.write(made, out)
    return made.rows


def _focus(desk: Desk, request: Request, out: BinaryIO, progress: Progress) -> int:
    from core.reports import focus

    return focus.write_csv(desk, request, out, progress)


def _focus_parquet(desk: Desk, request: Request, out: BinaryIO, progress: Progress) -> int:
    from core.metrics import summary
    from core.reports import document, focus

    total = table.flat(summary(desk.reader, request.scope))
    told = {key.removeprefix("cover."): value for key, value in document.cover(desk, request, total)}
    return focus.write_parquet(desk, request, told | {"focus_version": "1.0"}, out, progress)


FORMS: dict[str, Form] = {
    "csv": Form(_csv, ".csv", "text/csv", mark=True),
    "parquet": Form(_parquet, ".parquet", "application/vnd.apache.parquet"),
    "xlsx": Form(_xlsx, ".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "html": Form(_html, ".html", "text/html"),
    "pdf": Form(_pdf, ".pdf", "application/pdf"),
    "focus": Form(_focus, ".csv", "text/csv"),
    "focus-parquet": Form(_focus_parquet, ".parquet", "application/vnd.apache.parquet"),
}
FORMATS = tuple(FORMS)


def check_format(name: str) -> None:
    """Refuse a format that does not exist."""
    if name not in FORMS:
        raise FixSettings(
            f'"{name}" is not a report format.', code="REP-001", mend=f"Accepted: {', '.join(FORMATS)}.", about=(name,)
        )


def file_name(form: str, request: Request) -> str:
    """Return a name that says what the file is: cachewise-2026-11-01-2026-12-01.xlsx, cachewise-focus-….csv."""
    ends = [moment.astimezone(ZoneInfo(request.zone)) for moment in (request.scope.start, request.scope.end) if moment]
    kind = [form.split("-", 1)[0]] if form.startswith("focus") else []
    return "-".join(["cachewise", *kind, *(moment.date().isoformat() for moment in ends)]) + FORMS[form].suffix


def encode(desk: Desk, request: Request, form: str, *, for_file: bool = True, progress: Progress = silent) -> bytes:
    """Return the report's bytes."""
    check_format(form)
    out = io.BytesIO()
    _emit(desk, request, form, out, for_file=for_file, progress=progress)
    return out.getvalue()


def send(desk: Desk, request: Request, form: str, out: BinaryIO, *, progress: Progress = silent) -> int:
    """Write the report to a stream, such as standard output, and return its rows."""
    check_format(form)
    return _emit(desk, request, form, out, for_file=False, progress=progress)


def write(desk: Desk, request: Request, form: str, path: Path, *, progress: Progress = silent) -> int:
    """Write the file beside its place and move it there, so that nobody reads half a report; return its rows.

    Into a device or a pipe that is there already it is written; what a link leads to is written, not the link.
    """
    check_format(form)
    try:
        place = path.resolve()
        if place.exists() and not place.is_file():
            with tempfile.TemporaryFile() as made, place.open("wb") as out:
                rows = _emit(desk, request, form, made, for_file=True, progress=progress)
                made.seek(0)
                shutil.copyfileobj(made, out)
            return rows
        part = place.with_name(f".{place.name}.{os.getpid()}.part")
        try:
            with part.open("wb") as out:
                rows = _emit(desk, request, form, out, for_file=True, progress=progress)
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise FixSettings(
            f"The report cannot be written to {path}: {error.strerror}.",
            code="REP-002",
            mend="Accepted for --out: a file in a folder you may write to, or - for the terminal.",
            about=(path, error.strerror),
        ) from None
    return rows


def _emit(desk: Desk, request: Request, form: str, out: BinaryIO, *, for_file: bool, progress: Progress) -> int:
    if for_file and FORMS[form].mark:
        out.write(_BOM)
    return FORMS[form].write(desk, request, out, progress)
