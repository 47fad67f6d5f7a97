"""START, END, REPORT, INIT_REPORT and timeout lines of Lambda's text format, read as key and value pairs.

Formats: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html
"""

from __future__ import annotations

import re

from collector.parsers.facts import NOT_OURS, InvocationStatus, Parsed, Report, Start, TimedOut, skipped
from collector.parsers.service_lines import UUID

END = Parsed("recognised", "end")
INIT_REPORT = Parsed("recognised", "init_report")

_START = re.compile(r"START RequestId:\s*(\S+)(?:\s+Version:\s*(\S+))?")
_REQUEST = re.compile(r"RequestId:\s*(\S+)")
_WARM_REPORT = re.compile(  # by far the most frequent form, in one look
    r"REPORT RequestId: ([0-9a-f-]{36})\tDuration: ([0-9.]+) ms\tBilled Duration: ([0-9.]+) ms\t"
    r"Memory Size: (\d+) MB\tMax Memory Used: (\d+) MB\s*\Z"
)
_PAIR = re.compile(
    r"(?<!\S)(Duration|Billed Duration|Memory Size|Max Memory Used|Init Duration|Restore Duration|"
    r"Billed Restore Duration):\s*([0-9.]+)\s*(?:ms|MB)"
)
_STATUS = re.compile(r"(?<!\S)Status:\s*(\w+)")
_ERROR_TYPE = re.compile(r"(?<!\S)Error Type:\s*(\S+)")
_TIMED_OUT = re.compile(r"([0-9a-f]{8}-[0-9a-f-]{27})\s+Task timed out after")


def parse_platform_text(message: str) -> Parsed:
    """Read a line of the Lambda platform, or say that it is none."""
    if message.startswith("START RequestId:"):
        found = _START.match(message)
        if not found or not UUID.fullmatch(found[1]):
            return skipped("broken_line")
        return Parsed("recognised", "start", (Start(found[1], found[2]),))
    if message.startswith("END RequestId:"):
        return END
    if message.startswith("REPORT RequestId:"):
        return _report(message)
    if message.startswith("INIT_REPORT"):
        return INIT_REPORT
    if "Task timed out after" in message:
        found = _TIMED_OUT.search(message)
        if found:
            return Parsed("recognised", "timeout", (TimedOut(found[1]),))
    return NOT_OURS


def _report(message: str) -> Parsed:
    warm = _WARM_REPORT.match(message)
    if warm:
        try:
            fact = Report(
                warm[1],
                duration_ms=float(warm[2]),
                billed_duration_ms=float(warm[3]),
                memory_mb=int(warm[4]),
                max_memory_mb=int(warm[5]),
            )
        except ValueError:
            return skipped("broken_line")
        return Parsed("recognised", "report", (fact,))
    return _any_report(message)


def _any_report(message: str) -> Parsed:
    request = _REQUEST.search(message)
    try:
        values = {key: float(value) for key, value in _PAIR.findall(message)}
    except ValueError:
        return skipped("broken_line")
    if not request or not UUID.fullmatch(request[1]) or "Duration" not in values:
        return skipped("broken_line")
    status, error_type = _STATUS.search(message), _ERROR_TYPE.search(message)
    fact = Report(
        request[1],
        duration_ms=values.get("Duration"),
        billed_duration_ms=values.get("Billed Duration"),
        init_ms=values.get("Init Duration"),
        restore_ms=values.get("Restore Duration"),
        memory_mb=_whole(values.get("Memory Size")),
        max_memory_mb=_whole(values.get("Max Memory Used")),
        status=report_status(status[1] if status else "success"),
        error_type=error_type[1] if error_type else None,
    )
    return Parsed("recognised", "report", (fact,))


def report_status(text: str) -> InvocationStatus:
    """Translate the platform's word: success, timeout; error and failure are one."""
    if text == "success":
        return "ok"
    return "timeout" if text == "timeout" else "error"


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
