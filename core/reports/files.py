"""Writes a report to a file, whole or not at all."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pyarrow.parquet as pq

from core.errors import FixSettings
from core.reports import csv
from core.reports.table import Report

FORMATS = ("csv", "parquet")
LATER = ("xlsx", "pdf", "html", "focus")


def check_format(name: str) -> None:
    """Refuse a format that does not exist, or not yet."""
    if name in FORMATS:
        return
    problem = "arrives later" if name in LATER else "is not a report format"
    raise FixSettings(f'"{name}" {problem}.', code="REP-001", mend=f"Accepted: {', '.join(FORMATS)}.")


def encode(report: Report, form: str, *, for_file: bool) -> bytes:
    """Return the report's bytes; a CSV file begins with the mark that makes Excel read it as UTF-8."""
    check_format(form)
    if form == "csv":
        return csv.render(report).encode("utf-8-sig" if for_file else "utf-8")
    out = io.BytesIO()
    pq.write_table(report.arrow(), out, compression="zstd")
    return out.getvalue()


def write(report: Report, form: str, path: Path) -> None:
    """Write the file beside its place and move it there, so that nobody reads half a report."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(encode(report, form, for_file=True))
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True) if part.parent.is_dir() else None
        raise FixSettings(
            f"The report cannot be written to {path}: {error.strerror}.",
            code="REP-002",
            mend="Accepted for --out: a file in a folder you may write to, or - for the terminal.",
        ) from None
