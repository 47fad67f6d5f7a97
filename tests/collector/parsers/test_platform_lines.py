"""START, END, REPORT and their JSON twins."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collector.parsers import parse_message
from collector.parsers.facts import LogsDropped, Report, Start, TimedOut
from tests.support.log_lines import rid

NAME = rid(3)
BASE = (
    f"REPORT RequestId: {NAME}\tDuration: 619.31 ms\tBilled Duration: 700 ms\t"
    "Memory Size: 128 MB\tMax Memory Used: 118 MB\t"
)
REPORT = Report(NAME, 619.31, 700.0, None, None, 128, 118)


def changed(**more: Any) -> Report:
    from dataclasses import replace

    return replace(REPORT, **more)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (BASE + "\n", REPORT),
        (BASE.rstrip(), REPORT),
        (BASE + "Init Duration: 120.96 ms\t\n", changed(init_ms=120.96)),
        (BASE + "Restore Duration: 398.97 ms\tBilled Restore Duration: 182 ms\t\n", changed(restore_ms=398.97)),
        (BASE + "Status: timeout\n", changed(status="timeout")),
        (
            BASE + "Status: error\tError Type: Runtime.ExitError\n",
            changed(status="error", error_type="Runtime.ExitError"),
        ),
        (BASE + "\nXRAY TraceId: 1-5e61292c-cc1229\tSegmentId: 07a85e713f6302b2\tSampled: true\t\n", REPORT),
        (BASE.replace("\t", " ") + " Init Duration: 1234 ms", changed(init_ms=1234.0)),
        (BASE.replace("\t", "  ") + "\r\n", REPORT),
    ],
)
def test_a_report_is_read_as_keys_and_values(message: str, expected: Report) -> None:
    """Cold starts, SnapStart, failures, X-Ray's second line, blanks for tabs: all the same line."""
    parsed = parse_message(message)

    assert parsed.kind == "report"
    assert parsed.facts == (expected,)


@pytest.mark.parametrize(
    "message", ["REPORT RequestId: x\tDuration: 1 ms", f"REPORT RequestId: {NAME}\tDura", "START RequestId: \n"]
)
def test_a_cut_platform_line_is_skipped(message: str) -> None:
    """A REPORT without its duration, or without a request id, tells nothing."""
    assert (parse_message(message).outcome, parse_message(message).kind) == ("skipped", "broken_line")


def test_start_tells_the_version_and_end_nothing() -> None:
    """START opens a request in a version; END is known and needed for nothing."""
    assert parse_message(f"START RequestId: {NAME} Version: $LATEST\n").facts == (Start(NAME, "$LATEST"),)
    assert parse_message(f"START RequestId: {NAME}").facts == (Start(NAME, None),)
    assert (
        parse_message(f"END RequestId: {NAME}\n").kind,
        parse_message("INIT_REPORT Init Duration: 4.87 ms").kind,
    ) == (
        "end",
        "init_report",
    )


@pytest.mark.parametrize("front", ["2026-06-09T15:02:26.150Z ", ""])
def test_the_older_timeout_line_is_read(front: str) -> None:
    """It came as an event of its own, after the REPORT."""
    assert parse_message(f"{front}{NAME} Task timed out after 3.00 seconds\n\n").facts == (TimedOut(NAME),)


def platform(kind: str, **record: Any) -> str:
    return json.dumps({"time": "2026-10-08T07:30:28.235Z", "type": f"platform.{kind}", "record": record})


@pytest.mark.parametrize(
    ("message", "kind", "facts"),
    [
        (platform("start", requestId=NAME, version="$LATEST"), "start", (Start(NAME, "$LATEST", json=True),)),
        (
            platform("report", requestId=NAME, status="success", metrics={
                "durationMs": 1233.96, "billedDurationMs": 1698, "memorySizeMB": 256, "maxMemoryUsedMB": 123,
                "initDurationMs": 463.512}),
            "report",
            (Report(NAME, 1233.96, 1698.0, 463.512, None, 256, 123, json=True),),
        ),
        (
            platform("report", requestId=NAME, status="timeout", metrics={"durationMs": 2.5}),
            "report",
            (Report(NAME, 2.5, status="timeout", json=True),),
        ),
        (platform("report", requestId=NAME, status="failure"), "report", (Report(NAME, status="error", json=True),)),
        (platform("logsDropped", reason="Full", droppedRecords=3), "logs_dropped", (LogsDropped(3, "Full"),)),
        (platform("initStart", functionName="f"), "init_start", ()),
        (platform("runtimeDone", requestId=NAME), "runtime_done", ()),
        (platform("restoreReport", metrics={"durationMs": 150.5}), "restore_report", ()),
    ],
)  # fmt: skip
def test_platform_records_are_read_with_any_metric_missing(message: str, kind: str, facts: tuple[Any, ...]) -> None:
    """Every metric is optional; Managed Instances report a duration and nothing else."""
    parsed = parse_message(message)

    assert (parsed.outcome, parsed.kind, parsed.facts) == ("recognised", kind, facts)


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        (platform("start"), ("skipped", "broken_json")),
        (platform("start", requestId=NAME)[:-9], ("skipped", "broken_json")),
        (json.dumps({"type": "platform.report", "record": None}), ("skipped", "broken_json")),
        (platform("telemetrySubscription", name="x"), ("ignored", "platform")),
    ],
)
def test_a_damaged_platform_record_is_skipped(message: str, outcome: tuple[str, str]) -> None:
    """What cannot be read is counted with its reason; kinds that tell us nothing are ignored."""
    parsed = parse_message(message)

    assert (parsed.outcome, parsed.kind) == outcome
