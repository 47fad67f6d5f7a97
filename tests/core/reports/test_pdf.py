"""PDF: one page, readable by two independent readers, in Korean too, with every digit of the totals."""

import io
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pypdf
import pytest
import reportlab
from reportlab.pdfgen.canvas import Canvas

from core.metrics import summary
from core.metrics.scope import Scope
from core.reports import files, pdf_ink, said
from core.reports.request import Desk, Request
from core.reports.words import word


@pytest.fixture(scope="module")
def korean(desk: Desk) -> bytes:
    return files.encode(desk, Request(lang="ko", demo=True, zone="Asia/Seoul"), "pdf")


@pytest.fixture(params=["pypdf", "pdftotext"])
def text(request: pytest.FixtureRequest, korean: bytes, tmp_path: Path) -> str:
    """What a reader reads; poppler's only where it is installed."""
    if request.param == "pypdf":
        return pypdf.PdfReader(io.BytesIO(korean)).pages[0].extract_text()
    if not shutil.which("pdftotext"):
        pytest.skip("pdftotext is not installed (apt-get install poppler-utils poppler-data)")
    path = tmp_path / "report.pdf"
    path.write_bytes(korean)
    asked = ["pdftotext", "-layout", str(path), "-"]
    return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60).stdout


def test_korean_can_be_read(text: str) -> None:
    """Headings, the sentence, the demo mark and an engine's Korean name are text, not pictures or boxes."""
    flat = "".join(text.split())

    for words in ("리포트", "데모데이터", "캐싱순손실액", "토큰적중률", "튜터", "새엔진", "미스원인", "(알수없음)"):
        assert words in flat


def test_totals_are_exact(text: str, desk: Desk) -> None:
    """Every digit of cost, no-cache cost, savings and their parts; ratios with numerator and denominator."""
    total = summary(desk.reader, Scope())

    for name in ("cost_usd", "no_cache_cost_usd", "gross_savings_usd", "write_premium_usd", "net_savings_usd"):
        assert said.money(total[name]) in text
    assert f"{total['cache_read_tokens']:,} / {total['prompt_tokens']:,}" in text
    assert f"{total['priced_calls']} / {total['calls']}" in text


def test_it_is_one_page_that_says_what_it_is(korean: bytes) -> None:
    """A4, with a title and its language; price book, coverage and completeness at its foot."""
    reader = pypdf.PdfReader(io.BytesIO(korean))
    (page,) = reader.pages

    assert reader.metadata is not None
    assert reader.metadata.title == "Cachewise 리포트"
    assert [round(float(side)) for side in page.mediabox[2:]] == [595, 842]
    assert "test-book" in page.extract_text()
    assert "80.00% (4 / 5)" in page.extract_text()
    flat = "".join(page.extract_text().split())
    assert "전체호출5건중1건에적용(모델1건,TTL0건),$0.0" in flat
    assert "".join(f"4 / 5 · {word('ko', 'said.by_defaults', n='1')}".split()) in flat


def test_names_from_logs_do_nothing(korean: bytes) -> None:
    """No link, no script, no form in the file."""
    page = pypdf.PdfReader(io.BytesIO(korean)).pages[0]

    assert "/Annots" not in page
    assert b"/JavaScript" not in korean
    assert b"/URI" not in korean


def test_the_chargeback_is_on_it_with_its_rule(desk: Desk) -> None:
    """Who is charged what for shared writes, under the groups asked for; the total is the report's."""
    made = files.encode(desk, Request(by=("day", "tenant"), allocate="even"), "pdf")
    (page,) = pypdf.PdfReader(io.BytesIO(made)).pages
    told = page.extract_text()
    table = told[told.index("Chargeback · even") :]

    assert "Tenant" in table
    assert "(untagged)" in table
    assert said.money(summary(desk.reader, Scope())["cost_usd"]) in table


def test_a_font_of_the_machine_is_embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a TrueType font of the list lies in a usual folder, the file carries what it needs of it."""
    font = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"
    monkeypatch.setattr(pdf_ink, "_FOLDERS", (str(tmp_path),))
    embedded = []
    for file in (None, tmp_path / "NanumGothic.ttf"):
        if file:
            shutil.copy(font, file)
        pdf_ink.hangul.cache_clear()
        out = io.BytesIO()
        canvas = Canvas(out)
        pdf_ink.draw(canvas, 10, 10, "한국어", 9)
        canvas.save()
        embedded.append(b"/FontFile2" in out.getvalue())
    pdf_ink.hangul.cache_clear()

    assert embedded == [False, True]


def test_figures_are_shrunk_and_never_cut() -> None:
    """A long amount gets smaller; a long name gets an ellipsis."""
    amount = "$123,456,789.012345678901"

    size = pdf_ink.size_for(amount, 13, 100, bold=True)

    assert pdf_ink.width(amount, size, bold=True) == pytest.approx(100)
    assert pdf_ink.fitted("한국어" * 40, 8, 60).endswith("…")
    assert pdf_ink.width(pdf_ink.fitted("한국어" * 40, 8, 60), 8) <= 60


def test_strange_characters_are_harmless() -> None:
    """What a font cannot show is drawn as something, and the page is still written."""
    canvas = Canvas(io.BytesIO())

    for strange in ("🚀 emoji", "\x00\x1b", "𝒳", "ﷺ", ""):
        pdf_ink.draw(canvas, 10, 10, strange, 9)
    canvas.save()


def test_a_range_without_calls_is_said_so(desk: Desk) -> None:
    """No chart of nothing."""
    from datetime import UTC, datetime

    empty = files.encode(desk, Request(Scope(start=datetime(2027, 1, 1, tzinfo=UTC))), "pdf")

    told = pypdf.PdfReader(io.BytesIO(empty)).pages[0].extract_text()
    assert "There are no calls in this range." in told
    assert told.count("nothing to draw") == 2


def test_shares_are_not_rounded_to_all_or_nothing() -> None:
    """As on the pages."""
    assert [said.percent(value) for value in (None, 0, 0.0001, 0.5, 0.99999, 1)] == [
        "–", "0.0%", "<0.1%", "50.0%", ">99.9%", "100.0%",
    ]  # fmt: skip
    assert said.money(Decimal("-0.000001"), places=2) == "-$0.000001"
