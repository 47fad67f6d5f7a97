"""Everything a file, a page or a program put out, as text to be searched: packed formats are unpacked first."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from streamlit.testing.v1 import AppTest


def text_of(path: Path) -> str:
    """Return the text of a file whatever its format."""
    if path.suffix == ".parquet":
        table = pq.ParquetFile(path)
        return f"{table.schema_arrow.metadata}\n{table.metadata.metadata}\n{table.read().to_pylist()}"
    if path.suffix in (".xlsx", ".zip"):
        with zipfile.ZipFile(path) as archive:
            return "\n".join(archive.read(name).decode("utf-8", "replace") for name in archive.namelist())
    if path.suffix == ".pdf":
        from pypdf import PdfReader

        reader = PdfReader(path)
        return "\n".join([str(reader.metadata), *(page.extract_text() for page in reader.pages)])
    raw = path.read_bytes()
    if path.suffix == ".gz":
        raw = gzip.decompress(raw)
    return raw.decode("utf-8", "replace")


def texts_under(folder: Path, *, without: frozenset[Path] = frozenset()) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of every file below a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not without & {path, *path.parents}:
            yield str(path.relative_to(folder)), text_of(path)


def protos_of(app: AppTest) -> list[Any]:
    """Return every element that a page sent to the browser."""
    return [node.proto for root in app._tree.children.values() for node in _leaves(root)]


def sent_by(app: AppTest) -> str:
    """Return all that a page sent to the browser, as text; tables of rows among it."""
    frames = [frame.value.to_csv() for frame in app.dataframe]
    return "\n".join([*(str(proto) for proto in protos_of(app)), *frames, str(dict(app.query_params))])


def _leaves(node: Any) -> Iterator[Any]:
    children = getattr(node, "children", None)
    if children is None:
        yield node
        return
    if getattr(node, "proto", None) is not None:
        yield node  # an expander or a form has words of its own
    for child in children.values():
        yield from _leaves(child)
