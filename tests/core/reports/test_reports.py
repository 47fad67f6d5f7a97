"""Exports: exact, safe to open, readable in Korean, and equal to the metrics."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest

from core.errors import FixSettings
from core.metrics import summary
from core.metrics.scope import Scope
from core.pricing import default_book
from core.reports import csv as report_csv
from core.reports import files, table
from core.reports.request import Desk, Request
from core.store.query import Reader
from tests.support.lakes import fill
from tests.support.rows import NOON, make_call, make_invocation, make_unpriced_call


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    calls = [
        make_call(engine="=HYPERLINK(evil)", output_tokens=1),
        make_call(engine="튜터", cache_write_1h_tokens=10_000),
        make_call(engine=None, cache_read_tokens=3),
        make_unpriced_call(engine="새 엔진"),
    ]
    with Reader(fill(tmp_path / "lake", calls=calls, invocations=[make_invocation(engine="튜터")])) as opened:
        yield opened


def as_csv(reader: Reader, *by: str) -> str:
    """Return what a person gets who asks for CSV."""
    return files.encode(Desk(reader, default_book()), Request(by=by), "csv", for_file=False).decode()


def read(text: str) -> list[dict[str, str]]:
    rows = csv.reader(io.StringIO(text))
    names = [name.split(" [")[0] for name in next(rows)]
    return [dict(zip(names, row, strict=True)) for row in rows]


def test_the_total_row_equals_the_metrics_to_the_last_digit(reader: Reader) -> None:
    """And the groups add up to it."""
    total = summary(reader, Scope())

    *groups, last = read(as_csv(reader, "engine"))

    assert last["engine"] == "TOTAL"
    for name in ("cost_usd", "no_cache_cost_usd", "net_savings_usd"):
        assert Decimal(last[name]) == total[name] == sum(Decimal(row[name]) for row in groups if row[name])
    assert int(last["calls"]) == total["calls"] == sum(int(row["calls"]) for row in groups)
    assert float(last["token_hit_rate"]) == total["token_hit_rate"]


def test_cells_are_exact_and_unknown_is_empty(reader: Reader) -> None:
    """Twelve places without exponent; a loss has its sign; no price is no figure."""
    rows = {row["engine"]: row for row in read(as_csv(reader, "engine"))}

    assert rows["튜터"]["net_savings_usd"] == "-0.050000000000"
    assert rows["튜터"]["gross_savings_usd"] == "0.000000000000"
    assert rows["새 엔진"]["cost_usd"] == ""
    assert rows["(unknown)"]["calls"] == "1"


def test_what_rests_on_defaults_is_told_of_every_group(tmp_path: Path) -> None:
    """Counts and dollars in CSV and Parquet: 0 where every line tells all, empty where none of them has a price."""
    calls = [
        make_call(engine="all", model_known_by="record", ttl_known_by="record"),
        make_call(engine="some", cost_usd=Decimal("0.25"), model_known_by="defaults"),
        make_unpriced_call(engine="unpriced", ttl_known_by="defaults"),
    ]
    with Reader(fill(tmp_path, calls=calls)) as reader:
        rows = {row["engine"]: row for row in read(as_csv(reader, "engine"))}
        made = files.encode(Desk(reader, default_book()), Request(by=("engine",)), "parquet")

    names = ("calls_by_defaults", "model_by_defaults", "ttl_by_defaults", "cost_by_defaults_usd")
    told = {engine: [row[name] for name in names] for engine, row in rows.items()}
    assert told == {
        "all": ["0", "0", "0", "0.000000000000"],
        "some": ["1", "1", "0", "0.250000000000"],
        "unpriced": ["1", "0", "1", ""],
        "TOTAL": ["2", "1", "1", "0.250000000000"],
    }
    kept = pq.read_table(io.BytesIO(made)).select(["engine", *names]).to_pylist()
    assert {row["engine"]: row["cost_by_defaults_usd"] for row in kept} == {
        "all": 0, "some": Decimal("0.25"), "unpriced": None,
    }  # fmt: skip


@pytest.mark.parametrize("rule", [None, "even"])
def test_parquet_tells_what_its_figures_rest_on(desk: Desk, rule: str | None) -> None:
    """The cover is in the file's metadata, of a chargeback too: price coverage, and what defaults told."""
    made = files.encode(desk, Request(by=("engine",), allocate=rule), "parquet")

    told = {key.decode(): text.decode() for key, text in pq.read_metadata(io.BytesIO(made)).metadata.items()}
    assert told["coverage"].startswith("80.00% (4 / 5)")
    assert told["by_defaults"].startswith("1 of 5 calls (model 1, TTL 0), $0.0")


