"""Bedrock's own figures: CloudWatch's token metrics by model and day, and Cost Explorer's dollars where allowed.

CloudWatch does not tell 5m from 1h writes apart. Claude is billed through AWS Marketplace, a service for each model.
https://docs.aws.amazon.com/bedrock/latest/userguide/monitoring-runtime-metrics.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from core import aws
from core.pricing import PriceBook
from core.reconcile.model import Bill, BilledLine, DayModel
from core.reconcile.own import midnight, model_name
from core.reconcile_settings import ReconcileSettings

NAMESPACE = "AWS/Bedrock"
METRICS = {
    "InputTokenCount": "input",
    "CacheReadInputTokens": "cache_read",
    "CacheWriteInputTokens": "cache_write",
    "OutputTokenCount": "output",
}
INVOCATIONS = "Invocations"
_DAY_S = 86_400
_QUERIES = 500  # what GetMetricData takes at once
_TIMEOUT_S, _ATTEMPTS = 20.0, 5
_CLAUDE = re.compile(r"claude", re.IGNORECASE)
_FAMILY = re.compile(r"\b(opus|sonnet|haiku|fable|mythos)\b", re.IGNORECASE)
_NUMBER = re.compile(r"\b\d+(?:\.\d+)?\b")
_USAGE_TYPES = (
    (re.compile(r"cacheread"), "cache_read"),
    (re.compile(r"cachewrite"), "cache_write"),
    (re.compile(r"outputtoken"), "output"),
    (re.compile(r"inputtoken"), "input"),
)


def fetch(settings: ReconcileSettings, book: PriceBook, models: Sequence[str], start: date, end: date) -> Bill:
    """Read the figures of the UTC days of [start, end) for every Claude model that logs or CloudWatch name."""
    lent = _credentials(settings)
    lines: list[BilledLine] = []
    requests: dict[DayModel, int] = {}
    for region in settings.regions:
        client = _client("cloudwatch", region, lent)
        for day, model, metric, value in _metrics(client, models, start, end):
            name = model_name(book, model, "bedrock")
            if metric == INVOCATIONS:
                requests[day, name] = requests.get((day, name), 0) + value
            elif value:
                lines.append(BilledLine(day, name, METRICS[metric], tokens=value))
    dollars, estimated, unknown = (
        _cost_explorer(_client("ce", "us-east-1", lent), book, start, end)
        if settings.cost_explorer
        else ([], set(), False)
    )
    gaps = ["writes_not_split", "quiet_models", "whole_organization"]
    if not settings.cost_explorer:
        gaps.append("no_dollars")
    if unknown:
        gaps.append("usage_types_unknown")
    return Bill(
        provider="bedrock",
        via="cloudwatch+cost_explorer" if settings.cost_explorer else "cloudwatch",
        start=start,
        end=end,
        lines=(*lines, *dollars),
        requests=requests,
        tells_amount=settings.cost_explorer,
        estimated_days=frozenset(estimated),
        gaps=tuple(gaps),
    )


def token_type(usage_type: str) -> str | None:
    """Read the token type out of a usage type such as USE1-MP:USE1_CacheReadInputTokenCount_Global-Units."""
    bare = re.sub(r"[^a-z0-9]", "", usage_type.lower())
    return next((name for pattern, name in _USAGE_TYPES if pattern.search(bare)), None)


def model_of_service(book: PriceBook, service: str) -> str:
    """Read the model out of a service such as "Claude Opus 4.5 (Amazon Bedrock Edition)"."""
    name = service.split("(")[0]
    family, number = _FAMILY.search(name), _NUMBER.search(name)
    if family is None or number is None:
        return service
    parts = family[1].lower(), number[0].replace(".", "-")
    for written in (f"claude-{parts[0]}-{parts[1]}", f"claude-{parts[1]}-{parts[0]}"):
        known = book.model_of_name(written)
        if known is not None:
            return known
    return service


def _metrics(client: Any, models: Sequence[str], start: date, end: date) -> Iterator[tuple[date, str, str, int]]:
    """Yield (day, model id, metric, value); daily sums begin at midnight UTC."""
    names = sorted({*models, *_listed(client)})
    wanted = [(model, metric) for model in names for metric in (*METRICS, INVOCATIONS)]
    for at in range(0, len(wanted), _QUERIES):
        ids = {f"q{number}": question for number, question in enumerate(wanted[at : at + _QUERIES])}
        for identity, moment, value in _values(client, ids, start, end):
            model, metric = ids[identity]
            yield moment.astimezone(UTC).date(), model, metric, round(value)


def _values(
    client: Any, ids: dict[str, tuple[str, str]], start: date, end: date
) -> Iterator[tuple[str, datetime, float]]:
    asked = {
        "StartTime": midnight(start),
        "EndTime": midnight(end),
        "ScanBy": "TimestampAscending",
        "MetricDataQueries": [_query(identity, *question) for identity, question in ids.items()],
    }
    token: str | None = None
    while True:
        with _explained("Reading Bedrock's metrics", "REC-413", "cloudwatch:GetMetricData"):
            answer = client.get_metric_data(**asked, **({} if token is None else {"NextToken": token}))
        for result in answer["MetricDataResults"]:
            for moment, value in zip(result["Timestamps"], result["Values"], strict=True):
                yield result["Id"], moment, float(value)
        before, token = token, answer.get("NextToken")
        if token is None or token == before:
            return


def _query(identity: str, model: str, metric: str) -> dict[str, Any]:
    dimensions = [{"Name": "ModelId", "Value": model}]
    named = {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": dimensions}
    return {"Id": identity, "MetricStat": {"Metric": named, "Period": _DAY_S, "Stat": "Sum"}}


def _listed(client: Any) -> set[str]:
    """Return the Claude models that CloudWatch has seen; it forgets those silent for two weeks."""
    found: set[str] = set()
    with _explained("Listing Bedrock's metrics", "REC-413", "cloudwatch:ListMetrics"):
        for page in client.get_paginator("list_metrics").paginate(Namespace=NAMESPACE, MetricName="InputTokenCount"):
            for metric in page["Metrics"]:
                dimensions = {item["Name"]: item["Value"] for item in metric["Dimensions"]}
                if set(dimensions) == {"ModelId"} and _CLAUDE.search(dimensions["ModelId"]):
                    found.add(dimensions["ModelId"])
    return found


def _cost_explorer(client: Any, book: PriceBook, start: date, end: date) -> tuple[list[BilledLine], set[date], bool]:
    """Return the dollars of Claude's services, the days AWS calls estimated, and whether a usage type is unknown."""
    lines: list[BilledLine] = []
    estimated: set[date] = set()
    unknown = False
    for result in _results(client, start, end):
        day = date.fromisoformat(result["TimePeriod"]["Start"])
        if result.get("Estimated"):
            estimated.add(day)
        for group in result["Groups"]:
            service, usage_type = group["Keys"]
            amount = Decimal(group["Metrics"]["UnblendedCost"]["Amount"])
            if not _CLAUDE.search(service) or not amount:
                continue
            known = token_type(usage_type)
            unknown = unknown or known is None
            lines.append(BilledLine(day, model_of_service(book, service), known or "other", amount_usd=amount))
    return lines, estimated, unknown


