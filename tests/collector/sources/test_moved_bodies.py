"""Bedrock's log in CloudWatch: answers that it moved to S3 are fetched for their counts, each once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from collector.pipeline import Collector
from collector.sources.cloudwatch import CloudWatchSource
from core.pricing import default_book
from core.settings import LineDefaults, SourceSettings
from core.store.lake import Lake
from tests.support import moto_logs, moto_s3
from tests.support.collecting import rows
from tests.support.formats import lines

GROUP, STREAM = "/aws/bedrock/modelinvocations", "aws/bedrock/modelinvocations"
KEY = "big/AWSLogs/123456789012/BedrockModelInvocationLogs/ap-northeast-2/2026/11/20/10/data/a_output.json.gz"
ANSWER = {
    "id": "msg_bdrk_moved",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "PLANTED" * 20_000}],
    "usage": {
        "input_tokens": 7,
        "output_tokens": 11,
        "cache_read_input_tokens": 0,
        "cache_creation_input_tokens": 5_000,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 5_000},
    },
}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_logs.running() as url:
        yield url


def logged(request_id: str, path: str) -> dict[str, Any]:
    """Return a line of the log whose answer lies elsewhere."""
    line = json.loads(lines("bedrock_log")[3])
    return {**line, "requestId": request_id, "output": {**line["output"], "outputBodyS3Path": path}}


def test_a_moved_answer_is_read_once_and_one_out_of_reach_is_counted(
    lake: Lake, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one tells its id and the lifetime of what it wrote; without the other the log's own counts stand."""
    for name, value in moto_logs.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    now_ms = time.time_ns() // 1_000_000
    moto_s3.put(endpoint, KEY, json.dumps(ANSWER).encode())
    told = [logged("req-1", f"s3://{moto_s3.BUCKET}/{KEY}"), logged("req-2", f"s3://{moto_s3.BUCKET}/gone"),
            logged("req-3", f"s3://{moto_s3.BUCKET}/gone-too")]  # fmt: skip
    moto_logs.put(endpoint, GROUP, STREAM, [(now_ms - 60_000 + n, json.dumps(line)) for n, line in enumerate(told)])
    settings = SourceSettings(
        name="bedrock", kind="cloudwatch", log_group=GROUP, region=moto_logs.REGION, endpoint_url=endpoint, since_days=1
    )
    source = CloudWatchSource(settings, follow=True)
    moment = datetime.fromtimestamp(now_ms / 1000, UTC)
    defaults = LineDefaults(provider="bedrock", cache_ttl="5m")
    collector = Collector(source, lake, default_book(), defaults=defaults, clock=lambda: moment)

    first, second = collector.run_pass(), collector.run_pass()

    calls = {row["call_id"]: row for row in rows(lake, "calls")}
    assert {name: (row["cache_write_5m_tokens"], row["cache_write_1h_tokens"]) for name, row in calls.items()} == {
        "msg_bdrk_moved": (0, 5_000), "req-2": (5_000, 0), "req-3": (5_000, 0),
    }  # fmt: skip
    (problem,) = first.problems
    assert (problem.code, first.status, first.requests) == ("COL-416", "partial", 4)
    assert "2 answers" in problem.message and "gone" in problem.message and "NoSuchKey" in problem.message
    assert (second.problems, second.new_calls, second.replaced, second.requests) == ([], 0, 0, 1)
    assert "PLANTED" not in repr(calls)
