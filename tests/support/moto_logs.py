"""CloudWatch Logs of this machine: a moto server over HTTP, and events put there with boto3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import boto3
from moto.server import ThreadedMotoServer

REGION = "ap-northeast-2"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}
"""What a process needs to speak to moto, and what keeps it from finding anybody's real credentials."""


@contextmanager
def running() -> Iterator[str]:
    """Run a server; yield its URL."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def client(endpoint: str):
    """Return a client of the server."""
    return boto3.client(
        "logs",
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def put(endpoint: str, group: str, stream: str, events: list[tuple[int, str]]) -> None:
    """Put (time, line) events into a stream, making group and stream when they do not exist."""
    logs = client(endpoint)
    for make, names in ((logs.create_log_group, {}), (logs.create_log_stream, {"logStreamName": stream})):
        with suppress(logs.exceptions.ResourceAlreadyExistsException):
            make(logGroupName=group, **names)
    ordered = sorted(events, key=lambda event: event[0])
    for at in range(0, len(ordered), 5_000):
        logs.put_log_events(
            logGroupName=group,
            logStreamName=stream,
            logEvents=[{"timestamp": ms, "message": line} for ms, line in ordered[at : at + 5_000]],
        )
    logs.close()