def _results(client: Any, start: date, end: date) -> Iterator[dict[str, Any]]:
    asked: dict[str, Any] = {
        "TimePeriod": {"Start": start.isoformat(), "End": end.isoformat()},
        "Granularity": "DAILY",
        "Metrics": ["UnblendedCost"],
        "Filter": {"Dimensions": {"Key": "RECORD_TYPE", "Values": ["Usage"]}},
        "GroupBy": [{"Type": "DIMENSION", "Key": "SERVICE"}, {"Type": "DIMENSION", "Key": "USAGE_TYPE"}],
    }
    token: str | None = None
    while True:
        with _explained("Reading Cost Explorer", "REC-414", "ce:GetCostAndUsage"):
            answer = client.get_cost_and_usage(**asked, **({} if token is None else {"NextPageToken": token}))
        yield from answer["ResultsByTime"]
        before, token = token, answer.get("NextPageToken")
        if token is None or token == before:
            return


def _credentials(settings: ReconcileSettings) -> Any:
    if settings.role_arn is None:
        return None
    with _explained(f"Assuming {settings.role_arn}", "REC-415", "sts:AssumeRole on that role"):
        return aws.borrowed(
            settings.role_arn,
            name="cachewise-reconcile",
            timeout_s=_TIMEOUT_S,
            attempts=_ATTEMPTS,
            region=settings.regions[0] if settings.regions else None,
        )


def _client(service: str, region: str, lent: Any) -> Any:
    with _explained(f"Opening {service}", "REC-413", "nothing: it is a setting"):
        return aws.client(service, timeout_s=_TIMEOUT_S, attempts=_ATTEMPTS, region=region, credentials=lent)


@contextmanager
def _explained(doing: str, code: str, permission: str) -> Iterator[None]:
    """Turn boto's errors into ours."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise aws.explain(error, doing=doing, code=code, permission=permission) from None
