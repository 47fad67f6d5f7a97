"""Every event is in a form that Lambda, its Python runtime or the service really writes."""

from __future__ import annotations

import json
import re

import pytest

from simulator.fleet.world import Invocation
from tests.support.fleet import json_hours, week

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}"
PLATFORM = [
    r"INIT_START Runtime Version: \S+\tRuntime Version ARN: \S+\n",
    rf"START RequestId: {UUID} Version: \d+\n",
    rf"END RequestId: {UUID}\n",
    rf"REPORT RequestId: {UUID}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: \d+ MB\t"
    r"Max Memory Used: \d+ MB(\tInit Duration: \d+\.\d\d ms)?"
    r"(\t\n|\tStatus: timeout\n|\tStatus: error\tError Type: \S+\n)"
    r"(XRAY TraceId: 1-[0-9a-f]{8}-[0-9a-f]{24}\tSegmentId: [0-9a-f]{16}\tSampled: true\t\n)?",
]
SAID = [
    r"✅ Cache HIT for (\[\w+\]|\w+) - DB query skipped \(permanent cache\)",
    r"❌ Cache MISS for (\[\w+\]|\w+) - fetching from DB",
    r"💾 Permanently cached prompt for (\[\w+\]|\w+)",
    r"💰 API Cost: \$\d+\.\d{6} \| input: \d+, output: \d+, cache_read: \d+, cache_write: \d+",
    r'\{"event":"llm_usage".*\}',
    r"WebSocket message received",
    r"Claude API error: overloaded_error \(529\)",
]
LOGGED = rf"\[INFO\]\t\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z\t{UUID}\t"
PLATFORM_RE = re.compile("|".join(PLATFORM))
SAID_RE = re.compile("|".join(SAID))
LOGGED_RE = re.compile(LOGGED)


def said(invocation: Invocation, message: str) -> str:
    """What the service said, its dress taken off; fails if the dress is not the engine's."""
    assert message.endswith("\n")
    if invocation.engine.dress == "print":
        return message[:-1]
    if invocation.environment.version.json_logs:
        line = json.loads(message)
        assert line["requestId"] == invocation.request_id and line["level"] == "INFO"
        return str(line["message"])
    match = LOGGED_RE.match(message)
    assert match
    return message[match.end() : -1]


def test_text_events() -> None:
    """In text format an event is a platform line, or a line of the service in its engine's dress."""
    for invocation in week()[::3]:
        for _, message in invocation.events:
            assert PLATFORM_RE.fullmatch(message) or SAID_RE.fullmatch(said(invocation, message)), message


def test_json_events() -> None:
    """In JSON format the platform writes JSON, logging is wrapped, and print stays as it is."""
    kinds = set()
    for invocation in json_hours():
        if invocation.function.name != "bodo-ws":
            continue
        for _, message in invocation.events:
            if message.startswith('{"time":'):
                kinds.add(json.loads(message)["type"])
            else:
                assert SAID_RE.fullmatch(said(invocation, message)), message

    assert kinds >= {"platform.start", "platform.report", "platform.initStart"}


@pytest.mark.parametrize("dress", ["print", "logging"])
def test_both_dresses_occur_in_both_formats(dress: str) -> None:
    """Engines of both dresses are seen in text and in JSON format."""
    for hours in (week(), json_hours()):
        assert any(i.engine.dress == dress and i.function.name == "bodo-ws" for i in hours)


def test_every_invocation_opens_and_closes() -> None:
    """START before anything said, one REPORT at the end, times never run backwards."""
    for invocation in week()[::3]:
        messages = [message for _, message in invocation.events]
        times = [at_ms for at_ms, _ in invocation.events]

        assert messages[1 if invocation.cold else 0].startswith("START ")
        assert messages[-1].startswith("REPORT ") and messages[-2].startswith("END ")
        assert times == sorted(times)


def test_faults_occur() -> None:
    """Timeouts, crashes, failed calls and broken streams are all there, and rare."""
    text = "".join(message for invocation in week() for _, message in invocation.events)

    assert 3 < text.count("Status: timeout") < 60
    assert 0 < text.count("Status: error") < 30
    assert 10 < text.count('"error_type":"overloaded_error"') < 300
    assert 20 < text.count('"complete":false,"stop_reason"') + text.count('"complete":false,"latency_ms"') < 400


def test_nothing_outlives_the_functions_timeout() -> None:
    """No event comes later than 60 s after START; what would have is a timeout."""
    for invocation in week():
        assert invocation.events[-1][0] - invocation.start_ms <= 60_000
        if invocation.events[-1][0] - invocation.start_ms == 60_000:
            assert "Status: timeout" in invocation.events[-1][1]


def test_billed_duration_includes_init() -> None:
    """On a cold start the bill is duration + init, rounded up."""
    cold = [i for i in week() if i.cold and i.fate == "success"]
    for invocation in cold[:50]:
        numbers = dict(
            re.findall(r"(\w+ Duration|Duration): ([\d.]+) ms", invocation.events[-1][1].replace("\t", "\n"))
        )
        billed = int(numbers["Billed Duration"])

        assert 0 <= billed - float(numbers["Duration"]) - float(numbers["Init Duration"]) < 1.02


def test_the_log_tells_the_truth() -> None:
    """Each logged call of the record-writing function is in the log with the truth's counts; unlogged ones are not."""
    told = {}
    for invocation in week():
        for _, message in invocation.events:
            if '"event":"llm_usage"' in message and '"id":' in message:
                record = json.loads(message[message.index("{") :])
                told[record["id"]] = record
    truths = {t["call_id"]: t for i in week() for t in i.truths if t["source"] == "bodo-ws" and t["call_id"]}

    assert set(told) == {call_id for call_id, t in truths.items() if t["logged"]}
    for call_id, record in told.items():
        assert record["usage"]["cache_read_input_tokens"] == truths[call_id]["cache_read_tokens"]
        assert record["usage"]["input_tokens"] == truths[call_id]["input_tokens"]
        assert record["cost_usd"] == truths[call_id]["cost_usd"]


def test_no_prompt_text() -> None:
    """A record holds counts, ids and fingerprints only."""
    for invocation in week()[:2_000]:
        for _, message in invocation.events:
            assert not re.search(r'"(system|messages|content|prompt|text)":', message)
