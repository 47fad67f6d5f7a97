"""`platform.*` records of Lambda's JSON format. Every metric is optional.

Formats: https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collector.parsers.facts import LogsDropped, Parsed, Report, Start, skipped
from collector.parsers.lambda_text import report_status

_KNOWN = {
    "platform.initStart": Parsed("recognised", "init_start"),
    "platform.initRuntimeDone": Parsed("recognised", "init_done"),
    "platform.initReport": Parsed("recognised", "init_report"),
    "platform.runtimeDone": Parsed("recognised", "runtime_done"),
    "platform.restoreStart": Parsed("recognised", "restore_start"),
    "platform.restoreRuntimeDone": Parsed("recognised", "restore_done"),
    "platform.restoreReport": Parsed("recognised", "restore_report"),
}
_OTHER = Parsed("ignored", "platform")


def parse_platform_record(event: Mapping[str, Any]) -> Parsed:
    """Read one platform record whose `type` begins with "platform."."""
    kind, record = event["type"], event.get("record")
    if kind not in ("platform.start", "platform.report", "platform.logsDropped"):
        return _KNOWN.get(kind, _OTHER)
    if not isinstance(record, Mapping):
        return skipped("broken_json")
    if kind == "platform.logsDropped":
        return Parsed("recognised", "logs_dropped", (_dropped(record),))
    rid = record.get("requestId")
    if not isinstance(rid, str) or not rid:
        return skipped("broken_json")
    if kind == "platform.start":
        version = record.get("version")
        fact = Start(rid, version if isinstance(version, str) else None, json=True)
        return Parsed("recognised", "start", (fact,))
    return Parsed("recognised", "report", (_report(rid, record),))


def _report(rid: str, record: Mapping[str, Any]) -> Report:
    metrics = record.get("metrics")
    found = metrics if isinstance(metrics, Mapping) else {}
    error_type = record.get("errorType")
    return Report(
        rid,
        duration_ms=_number(found, "durationMs"),
        billed_duration_ms=_number(found, "billedDurationMs"),
        init_ms=_number(found, "initDurationMs"),
        restore_ms=_number(found, "restoreDurationMs"),
        memory_mb=_whole(found, "memorySizeMB"),
        max_memory_mb=_whole(found, "maxMemoryUsedMB"),
        status=report_status(str(record.get("status", "success"))),
        error_type=error_type if isinstance(error_type, str) else None,
        json=True,
    )


def _dropped(record: Mapping[str, Any]) -> LogsDropped:
    return LogsDropped(_whole(record, "droppedRecords") or 1, str(record.get("reason", "unknown"))[:100])


def _number(values: Mapping[str, Any], key: str) -> float | None:
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 10**12:
        return None
    return float(value)


def _whole(values: Mapping[str, Any], key: str) -> int | None:
    value = _number(values, key)
    return None if value is None else int(value)