def test_headings_carry_units(reader: Reader) -> None:
    """A reader of the file alone knows what each figure is."""
    heading = as_csv(reader, "day", "engine").splitlines()[0]

    assert heading.startswith("day,engine,calls [count],")
    for name in (
        "cost_usd [USD]",
        "token_hit_rate [ratio]",
        "response_time_p95_ms [ms]",
        "write_amortization [tokens/token]",
    ):
        assert name in heading


@pytest.mark.parametrize(
    "start",
    ["=", "+", "-", "@", "\t", "\r", "\n", "\tx", "\nx", "  =", "\u3000=", "\xa0@", "\ufeff=", "\u200b+", "\x00=",
     *"＝＋－＠﹦﹢﹣﹫−"],
)  # fmt: skip
def test_text_cannot_become_a_formula(start: str) -> None:
    """A spreadsheet shows it as text; numbers keep their sign."""
    assert report_csv.cell(f"{start}cmd|' /C calc'!A0") == f"'{start}cmd|' /C calc'!A0"
    assert report_csv.cell(Decimal("-0.5")) == "-0.5"


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "＝", " =", "\u200b="])
def test_no_formula_begins_behind_a_semicolon(sign: str) -> None:
    """A spreadsheet of a country that writes 0,5 parts cells there, even between quotes."""
    assert report_csv.cell(f"a;{sign}HYPERLINK(1);b") == f"a;{sign[:-1]}'{sign[-1]}HYPERLINK(1);b"


@pytest.mark.parametrize("text", ["a;b", "a; b=1", "a=1", "1-2", "", " ", "'=1", "튜터", "{}"])
def test_text_that_is_no_formula_is_left_as_it_is(text: str) -> None:
    """An apostrophe would be one more character for whoever reads the file without a spreadsheet."""
    assert report_csv.cell(text) == text


def test_other_cells(reader: Reader) -> None:
    """Days and moments are ISO, moments in UTC."""
    assert report_csv.cell(date(2026, 11, 20)) == "2026-11-20"
    assert report_csv.cell(datetime(2026, 11, 20, 1, tzinfo=UTC)) == "2026-11-20T01:00:00Z"
    assert report_csv.cell(None) == ""


def test_a_file_opens_right_in_korean_excel(reader: Reader, tmp_path: Path) -> None:
    """It begins with the UTF-8 mark; standard output does not; nothing half-written stays behind."""
    desk, request, path = Desk(reader, default_book()), Request(by=("engine",)), tmp_path / "보고서.csv"

    assert files.write(desk, request, "csv", path) == 4

    assert path.read_bytes().startswith(b"\xef\xbb\xbfengine,")
    assert "튜터" in path.read_text(encoding="utf-8-sig")
    assert files.encode(desk, request, "csv", for_file=False).startswith(b"engine,")
    assert [p.name for p in tmp_path.iterdir() if p.name != "lake"] == ["보고서.csv"]


