"""The words of the log: Lambda's own lines and the service's, in text and in JSON log format.

Formats: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html and the Python
runtime client's output. Every function returns one event's message, its newline included.
"""

from __future__ import annotations

import json
import time
from functools import lru_cache

from simulator.fleet.engines import Dress, Function

REGION = "ap-northeast-2"
ACCOUNT = "123456789012"
_RUNTIME = "python:3.13.v62"
_RUNTIME_ARN = f"arn:aws:lambda:{REGION}::runtime:8c2b0d1e5f7a94c36e10b7d2fa4583c9617de0ab25f84c3d9e6071b2a8f5c4d3"


def app_line(text: str, *, at_ms: int, request_id: str, dress: Dress, json_logs: bool) -> str:
    """Dress one line of the service: print is bare in both formats, logging carries level, time and request id."""
    if dress == "print":
        return f"{text}\n"
    if json_logs:
        return _json(
            timestamp=f"{_second(at_ms // 1000)}Z", level="INFO", message=text, logger="root", requestId=request_id
        )
    return f"[INFO]\t{iso_ms(at_ms)}\t{request_id}\t{text}\n"


def init_line(function: Function, version: str, stream: str, *, at_ms: int, json_logs: bool) -> str:
    """Return the line of an environment that begins to initialise."""
    if not json_logs:
        return f"INIT_START Runtime Version: {_RUNTIME}\tRuntime Version ARN: {_RUNTIME_ARN}\n"
    return _platform(
        "initStart",
        at_ms,
        initializationType="on-demand",
        phase="init",
        runtimeVersion=_RUNTIME,
        runtimeVersionArn=_RUNTIME_ARN,
        functionName=function.name,
        functionVersion=version,
        instanceId=stream,
        instanceMaxMemory=function.memory_mb * 1024 * 1024,
    )


def start_line(function: Function, version: str, request_id: str, *, at_ms: int, json_logs: bool) -> str:
    """Return the line that opens an invocation."""
    if not json_logs:
        return f"START RequestId: {request_id} Version: {version}\n"
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function.name}"
    return _platform("start", at_ms, requestId=request_id, functionArn=arn, version=version)


def end_lines(
    function: Function,
    request_id: str,
    *,
    at_ms: int,
    json_logs: bool,
    duration_ms: float,
    init_ms: float | None,
    memory_mb: int,
    status: str,
    trace: str | None = None,
) -> list[str]:
    """Return what closes an invocation: END and REPORT, or one platform.report.

    `status` is success, timeout or error. Billed duration has included the init phase since August 2025.
    """
    billed_ms = -int(-(duration_ms + (init_ms or 0)) // 1)
    if json_logs:
        metrics: dict[str, float] = {
            "durationMs": round(duration_ms, 3),
            "billedDurationMs": billed_ms,
            "memorySizeMB": function.memory_mb,
            "maxMemoryUsedMB": memory_mb,
        }
        if init_ms is not None:
            metrics["initDurationMs"] = round(init_ms, 3)
        return [_platform("report", at_ms, requestId=request_id, metrics=metrics, status=status)]
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {duration_ms:.2f} ms",
        f"Billed Duration: {billed_ms} ms",
        f"Memory Size: {function.memory_mb} MB",
        f"Max Memory Used: {memory_mb} MB",
    ]
    if init_ms is not None:
        parts.append(f"Init Duration: {init_ms:.2f} ms")
    if status != "success":
        parts.append(f"Status: {status}")
    if status == "error":
        parts.append("Error Type: Runtime.ExitError")
    report = "\t".join(parts) + ("\t\n" if status == "success" else "\n")
    return [f"END RequestId: {request_id}\n", report + (trace or "")]


def trace_line(trace_id: str, segment_id: str) -> str:
    """Return the second line that X-Ray adds to a REPORT event."""
    return f"XRAY TraceId: 1-{trace_id[:8]}-{trace_id[8:32]}\tSegmentId: {segment_id}\tSampled: true\t\n"


def iso_ms(at_ms: int) -> str:
    """Return UTC time as the Python runtime prints it."""
    return f"{_second(at_ms // 1000)}.{at_ms % 1000:03d}Z"


@lru_cache(maxsize=512)
def _second(at_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_s))


def _platform(kind: str, at_ms: int, **record: object) -> str:
    return _json(time=iso_ms(at_ms), type=f"platform.{kind}", record=record)


def _json(**members: object) -> str:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")) + "\n"
