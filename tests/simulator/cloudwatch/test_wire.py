"""The hostile CloudWatch speaks boto3's protocol and misbehaves as AWS may."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from simulator.cloudwatch.answers import Cloud
from simulator.cloudwatch.faults import FaultPlan, Outage
from simulator.cloudwatch.log_groups import LogGroup
from simulator.cloudwatch.server import running_cloud
from simulator.cloudwatch.traffic import FUNCTION, Life, live
from tests.support.hostile import KEYS, REGION, START_MS, cloud_of, group_of, logs_client

GROUP = FUNCTION.log_group
STREAM = "2026/11/20/[7]" + "a" * 32


@pytest.fixture
def cloud() -> Cloud:
    return cloud_of()


@pytest.fixture
def group(cloud: Cloud) -> LogGroup:
    return group_of(cloud)


@pytest.fixture
def logs(cloud: Cloud, group: LogGroup) -> Iterator[Any]:
    with running_cloud(cloud) as url:
        client = logs_client(url)
        yield client
        client.close()


def put(group: LogGroup, *lines: tuple[int, str], ingested: int = 900, visible: int = 900) -> None:
    """Put lines (milliseconds after START, text) in one delivery."""
    told = [(START_MS + after, text) for after, text in lines]
    group.put(STREAM, told, ingested_ms=START_MS + ingested, visible_ms=[START_MS + visible] * len(told))


def pages(logs: Any, **asked: Any) -> Iterator[dict[str, Any]]:
    """Read by hand: boto3's paginator raises on a repeated token."""
    token: dict[str, str] = {}
    while True:
        page = logs.filter_log_events(logGroupName=GROUP, **asked, **token)
        yield page
        if "nextToken" not in page:
            return
        token = {"nextToken": page["nextToken"]}


def texts(logs: Any, **asked: Any) -> list[str]:
    return [event["message"] for page in pages(logs, **asked) for event in page["events"]]


def code_of(act: Any) -> str:
    with pytest.raises(ClientError) as caught:
        act()
    return caught.value.response["Error"]["Code"]


def test_an_event_is_told_once_its_time_has_come(cloud: Cloud, group: LogGroup, logs: Any) -> None:
    """Ingested after a second, visible after ninety minutes."""
    put(group, (0, "late"), visible=90 * 60_000)
    cloud.clock.advance(89 * 60)
    before = texts(logs, startTime=START_MS)
    cloud.clock.advance(60)

    assert (before, texts(logs, startTime=START_MS)) == ([], ["late"])


def test_ids_hold_time_ingestion_delivery_and_position(cloud: Cloud, group: LogGroup, logs: Any) -> None:
    """Fifty-six digits; their order is that of emission, also inside a millisecond."""
    put(group, (5, "a"), (5, "b"))
    put(group, (5, "c"), ingested=950)
    cloud.clock.advance(5)

    (page,) = pages(logs)
    events = page["events"]
    numbers = [int(event["eventId"]) for event in events]
    assert [event["message"] for event in events] == ["a", "b", "c"]
    assert {len(event["eventId"]) for event in events} == {56}
    assert [number >> 144 for number in numbers] == [START_MS + 5] * 3
    assert [number >> 80 & (1 << 64) - 1 for number in numbers] == [event["ingestionTime"] for event in events]
    assert [number & 0xFFFF for number in numbers] == [0, 1, 0]
    assert numbers == sorted(numbers) and numbers[0] >> 16 == numbers[1] >> 16 != numbers[2] >> 16


def test_start_and_end_time_belong_to_the_window(cloud: Cloud, group: LogGroup, logs: Any) -> None:
    """Both ends are inclusive."""
    put(group, (0, "a"), (1, "b"), (2, "c"), (3, "d"))
    cloud.clock.advance(5)

    assert texts(logs, startTime=START_MS + 1, endTime=START_MS + 2) == ["b", "c"]