def test_parquet_holds_the_groups_with_exact_dollars(reader: Reader, tmp_path: Path) -> None:
    """No TOTAL row there: whoever reads Parquet adds up alone, and gets the metrics."""
    path = tmp_path / "report.parquet"
    files.write(Desk(reader, default_book()), Request(by=("day", "engine"), demo=True), "parquet", path)

    told = pq.ParquetFile(path).read()
    rows: list[dict[str, Any]] = told.to_pylist()
    assert told.schema.metadata[b"origin"].startswith(b"DEMO DATA")
    assert told.schema.metadata[b"coverage"].startswith(b"75.00% (3 / 4)")

    assert len(rows) == 4
    assert {row["day"] for row in rows} == {date(2026, 11, 20)}
    assert sum(row["cost_usd"] for row in rows if row["cost_usd"] is not None) == summary(reader, Scope())["cost_usd"]


def test_a_report_without_groups_is_the_total(reader: Reader) -> None:
    """One row."""
    rows = read(as_csv(reader))

    assert [(row["group"], row["calls"]) for row in rows] == [("TOTAL", "4")]


def test_a_long_report_comes_month_by_month_and_is_the_same(tmp_path: Path) -> None:
    """Groups by time of a range past three months are asked in parts that begin at the zone's midnights."""
    days = [NOON + timedelta(days=day, hours=11, minutes=30) for day in range(-150, 0, 15)]
    with Reader(fill(tmp_path, calls=[make_call(ts=ts, engine=name) for ts in days for name in "ab"])) as reader:
        request = Request(by=("day", "engine"), zone="Asia/Seoul")
        told: list[int] = []

        chunks = list(table.stream(reader, request, lambda step, done, of: told.append(of)).chunks)

        whole = table.build(reader, Scope(), request.by, zone="Asia/Seoul")
    assert len(chunks) == told[0] == 6
    assert [row for chunk in chunks for row in chunk] == whole.groups


def test_other_formats_name_what_is_accepted() -> None:
    """One line."""
    with pytest.raises(FixSettings, match=r'REP-001: "docx" is not a report format. Accepted: csv, parquet, xlsx'):
        files.check_format("docx")


def test_an_unwritable_place_is_said_so(reader: Reader, tmp_path: Path) -> None:
    """With the path; nothing half-written stays."""
    for path in (tmp_path / "absent" / "x.csv", tmp_path):
        with pytest.raises(FixSettings, match="REP-002"):
            files.write(Desk(reader, default_book()), Request(by=()), "csv", path)
    assert not list(tmp_path.parent.glob(".*.part"))


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_pipe_is_written_into_and_a_link_is_followed(reader: Reader, tmp_path: Path, form: str) -> None:
    """What is no ordinary file is not replaced by one: a device would be gone for everybody."""
    pipe, link, real = tmp_path / "pipe", tmp_path / "link", tmp_path / "real"
    os.mkfifo(pipe)
    real.write_text("old")
    link.symlink_to(real)
    desk, request = Desk(reader, default_book()), Request(by=())
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(pipe.read_bytes)
        rows = files.write(desk, request, form, pipe)
        through_pipe = read.result()
    files.write(desk, request, form, link)

    assert pipe.is_fifo()
    assert link.is_symlink()
    assert rows == files.write(desk, request, form, tmp_path / "plain")
    if form == "csv":
        assert through_pipe == real.read_bytes() == (tmp_path / "plain").read_bytes()
    else:
        piped, linked = (openpyxl.load_workbook(io.BytesIO(data)) for data in (through_pipe, real.read_bytes()))
        assert piped.sheetnames == linked.sheetnames


@pytest.mark.parametrize(("form", "name"), [("xlsx", "cachewise-2026-11-01-2026-12-01.xlsx")])
def test_a_file_name_says_what_it_is(form: str, name: str) -> None:
    """Kind and range."""
    scope = Scope(start=datetime(2026, 11, 1, tzinfo=UTC), end=datetime(2026, 12, 1, tzinfo=UTC))

    assert files.file_name(form, Request(scope)) == name
