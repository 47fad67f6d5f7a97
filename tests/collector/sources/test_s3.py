"""Objects in S3: what is read, what is left alone, where the next pass goes on, and what an error says."""

from __future__ import annotations

import gzip
import json
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from collector.build import make_collector
from collector.pipeline import Collector
from collector.sources import s3
from collector.sources.s3 import S3Source
from core.pricing import default_book
from core.settings import SourceSettings
from core.store.lake import Lake
from tests.support import moto_logs, moto_s3
from tests.support.collecting import DEFAULTS, adds_up, rows
from tests.support.formats import lines
from tests.support.log_lines import T0, cost, dressed, invocation, iso, payload, record, rid

NOW = datetime.now(UTC)
BEDROCK = "AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_logs.running() as url:
        yield url


class Place:
    """A bucket of its own, and collectors that read it."""

    def __init__(self, endpoint: str, lake: Lake) -> None:
        self.endpoint, self.lake, self.name = endpoint, lake, f"b-{uuid.uuid4().hex[:12]}"
        self.s3 = moto_s3.bucket(endpoint, self.name)

    def put(self, key: str, *objects: Any, zipped: bool = True) -> None:
        text = "".join((one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)) + "\n" for one in objects)
        moto_s3.put(self.endpoint, key, text.encode(), name=self.name, zipped=zipped)

    def settings(self, **more: Any) -> SourceSettings:
        values = {"name": "it", "kind": "s3", "bucket": self.name, "region": moto_logs.REGION,
                  "endpoint_url": self.endpoint, "since_days": 3650, **more}  # fmt: skip
        return SourceSettings(**values)

    def collector(self, *, client: Any = None, now: datetime = NOW, **more: Any) -> Collector:
        source = S3Source(self.settings(**more), client=client or moto_s3.client(self.endpoint))
        return Collector(source, self.lake, default_book(), defaults=DEFAULTS, clock=lambda: now)

    def calls(self) -> list[dict[str, Any]]:
        return rows(self.lake, "calls")


@pytest.fixture
def place(endpoint: str, lake: Lake) -> Place:
    return Place(endpoint, lake)


def key(hours_ago: float, name: str, *, prefix: str = "firehose/") -> str:
    return f"{prefix}{NOW - timedelta(hours=hours_ago):%Y/%m/%d/%H}/{name}"


# what is read


def test_firehose_s_concatenated_members_are_read(place: Place) -> None:
    """Subscription payloads without a newline between them, in gzip members one after the other."""
    members = [gzip.compress(json.dumps(payload(invocation(n), put=n)).encode()) for n in range(3)]
    moto_s3.put(place.endpoint, key(1, "delivery"), b"".join(members), name=place.name, zipped=False)

    result = place.collector(prefix="firehose/").run_pass()

    assert (result.status, result.new_calls, result.new_invocations) == ("done", 3, 3)
    assert adds_up(result)


def test_an_export_s_streams_are_environments_again(place: Place) -> None:
    """CloudWatch writes "time line" into an object per stream, with dashes for the slashes of its name."""
    stream = "2026-11-20-[12]" + "b" * 32
    told = [f"{iso(ms)} {line}" for ms, line in invocation(1)]
    place.put(f"exported/5c1e0f7a-aa11-4b6d-9a43-000000000000/{stream}/000000.gz", *told)
    place.put("exported/aws-logs-write-test", "Permission Check Successful", zipped=False)

    result = place.collector(prefix="exported/", log_group="/aws/lambda/bodo-ws").run_pass()

    (call,) = place.calls()
    assert (result.lines_read, result.new_invocations) == (6, 1)
    assert (call["log_stream"], call["function_version"]) == ("2026/11/20/[12]" + "b" * 32, "12")
    assert (call["ts"].isoformat(), call["invocation_id"]) == ("2026-11-20T00:00:02.800000+00:00", rid(1))