def test_pages_may_be_empty_partial_or_told_twice(cloud: Cloud, group: LogGroup, logs: Any) -> None:
    """Nothing is left out whatever a page looks like; only a missing token is the end."""
    put(group, *[(n // 4, f"{n}") for n in range(40)])
    cloud.clock.advance(5)
    rates: Any = {"empty": 0.2, "partial": 0.2, "repeat_token": 0.2, "repeat_page": 0.2}
    cloud.faults = FaultPlan(2, rates, page_sizes=(1, 3), largest_page=5)

    told = list(pages(logs))

    seen = [event["message"] for page in told for event in page["events"]]
    assert list(dict.fromkeys(seen)) == [f"{n}" for n in range(40)]
    assert len(seen) > 40
    assert any(not page["events"] and "nextToken" in page for page in told)
    assert set(cloud.faults.happened) == set(rates)


@pytest.mark.parametrize(
    ("fault", "code"), [("throttle", "ThrottlingException"), ("server_error", "ServiceUnavailableException")]
)
def test_requests_are_refused_as_aws_refuses_them(cloud: Cloud, logs: Any, fault: Any, code: str) -> None:
    """With the code that boto3 makes an exception of."""
    cloud.faults = FaultPlan(0, {fault: 1.0})

    assert code_of(lambda: logs.filter_log_events(logGroupName=GROUP)) == code


@pytest.mark.parametrize("fault", ["cut", "garbled"])
def test_boto3_hands_out_a_cut_off_answer_as_if_it_were_one(
    cloud: Cloud, group: LogGroup, logs: Any, fault: Any
) -> None:
    """No exception and no events: whoever reads on from here loses them. The collector must look for itself."""
    put(group, (0, "a"))
    cloud.clock.advance(5)
    cloud.faults = FaultPlan(0, {fault: 1.0})

    assert "events" not in logs.filter_log_events(logGroupName=GROUP)


def test_a_token_lives_for_a_day_and_for_one_question(cloud: Cloud, group: LogGroup, logs: Any) -> None:
    """Older, of another question, of a group made anew, or lost: invalid."""
    put(group, (0, "a"), (1, "b"))
    cloud.clock.advance(5)
    token = logs.filter_log_events(logGroupName=GROUP, limit=1)["nextToken"]

    def ask(**more: Any) -> Any:
        return logs.filter_log_events(logGroupName=GROUP, nextToken=token, **{"limit": 1, **more})

    assert ask()["events"][0]["message"] == "b"
    assert code_of(lambda: ask(startTime=1)) == "InvalidParameterException"
    cloud.clock.advance(24 * 3600 + 1)
    assert code_of(ask) == "InvalidParameterException"
    cloud.groups.delete(group)
    assert code_of(ask) == "ResourceNotFoundException"
    group_of(cloud)
    assert code_of(ask) == "InvalidParameterException"


def test_outages_last_as_long_as_they_were_planned(cloud: Cloud, logs: Any) -> None:
    """Expired credentials, then no such group, then as before."""
    minute = 60_000
    cloud.faults = FaultPlan(
        0, outages=(Outage("expired_credentials", START_MS, START_MS + minute),
                    Outage("no_group", START_MS + minute, START_MS + 2 * minute)),
    )  # fmt: skip
    codes = []
    for _ in range(2):
        codes.append(code_of(lambda: logs.filter_log_events(logGroupName=GROUP)))
        cloud.clock.advance(60)

    assert codes == ["ExpiredTokenException", "ResourceNotFoundException"]
    assert texts(logs) == []


def test_groups_and_streams_are_described(cloud: Cloud, group: LogGroup, logs: Any) -> None:
    """With the paging and the stale times of the real operations."""
    put(group, (0, "a"))
    for number in range(60):
        cloud.groups.make(f"/other/{number:02d}", account="123456789012", region=REGION, now_ms=START_MS)
    cloud.clock.advance(60)

    first = logs.describe_log_groups()
    (stream,) = logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
    assert (len(first["logGroups"]), "nextToken" in first) == (50, True)
    assert [one["logGroupName"] for one in logs.describe_log_groups(logGroupNamePrefix="/aws")["logGroups"]] == [GROUP]
    assert stream["logStreamName"] == STREAM
    assert "lastIngestionTime" not in stream  # eventually consistent: not told for half an hour


def test_a_role_of_another_account_sees_that_account_s_groups(cloud: Cloud, group: LogGroup) -> None:
    """The external id is demanded; the keys lent name the account; an ARN reaches across."""
    role = "arn:aws:iam::210987654321:role/reader"
    cloud.roles[role] = "secret-of-ours"
    group_of(cloud, name="/there", account="210987654321")
    limits = Config(retries={"total_max_attempts": 1})
    with running_cloud(cloud) as url:
        sts = boto3.client("sts", region_name=REGION, endpoint_url=url, config=limits, **KEYS)
        refused = code_of(lambda: sts.assume_role(RoleArn=role, RoleSessionName="test", ExternalId="wrong"))
        lent = sts.assume_role(RoleArn=role, RoleSessionName="test", ExternalId="secret-of-ours")["Credentials"]
        there = boto3.client(
            "logs", region_name=REGION, endpoint_url=url, config=limits, aws_access_key_id=lent["AccessKeyId"],
            aws_secret_access_key=lent["SecretAccessKey"], aws_session_token=lent["SessionToken"],
        )  # fmt: skip
        names = [one["logGroupName"] for one in there.describe_log_groups()["logGroups"]]
        across = there.filter_log_events(logGroupIdentifier=group.arn)["events"]
        wrong = code_of(lambda: there.filter_log_events(logGroupIdentifier=f"{group.arn}:*"))
        sts.close()
        there.close()

    assert (refused, names, across, wrong) == ("AccessDenied", ["/there"], [], "InvalidParameterException")


def test_a_function_s_configuration_is_told(cloud: Cloud) -> None:
    """The REST path of Lambda, for checks of log levels."""
    cloud.functions["bodo-ws"] = {"LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "WARN"}}
    with running_cloud(cloud) as url:
        client = boto3.client("lambda", region_name=REGION, endpoint_url=url, **KEYS)
        told = client.get_function_configuration(FunctionName="bodo-ws")
        missing = code_of(lambda: client.get_function_configuration(FunctionName="other"))
        client.close()

    assert (told["LoggingConfig"]["SystemLogLevel"], missing) == ("WARN", "ResourceNotFoundException")


def test_a_life_can_be_lived_again(cloud: Cloud, group: LogGroup) -> None:
    """The same seed gives the same events with the same delays, and the same truth."""
    other = group_of(cloud_of())
    life = Life(9, START_MS, hours=1, requests=30)

    assert live(group, life) == live(other, life)
    assert [(e.order, e.visible_ms, e.message) for e in group.events] == [
        (e.order, e.visible_ms, e.message) for e in other.events
    ]
    lateness = [event.visible_ms - event.timestamp_ms for event in group.events]
    assert max(lateness) > 15 * 60_000
    assert len({event.timestamp_ms for event in group.events}) < len(group.events)
