"""FOCUS: sums equal the metrics, price × quantity is the cost, and the official validator has nothing to say."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from core.metrics import summary
from core.metrics.scope import Scope
from core.pricing import default_book
from core.reports import files, focus
from core.reports.request import Desk, Request
from core.store.query import Reader
from tests.core.reports.conftest import HOSTILE
from tests.support.lakes import fill
from tests.support.rows import NOON, make_call, make_failed_call, make_unpriced_call

ROOT = Path(__file__).parents[3]
JUDGE = ROOT / "tests/support/focus_judge.py"
BEDROCK = {"provider": "bedrock", "account": "123456789012", "region": "us-east-1"}
MONEY = {
    "x_EffectiveCost": "cost_usd",
    "x_NoCacheCost": "no_cache_cost_usd",
    "x_GrossSavings": "gross_savings_usd",
    "x_WritePremium": "write_premium_usd",
    "x_NetSavings": "net_savings_usd",
}


@pytest.fixture(scope="module")
def focus_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Two months, two sellers, both lifetimes in one call, a discount, searches, and calls that nobody can price."""
    calls = [
        make_call(engine=HOSTILE, cache_read_tokens=7, cache_ttl="5m", ts=NOON + timedelta(hours=1)),
        make_call(engine="튜터", cache_write_1h_tokens=10_001, cache_write_5m_tokens=33, service_tier="standard"),
        make_call(engine="tutor", cache_read_tokens=90_000, ts=NOON - timedelta(days=30)),
        make_call(**BEDROCK, model_id="claude-haiku-4-5", price_row="card -10%", cache_write_5m_tokens=1234),
        make_call(web_search_requests=3, tools_cost_usd=Decimal("0.03")),
        make_call(output_tokens=3, output_cost_usd=Decimal("0.000100000000")),  # steps of two models: no one price
        make_call(engine="lines", model_known_by="defaults", ttl_known_by="defaults", told_by="text"),
        make_call(engine="lines", ttl_known_by="defaults"),
        make_unpriced_call(),
        make_failed_call(),
    ]
    with Reader(fill(tmp_path_factory.mktemp("focus"), calls=calls)) as reader:
        yield Desk(reader, default_book())


@pytest.fixture(scope="module")
def charges(focus_desk: Desk) -> list[dict[str, str]]:
    content = files.encode(focus_desk, Request(demo=True), "focus").decode()
    return list(csv.DictReader(io.StringIO(content, newline="")))


def test_sums_equal_the_metrics(focus_desk: Desk, charges: list[dict[str, str]]) -> None:
    """Cost, no-cache cost, savings and tokens of all priced calls, to the last digit, in CSV and Parquet."""
    total = summary(focus_desk.reader, Scope())
    rows = pq.ParquetFile(io.BytesIO(files.encode(focus_desk, Request(), "focus-parquet"))).read().to_pylist()

    for column, name in MONEY.items():
        assert sum(Decimal(row[column]) for row in charges) == total[name]
        assert sum(row[column] for row in rows) == total[name]
    assert sum(Decimal(row["BilledCost"]) for row in charges) == total["cost_usd"]
    for kind in ("cache_read", "cache_write_5m", "cache_write_1h"):
        told = sum(int(row["x_TokenCount"]) for row in charges if row["x_TokenType"] == kind)
        assert told == total[f"{kind}_tokens"]
    assert len(rows) == len(charges)


def test_price_times_quantity_is_the_cost(charges: list[dict[str, str]]) -> None:
    """For every row with one price, exactly; a row of several says that its price is an average."""
    for row in charges:
        product = Decimal(row["ContractedUnitPrice"]) * Decimal(row["PricingQuantity"])
        if row["x_UnitPriceKind"] == "exact":
            assert product == Decimal(row["ContractedCost"])
        assert Decimal(row["ConsumedQuantity"]) / int(row["PricingUnit"].split()[0]) == Decimal(row["PricingQuantity"])
    (mixed,) = [row for row in charges if row["x_UnitPriceKind"] == "average"]
    assert (mixed["x_TokenType"], mixed["BilledCost"]) == ("output", "0.000100000000")


def test_writes_of_both_lifetimes_stay_apart(charges: list[dict[str, str]]) -> None:
    """Each with its lifetime and its own premium."""
    found = {row["x_TokenType"]: row for row in charges if row["x_Engine"] == "튜터"}

    assert (found["cache_write_5m"]["x_CacheTtl"], found["cache_write_1h"]["x_CacheTtl"]) == ("5m", "1h")
    assert Decimal(found["cache_write_5m"]["x_WritePremium"]) == 33 * Decimal("0.00000125")
    assert Decimal(found["cache_write_1h"]["x_NoCacheCost"]) == 10_001 * Decimal("0.000005")


