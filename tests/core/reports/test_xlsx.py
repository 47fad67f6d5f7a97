"""Excel, read back by openpyxl: exact totals, native charts, a cover, and no live formula."""

import io
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from core.errors import FixSettings
from core.metrics import summary
from core.metrics.catalog import METRICS, formula
from core.metrics.scope import Scope
from core.pricing import default_book
from core.reports import files, xlsx
from core.reports.request import Desk, Request
from core.reports.words import word
from core.store.query import Reader
from tests.core.reports.conftest import HOSTILE
from tests.support.lakes import fill
from tests.support.rows import make_call

Book = openpyxl.Workbook


@pytest.fixture(scope="module")
def book(desk: Desk) -> Book:
    request = Request(zone="Asia/Seoul", lang="ko", demo=True, made_at=datetime(2026, 11, 25, tzinfo=UTC))
    return openpyxl.load_workbook(io.BytesIO(files.encode(desk, request, "xlsx")))


def rows(book: Book, sheet: str) -> list[dict[str, Any]]:
    heading, *found = book[sheet].iter_rows(values_only=True)
    return [dict(zip((named(cell) for cell in heading), row, strict=True)) for row in found]


def named(heading: object) -> str:
    """The metric or column that a heading is about: its last line, without the unit."""
    return str(heading).split("\n")[-1].split(" [")[0]


def test_there_is_a_sheet_for_each_subject(book: Book) -> None:
    """In the report's language, with the charts on a sheet of their own."""
    assert book.sheetnames == ["표지", "요약", "차트", "일별", "엔진별", "모델별", "미스 원인", "비용 배분"]
    assert len(book["차트"]._charts) == 5


def test_the_cover_says_what_the_figures_are(book: Book) -> None:
    """Range, zone, filters, price book, its check, coverage with its parts, completeness, and that it is a demo."""
    cover = {row[0]: row[2] for row in book["표지"].iter_rows(values_only=True) if row[0]}

    assert cover["데이터 출처"].startswith("데모 데이터")
    assert cover["시작"] == "2026-11-20 09:00+09:00"
    assert cover["일자 기준 시간대"] == "Asia/Seoul"
    assert cover["호출에 적용된 가격표"] == "test-book"
    assert len(cover["적용 중인 가격표(내용 해시)"]) == 12
    assert cover["공시 가격 최근 확인일"].startswith("2026-")
    assert cover["가격 확인율(가격 확인 호출 / 전체 호출)"].startswith("80.00% (4 / 5)")
    assert "5건 중 1건에 적용(모델 1건, TTL 0건), $0.0" in cover[word("ko", "cover.by_defaults")]
    assert cover["수집 완료 시점"].startswith("bodo: 2026-11-20")
    assert cover["token_hit_rate"] == formula("token_hit_rate", "ko")


def test_totals_are_exact(book: Book, desk: Desk) -> None:
    """Every total has all its digits as text, and its number shows the same ones."""
    total = summary(desk.reader, Scope())
    for row in rows(book, "요약"):
        name, value = row["지표"], row["값"]
        if METRICS.get(name) and METRICS[name].unit == "usd" and total[name] is not None:
            assert Decimal(row["정확한 값"]) == total[name]
            assert Decimal(repr(value)) == total[name]
    for sheet in ("일별", "엔진별", "모델별"):
        *groups, whole, exact = rows(book, sheet)
        assert Decimal(exact["cost_usd"]) == total["cost_usd"] == sum(Decimal(repr(g["cost_usd"] or 0)) for g in groups)
        assert whole["calls"] == total["calls"] == sum(group["calls"] for group in groups)


def test_ratios_stand_with_their_parts(book: Book) -> None:
    """Numerator and denominator by name and number."""
    told = {row["지표"]: row for row in rows(book, "요약")}["token_hit_rate"]

    assert told["분자"] == "cache_read_tokens = 10003"
    assert told["분모"].startswith("prompt_tokens = ")


def test_names_from_logs_are_text(book: Book) -> None:
    """A name that looks like a formula is a string cell, without a link."""
    sheet = book["엔진별"]
    cells = [cell for (cell, *_) in sheet.iter_rows() if cell.value == HOSTILE]

    assert [cell.data_type for cell in cells] == ["s"]
    assert not any(cell.hyperlink for row in sheet.iter_rows() for cell in row)
    assert not any(cell.data_type == "f" for page in book for row in page.iter_rows() for cell in row)


def test_unknown_is_empty(book: Book) -> None:
    """A group without a price has no dollars; an unknown engine is called so."""
    found = {row["engine"]: row for row in rows(book, "엔진별")}

    assert found["새 엔진"]["cost_usd"] is None
    assert found["(알 수 없음)"]["calls"] == 1


def test_a_korean_workbook_speaks_korean(book: Book) -> None:
    """Every column, cause and formula is named in Korean, with the metric's own name below the heading."""
    for sheet in ("일별", "엔진별", "모델별", "미스 원인", "비용 배분"):
        heads = [str(cell.value) for cell in book[sheet][1]]
        assert [head for head in heads if not re.match("[^\n]*[가-힣][^\n]*\n[a-z]", head)] == []
    causes = [row["cause"] for row in rows(book, "미스 원인")[:-2]]
    assert causes
    assert all(re.search("[가-힣]", cause) for cause in causes)
    assert all(re.search("[가-힣]", row["이름"]) for row in rows(book, "요약"))


def test_days_are_dates_with_forms(book: Book) -> None:
    """Excel can compute with them; dollars, shares and counts are formatted."""
    sheet = book["일별"]
    formats = {named(head.value): cell.number_format for head, cell in zip(sheet[1], sheet[2], strict=True)}

    assert sheet["A2"].value == datetime(2026, 11, 20)  # noqa: DTZ001
    assert formats["day"] == "yyyy-mm-dd"
    assert formats["cost_usd"].startswith("[$$-409]#,##0.00####")
    assert formats["token_hit_rate"] == "0.0%"


def test_calls_that_all_were_free_make_a_workbook(tmp_path: Path) -> None:
    """Refusals cost nothing; a chart of no dollars has no series, and Excel's writer refuses such a chart."""
    free = make_call(input_tokens=0, output_tokens=0)
    assert free["cost_usd"] == 0

    with Reader(fill(tmp_path, calls=[free])) as reader:
        book = openpyxl.load_workbook(io.BytesIO(files.encode(Desk(reader, default_book()), Request(), "xlsx")))

    assert rows(book, "By engine")[0]["cost_usd"] == 0


def test_another_grouping_has_its_own_sheet(desk: Desk) -> None:
    """It comes before the others."""
    request = Request(by=("function_name", "engine"))
    made = openpyxl.load_workbook(io.BytesIO(files.encode(desk, request, "xlsx")))

    assert made.sheetnames[3] == "function_name, engine"
    assert rows(made, made.sheetnames[3])[0]["function_name"] in ("bodo-ws", "web")


def test_too_many_rows_are_refused_before_writing() -> None:
    """With what to do."""
    xlsx.check_rows(1_048_572)
    with pytest.raises(FixSettings, match=r"REP-004.*1,048,573 rows.*--format csv"):
        xlsx.check_rows(1_048_573)
