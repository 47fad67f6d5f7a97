"""Names from a hostile log, through the collector, on every page and in every export: text, and nothing but text."""

import csv
import io
import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest
from streamlit.testing.v1 import AppTest

from core.metrics import options
from core.metrics.scope import NONE, Scope
from core.pricing import default_book
from core.reports import files
from core.reports.request import Desk, Request
from core.store.lake import Lake
from core.store.query import Reader
from dashboard import data, download
from tests.support import hostile_text
from tests.support.hostile_text import ELSEWHERE, FORMULAS, MARKUP, NAMES
from tests.support.reading import protos_of
from tests.support.screens import PAGES, bound_to, opened

NOT_MARKDOWN = {
    "Arrow", "Dataframe", "ArrowDataframe", "MultiSelect", "Selectbox", "Code", "TextInput", "DownloadButton",
    "PlotlyChart", "DateInput", "NumberInput", "TextArea", "TimeInput",
}  # fmt: skip
"""What the browser draws as cells, options or code; charts are looked at apart."""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The tables that a hostile log became."""
    return hostile_text.fill(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def engines(lake: Lake) -> set[str]:
    """The names of engines as they were stored."""
    return {name for name in lake.read("calls")["engine"].to_pylist() if name}


def strings_in(message: Any) -> Iterator[str]:
    """Yield every text of an element, however deep."""
    for field, value in message.ListFields():
        values = value if hasattr(value, "__iter__") and not isinstance(value, str | bytes) else [value]
        for item in values:
            if isinstance(item, str):
                yield item
            elif field.type == field.TYPE_MESSAGE and hasattr(item, "ListFields"):
                yield from strings_in(item)


def active(texts: list[str]) -> list[str]:
    """Those in which a name stands as it is, and would be acted upon."""
    return [text for text in texts for name in MARKUP if name in text]


def test_the_names_arrived(engines: set[str]) -> None:
    """The test would prove nothing if the collector had dropped them."""
    assert len(engines) >= len(NAMES) - 2
    assert set(MARKUP) <= engines


@pytest.fixture(scope="module")
def pages(lake: Lake) -> dict[str, AppTest]:
    """Every page over them, opened one after the other with the same caches."""
    with pytest.MonkeyPatch.context() as patch, bound_to("127.0.0.1"):
        patch.setenv("CACHEWISE_STORE_PATH", str(Path(lake.path).parent))
        data.reopen()
        seen = {name: opened(name) for name in PAGES}
        data.reopen()
    return seen


@pytest.mark.parametrize("name", PAGES)
def test_no_page_acts_upon_a_name(name: str, pages: dict[str, AppTest]) -> None:
    """Whatever Streamlit reads as Markdown has every name escaped; charts have no tag and no template of theirs."""
    app = pages[name]

    assert not app.exception
    protos = [proto for proto in protos_of(app) if hasattr(proto, "ListFields")]
    read = [text for proto in protos if type(proto).__name__ not in NOT_MARKDOWN for text in strings_in(proto)]
    specs = [chart.proto.spec for chart in app.get("plotly_chart")]
    assert active(read) == []
    assert [spec for spec in specs if re.search(r"<(script|img|a )|%\{y\}x|\$\\\\\\\\href", spec)] == []
    assert not any("\u202e" in text or "\x00" in text for text in read)
    assert app.title


def test_the_csv_of_a_page_computes_nothing(engines: set[str]) -> None:
    """Every name is one cell, and none begins a formula."""
    rows = [{"engine": name, "calls": 1} for name in sorted(engines)]

    told = list(csv.reader(io.StringIO(download.csv_bytes(rows).decode("utf-8-sig"), newline="")))

    assert all(len(row) == 2 for row in told)
    assert [row[0] for row in told if is_formula(row[0])] == []


def is_formula(text: str) -> bool:
    """Tell whether a spreadsheet would compute this cell; a number with its sign is none."""
    return bool(re.match(r"\s*[=+\-@\t\r\n＝＋－＠]", text)) and not re.fullmatch(r"-?[0-9.eE+-]+", text)


@pytest.mark.parametrize("form", files.FORMATS)
def test_no_export_acts_upon_a_name(form: str, lake: Lake, tmp_path: Path) -> None:
    """Each format that exists is opened by another program's reader: no formula, link, tag or extra cell of a name."""
    path = tmp_path / f"report{files.FORMS[form].suffix}"
    with Reader(lake) as reader:
        scope = Scope(tenants=(NONE, *options(reader)["tenants"]))  # told on the cover
        assert len(scope.tenants) > len(MARKUP)
        files.write(Desk(reader, default_book()), Request(scope, by=("engine", "tenant", "model")), form, path)

    LOOK[path.suffix](path)


def look_at_csv(path: Path) -> None:
    """Every row has the heading's cells, and none is a formula."""
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    assert len(rows) > 5
    assert {len(row) for row in rows} == {len(rows[0])}
    assert [cell for row in rows for cell in row if is_formula(cell)] == []


def look_at_parquet(path: Path) -> None:
    """Names are data there: read back as they were stored, in columns of their own."""
    table = pq.read_table(path)
    found = {value for column in table.columns for value in column.to_pylist() if isinstance(value, str)}
    assert table.num_rows > 5
    assert any(FORMULAS[0] in value for value in found)


def look_at_xlsx(path: Path) -> None:
    """Only our own formulas compute, nothing leads or looks outside, and names are shared strings."""
    book = openpyxl.load_workbook(path)
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    formulas = [str(cell.value) for cell in cells if cell.data_type == "f"]
    assert [text for text in formulas if re.search(r"HYPERLINK|cmd|calc|invalid|WEBSERVICE|DDE", text)] == []
    assert [cell for cell in cells if cell.hyperlink] == []
    assert any(FORMULAS[0] in str(cell.value) for cell in cells)
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".rels"):
                targets = [item.get("TargetMode") for item in ET.fromstring(archive.read(name))]
                assert "External" not in targets


def look_at_html(path: Path) -> None:
    """No script, image, link or handler of a name is an element, and nothing is asked from elsewhere."""
    page = Tags()
    page.feed(path.read_text(encoding="utf-8"))
    assert not any("__pwned" in text for text in page.scripts if not text.lstrip().startswith(("{", "[")))
    assert [value for value in page.values if ELSEWHERE in value or value.startswith("javascript:")] == []
    assert [name for name in page.handlers if name.startswith("on")] == []


def look_at_pdf(path: Path) -> None:
    """Pages with text, no action, script or link in the document."""
    from pypdf import PdfReader

    reader = PdfReader(path)
    assert reader.pages[0].extract_text()
    assert not re.search(rb"/(JavaScript|JS|Launch|URI|OpenAction|AA)\b", path.read_bytes())
    assert not any(page.get("/Annots") for page in reader.pages)


class Tags(HTMLParser):
    """What a browser would act upon: the texts of scripts, addresses, handlers."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.values: list[str] = []
        self.handlers: list[str] = []
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._script = tag == "script"
        self.values += [value or "" for name, value in attrs if name in ("href", "src", "action", "srcset", "data")]
        self.handlers += [name for name, _ in attrs]

    def handle_endtag(self, tag: str) -> None:
        self._script = False

    def handle_data(self, data: str) -> None:
        if self._script:
            self.scripts.append(data)


LOOK = {
    ".csv": look_at_csv,
    ".parquet": look_at_parquet,
    ".xlsx": look_at_xlsx,
    ".html": look_at_html,
    ".pdf": look_at_pdf,
}