def test_a_discount_is_seen_between_list_and_contract(charges: list[dict[str, str]]) -> None:
    """The price row names it; the seller, its region and its account are those of the call."""
    rows = [row for row in charges if row["ProviderName"] == "AWS" and row["x_TokenType"] == "input"]

    assert [Decimal(row["ContractedUnitPrice"]) for row in rows] == [5]
    assert [Decimal(row["ListUnitPrice"]) for row in rows] == [Decimal("5.555555555556")]
    assert [(row["ServiceName"], row["RegionId"], row["SubAccountId"]) for row in rows] == [
        ("Amazon Bedrock", "us-east-1", "arn:aws:iam::123456789012:root")
    ]


def test_periods_are_months_and_days_of_utc(charges: list[dict[str, str]], focus_desk: Desk) -> None:
    """Billing by calendar month, charges by day, or by hour when asked."""
    assert {(row["BillingPeriodStart"], row["BillingPeriodEnd"]) for row in charges} == {
        ("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z"),
        ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
    }
    assert {row["ChargePeriodStart"] for row in charges} == {"2026-10-21T00:00:00Z", "2026-11-20T00:00:00Z"}
    hourly = files.encode(focus_desk, Request(by=("hour",)), "focus").decode()
    assert "2026-11-20T13:00:00Z" in hourly


def test_what_has_no_price_is_left_out_and_counted(focus_desk: Desk, charges: list[dict[str, str]]) -> None:
    """A cost that is not known is not billed as zero."""
    assert focus.left_out(focus_desk, Request()) == 1
    assert "claude-unheard-of" not in {row["x_Model"] for row in charges}
    metadata = pq.ParquetFile(io.BytesIO(files.encode(focus_desk, Request(), "focus-parquet"))).schema_arrow.metadata
    assert b"1 calls without a price" in metadata[b"coverage"]


def test_a_charge_says_who_told_its_model_and_its_ttl(charges: list[dict[str, str]]) -> None:
    """What rests on settings is in rows of its own: finance can leave it out, or ask for it."""
    told = {(row["x_ModelKnownBy"], row["x_TtlKnownBy"]) for row in charges if row["x_Engine"] == "lines"}

    assert told == {("defaults", "defaults"), ("record", "defaults")}
    assert all(
        row["x_ModelKnownBy"] == row["x_TtlKnownBy"] == "record" for row in charges if row["x_Engine"] != "lines"
    )


def test_names_from_logs_are_disarmed(charges: list[dict[str, str]]) -> None:
    """No cell begins as a formula; the tags are JSON that keeps the name as it is."""
    assert not any(value.startswith(("=", "+", "@", "\t")) for row in charges for value in row.values())
    tags = [json.loads(row["Tags"]) for row in charges]
    assert HOSTILE in {tag["engine"] for tag in tags}
    assert {row["x_Origin"] for row in charges} == {"demo"}


def test_the_invoice_of_direct_calls_is_told_by_the_one_who_knows(focus_desk: Desk) -> None:
    """Logs do not name Anthropic's organisation."""
    content = files.encode(focus_desk, Request(billing_account="org-1"), "focus").decode()

    assert {row["BillingAccountId"] for row in csv.DictReader(io.StringIO(content, newline=""))} == {"org-1"}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_official_validator_finds_no_fault(focus_desk: Desk, tmp_path: Path) -> None:
    """focus-validator 1.0.0 with its rules for FOCUS 1.0, in its own environment: every check passes, in both files."""
    for form, name in (("focus", "focus.csv"), ("focus-parquet", "focus.parquet")):
        files.write(focus_desk, Request(), form, tmp_path / name)
    uv = Path(sys.executable).parent / "uv"
    if not uv.exists():
        pytest.skip("uv is not in this environment (make .venv/.dev puts it there)")
    asked = [uv, "run", "--quiet", "--frozen", "--offline", "--script", JUDGE, *tmp_path.iterdir()]
    done = subprocess.run([str(part) for part in asked], capture_output=True, text=True, timeout=280, check=False)
    if done.returncode and "Traceback" not in done.stderr:
        pytest.skip(f"the validator's environment is not here (make .venv/.dev fetches it): {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
    told: dict[str, dict[str, Any]] = json.loads(done.stdout)

    assert {name: verdict["bad"] for name, verdict in told.items()} == {"focus.csv": [], "focus.parquet": []}
    assert all(verdict["passed"] > 100 for verdict in told.values())


def test_an_empty_range_is_a_file_without_rows(focus_desk: Desk) -> None:
    """With its heading."""
    later = Scope(start=datetime(2027, 1, 1, tzinfo=UTC))

    assert files.encode(focus_desk, Request(later), "focus").count(b"\n") == 1
