"""A reconciliation with Bedrock: CloudWatch of moto for tokens, Cost Explorer's answers for dollars."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from core import reconcile
from core.errors import CachewiseError
from core.pricing import default_book
from core.reconcile import Reconciliation, bedrock
from core.reconcile.bedrock import model_of_service, token_type
from core.reconcile_settings import ReconcileSettings
from core.settings import Settings
from tests.support.billing import NOW, lake_of
from tests.support.moto_logs import CREDENTIALS, REGION
from tests.support.rows import make_call

MODEL = "global.anthropic.claude-opus-4-5-20251101-v1:0"
OTHER = "anthropic.claude-haiku-4-5-20251001-v1:0"
YESTERDAY = NOW - timedelta(days=1)


@pytest.fixture
def aws(moto_address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """moto, empty, with credentials that lead nowhere else."""
    requests.post(f"{moto_address}/moto-api/reset", timeout=10)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_address)
    yield moto_address
    requests.post(f"{moto_address}/moto-api/reset", timeout=10)


def publish(model: str, **values: int) -> None:
    """Put what Bedrock publishes of one call yesterday."""
    cloudwatch = boto3.client("cloudwatch", region_name=REGION)
    dimensions = [{"Name": "ModelId", "Value": model}]
    cloudwatch.put_metric_data(
        Namespace="AWS/Bedrock",
        MetricData=[
            {"MetricName": name, "Dimensions": dimensions, "Timestamp": YESTERDAY, "Value": value}
            for name, value in values.items()
        ],
    )


def run(folder: Path, **settings: Any) -> Reconciliation:
    """Reconcile with Bedrock in moto's region."""
    told = ReconcileSettings(regions=(REGION,), **settings)
    (found,) = reconcile.run(Settings(store_path=str(folder), reconcile=told), ["bedrock"], now=NOW, actor="tester")
    return found


def logged(folder: Path) -> None:
    """Two calls of yesterday in the logs."""
    lake_of(
        folder,
        [],
        make_call(provider="bedrock", model=MODEL, ts=YESTERDAY, cache_read_tokens=900, output_tokens=5),
        make_call(provider="bedrock", model=MODEL, ts=YESTERDAY, cache_write_1h_tokens=400, cache_write_5m_tokens=50),
    )


def test_tokens_are_held_against_cloudwatch(aws: str, tmp_path: Path) -> None:
    """By model and day; both writes are one, a model that is not in the logs is unlogged, dollars are unknown."""
    logged(tmp_path)
    publish(MODEL, InputTokenCount=200, OutputTokenCount=15, CacheReadInputTokens=900, CacheWriteInputTokens=450,
            Invocations=2)  # fmt: skip
    publish(OTHER, InputTokenCount=70, OutputTokenCount=1, Invocations=1)
    found = run(tmp_path)

    by_type = {key: (totals.own_tokens, totals.billed_tokens) for key, totals in found.by_type}
    assert by_type == {
        ("claude-opus-4-5", "input"): (200, 200),
        ("claude-opus-4-5", "cache_read"): (900, 900),
        ("claude-opus-4-5", "cache_write"): (450, 450),
        ("claude-opus-4-5", "output"): (15, 15),
        ("claude-haiku-4-5", "input"): (0, 70),
        ("claude-haiku-4-5", "output"): (0, 1),
    }
    total = found.total
    assert (total.unlogged_tokens, total.billed_tokens) == (71, 1636)
    assert (total.own_requests, total.billed_requests) == (2, 3)
    assert (total.billed_usd, total.variance_usd) == (None, None)
    assert {"writes_not_split", "quiet_models", "no_dollars"} <= set(found.gaps)


