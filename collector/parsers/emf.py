"""CloudWatch embedded metrics of a service's own making, as Powertools and aws-embedded-metrics write them.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
Values are scalars or lists: Powertools gathers what one invocation added to a metric into one list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from collector.parsers.facts import CallRecord, Parsed, skipped
from collector.parsers.values import caching_seen, dollars, moment_ms, possible, tenant, text, written_ttl
from core.errors import BadInput
from core.usage import Usage

MetricNames = Mapping[str, str]
"""What a metric means, by its name in lower case without separators."""

_KNOWN = {
    "cost": "apicostusd apicost apicostperrequest costusd claudecost claudecostusd llmcost llmcostusd",
    "input": "inputtokens inputtokencount claudeinputtokens llminputtokens",
    "output": "outputtokens outputtokencount completiontokens claudeoutputtokens llmoutputtokens",
    "read": "cachereadtokens cachereadinputtokens cachereadinputtokencount cachereadtokencount",
    "write": "cachewritetokens cachewriteinputtokens cachewriteinputtokencount cachecreationtokens "
    "cachecreationinputtokens",
    "write_5m": "cachewrite5mtokens cachewritetokens5m ephemeral5minputtokens",
    "write_1h": "cachewrite1htokens cachewritetokens1h ephemeral1hinputtokens",
    "latency": "responsetime responsetimems latency latencyms apilatency apilatencyms",
    "ttft": "timetofirsttoken timetofirsttokenms ttft ttftms",
}
METRIC_NAMES: MetricNames = {name: role for role, names in _KNOWN.items() for name in names.split()}
_COUNTS = ("input", "output", "read", "write", "write_5m", "write_1h")
_SEPARATORS = re.compile(r"[^a-z0-9]+")
_OTHER = Parsed("ignored", "other_metrics")


def plain_name(name: str) -> str:
    """Return a metric's name as METRIC_NAMES spells it."""
    return _SEPARATORS.sub("", name.lower())


def named(own: Iterable[tuple[str, str]]) -> MetricNames:
    """Return the recognised names with a service's own, given as (role, name), over them."""
    return {**METRIC_NAMES, **{plain_name(name): role for role, name in own}}


def is_emf(body: Mapping[str, Any]) -> bool:
    """Say whether a JSON object is an embedded metric document."""
    head = body.get("_aws")
    return isinstance(head, Mapping) and "CloudWatchMetrics" in head


def parse_emf(body: Mapping[str, Any], request_id: str | None, names: MetricNames) -> Parsed:
    """Read the calls a document tells: one, or as many as its lists are long. Raises BadInput on a bad count."""
    series = {role: _values(body[name]) for name, role in _roles(body["_aws"], names).items() if name in body}
    counts = [values for role, values in series.items() if role in _COUNTS]
    if "input" not in series:  # a call whose input nobody tells would be priced as if it had none
        return skipped("no_usage") if "cost" in series or counts else _OTHER
    calls = len(counts[0])
    if not calls or any(len(values) != calls for values in counts):
        return skipped("uneven_metrics")  # whose value is whose is lost: three inputs and two outputs make no call
    facts = tuple(_call(body, _at(series, index, calls), request_id, alone=calls == 1) for index in range(calls))
    return Parsed("recognised", "emf", facts)


def _roles(head: Mapping[str, Any], names: MetricNames) -> dict[str, str]:
    """Return what the document's metrics mean, by the names they stand under."""
    found: dict[str, str] = {}
    directives = head["CloudWatchMetrics"]
    for directive in directives if isinstance(directives, list) else []:
        metrics = directive.get("Metrics") if isinstance(directive, Mapping) else None
        for metric in metrics if isinstance(metrics, list) else []:
            name = metric.get("Name") if isinstance(metric, Mapping) else None
            if not isinstance(name, str):
                continue
            role = names.get(plain_name(name))
            if role and role not in found.values():
                found[name] = role
    return found


def _values(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _at(series: Mapping[str, list[Any]], index: int, calls: int) -> dict[str, Any]:
    return {role: values[index] for role, values in series.items() if len(values) == calls}


def _call(body: Mapping[str, Any], told: Mapping[str, Any], request_id: str | None, *, alone: bool) -> CallRecord:
    usage = _usage(told)
    return CallRecord(
        call_id=text(body, "messageId", "message_id", "call_id", "callId") if alone else None,
        started_ms=None,
        provider=text(body, "provider"),
        model=text(body, "model", "modelId", "model_id"),
        engine=text(body, "engine", "Engine"),
        usage=usage,
        request_id=text(body, "requestId", "request_id", "function_request_id") or request_id,
        caching_enabled=caching_seen(usage),
        cache_ttl=written_ttl(usage),
        latency_ms=_duration(told.get("latency")),
        ttft_ms=_duration(told.get("ttft")),
        complete=usage.complete,
        reported_cost_usd=dollars(told.get("cost")),
        told_by="emf",
        other_id=text(body, "apiRequestId", "api_request_id") if alone else None,
        tenant=tenant(body),
        logged_ms=moment_ms(body["_aws"].get("Timestamp")),
    )


def _usage(told: Mapping[str, Any]) -> Usage:
    counts = {role: _count(role, told[role]) for role in _COUNTS if role in told}
    split = counts.get("write_5m", 0), counts.get("write_1h", 0)
    known = "write_5m" in counts or "write_1h" in counts
    write = max(counts.get("write", 0), sum(split))
    return possible(
        Usage(
            input_tokens=counts.get("input", 0),
            cache_read_tokens=counts.get("read", 0),
            cache_write_5m_tokens=write - split[1],
            cache_write_1h_tokens=split[1],
            output_tokens=counts.get("output", 0),
            complete="output" in counts,
            ttl_split_known=known or not write,
        )
    )


def _count(role: str, value: Any) -> int:
    """Read a count that a metrics library may have turned into a float. Raises BadInput when it is none."""
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(whole, bool) or not isinstance(whole, int) or whole < 0:
        raise BadInput(
            f"The metric for {role} is no count.", code="USG-001", mend="Accepted: a whole number.", about=(role,)
        )
    return whole


def _duration(value: Any) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 10**10
    return float(value) if good else None