def test_bedrock_s_objects_are_read_and_their_bodies_left_alone(place: Place) -> None:
    """Batches of records; data/ holds prompts, and the permission check nothing."""
    place.put(f"{BEDROCK}/2026/11/20/10/20261120T100000_a.json.gz", *lines("bedrock_log"))
    place.put(f"{BEDROCK}/2026/11/20/10/data/req_input.json.gz", {"messages": "a prompt", "input_tokens": 5})
    place.put(f"{BEDROCK}/amazon-bedrock-logs-permission-check", "ok", zipped=False)

    result = place.collector().run_pass()

    assert result.lines_read == len(lines("bedrock_log"))
    assert {call["told_by"] for call in place.calls()} == {"bedrock_log"}
    assert len(place.calls()) == 5


def test_plain_json_lines_without_dates_in_their_keys_are_read(place: Place) -> None:
    """Any key below the prefix, zipped or not, in folders or beside them; folder markers are no objects."""
    place.put("mine/one.jsonl", record("msg_1"), zipped=False)
    place.put("mine/deep/er/two.jsonl.gz", record("msg_2"))
    place.s3.put_object(Bucket=place.name, Key="mine/deep/", Body=b"")
    place.put("other/three.jsonl", record("msg_3"))

    place.collector(prefix="mine/").run_pass()

    assert {call["call_id"] for call in place.calls()} == {"msg_1", "msg_2"}


def test_objects_of_many_accounts_and_regions_are_read(place: Place) -> None:
    """Each account and region is a lane of its own: what one adds is not behind what another has reached."""
    for account in ("111111111111", "999999999999"):
        place.put(f"AWSLogs/{account}/BedrockModelInvocationLogs/us-east-1/{NOW:%Y/%m/%d/%H}/a.json.gz",
                  lines("bedrock_log")[0].replace("stream1", account))  # fmt: skip
    first = place.collector().run_pass()
    later = NOW + timedelta(hours=1)
    place.put(f"AWSLogs/111111111111/BedrockModelInvocationLogs/us-east-1/{later:%Y/%m/%d/%H}/b.json.gz",
              lines("bedrock_log")[1])  # fmt: skip
    second = place.collector(now=later).run_pass()

    assert (first.new_calls, second.new_calls) == (2, 1)


# where the next pass goes on


def test_a_late_object_under_an_earlier_key_is_found(place: Place) -> None:
    """What arrives under an earlier hour while newer keys were read already is read by the next pass."""
    place.put(key(0, "b"), record("msg_2"))
    place.collector().run_pass()
    place.put(key(2, "a"), record("msg_1"))

    second = place.collector().run_pass()

    assert (second.new_calls, len(place.calls())) == (1, 2)


def test_old_keys_are_not_listed_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once objects are older than the window of late ones, a pass lists from behind them."""
    monkeypatch.setattr(s3, "RELIST_S", 0.0)
    for number in range(5):
        place.put(key(9 - number, f"{number}"), record(f"msg_{number}"))
    place.collector(now=NOW + timedelta(hours=1)).run_pass()

    asked: list[dict[str, Any]] = []
    client = moto_s3.client(place.endpoint)
    client.meta.events.register("provide-client-params.s3.ListObjectsV2", lambda params, **_: asked.append(params))
    second = place.collector(client=client, now=NOW + timedelta(hours=2)).run_pass()

    assert [params["StartAfter"] for params in asked if "StartAfter" in params] == [key(5, "4")]
    assert (second.lines_read, second.new_calls) == (0, 0)


def test_an_object_written_over_is_read_again_and_doubles_nothing(place: Place) -> None:
    """Another etag under the same key is another content; calls told before stay one."""
    place.put("a.jsonl", record("msg_1"))
    place.collector().run_pass()
    place.put("a.jsonl", record("msg_1"), record("msg_2"))

    second = place.collector().run_pass()

    assert (second.new_calls, len(place.calls())) == (1, 2)


def test_days_before_the_first_one_wanted_are_not_listed(place: Place) -> None:
    """since_days bounds the first pass by key, for keys that lead with a date, and by age."""
    old = f"firehose/{NOW - timedelta(days=30):%Y/%m/%d/%H}/a"
    place.put(old, record("msg_old"))
    place.put(key(1, "b"), record("msg_new"))

    place.collector(prefix="firehose/", since_days=7).run_pass()

    assert [call["call_id"] for call in place.calls()] == ["msg_new"]


def test_a_pass_that_stops_half_way_forgets_no_object(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects are read in order of key; stopped after the first batch, the next pass reads the others."""
    monkeypatch.setattr(s3, "RELIST_S", 0.0)
    monkeypatch.setattr("collector.sources.gathering.BATCH_EVENTS", 1)
    later = NOW + timedelta(hours=1)
    for number in range(4):
        place.put(key(4 - number, f"{number}"), record(f"msg_{number}"), "an empty line of no interest")
    stopped = place.collector(now=later).run_pass(stop=lambda: True)
    rest = place.collector(now=later).run_pass()

    assert stopped.stopped
    assert stopped.new_calls + rest.new_calls == 4
    assert {call["call_id"] for call in place.calls()} == {f"msg_{n}" for n in range(4)}