def test_more_queries_than_one_request_takes(aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are cut, and nothing is lost or told twice."""
    logged(tmp_path)
    publish(MODEL, InputTokenCount=200, Invocations=2)
    monkeypatch.setattr(bedrock, "_QUERIES", 2)

    assert run(tmp_path).total.billed_tokens == 200


def test_dollars_come_from_cost_explorer_where_allowed(aws: str, tmp_path: Path) -> None:
    """Services and usage types are read; what is not Claude is left out; estimated days are provisional."""
    logged(tmp_path)
    publish(MODEL, InputTokenCount=200, Invocations=2)
    service = "Claude Opus 4.5 (Amazon Bedrock Edition)"
    costs = {
        (service, "APN2-MP:APN2_InputTokenCount_Global-Units"): "0.0009",
        (service, "APN2-MP:APN2_CacheWrite1hInputTokenCount_Global-Units"): "0.0036",
        (service, "APN2-MP:APN2_something_new-Units"): "0.0001",
        ("Amazon Simple Storage Service", "APN2-TimedStorage-ByteHrs"): "7",
    }
    results = [
        {
            "TimePeriod": {"Start": day.isoformat(), "End": (day + timedelta(days=1)).isoformat()},
            "Total": {},
            "Groups": [
                {"Keys": list(keys), "Metrics": {"UnblendedCost": {"Amount": amount, "Unit": "USD"}}}
                for keys, amount in (costs.items() if estimated is False else ())
            ],
            "Estimated": estimated,
        }
        for day, estimated in ((YESTERDAY.date(), False), (NOW.date(), True))
    ]
    queue = {"results": [{"ResultsByTime": results, "DimensionValueAttributes": []}]}
    requests.post(f"{aws}/moto-api/static/ce/cost-and-usage-results", json=queue, timeout=10)
    found = run(tmp_path, cost_explorer=True)

    dollars = {key: totals.amount_usd for key, totals in found.by_type}
    assert dollars["claude-opus-4-5", "input"] == Decimal("0.0009")
    assert dollars["claude-opus-4-5", "cache_write"] == Decimal("0.0036")
    assert dollars["claude-opus-4-5", "other"] == Decimal("0.0001")
    assert found.total.amount_usd == Decimal("0.0046")
    assert (found.basis, found.total.list_usd) == ("amount", None)
    assert {"usage_types_unknown", "no_list_price"} <= set(found.gaps)
    assert reconcile.spent_usd(Settings(reconcile=ReconcileSettings(cost_explorer=True)), ["bedrock"]) > 0


@pytest.mark.parametrize(
    ("usage_type", "kind"),
    [
        ("USE1-MP:USE1_InputTokenCount-Units", "input"),
        ("USE1-MP:USE1_CacheReadInputTokenCount_Global-Units", "cache_read"),
        ("USE1-MP:USE1_CacheWrite1hInputTokenCount-Units", "cache_write"),
        ("USW2-MP:USW2_cache_write_tokens_1h_standard-Units", "cache_write"),
        ("USW2-MP:USW2_input_tokens_global_standard-Units", "input"),
        ("USW2-MP:USW2_output_tokens_standard-Units", "output"),
        ("USE1-cache-read-input-token-count", "cache_read"),
        ("USE1-MP:USE1_created_image-Units", None),
    ],
)
def test_usage_types_are_read(usage_type: str, kind: str | None) -> None:
    """In every spelling that bills have."""
    assert token_type(usage_type) == kind


@pytest.mark.parametrize(
    ("service", "model"),
    [
        ("Claude Opus 4.5 (Amazon Bedrock Edition)", "claude-opus-4-5"),
        ("Claude 3.5 Haiku (Amazon Bedrock Edition)", "claude-3-5-haiku"),
        ("Claude Sonnet 5 (Amazon Bedrock Edition)", "claude-sonnet-5"),
        ("Claude Something New (Amazon Bedrock Edition)", "Claude Something New (Amazon Bedrock Edition)"),
    ],
)
def test_services_are_read(service: str, model: str) -> None:
    """A model that the price book does not know keeps its name."""
    assert model_of_service(default_book(), service) == model


def test_the_role_is_assumed(aws: str, tmp_path: Path) -> None:
    """In another account its metrics are others: moto keeps accounts apart."""
    logged(tmp_path)
    publish(MODEL, InputTokenCount=200)
    found = run(tmp_path, role_arn="arn:aws:iam::111122223333:role/bill")

    assert found.total.billed_tokens == 0


def test_a_region_must_be_named(tmp_path: Path) -> None:
    """It says what is needed."""
    with pytest.raises(CachewiseError, match=r"REC-405.*regions"):
        reconcile.run(Settings(store_path=str(tmp_path)), ["bedrock"], now=NOW)


def test_refusals_name_the_right_that_is_missing() -> None:
    """CloudWatch and Cost Explorer each their own."""
    from botocore.exceptions import ClientError

    refused = ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetCostAndUsage")
    for reader, code, right in (
        (
            lambda client: list(bedrock._values(client, {"q0": (MODEL, "Invocations")}, *_days())),
            "REC-413",
            "GetMetric",
        ),
        (lambda client: bedrock._cost_explorer(client, default_book(), *_days()), "REC-414", "ce:GetCostAndUsage"),
    ):
        with pytest.raises(CachewiseError, match=f"{code}.*{right}"):
            reader(_Refusing(refused))


def _days() -> tuple[date, date]:
    return YESTERDAY.date(), NOW.date()


class _Refusing:
    """A client of which every call is refused."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        def refuse(**asked: Any) -> None:
            raise self._error

        return refuse
