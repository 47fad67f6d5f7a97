"""The same totals to the last digit in every format, in `cachewise metrics --json`, and on the page."""

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pypdf
import pytest

from cli.main import main
from core.reports import files
from tests.support import fleet_lake
from tests.support.lakes import fill
from tests.support.rows import make_call

MONEY = ("cost_usd", "no_cache_cost_usd", "gross_savings_usd", "write_premium_usd", "net_savings_usd")
TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens")
FOCUS = dict(zip(MONEY, ("x_EffectiveCost", "x_NoCacheCost", "x_GrossSavings", "x_WritePremium", "x_NetSavings"),
                 strict=True))  # fmt: skip
Totals = dict[str, Decimal]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Every format of one store, written by the command; dollars of twenty digits."""
    place = tmp_path_factory.mktemp("totals")
    odd = Decimal("12345.678901234567")
    calls = [
        make_call(engine="tutor", tenant="acme", cache_read_tokens=90_001, cache_write_1h_tokens=777, output_tokens=33),
        make_call(engine=fleet_lake.HOSTILE, cache_write_5m_tokens=1_234_567, output_cost_usd=odd, output_tokens=7),
        make_call(engine="튜터", function_name="web", cache_read_tokens=13),
    ]
    fill(place / "tables", calls=calls)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("CACHEWISE_STORE_PATH", str(place))
        for form in files.FORMATS:
            run("report", "--format", form, "--by", "engine", "--out", f"{form}{files.FORMS[form].suffix}")
        run("report", "--allocate", "even", "--by", "function_name", "--out", "chargeback.csv")
        run("report", "--allocate", "even", "--by", "tenant", "--out", "tenants.csv")
        (place / "metrics.json").write_text(run("metrics", "--json"))
        yield place


def run(*args: str) -> str:
    out = io.StringIO()
    with redirect_stdout(out), pytest.raises(SystemExit) as ended:
        main(list(args))
    assert ended.value.code == 0
    return out.getvalue()


@pytest.fixture(scope="module")
def expected(folder: Path) -> Totals:
    """What `cachewise metrics --json` says."""
    told = json.loads((folder / "metrics.json").read_text())
    return {name: Decimal(told[name]) for name in (*MONEY, *TOKENS)}


def csv_rows(path: Path) -> list[dict[str, str]]:
    text = path.read_text(encoding="utf-8-sig")
    return [{key.split(" [")[0]: value for key, value in row.items()} for row in csv.DictReader(io.StringIO(text))]


def test_csv(folder: Path, expected: Totals) -> None:
    """Its TOTAL row, and the sum of its groups."""
    *groups, total = csv_rows(folder / "csv.csv")

    assert {name: Decimal(total[name]) for name in expected} == expected
    assert {name: sum(Decimal(row[name]) for row in groups) for name in expected} == expected


def test_parquet(folder: Path, expected: Totals) -> None:
    """The sum of its rows."""
    table = pq.ParquetFile(folder / "parquet.parquet").read()

    assert {name: Decimal(pc.sum(table[name]).as_py()) for name in expected} == expected


def test_excel(folder: Path, expected: Totals) -> None:
    """The exact column of the summary, and the exact total under a sheet; the numbers to Excel's 15 digits."""
    book = openpyxl.load_workbook(folder / "xlsx.xlsx")
    summary = {row[0]: row for row in book["Summary"].iter_rows(values_only=True)}
    heading, *_, total, exact = book["By engine"].iter_rows(values_only=True)
    names = [str(name).split("\n")[-1].split(" [")[0] for name in heading]

    assert {name: Decimal(summary[name][2]) for name in expected} == expected
    assert {name: Decimal(exact[names.index(name)]) for name in MONEY} == {name: expected[name] for name in MONEY}
    assert {name: total[names.index(name)] for name in TOKENS} == {name: int(expected[name]) for name in TOKENS}
    for name in MONEY:
        assert float(total[names.index(name)]) == pytest.approx(float(expected[name]), rel=1e-15)


def test_html(folder: Path, expected: Totals) -> None:
    """The summary of the page."""
    text = (folder / "html.html").read_text()
    cells = dict(re.findall(r"<tr><td>([a-z0-9_]+)</td><td>([^<]*)</td>", text))

    assert {name: Decimal(re.sub(r"[$,]", "", cells[name])) for name in expected} == expected


def test_pdf(folder: Path, expected: Totals) -> None:
    """Its key figures and its total row."""
    text = pypdf.PdfReader(folder / "pdf.pdf").pages[0].extract_text()
    amounts = {Decimal(re.sub(r"[$,]", "", amount)) for amount in re.findall(r"-?\$[\d,]+\.\d+", text)}

    assert {expected[name] for name in MONEY} <= amounts
    assert f"{expected['cache_read_tokens']:,}" in text


@pytest.mark.parametrize("form", ["focus.csv", "focus-parquet.parquet"])
def test_focus(folder: Path, expected: Totals, form: str) -> None:
    """The sums of its charges, by kind of token too."""
    rows = csv_rows(folder / form) if form.endswith("csv") else pq.ParquetFile(folder / form).read().to_pylist()

    assert {name: sum(Decimal(row[column]) for row in rows) for name, column in FOCUS.items()} == {
        name: expected[name] for name in MONEY
    }
    for name in TOKENS:
        kind = name.removesuffix("_tokens")
        assert sum(int(row["x_TokenCount"]) for row in rows if row["x_TokenType"] == kind) == expected[name]


@pytest.mark.parametrize(
    ("name", "groups_by"), [("chargeback", ["bodo-ws", "web"]), ("tenants", ["(untagged)", "acme"])]
)
def test_chargeback(folder: Path, expected: Totals, name: str, groups_by: list[str]) -> None:
    """Allocated by a rule, the groups still sum to the same; who is not tagged is a group too."""
    *groups, total = csv_rows(folder / f"{name}.csv")

    assert sorted(next(iter(row.values())) for row in groups) == groups_by
    for name in MONEY:
        assert Decimal(total[name]) == sum(Decimal(row[name]) for row in groups) == expected[name]