def test_an_open_request_brings_its_object_back(place: Place) -> None:
    """START in one delivery, REPORT in the next: the first is read again, and counted once."""
    now_ms = time.time_ns() // 1_000_000
    events = invocation(1, ms=now_ms - 20_000)
    place.put(key(0, "1"), payload(events[:4], put=1))
    first = place.collector(now=datetime.now(UTC)).run_pass(final=False)
    place.put(key(0, "2"), payload(events[4:], put=2))
    second = place.collector(now=datetime.now(UTC)).run_pass(final=False)

    assert (first.new_calls, second.new_calls, first.lines_read + second.lines_read) == (0, 1, 6)


# damage


def test_a_cut_object_tells_what_it_holds_and_stops_no_other(place: Place) -> None:
    """The lines before the cut are read; the pass names the object and goes on."""
    whole = gzip.compress(
        "".join(record(f"msg_{n}", prefix_fingerprint=uuid.uuid4().hex) + "\n" for n in range(500)).encode()
    )
    moto_s3.put(place.endpoint, "a.gz", whole[: len(whole) // 2], name=place.name, zipped=False)
    place.put("b.gz", record("msg_b"))

    result = place.collector().run_pass()
    again = place.collector().run_pass()

    assert (result.status, dict(result.skipped)["truncated"]) == ("partial", 1)
    assert f"s3://{place.name}/a.gz" in str(result.problems[0])
    assert 100 < result.new_calls < 501
    assert "msg_b" in {call["call_id"] for call in place.calls()}
    assert (again.status, again.lines_read) == ("done", 0)


def test_an_object_that_is_no_text_is_named(place: Place) -> None:
    """A picture among the logs: one problem, counted once."""
    moto_s3.put(place.endpoint, "picture.png", bytes(range(256)) * 40, name=place.name, zipped=False)

    result = place.collector().run_pass()

    assert dict(result.skipped) == {"binary": 1}
    assert result.problems[0].code == "COL-304"


def test_an_object_deleted_after_it_was_listed_is_passed_over(place: Place) -> None:
    """Lifecycle rules delete while we read."""
    place.put("a", record("msg_1"))
    client = moto_s3.client(place.endpoint)

    def delete(**_: Any) -> None:
        place.s3.delete_object(Bucket=place.name, Key="a")

    client.meta.events.register("before-call.s3.GetObject", delete)

    assert place.collector(client=client).run_pass().status == "done"


# what an error says


class Refusing:
    """An S3 client that answers with one error."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.meta = type("Meta", (), {"endpoint_url": "https://s3.ap-northeast-2.amazonaws.com"})

    def list_objects_v2(self, **asked: Any) -> Any:
        raise self._error


def answer(code: str, operation: str = "ListObjectsV2") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "secret AKIA123"}}, operation)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (answer("NoSuchBucket"), "COL-411"),
        (answer("AccessDenied"), "COL-412"),
        (answer("PermanentRedirect"), "COL-413"),
        (answer("AccessDenied", "AssumeRole"), "COL-415"),
        (answer("InvalidAccessKeyId"), "COL-401"),
        (answer("ExpiredToken"), "COL-402"),
        (answer("SlowDown"), "COL-429"),
        (answer("InternalError"), "COL-500"),
        (NoCredentialsError(), "COL-401"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), "COL-503"),
    ],
)
def test_an_error_says_what_to_do(place: Place, error: Exception, code: str) -> None:
    """The pass fails with the code of its mend, the bucket's name, and nothing that AWS quoted."""
    result = place.collector(client=Refusing(error)).run_pass()

    assert (result.status, result.problems[0].code) == ("failed", code)
    assert result.problems[0].mend
    assert "AKIA" not in str(result.problems[0])


def test_a_bucket_that_is_not_there_is_said_by_the_real_client(endpoint: str, lake: Lake) -> None:
    """The same through boto3, to the end."""
    place = Place(endpoint, lake)

    assert place.collector(bucket="nobody-has-this").run_pass().problems[0].code == "COL-411"


def test_an_archived_object_stops_no_other(place: Place) -> None:
    """Glacier refuses one object; the next ones are read."""
    place.s3.put_object(Bucket=place.name, Key="a", Body=record("msg_1").encode(), StorageClass="GLACIER")
    place.put("b", record("msg_2"))

    result = place.collector().run_pass()

    assert ([problem.code for problem in result.problems], result.new_calls) == (["COL-414"], 1)


def test_a_role_is_assumed_to_read(place: Place, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """With role_arn the client works under that role's credentials, asked for with the id its trust policy demands."""
    for name, value in moto_logs.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    place.put("a", record("msg_1"))
    asked: list[Any] = []
    real = boto3.session.Session.client

    def watched(self: Any, service: str, **more: Any) -> Any:
        made = real(self, service, **more)
        if service == "sts":
            made.meta.events.register("provide-client-params.sts.AssumeRole", lambda params, **_: asked.append(params))
        return made

    monkeypatch.setattr(boto3.session.Session, "client", watched)
    settings = place.settings(role_arn="arn:aws:iam::210987654321:role/logs-reader", external_id="ours")

    result = make_collector(settings, lake, default_book()).run_pass()

    assert (result.status, result.new_calls) == ("done", 1)
    told = [(params["RoleArn"], params.get("ExternalId")) for params in asked]
    assert told == [("arn:aws:iam::210987654321:role/logs-reader", "ours")]


def test_dressed_lines_in_objects_keep_their_request(place: Place) -> None:
    """A plain text log in S3 is read like a file."""
    place.put("app.log", dressed(cost(), T0, rid(1)), zipped=False)

    place.collector().run_pass()

    assert place.calls()[0]["invocation_id"] == rid(1)


def test_an_answer_that_bedrock_moved_to_s3_is_read_for_its_counts(place: Place) -> None:
    """The moved stream tells the id and the TTLs of what was written; one that is gone leaves the counts of the log."""
    log = json.loads(lines("bedrock_log")[3])
    start = {"type": "message_start", "message": {"id": "msg_moved", "model": "claude-sonnet-4-5", "usage": {
        "input_tokens": 7, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 5000, "output_tokens": 1,
        "cache_creation": {"ephemeral_5m_input_tokens": 4000, "ephemeral_1h_input_tokens": 1000}}}}  # fmt: skip
    text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "PLANTED" * 20_000}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 11}}
    moved = f"{BEDROCK}/2026/11/20/10/data/a_output.json.gz"
    place.put(moved, [start, text, end, {"type": "message_stop"}])
    log["output"]["outputBodyS3Path"] = f"s3://{place.name}/{moved}"
    gone = {**log, "requestId": "req-gone", "output": {**log["output"], "outputBodyS3Path": f"s3://{place.name}/none"}}
    place.put(f"{BEDROCK}/2026/11/20/10/log.json.gz", log, gone, {**gone, "requestId": "req-gone-too"})

    result = place.collector(prefix=BEDROCK).run_pass()

    told = {call["call_id"]: call for call in place.calls()}
    whole, alone = told["msg_moved"], told["req-gone"]
    assert (whole["cache_write_5m_tokens"], whole["cache_write_1h_tokens"], whole["ttl_known_by"]) == (
        4000, 1000, "record",
    )  # fmt: skip
    assert (alone["cache_write_1h_tokens"], alone["ttl_known_by"], alone["output_tokens"]) == (5000, "defaults", 11)
    assert ([problem.code for problem in result.problems], len(told)) == (["COL-416"], 3)
    assert "1 answer that" in result.problems[0].message  # both lines name the same object, which is asked for once
    assert "PLANTED" not in repr(told)
