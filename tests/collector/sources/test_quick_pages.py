"""Pages decoded once are what botocore reads itself, and what is odd is left to it."""

from __future__ import annotations

from typing import Any

import pytest

from collector.sources.quick_pages import quicken, take_events
from simulator.cloudwatch.server import running_cloud
from simulator.cloudwatch.traffic import FUNCTION, Life, live
from tests.support.hostile import HOUR_MS, START_MS, cloud_of, group_of, logs_client


def test_a_client_gives_the_same_pages_as_before() -> None:
    """The same events, the same tokens and what a pass needs to know beside them, from a real client over a socket."""
    cloud = cloud_of(1)
    live(group_of(cloud), Life(1, START_MS, requests=20, hours=0.5))
    cloud.clock.advance(4 * 3600)
    asked = {"logGroupName": FUNCTION.log_group, "startTime": START_MS, "endTime": START_MS + 4 * HOUR_MS, "limit": 50}
    with running_cloud(cloud) as url:
        plain, quick = logs_client(url), logs_client(url)
        quicken(quick)
        before, after = plain.filter_log_events(**asked), quick.filter_log_events(**asked)
        rest = quick.filter_log_events(**asked, nextToken=after["nextToken"])
        plain.close()
        quick.close()

    assert len(before["events"]) == 50
    assert after["events"] == before["events"]
    assert rest["events"][0] not in after["events"]
    assert after["ResponseMetadata"]["HTTPHeaders"]["date"]
    assert after["ResponseMetadata"]["RetryAttempts"] == 0


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b'{"__type": "ThrottlingException"}'),
        (200, b'{"events": [{"message": "a", "logStr'),
        (200, b'{"events": [{"message": "\\ud800", "logStreamName": "s"}]}'),
        (200, b'{"events": [{"message": null, "logStreamName": "s"}]}'),
        (200, b'{"events": [7]}'),
        (200, b'{"events": {}}'),
        (200, b'{"nextToken": "t"}'),
        (200, b"[]"),
        (200, b""),
    ],
)
def test_what_is_odd_is_left_to_botocore(status: int, body: bytes) -> None:
    """Refusals, bodies cut short, halves of letters, members of another type: botocore says what they are."""
    told: dict[str, Any] = {"status_code": status, "body": body}
    taken: dict[str, Any] = {}

    take_events(response_dict=told, customized_response_dict=taken, operation_model=None)

    assert taken == {}
    assert told["body"] == body


def test_what_is_beside_the_events_is_parsed_as_ever() -> None:
    """Only the events are taken out of the answer."""
    told: dict[str, Any] = {
        "status_code": 200,
        "body": b'{"events": [{"message": "a", "logStreamName": "s", "timestamp": 5}], "nextToken": "t"}',
    }
    taken: dict[str, Any] = {}

    take_events(response_dict=told, customized_response_dict=taken)

    assert taken == {"events": [{"message": "a", "logStreamName": "s", "timestamp": 5}]}
    assert told["body"] == b'{"nextToken":"t"}'
